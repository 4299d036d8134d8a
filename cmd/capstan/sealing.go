package main

import (
	"errors"
	"fmt"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/move"
)

// sealing puts a fresh key in front of the key file and seals everything anew.
func (c keyRotate) sealing(o *output) (err error) {
	if c.Merchant != "" || c.Dialect != "" || c.Overlap != nil || c.server() != "" {
		return usageError("--sealing is about --store and --keys, and goes with no merchant, overlap or --admin")
	}
	if err := file(c.Store); err != nil {
		return err
	}
	private()
	st, err := c.openStore(o, changes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := move.Check(o, st); err != nil {
		return err
	}
	before, err := keyring.ReadFile(c.keys())
	if err != nil {
		return err
	}
	if err := capstan.CheckKeys(o, st, before); err != nil {
		return err
	}
	id, err := keyring.AddToFile(c.keys())
	if err != nil {
		return err
	}
	after, err := keyring.ReadFile(c.keys())
	if err != nil {
		return err
	}
	resealed, err := capstan.Reseal(o, st, after)
	if err != nil {
		return fmt.Errorf("key %s is in %s, but not everything is sealed under it yet: call again: %w", id, c.keys(), err)
	}
	desk, err := capstan.OpenDesk(o, st, after)
	if err != nil {
		return err
	}
	details := map[string]any{"key": id, "values": resealed.Values, "forgot": c.Forget}
	if err := desk.As(caller()).Note(o, "sealing_key.rotate", id, details); err != nil {
		return err
	}
	if c.Forget {
		for _, old := range before.Keys {
			if err := keyring.RemoveFromFile(c.keys(), old.ID); err != nil {
				return err
			}
		}
	}
	if c.JSON {
		return o.print(details)
	}
	fmt.Fprintf(o.out, "%d values are sealed under key %s of %s\n", resealed.Values, id, c.keys())
	if c.Forget {
		_, err = fmt.Fprintln(o.out, "The old keys are out of the file: backups made before open with the old file only")
	} else {
		_, err = fmt.Fprintln(o.out, "The old keys are still in the file, for backups made before")
	}
	return err
}

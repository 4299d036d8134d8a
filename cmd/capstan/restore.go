package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/explain"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/sqlite"
	"github.com/capstan-pay/capstan/verify"
)

type restoreCommand struct {
	From  string `required:"" placeholder:"FILE" help:"The backup."`
	Store string `default:"capstan.db" help:"The store that is to be made. It must not be there."`
	Keys  string `placeholder:"FILE" help:"File with the store's sealing keys. Default: the store's name with .keys after it."`
	JSON  bool   `help:"Print JSON." name:"json"`
}

func (c restoreCommand) Help() string {
	return `Makes a store from a backup, after it has looked at every page of the file, brought its schema up to date and audited
it as verify does. Nothing is overwritten. The key file is not part of a backup: put it in its place too.

Example: capstan restore --from /backup/capstan-2026-01-15.db --store capstan.db --keys /etc/capstan/keys.json`
}

// restored is what a restore has found.
type restored struct {
	Store    string         `json:"store"`
	Schema   int            `json:"schema"`
	Payments int            `json:"payments"`
	Events   int            `json:"events"`
	Last     *time.Time     `json:"last_event"` // nil: there is none
	Mode     string         `json:"mode"`
	Keys     string         `json:"keys"`
	KeysOK   bool           `json:"keys_open_it"` // false: the key file is not there yet
	report   *verify.Report // of the audit
}

// Run restores a store.
func (c restoreCommand) Run(o *output) error {
	if err := file(c.Store); err != nil {
		return err
	}
	private()
	keys := place{Store: c.Store, Keys: c.Keys}.keys()
	sealing, err := keyring.ReadFile(keys)
	r := restored{Store: c.Store, Keys: keys, KeysOK: err == nil}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = sqlite.Restore(o, c.From, c.Store, func(s *sqlite.Store) error { return r.check(o, s, sealing) })
	if err != nil {
		if r.report != nil && !r.report.Clean() {
			for _, f := range r.report.Findings {
				fmt.Fprintln(o.err, f)
			}
		}
		return err
	}
	if _, r.Schema, err = sqlite.Schema(c.Store); err != nil {
		return err
	}
	if c.JSON {
		return o.print(r)
	}
	return r.tell(o, c.From)
}

// check audits the copy before it becomes a store, and writes down in it that
// it was restored.
func (r *restored) check(o *output, s *sqlite.Store, sealing keyring.Sealing) (err error) {
	if r.Mode, err = capstan.Mode(o, s); err != nil {
		return err
	}
	if r.KeysOK {
		if err := capstan.CheckKeys(o, s, sealing); err != nil {
			return err
		}
	}
	if r.report, err = verify.Audit(o, s); err != nil {
		return err
	}
	if !r.report.Clean() {
		return fmt.Errorf("the backup %w", errFindings)
	}
	r.Payments, r.Events = r.report.Payments, r.report.Events
	err = s.Audit(o, func(view store.Audit) error {
		return view.States(func(state store.State) error {
			if r.Last == nil || state.UpdatedAt.After(*r.Last) {
				r.Last = &state.UpdatedAt
			}
			return nil
		})
	})
	if err == nil && r.Mode != "" {
		err = capstan.MarkRestored(o, s)
	}
	if err != nil || !r.KeysOK || r.Mode == "" {
		return err
	}
	desk, err := capstan.OpenDesk(o, s, sealing)
	if err != nil {
		return err
	}
	return desk.As(caller()).Note(o, "store.restore", "", map[string]any{"payments": r.Payments, "last_event": r.Last})
}

func (r *restored) tell(o *output, from string) error {
	last := "It holds no payments"
	if r.Last != nil {
		last = "Its last event is of " + explain.Time(*r.Last) + " UTC"
	}
	fmt.Fprintf(o.out, `%s is restored from %s: %d payments, %d events, audited without findings, schema %d.
%s.

What happened after that is not in it, and nobody has told the outside world:
  - Payments made since are unknown. Money that a processor holds or has moved for them is theirs to tell: compare
    with their reports.
  - Captures, voids and refunds since are not known to have happened. A client that repeats one, even under its old
    idempotency key, may move the money again. Holds that were closed since are open here, and will expire here.
  - Wallet balances and risk counters are those of that moment. Webhooks of that time may be sent again.
  - Keys that were made or disabled since are not, or are not disabled: disable again what was compromised.
Served with remote processors (--processor) it is reconciled with them first, and what differs waits: capstan reconcile.
Keep merchants out until you have compared: capstan merchant disable; capstan explain tells what this store knows.
`, r.Store, from, r.Payments, r.Events, r.Schema, last)
	if r.KeysOK {
		_, err := fmt.Fprintf(o.out, "The key file %s opens it.\n", r.Keys)
		return err
	}
	_, err := fmt.Fprintf(o.out, "The key file %s is not there: put it there from where you keep it, or serve will not open the store.\n", r.Keys)
	return err
}

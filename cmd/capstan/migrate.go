package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/capstan-pay/capstan/store/postgres"
	"github.com/capstan-pay/capstan/store/sqlite"
)

type migrateCommand struct {
	Store string `default:"capstan.db" help:"The store. One that is not there is made, empty."`
	Check bool   `help:"Change nothing; exit code 1 when there is something to do."`
	JSON  bool   `help:"Print JSON." name:"json"`
}

func (c migrateCommand) Help() string {
	return `Brings the schema of a store up to this version's, as serve does before it is ready, without serving. It is one
transaction: a store is migrated or as it was. Several may be started at once: one does it, the others wait. Make a
backup first; an older version does not open a store that was migrated.

Examples:
  capstan migrate --store capstan.db
  capstan migrate --store capstan.db --check`
}

// waitForMigration is how long one migration waits for another.
const waitForMigration = time.Minute

// Run migrates a store.
func (c migrateCommand) Run(o *output) error {
	has, knows, err := c.schema(o)
	if err != nil {
		return err
	}
	if has != knows && !c.Check {
		private()
		if err := c.migrate(o, knows); err != nil {
			return err
		}
	}
	if c.JSON {
		err = o.print(map[string]int{"from": has, "to": knows})
	} else if has == knows {
		_, err = fmt.Fprintf(o.out, "%s has schema %d: nothing to do\n", shown(c.Store), has)
	} else {
		_, err = fmt.Fprintf(o.out, "%s: schema %d -> %d\n", shown(c.Store), has, knows)
	}
	if err == nil && c.Check && has != knows {
		err = errors.New("the store has to be migrated")
	}
	return err
}

// schema returns which schema the store has, and which this version knows.
func (c migrateCommand) schema(ctx context.Context) (has, knows int, err error) {
	if onPostgres(c.Store) {
		return postgres.Schema(ctx, c.Store)
	}
	return sqlite.Schema(c.Store)
}

// migrate opens the store as its writer, which applies what is pending. While
// another process has it, that one may be doing so.
func (c migrateCommand) migrate(ctx context.Context, to int) error {
	ctx, cancel := context.WithTimeout(ctx, waitForMigration)
	defer cancel()
	if onPostgres(c.Store) { // where one waits for another
		st, err := openStore(ctx, c.Store)
		if err != nil {
			return err
		}
		return st.Close()
	}
	for {
		st, err := sqlite.Open(ctx, c.Store, sqlite.Options{})
		if err == nil {
			return st.Close()
		}
		if !errors.Is(err, sqlite.ErrInUse) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
		if has, _, err := sqlite.Schema(c.Store); err == nil && has == to {
			return nil
		}
	}
}

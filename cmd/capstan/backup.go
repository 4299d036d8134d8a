package main

import (
	"fmt"
	"os"

	"github.com/capstan-pay/capstan/store/sqlite"
)

type backupCommand struct {
	Store string `default:"capstan.db" help:"The store. A server may have it open."`
	Keys  string `placeholder:"FILE" help:"File with the store's sealing keys, to remind you of. Default: the store's name with .keys after it."`
	To    string `required:"" placeholder:"FILE" help:"The copy, a new file."`
	JSON  bool   `help:"Print JSON." name:"json"`
}

func (c backupCommand) Help() string {
	return `Writes a compact copy of the store as it is at one moment, while the server goes on. The copy is there whole or not
at all. The key file is the second thing to keep, in another place: the copy opens only with it.

Examples:
  capstan backup --store capstan.db --to /backup/capstan-2026-01-15.db
  capstan backup --to "/backup/capstan-$(date +%F-%H%M).db" --json`
}

// Run makes a backup.
func (c backupCommand) Run(o *output) error {
	if err := file(c.Store); err != nil {
		return err
	}
	if _, err := os.Stat(c.Store); err != nil {
		return err
	}
	private()
	if err := sqlite.Backup(o, c.Store, c.To); err != nil {
		return err
	}
	info, err := os.Stat(c.To)
	if err != nil {
		return err
	}
	keys := place{Store: c.Store, Keys: c.Keys}.keys()
	if c.JSON {
		return o.print(map[string]any{"file": c.To, "bytes": info.Size(), "keys": keys})
	}
	_, err = fmt.Fprintf(o.out, `%s is a copy of %s, %d bytes.
The second thing to keep is the key file, %s: apart from the copy, for the two together open every secret in it,
and without the key file the copy cannot be opened.
`, c.To, c.Store, info.Size(), keys)
	return err
}

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/move"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/postgres"
	"github.com/capstan-pay/capstan/store/sqlite"
	"github.com/capstan-pay/capstan/verify"
)

type moveCommand struct {
	From    string `required:"" placeholder:"STORE" help:"The store that is moved. No server may have it open."`
	To      string `placeholder:"STORE" help:"Where it is moved to: a store that is not there, or empty."`
	Keys    string `placeholder:"FILE" help:"File with the sealing keys, which stay the same. Default: the source's name with .keys after it; of a sandbox in a database, the published ones."`
	Abandon bool   `help:"Give up a move that has not ended, so that the source can be served again."`
	JSON    bool   `help:"Print JSON." name:"json"`
}

func (c moveCommand) Help() string {
	return `Carries everything to another store: payments with their histories and postings, idempotency records, timers,
notices and their deliveries, documents, merchants, credentials and all that is sealed, wallets, risk counters, and the
log of administration. Then it reads both ends and audits both.

From the first step on no server takes either store: the target until everything is in it, the source ever after. A move
that was stopped or killed goes on where it was when the same command is given again.

Examples:
  capstan move --from capstan.db --to postgres://capstan@db/capstan
  capstan move --from postgres://capstan@db/capstan --to back.db --keys capstan.db.keys
  capstan move --from capstan.db --abandon`
}

// moved is what a move has done.
type moved struct {
	From    string         `json:"from"`
	To      string         `json:"to"`
	Keys    string         `json:"keys"` // the file to serve the target with; empty: none is needed
	Rows    int64          `json:"rows"`
	Resumed bool           `json:"resumed"`
	Digests []move.Digest  `json:"digests"` // the same on both ends
	Audit   *verify.Report `json:"audit"`   // the same on both ends
}

// Run moves a store.
func (c moveCommand) Run(o *output) (err error) {
	switch {
	case c.Abandon && c.To != "", !c.Abandon && c.To == "":
		return usageError("either --to or --abandon")
	case c.From == c.To:
		return usageError("--from and --to are the same store")
	}
	private()
	from, err := c.open(o, c.From, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if c.Abandon {
		if err := move.Abandon(o, from); err != nil {
			return err
		}
		_, err := fmt.Fprintf(o.out, "%s can be served again. What was moved of it is not complete: drop it\n", from.Name)
		return err
	}
	sealing, err := c.sealing(o, from)
	if err != nil {
		return err
	}
	to, err := c.open(o, c.To, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	bar := &bar{out: o.err, every: 2 * time.Second}
	if f, ok := o.err.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&fs.ModeCharDevice != 0 {
			bar.redraws, bar.every = true, 100*time.Millisecond
		}
	}
	r, err := move.Run(o, from, to, bar.show)
	bar.end()
	if err != nil {
		return err
	}
	m := moved{From: from.Name, To: to.Name, Rows: r.Rows, Resumed: r.Resumed, Digests: r.Digests}
	if m.Keys, err = c.keysFor(o, to, sealing); err != nil {
		return err
	}
	if m.Audit, err = c.audit(o, from, to); err != nil {
		return err
	}
	return c.tell(o, m)
}

// open opens a store for writing. The source has to be there.
func (c moveCommand) open(o *output, address string, create bool) (move.Place, error) {
	if !create && !onPostgres(address) {
		if _, err := os.Stat(address); err != nil {
			return move.Place{}, fmt.Errorf("there is no store %s", address)
		}
	}
	var st store.Store
	var err error
	if onPostgres(address) { // a move that dies can soon go on
		st, err = postgres.Open(o, address, postgres.Options{MachineTime: clock.System{}.Now, Lease: 3 * time.Second})
	} else {
		st, err = sqlite.Open(o, address, sqlite.Options{})
	}
	if errors.Is(err, sqlite.ErrInUse) {
		err = fmt.Errorf("%w: a server that is running? Stop it first", err)
	}
	if err != nil {
		return move.Place{}, err
	}
	movable, ok := st.(store.Movable)
	if !ok {
		return move.Place{}, errors.Join(fmt.Errorf("%s cannot be moved", shown(address)), st.Close())
	}
	return move.Place{Movable: movable, Name: shown(address)}, nil
}

// sealing are the keys of the source. A move without them would end with a
// store that nobody can open.
func (c moveCommand) sealing(o *output, from move.Place) (keyring.Sealing, error) {
	mode, err := capstan.Mode(o, from)
	if err != nil {
		return keyring.Sealing{}, err
	}
	if mode == "" {
		return keyring.Sealing{}, fmt.Errorf("the store %s has never been used", from.Name)
	}
	sealing, err := sealingKeys(o, c.From, c.Keys, mode == "sandbox", from)
	if err != nil {
		return keyring.Sealing{}, err
	}
	return sealing, capstan.CheckKeys(o, from, sealing)
}

// keysFor says with which key file the target is served, and puts one beside a
// file that has none.
func (c moveCommand) keysFor(o *output, to move.Place, sealing keyring.Sealing) (string, error) {
	switch {
	case !onPostgres(c.To):
		file := c.To + ".keys"
		err := sealing.CreateFile(file)
		if errors.Is(err, fs.ErrExist) {
			there, err := keyring.ReadFile(file)
			if err != nil {
				return "", err
			}
			return file, capstan.CheckKeys(o, to, there)
		}
		return file, err
	case c.Keys != "":
		return c.Keys, nil
	case !onPostgres(c.From):
		return c.From + ".keys", nil
	}
	return "", nil
}

// audit audits both ends, which must say the same.
func (c moveCommand) audit(o *output, from, to move.Place) (*verify.Report, error) {
	source, err := verify.Audit(o, from)
	if err != nil {
		return nil, err
	}
	target, err := verify.Audit(o, to)
	if err != nil {
		return nil, err
	}
	for _, f := range target.Findings {
		fmt.Fprintln(o.err, f)
	}
	switch {
	case !reflect.DeepEqual(source, target):
		return nil, fmt.Errorf("the audits of %s and %s differ", from.Name, to.Name)
	case !target.Clean():
		return nil, fmt.Errorf("everything was moved, and both ends %w", errFindings)
	}
	return target, nil
}

func (c moveCommand) tell(o *output, m moved) error {
	if c.JSON {
		return o.print(m)
	}
	again := ""
	if m.Resumed {
		again = ", going on from an earlier move"
	}
	fmt.Fprintf(o.out, "%s is moved to %s: %d rows%s\n", m.From, m.To, m.Rows, again)
	for _, d := range m.Digests {
		if d.Items > 0 {
			fmt.Fprintf(o.out, "  %9d %-20s %.16s, the same on both ends\n", d.Items, d.What, d.Sum)
		}
	}
	fmt.Fprintf(o.out, "Both ends audited: %d payments, %d events, %d postings, %d idempotency records: 0 findings\n",
		m.Audit.Payments, m.Audit.Events, m.Audit.Postings, m.Audit.Records)
	if m.Keys != "" {
		fmt.Fprintf(o.out, "Its sealing keys are in %s: serve it with --keys %s\n", m.Keys, m.Keys)
	}
	_, err := fmt.Fprintf(o.out, "%s is history now: no server takes it any more\n", m.From)
	return err
}

// bar shows how far something is: drawn again and again on a terminal, a line
// from time to time elsewhere.
type bar struct {
	out     io.Writer
	redraws bool
	every   time.Duration
	last    time.Time
}

func (b *bar) show(p move.Progress) {
	if now := (clock.System{}).Now(); now.Sub(b.last) >= b.every {
		b.last = now
	} else {
		return
	}
	const width = 30
	done := int(p.Rows * width / max(p.Total, 1))
	line := fmt.Sprintf("[%s%s] %3d %%  %d of %d rows: %s", strings.Repeat("#", done), strings.Repeat(".", width-done),
		p.Rows*100/max(p.Total, 1), p.Rows, p.Total, p.What)
	if b.redraws {
		fmt.Fprintf(b.out, "\r%-79.79s", line)
	} else {
		fmt.Fprintln(b.out, line)
	}
}

func (b *bar) end() {
	if b.redraws {
		fmt.Fprintf(b.out, "\r%-79s\r", "")
	}
}

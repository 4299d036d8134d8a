package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/move"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/sqlite"
)

// place is where a store is administered: in its file, or through a server
// that is running on it.
type place struct {
	Store          string    `default:"capstan.db" help:"The store: a SQLite file that no server has open, if anything is to be changed."`
	Keys           string    `placeholder:"FILE" help:"File with the sealing keys. Default: the store's name with .keys after it."`
	Admin          adminFlag `env:"-" placeholder:"URL" help:"The admin listener of a running server, instead of --store. CAPSTAN_ADMIN may hold it, too."`
	AdminTokenFile string    `placeholder:"FILE" help:"File with the administrator's token for --admin. CAPSTAN_ADMIN_TOKEN may hold it instead."`
}

// adminFlag is --admin URL; where a command is about administrators' keys, it
// is also --admin alone. Both may be given.
type adminFlag struct {
	key bool
	url string
}

// Decode implements kong.MapperValue.
func (f *adminFlag) Decode(ctx *kong.DecodeContext) error {
	text, _ := ctx.Scan.Peek().Value.(string)
	if !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://") {
		f.key = true
		return nil
	}
	ctx.Scan.Pop()
	f.url = text
	return nil
}

const adminAlone = usageError("--admin wants the URL of a server's admin listener, http://... or https://...")

// How an administrator works on the store.
type access uint8

const (
	reads   access = iota
	changes        // the store has to be there
	creates        // a store that is not there is made, as a live one
)

// administer asks the administrator whom the flags name, of a store in its file or of
// the running server, and ends his work.
func administer[T any](o *output, p place, want access, ask func(admin.Administrator) (T, error)) (T, error) {
	var answer T
	if p.Admin.key {
		return answer, adminAlone
	}
	a, closing, err := p.open(o, want)
	if err != nil {
		return answer, err
	}
	answer, err = ask(a)
	return answer, errors.Join(err, closing())
}

// open returns the administrator and a function that ends his work.
func (p place) open(o *output, want access) (admin.Administrator, func() error, error) {
	if address := p.server(); address != "" {
		client, err := p.client(address)
		return client, func() error { return nil }, err
	}
	desk, closing, err := p.desk(o, want)
	if err != nil {
		return nil, nil, err
	}
	return desk, closing, nil
}

// server is the URL of the running server's admin listener, empty for a store
// in its file.
func (p place) server() string {
	if p.Admin.url != "" {
		return p.Admin.url
	}
	return os.Getenv("CAPSTAN_ADMIN")
}

// desk opens the store in its file.
func (p place) desk(o *output, want access) (_ *admin.Desk, closing func() error, err error) {
	private()
	st, err := p.openStore(o, want)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.Close())
		}
	}()
	if want != reads {
		if err := move.Check(o, st); err != nil {
			return nil, nil, err
		}
	}
	mode, err := capstan.Mode(o, st)
	if err != nil {
		return nil, nil, err
	}
	if mode == "" && want != creates {
		return nil, nil, fmt.Errorf("the store %s has never been used", shown(p.Store))
	}
	if mode == "" && !onPostgres(p.Store) {
		fmt.Fprintf(o.err, "%s is a new store, for live mode; its sealing keys are in %s: keep both, apart\n", p.Store, p.keys())
	}
	sealing, err := sealingKeys(o, p.Store, p.Keys, mode == "sandbox", st)
	if err != nil {
		return nil, nil, err
	}
	desk, err := capstan.OpenDesk(o, st, sealing)
	if err != nil {
		return nil, nil, err
	}
	return desk.As(caller()), st.Close, nil
}

func (p place) openStore(ctx context.Context, want access) (store.Store, error) {
	if onPostgres(p.Store) {
		if want == reads {
			return openReadOnly(ctx, p.Store)
		}
		return openStore(ctx, p.Store)
	}
	_, err := os.Stat(p.Store)
	switch {
	case errors.Is(err, fs.ErrNotExist) && want != creates:
		return nil, fmt.Errorf("there is no store %s", p.Store)
	case want == reads:
		return sqlite.OpenReadOnly(ctx, p.Store)
	}
	st, err := sqlite.Open(ctx, p.Store, sqlite.Options{})
	if errors.Is(err, sqlite.ErrInUse) {
		err = fmt.Errorf("%w: a server that is running? Give its admin listener with --admin URL", err)
	}
	return st, err
}

func (p place) keys() string {
	if p.Keys != "" {
		return p.Keys
	}
	return p.Store + ".keys"
}

// file refuses stores that are not files.
func file(store string) error {
	if onPostgres(store) {
		return usageError("this is for a store in a file; a database has tools of its own: pg_dump, pg_basebackup, pg_restore")
	}
	return nil
}

// caller is who the log of administration says it was: whoever could read the
// store's keys.
func caller() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return "shell:" + name
}

// client administers through a running server. The token comes from a file or
// the environment: a command line can be read by everybody on the machine.
func (p place) client(address string) (*admin.Client, error) {
	if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageError("--admin wants the URL of a server's admin listener, http://... or https://...")
	}
	token := os.Getenv("CAPSTAN_ADMIN_TOKEN")
	if p.AdminTokenFile != "" {
		text, err := os.ReadFile(p.AdminTokenFile)
		if err != nil {
			return nil, err
		}
		token = string(text)
	}
	return &admin.Client{URL: address, Token: strings.TrimSpace(token), HTTP: &http.Client{Timeout: 30 * time.Second}}, nil
}

// print writes a value as indented JSON.
func (o *output) print(value any) error {
	e := json.NewEncoder(o.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(value)
}

// span is a duration that may be given in days: "90d".
type span time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *span) UnmarshalText(text []byte) error {
	var days int
	if n, _ := fmt.Sscanf(string(text), "%dd", &days); n == 1 && string(text) == fmt.Sprintf("%dd", days) {
		if days > 36500 {
			return errors.New("too many days")
		}
		*s = span(time.Duration(days) * 24 * time.Hour)
		return nil
	}
	d, err := time.ParseDuration(string(text))
	*s = span(d)
	return err
}

func (s span) seconds() int64 { return int64(time.Duration(s) / time.Second) }

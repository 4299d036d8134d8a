// Package capstantest runs a whole Capstan server inside a Go test: real HTTP,
// a real store, a clock that moves only when told, and ids that are the same
// in every run.
package capstantest

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/sandbox"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/sqlite"
)

// Epoch is the moment at which every test server begins.
var Epoch = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// PublicURL is what receipts and redirects of a test server begin with.
const PublicURL = "https://capstan.test"

// Server is a running server.
type Server struct {
	*capstan.Server
	URL         string // where it listens
	Credentials sandbox.Credentials
	Path        string // of its SQLite file; empty for another store
	http        *http.Server
}

// Reachable makes receipts and redirects begin with the address the server
// listens on, so that a browser can follow them.
func Reachable() Option { return func(c *capstan.Config) { c.PublicURL = "" } }

// Option changes how a server is started.
type Option func(*capstan.Config)

// On uses a store that the caller closes, instead of a fresh SQLite file.
func On(st store.Store) Option { return func(c *capstan.Config) { c.Store = st } }

// At uses another clock than one that stands still at Epoch.
func At(now clock.Clock) Option { return func(c *capstan.Config) { c.Clock = now } }

// With changes the configuration in any other way.
func With(change func(*capstan.Config)) Option { return change }

// Run starts a sandbox server and stops it when the test ends. With
// CAPSTAN_TEST_STORE=postgres in the environment its store is, unless it is
// given, in a PostgreSQL that is started for the tests.
func Run(t testing.TB, options ...Option) *Server {
	t.Helper()
	random := newStream(1)
	c := capstan.Config{
		Clock: clock.Fixed(Epoch), Sandbox: true, PublicURL: PublicURL, AdminURL: PublicURL,
		Random: random, Sealing: keyring.Published(), Keys: keyring.Fixed("capstantest"),
	}
	for _, o := range options {
		o(&c)
	}
	s := &Server{}
	if c.Store == nil && pgtest.Wanted() {
		c.Store = pgtest.Open(t)
	}
	if c.Store == nil {
		s.Path = filepath.Join(t.TempDir(), "capstan.db")
		st, err := sqlite.Open(t.Context(), s.Path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		c.Store = st
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.URL = "http://" + listener.Addr().String()
	c.BaseURL = s.URL
	if c.PublicURL == "" {
		c.PublicURL = s.URL
	}
	if s.Server, err = capstan.New(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if s.Credentials, err = s.Sandboxed.Default(t.Context()); err != nil {
		t.Fatal(err)
	}
	random.restart(2) // what requests draw does not depend on what the credentials drew
	s.http = s.HTTP()
	go func() { _ = s.http.Serve(s.Listen(listener, true)) }()
	t.Cleanup(s.Stop)
	return s
}

// Stop ends the server; the store stays open. It may be called again.
func (s *Server) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = s.http.Shutdown(ctx)
	_ = s.Close(ctx)
}

// Stored stops the server and returns all that its SQLite store has written. On
// another store it skips the test.
func (s *Server) Stored(t testing.TB) []byte {
	t.Helper()
	s.Stop()
	if s.Path == "" {
		t.Skip("the file of an SQLite store is what is read")
	}
	var all []byte
	for _, suffix := range []string{"", "-wal"} {
		part, err := os.ReadFile(s.Path + suffix)
		if err != nil { // the store is still open: its log is there too
			t.Fatal(err)
		}
		all = append(all, part...)
	}
	return all
}

// Control calls a sandbox control and decodes its answer into out, if out is
// not nil. Any status but 200 fails the test.
func (s *Server) Control(t testing.TB, method, path string, in, out any) {
	t.Helper()
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			t.Fatal(err)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s %v", method, path, response.Status, text, err)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			t.Fatal(err)
		}
	}
}

// Advance moves the sandbox clock.
func (s *Server) Advance(t testing.TB, by time.Duration) {
	t.Helper()
	if err := s.AdvanceClock(t.Context(), by); err != nil {
		t.Fatal(err)
	}
}

// Balances returns the books of the default merchant, by account, and fails
// the test when any currency's trial balance is not zero.
func (s *Server) Balances(t testing.TB, currency string) map[string]int64 {
	t.Helper()
	var books struct {
		Trial    map[string]int64 `json:"trial_balance"`
		Accounts []struct {
			Account, Currency string
			Balance           int64
		}
	}
	s.Control(t, http.MethodGet, "/_sandbox/ledger", nil, &books)
	for c, sum := range books.Trial {
		if sum != 0 {
			t.Fatalf("trial balance of %s is %d", c, sum)
		}
	}
	balances := map[string]int64{}
	for _, a := range books.Accounts {
		if a.Currency == currency {
			balances[a.Account] = a.Balance
		}
	}
	return balances
}

// Random returns a stream of bytes that is the same for the same seed. It is
// safe for concurrent use.
func Random(seed uint64) io.Reader { return newStream(seed) }

type stream struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func newStream(seed uint64) *stream {
	s := &stream{}
	s.restart(seed)
	return s
}

func (s *stream) restart(seed uint64) {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r = rand.NewChaCha8(key)
}

func (s *stream) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Read(b)
}

// Package pgtest gives tests a PostgreSQL of their own: a server that the first
// test starts in a temporary folder, on a Unix socket, and that ends with the
// process, however that ends. A test fails where it cannot be had.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/store/postgres"
)

// Variable is the environment variable that names a server to use instead of
// one that is started: a connection string of a role that may create schemas.
const Variable = "CAPSTAN_TEST_POSTGRES"

// Wanted tells whether tests that can do with any store are to be run on
// PostgreSQL: with CAPSTAN_TEST_STORE=postgres in the environment.
func Wanted() bool { return os.Getenv("CAPSTAN_TEST_STORE") == "postgres" }

// T is what is common to *testing.T, *testing.B and *rapid.T.
type T interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// URL returns the connection string of an empty database, or of what works
// like one: a schema of its own. It is removed when the test ends.
func URL(t T) string {
	t.Helper()
	address, err := shared()
	if err != nil {
		t.Fatalf("no PostgreSQL for the tests: %v\n(Debian: apt-get install postgresql; or set %s)", err, Variable)
	}
	schema := "t_" + strings.ToLower(rand.Text())
	execute(t, address, `CREATE SCHEMA `+schema)
	t.Cleanup(func() { execute(t, address, `DROP SCHEMA `+schema+` CASCADE`) })
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return u.String()
}

// Open opens an empty store, which is closed when the test ends.
func Open(t T, options ...func(*postgres.Options)) *postgres.Store {
	t.Helper()
	return OpenAt(t, URL(t), options...)
}

// OpenAt opens a store, which is closed when the test ends.
func OpenAt(t T, address string, options ...func(*postgres.Options)) *postgres.Store {
	t.Helper()
	var o postgres.Options
	for _, option := range options {
		option(&o)
	}
	s, err := postgres.Open(context.Background(), address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// shared starts the server of this process once.
var shared = sync.OnceValues(func() (string, error) {
	if address := os.Getenv(Variable); address != "" {
		return address, nil
	}
	s, err := Start()
	if err != nil {
		return "", err
	}
	return s.URL(), nil
})

func execute(t T, address, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err == nil {
		_, err = conn.Exec(ctx, statement)
		_ = conn.Close(ctx)
	}
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", statement, err))
	}
}

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
	if os.Getenv(Variable) != "" { // our own server goes as a whole
		t.Cleanup(func() { execute(t, address, `DROP SCHEMA `+schema+` CASCADE`) })
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return u.String()
}

// StoreURL returns the connection string of an empty store. Its schema may have
// served other tests: making one takes longer than most tests of it.
func StoreURL(t T) string {
	t.Helper()
	spare.Lock()
	var address string
	if n := len(spare.addresses); n > 0 {
		address, spare.addresses = spare.addresses[n-1], spare.addresses[:n-1]
	}
	spare.Unlock()
	if address == "" {
		address = URL(t)
	}
	if os.Getenv(Variable) == "" {
		t.Cleanup(func() {
			Wipe(t, address)
			spare.Lock()
			defer spare.Unlock()
			spare.addresses = append(spare.addresses, address)
		})
	}
	return address
}

var spare struct {
	sync.Mutex
	addresses []string
}

// Wipe makes a store as empty as a new one. Nobody may have it open.
func Wipe(t T, address string) {
	t.Helper()
	execute(t, address, wipe)
}

// wipe empties every table but the one of the schema's version, without its
// triggers, and has the numbers begin anew.
const wipe = `SET session_replication_role = replica;
DO $$ DECLARE name text; BEGIN
	FOR name IN SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relname <> 'capstan_schema' LOOP
		EXECUTE format('DELETE FROM %I', name);
	END LOOP;
	FOR name IN SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'S' LOOP
		EXECUTE format('ALTER SEQUENCE %I RESTART', name);
	END LOOP;
	IF to_regclass('sandbox_clock') IS NOT NULL THEN
		INSERT INTO sandbox_clock VALUES (true, 0);
	END IF;
END $$`

// Open opens an empty store, which is closed when the test ends.
func Open(t T, options ...func(*postgres.Options)) *postgres.Store {
	t.Helper()
	return OpenAt(t, StoreURL(t), options...)
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

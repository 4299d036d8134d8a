package verify_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	storesqlite "github.com/capstan-pay/capstan/store/sqlite"
	"github.com/capstan-pay/capstan/verify"
)

var flips = flag.Int("flips", 600, "how many bytes TestEveryFlippedByteIsFound changes")

// TestEveryFlippedByteIsFound changes single bytes of a store's file, anywhere.
// The audit finds each of them, or nothing that anybody can read from the file
// has changed: the byte was in no row, no index and no definition.
func TestEveryFlippedByteIsFound(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	for _, build := range []func(*testing.T, string){func(t *testing.T, path string) { build(t, path); addTheRest(t, path) }, buildOutbox} {
		sound := filepath.Join(t.TempDir(), "sound.db")
		build(t, sound)
		text, err := os.ReadFile(sound)
		if err != nil {
			t.Fatal(err)
		}
		want, err := readable(sound)
		if err != nil {
			t.Fatal(err)
		}
		found, dead := 0, 0
		for range *flips / 2 {
			at, bit := random.IntN(len(text)), byte(1)<<random.IntN(8)
			for text[at] == 0 && random.IntN(40) > 0 { // most of a small store's pages is empty
				at = random.IntN(len(text))
			}
			if random.IntN(2) == 0 {
				bit = byte(1 + random.IntN(255))
			}
			path := filepath.Join(t.TempDir(), "flipped.db")
			changed := append([]byte(nil), text...)
			changed[at] ^= bit
			if err := os.WriteFile(path, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			if noticed(t, path) {
				found++
				continue
			}
			dead++
			got, err := readable(path)
			if err != nil {
				t.Errorf("byte %d: %#x instead of %#x is not found: %v", at, changed[at], text[at], err)
			}
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Errorf("byte %d: %#x instead of %#x is not found:\n%s instead of\n%s", at, changed[at], text[at], got[i], want[i])
					break
				}
			}
			if len(got) != len(want) {
				t.Errorf("byte %d: %#x instead of %#x is not found: %d columns instead of %d", at, changed[at], text[at], len(got), len(want))
			}
		}
		t.Logf("%d bytes: %d changes were found, %d changed nothing that can be read", len(text), found, dead)
		if found < dead/3 {
			t.Error("most of the file is nothing: that was not much of a test")
		}
	}
}

// noticed tells whether capstan verify would say anything.
func noticed(t *testing.T, path string) bool {
	t.Helper()
	st, err := storesqlite.OpenReadOnly(t.Context(), path)
	if err != nil {
		return true
	}
	defer st.Close()
	report, err := verify.Audit(t.Context(), st)
	return err != nil || !report.Clean()
}

// readable is all that can be read from a file: its marks, its definitions, and
// every column of every row.
func readable(path string) ([]string, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var all []string
	ask := func(query string) error {
		return sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
			for i := range row.ColumnCount() {
				all = append(all, fmt.Sprintf("%s: %v %q", query, row.ColumnType(i), row.ColumnText(i)))
			}
			return nil
		}})
	}
	names := []string{}
	// How far numbers were given out may be anything above those that are there.
	err = sqlitex.ExecuteTransient(conn, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_sequence' ORDER BY name`, &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		names = append(names, row.ColumnText(0))
		return nil
	}})
	queries := []string{"PRAGMA application_id", "PRAGMA user_version", "PRAGMA page_size", "PRAGMA encoding", "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid"}
	for _, name := range names {
		queries = append(queries, "SELECT * FROM "+name)
		if withRowid(conn, name) {
			queries = append(queries, "SELECT rowid FROM "+name)
		}
	}
	for _, query := range queries {
		if err == nil {
			err = ask(query)
		}
	}
	return all, err
}

// withRowid tells whether the rows of a table have numbers.
func withRowid(conn *sqlite.Conn, table string) bool {
	stmt, _, err := conn.PrepareTransient("SELECT rowid FROM " + table)
	if err != nil {
		return false
	}
	_ = stmt.Finalize()
	return true
}

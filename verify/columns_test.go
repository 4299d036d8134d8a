package verify_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/risk"
	"github.com/capstan-pay/capstan/store"
	storesqlite "github.com/capstan-pay/capstan/store/sqlite"
)

// harmless are changes that need not be found, and why.
var harmless = map[string]string{
	"records.id":        "orders the sweep, and is no part of a record",
	"balances_mark.one": "can be nothing else",
}

// gone says where a row that is gone need not be missed, and why.
var gone = map[string]string{
	"credentials":   "whoever comes with it is turned away",
	"wallet_grants": "whoever comes with it is turned away",
	"documents":     "belongs to its dialect, which says that it is not there",
	"counters":      "one that is over is swept",
	"meta":          "the server makes it anew, or does not start without",
	"acts":          "the latest may be cut off; the page says so",
	"wallet_users":  "of those without money",
}

// TestEveryColumnIsWatched changes each column of each table of a store in
// which everything has happened, and takes a row out of each table.
func TestEveryColumnIsWatched(t *testing.T) {
	t.Parallel()
	sound := filepath.Join(t.TempDir(), "sound.db")
	build(t, sound)
	addTheRest(t, sound)
	noticed := filepath.Join(t.TempDir(), "noticed.db")
	buildOutbox(t, noticed)
	for table, columns := range tables(t, sound) {
		from := sound
		if slices.Contains([]string{"notices", "deliveries", "attempts"}, table) {
			from = noticed
		}
		if table == "balances" { // rolled up in the background, and held against the postings by TestEveryChangeIsFound
			continue
		}
		where := fmt.Sprintf(" WHERE (%[2]s) = (SELECT %[2]s FROM %[1]s LIMIT 1)", table, strings.Join(columns.key, ", "))
		changes := map[string]string{"": "DELETE FROM " + table + where}
		for _, c := range columns.all {
			changes[c.name] = fmt.Sprintf(`UPDATE %[1]s SET %[2]s = CASE typeof(%[2]s) WHEN 'integer' THEN %[2]s + 1003 WHEN 'text' THEN %[2]s || 'x'
				WHEN 'blob' THEN zeroblob(length(%[2]s)) ELSE %[3]s END`, table, c.name, map[string]string{"INTEGER": "1", "TEXT": "'x'", "BLOB": "x'01'"}[c.kind]) + where
		}
		for what, change := range changes {
			name := strings.Trim(table+"."+what, ".")
			_, free := harmless[name]
			if _, may := gone[table]; what == "" && may || free {
				continue
			}
			t.Run(name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "changed.db")
				copyStore(t, from, path)
				if execute(t, path, freely+change) != 1 {
					t.Fatalf("nothing was changed by %s", change)
				}
				if audit(t, path).Clean() {
					t.Errorf("not found: %s", change)
				}
			})
		}
	}
}

type table struct {
	all []column
	key []string
}

type column struct{ name, kind string }

// addTheRest adds what payments leave no trace in.
func addTheRest(t *testing.T, path string) {
	t.Helper()
	put(t, path, "something", "kept")
	st, err := storesqlite.Open(t.Context(), path, storesqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	name := document.Name{Tenant: 1, Merchant: 1, Dialect: "test", Kind: "customer", ID: "c"}
	if err := st.PutDocument(t.Context(), &document.Document{Name: name, CreatedAt: noon, UpdatedAt: noon, Body: []byte("b")}); err != nil {
		t.Fatal(err)
	}
	b, err := st.Begin(t.Context(), store.Touched{})
	if err != nil {
		t.Fatal(err)
	}
	of := store.Ref[string]{Tenant: 1, Name: "1/USD/2026-01"}
	if _, err = b.Counters(t.Context(), []store.Ref[string]{of}); err == nil {
		counter := store.Counter{Tenant: of.Tenant, Name: of.Name, Value: risk.Tally{}.Append(nil), Expires: noon}
		err = b.Commit(t.Context(), []store.Change{{Counters: []store.Counter{counter}}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// tables reads from a store which columns its tables have.
func tables(t *testing.T, path string) map[string]*table {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	found := map[string]*table{}
	err = sqlitex.ExecuteTransient(conn, `SELECT m.name, c.name, c.pk, c.type FROM sqlite_schema m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid`, &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		name, c := row.ColumnText(0), column{row.ColumnText(1), row.ColumnText(3)}
		if found[name] == nil {
			found[name] = &table{}
		}
		found[name].all = append(found[name].all, c)
		if row.ColumnInt(2) > 0 {
			found[name].key = append(found[name].key, c.name)
		}
		return nil
	}})
	if err != nil || len(found) < 20 {
		t.Fatalf("%d tables, %v", len(found), err)
	}
	return found
}

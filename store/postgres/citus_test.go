package postgres_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/internal/pgtest"
)

// deploy/citus.sql names every table there is, and those that it distributes
// can be: the shard key is in each of their primary keys and unique
// constraints, and is never NULL, and nothing refers from one to another.
func TestTablesCanBeDistributed(t *testing.T) {
	script, err := os.ReadFile("../../deploy/citus.sql")
	check(t, err)
	named := map[string]string{} // by table: its shard key, empty for a reference table
	for _, m := range regexp.MustCompile(`(?m)^SELECT create_reference_table\('(\w+)'\);$`).FindAllStringSubmatch(string(script), -1) {
		named[m[1]] = ""
	}
	for _, m := range regexp.MustCompile(`(?m)^SELECT create_distributed_table\('(\w+)', '(\w+)'.*\);$`).FindAllStringSubmatch(string(script), -1) {
		named[m[1]] = m[2]
	}
	s := pgtest.Open(t)
	conn, err := pgx.Connect(ctx, s.Address())
	check(t, err)
	defer conn.Close(ctx)

	there := map[string]bool{}
	for _, table := range texts(t, conn, `SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')`) {
		there[table] = true
		if _, ok := named[table]; !ok {
			t.Errorf("deploy/citus.sql does not say where the table %s is", table)
		}
	}
	distributed := 0
	for table, key := range named {
		if !there[table] {
			t.Errorf("deploy/citus.sql names the table %s, which does not exist", table)
			continue
		}
		if key == "" {
			continue
		}
		distributed++
		for _, index := range texts(t, conn, `SELECT i.indexrelid::regclass::text FROM pg_index i WHERE i.indrelid = $1::regclass AND i.indisunique
			AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) AND a.attname = $2)`, table, key) {
			t.Errorf("%s is unique without the shard key", index)
		}
		if len(texts(t, conn, `SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attname = $2 AND attnotnull`, table, key)) != 1 {
			t.Errorf("%s.%s may be NULL", table, key)
		}
		for _, c := range texts(t, conn, `SELECT conname::text FROM pg_constraint WHERE contype IN ('f', 'x') AND (conrelid = $1::regclass OR confrelid = $1::regclass)`, table) {
			t.Errorf("%s has the constraint %s, which goes beyond a shard", table, c)
		}
	}
	if distributed < 15 {
		t.Errorf("only %d tables are distributed", distributed)
	}
}

func texts(t *testing.T, conn *pgx.Conn, query string, arguments ...any) []string {
	t.Helper()
	rows, err := conn.Query(ctx, query, arguments...)
	check(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, err)
	return all
}

package sqlite

import (
	"errors"
	"fmt"
	"sync"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// definition is a table, an index, a trigger or a view. What it is defined as
// is part of what is stored: a constraint that has changed holds no longer.
type definition struct{ kind, name, table, sql string }

// definitions reads those of a file.
func definitions(conn *sqlite.Conn) (all []definition, err error) {
	const query = `SELECT type, name, tbl_name, sql FROM sqlite_schema
		WHERE typeof(type) = 'text' AND typeof(name) = 'text' AND typeof(tbl_name) = 'text' AND typeof(sql) <> 'blob' ORDER BY type, name`
	err = sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{
		ResultFunc: func(row *sqlite.Stmt) error {
			all = append(all, definition{row.ColumnText(0), row.ColumnText(1), row.ColumnText(2), row.ColumnText(3)})
			return nil
		},
	})
	return all, err
}

// ours are the definitions that a store has to have.
var ours = sync.OnceValues(func() (all []definition, err error) {
	conn, err := sqlite.OpenConn(":memory:", sqlite.OpenReadWrite, sqlite.OpenCreate)
	if err != nil {
		return nil, err
	}
	if err = errors.Join(giveChecksum(conn), migrate(conn)); err == nil {
		all, err = definitions(conn)
	}
	return all, errors.Join(err, conn.Close())
})

// redefined calls fn with what is said of each definition that is not as the
// migrations have left it. Somebody else's may be beside ours.
func (a *audit) redefined(fn func(what string) error) error {
	want, err := ours()
	if err != nil {
		return err
	}
	got, err := definitions(a.conn)
	if err != nil {
		return err
	}
	there := map[definition]bool{}
	for _, d := range got {
		there[d] = true
	}
	for _, d := range want {
		if there[d] {
			continue
		}
		if err := fn(fmt.Sprintf("the %s %s is not defined as it was", d.kind, d.name)); err != nil {
			return err
		}
	}
	return nil
}

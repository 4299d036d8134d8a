package sqlite

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/capstan-pay/capstan/internal/failpoint"
)

// applicationID marks an SQLite file as a store of ours: "Caps".
const applicationID = 0x43617073

// migrations are applied in the order of their names. One that was released is
// never changed.
//
//go:embed migrations/*.sql
var migrations embed.FS

// checkFile refuses a file that is neither empty nor a store that this
// version can read. It looks at one state of it: another process may be making
// a store of it meanwhile.
func checkFile(conn *sqlite.Conn) (err error) {
	defer sqlitex.Save(conn)(&err)
	id, err := integer(conn, "PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := integer(conn, "PRAGMA user_version")
	if err != nil {
		return err
	}
	tables, err := integer(conn, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return err
	}
	switch {
	case id == 0 && version == 0 && tables == 0:
		return nil
	case id != applicationID:
		return errors.New("the file is an SQLite database, but not a store of Capstan")
	case version > latest():
		return fmt.Errorf("the store has schema %d, this version of Capstan knows up to %d", version, latest())
	}
	return nil
}

// checkCurrent refuses a store that has to be migrated first.
func checkCurrent(conn *sqlite.Conn) error {
	if err := checkFile(conn); err != nil {
		return err
	}
	version, err := integer(conn, "PRAGMA user_version")
	if err == nil && version != latest() {
		err = fmt.Errorf("the store has schema %d and has to be migrated to %d first", version, latest())
	}
	return err
}

// migrate applies what is pending in one transaction, so that of two
// processes the second finds nothing to do.
func migrate(conn *sqlite.Conn) (err error) {
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	version, err := integer(conn, "PRAGMA user_version")
	if err != nil {
		return err
	}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	for i, name := range names {
		if i < version {
			continue
		}
		script, err := migrations.ReadFile(name)
		if err != nil {
			return err
		}
		script = fmt.Appendf(script, "\nPRAGMA application_id = %d;\nPRAGMA user_version = %d;", applicationID, i+1)
		if err := sqlitex.ExecuteScript(conn, string(script), nil); err != nil {
			return fmt.Errorf("apply %s: %w", name, err)
		}
	}
	failpoint.Reach("sqlite.migrate.before")
	return nil
}

func latest() int {
	names, _ := fs.Glob(migrations, "migrations/*.sql")
	return len(names)
}

// integer returns the one number that a query gives.
func integer(conn *sqlite.Conn, query string) (value int, err error) {
	err = sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{
		ResultFunc: func(row *sqlite.Stmt) error { value = row.ColumnInt(0); return nil },
	})
	return value, err
}

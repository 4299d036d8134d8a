package sqlite

import (
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/capstan-pay/capstan/internal/failpoint"
)

// patience is how long a connection waits for a lock that another process
// holds.
const patience = 10 * time.Second

// oldest is the first SQLite release in which a checkpoint by one connection
// and a commit by another cannot corrupt the file (the WAL-reset bug).
const oldest = "3.51.3"

// openWriter opens the connection that writes, creating the file and bringing
// its schema up to date.
func openWriter(path string) (_ *sqlite.Conn, err error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite, sqlite.OpenCreate)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, conn.Close())
		}
	}()
	conn.SetBusyTimeout(patience)
	if err := giveChecksum(conn); err != nil {
		return nil, err
	}
	if err := checkEngine(conn); err != nil {
		return nil, err
	}
	if err := checkFile(conn); err != nil {
		return nil, err
	}
	if err := durable(conn); err != nil {
		return nil, err
	}
	// A larger cache costs more than it saves: whenever a page is split the
	// commit scans all of it, because SQLite parks a page under the number of
	// the lock byte's page, at 1 GiB, and then drops what is beyond the end. The
	// operating system has the file in its own cache anyway.
	if err := set(conn, "cache_size", "-8192", "-8192"); err != nil {
		return nil, err
	}
	err = migrate(conn)
	failpoint.Reach("sqlite.migrate.after")
	return conn, err
}

// durable makes commits survive a loss of power, and checks that they will.
func durable(conn *sqlite.Conn) error {
	for _, pragma := range []struct{ name, to, want string }{
		{"page_size", "4096", "4096"},
		{"journal_mode", "WAL", "wal"},
		{"synchronous", "FULL", "2"},
		{"wal_autocheckpoint", "0", "0"},
	} {
		if err := set(conn, pragma.name, pragma.to, pragma.want); err != nil {
			return err
		}
	}
	return nil
}

// set sets a pragma and fails when it does not read back as want.
func set(conn *sqlite.Conn, pragma, to, want string) error {
	if err := sqlitex.ExecuteTransient(conn, "PRAGMA "+pragma+" = "+to, nil); err != nil {
		return fmt.Errorf("set %s: %w", pragma, err)
	}
	got, err := text(conn, "PRAGMA "+pragma)
	if err == nil && got != want {
		err = fmt.Errorf("%s is %s, not %s", pragma, got, want)
	}
	return err
}

// checkEngine refuses an SQLite that may corrupt the file.
func checkEngine(conn *sqlite.Conn) error {
	version, err := text(conn, "SELECT sqlite_version()")
	if err == nil && number(version) < number(oldest) {
		err = fmt.Errorf("SQLite %s is older than %s", version, oldest)
	}
	return err
}

// number makes release numbers such as 3.51.3 comparable.
func number(version string) int {
	var major, minor, patch int
	fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch)
	return (major*1000+minor)*1000 + patch
}

// text returns the first column of the one row that a query gives.
func text(conn *sqlite.Conn, query string) (value string, err error) {
	err = sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{
		ResultFunc: func(row *sqlite.Stmt) error { value = row.ColumnText(0); return nil },
	})
	return value, err
}

// run steps a statement that returns no rows.
func run(stmt *sqlite.Stmt) error {
	if _, err := stmt.Step(); err != nil {
		return err
	}
	return stmt.Reset()
}

// each calls fn with every row of a statement.
func each(stmt *sqlite.Stmt, fn func(row *sqlite.Stmt) error) error {
	for {
		row, err := stmt.Step()
		if err != nil {
			return err
		}
		if !row {
			return stmt.Reset()
		}
		if err := fn(stmt); err != nil {
			return errors.Join(err, stmt.Reset())
		}
	}
}

// some calls fn with the rows of a statement until it has had enough.
func some(stmt *sqlite.Stmt, fn func(row *sqlite.Stmt) (more bool, err error)) error {
	for {
		row, err := stmt.Step()
		if err != nil {
			return err
		}
		more := false
		if row {
			more, err = fn(stmt)
		}
		if !more || err != nil {
			return errors.Join(err, stmt.Reset())
		}
	}
}

// bind binds an integer, or NULL for zero.
func bind(stmt *sqlite.Stmt, param int, value int64) {
	if value == 0 {
		stmt.BindNull(param)
	} else {
		stmt.BindInt64(param, value)
	}
}

// bindBytes binds bytes, or NULL for none.
func bindBytes(stmt *sqlite.Stmt, param int, value []byte) {
	if len(value) == 0 {
		stmt.BindNull(param)
	} else {
		stmt.BindBytes(param, value)
	}
}

// bindTime binds a time, or NULL for the zero one.
func bindTime(stmt *sqlite.Stmt, param int, t time.Time) {
	if t.IsZero() {
		stmt.BindNull(param)
	} else {
		stmt.BindInt64(param, t.UnixMilli())
	}
}

// columnTime is the time in a column, zero for NULL.
func columnTime(stmt *sqlite.Stmt, column int) time.Time {
	ms := stmt.ColumnInt64(column)
	if ms == 0 && stmt.ColumnIsNull(column) {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// columnBytes is the value of a column, nil for NULL and for no bytes.
func columnBytes(stmt *sqlite.Stmt, column int) []byte {
	n := stmt.ColumnLen(column)
	if n == 0 {
		return nil
	}
	value := make([]byte, n)
	stmt.ColumnBytes(column, value)
	return value
}

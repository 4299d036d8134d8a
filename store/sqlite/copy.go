package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Backup writes a compact copy of the store in the file at path, as it is at
// one moment, to a new file: see Store.Backup. A server may have the store
// open, also one of an earlier version whose schema is older.
func Backup(ctx context.Context, path, to string) error {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return fmt.Errorf("open store %s: %w", path, err)
	}
	conn.SetBusyTimeout(patience)
	err = errors.Join(checkUsed(conn), conn.Close())
	if err != nil {
		return fmt.Errorf("open store %s: %w", path, err)
	}
	return (&Store{path: path}).Backup(ctx, to)
}

// checkUsed refuses a file that is not a store, an empty one included.
func checkUsed(conn *sqlite.Conn) error {
	if err := checkFile(conn); err != nil {
		return err
	}
	id, err := integer(conn, "PRAGMA application_id")
	if err == nil && id != applicationID {
		err = errors.New("the file is empty")
	}
	return err
}

// Restore copies the backup in the file from to a new store at path. Check is
// called with the copy, its schema brought up to date, before it is there under
// its name; when it fails nothing is. A store that is there, or what one has
// left beside it, is not touched: that is os.ErrExist.
func Restore(ctx context.Context, from, path string, check func(*Store) error) (err error) {
	if err := nothingAt(path); err != nil {
		return err
	}
	if log, err := os.Stat(from + "-wal"); err == nil && log.Size() > 0 {
		return fmt.Errorf("restore from %s: it is a store with a log beside it, not a backup: make a backup of it first", from)
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return fmt.Errorf("restore to %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	partial := path + ".partial"
	if err := errors.Join(nothingAt(path), removeStore(partial)); err != nil { // now that nobody else makes one
		return err
	}
	if err := restoreTo(ctx, from, partial, check); err != nil {
		return fmt.Errorf("restore from %s: %w", from, errors.Join(err, removeStore(partial)))
	}
	if err := os.Rename(partial, path); err != nil {
		return errors.Join(err, removeStore(partial))
	}
	return errors.Join(removeStore(partial), flush(filepath.Dir(path), os.O_RDONLY))
}

// nothingAt returns os.ErrExist when a store is there, or what belongs to one.
func nothingAt(path string) error {
	for _, name := range []string{path, path + "-wal", path + "-shm", path + "-journal"} {
		_, err := os.Lstat(name)
		if err == nil {
			err = os.ErrExist
		}
		if !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("restore to %s: %s: %w", path, name, err)
		}
	}
	return nil
}

// removeStore removes a store's file and all that may be beside it.
func removeStore(path string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm", "-journal", ".lock"} {
		if err := os.Remove(path + suffix); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func restoreTo(ctx context.Context, from, partial string, check func(*Store) error) error {
	if err := copyFile(from, partial); err != nil {
		return err
	}
	conn, err := sqlite.OpenConn(partial, sqlite.OpenReadWrite)
	if err != nil {
		return err
	}
	if err := errors.Join(checkUsed(conn), intact(ctx, conn), conn.Close()); err != nil {
		return err
	}
	s, err := Open(ctx, partial, Options{})
	if err != nil {
		return err
	}
	return errors.Join(check(s), s.Close(), flush(partial, os.O_RDWR))
}

// copyFile copies a file that no store is open on: a backup.
func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Sync(), target.Close())
}

// intact has SQLite look at every page and index of the file.
func intact(ctx context.Context, conn *sqlite.Conn) error {
	conn.SetInterrupt(ctx.Done())
	var found []error
	err := sqlitex.ExecuteTransient(conn, "PRAGMA integrity_check(10)", &sqlitex.ExecOptions{
		ResultFunc: func(row *sqlite.Stmt) error {
			if line := row.ColumnText(0); line != "ok" {
				found = append(found, errors.New(line))
			}
			return nil
		},
	})
	if err = errors.Join(append(found, err)...); err != nil {
		err = fmt.Errorf("the file is damaged: %w", err)
	}
	return err
}

// Schema returns the version of the schema of the store in the file at path,
// and that which this program knows. A file that is not there has version 0.
func Schema(path string) (has, knows int, err error) {
	knows = latest()
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return 0, knows, nil
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return 0, knows, fmt.Errorf("open store %s: %w", path, err)
	}
	conn.SetBusyTimeout(patience)
	if err = checkFile(conn); err == nil {
		has, err = integer(conn, "PRAGMA user_version")
	}
	if err = errors.Join(err, conn.Close()); err != nil {
		err = fmt.Errorf("open store %s: %w", path, err)
	}
	return has, knows, err
}

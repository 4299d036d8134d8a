package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
)

// Backup writes a compact copy of the store, as it is at one moment, to a new
// file at path. The server may go on meanwhile; the log beside the store grows
// with what it writes. The copy is there whole, or not at all.
func (s *Store) Backup(ctx context.Context, path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("back up to %s: %w", path, err)
		}
	}()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return errors.Join(err, os.ErrExist)
	}
	partial := path + ".partial"
	lock, err := lockFile(partial + ".lock")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(partial+".lock"), lock.Close()) }()
	if err := os.Remove(partial); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := s.copyTo(ctx, partial); err != nil {
		return errors.Join(err, os.Remove(partial))
	}
	if err := flush(partial, os.O_RDWR); err != nil { // SQLite does not flush a copy
		return err
	}
	if err := os.Rename(partial, path); err != nil {
		return err
	}
	return flush(filepath.Dir(path), os.O_RDONLY)
}

func (s *Store) copyTo(ctx context.Context, path string) error {
	conn, err := sqlite.OpenConn(s.path, sqlite.OpenReadOnly)
	if err != nil {
		return err
	}
	conn.SetBusyTimeout(patience)
	conn.SetInterrupt(ctx.Done())
	stmt, _, err := conn.PrepareTransient(`VACUUM INTO ?`)
	if err == nil {
		stmt.BindText(1, path)
		err = errors.Join(run(stmt), stmt.Finalize())
	}
	return errors.Join(err, conn.Close())
}

// flush waits until a file, or a directory's list of files, is on the disk.
func flush(path string, mode int) error {
	f, err := os.OpenFile(path, mode, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

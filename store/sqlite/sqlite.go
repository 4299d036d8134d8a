// Package sqlite is the embedded store: one SQLite file with one writer.
//
// The file is in WAL mode and every commit is flushed before it is
// acknowledged. Readers see what was committed and never wait for the writer.
// The pages of the log are copied into the file in the background.
//
// Only one process at a time may open a store for writing. Nothing else may
// open the file by other means than SQLite, not even to copy it: closing it
// would drop SQLite's locks.
package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/store"
)

// Store is a store.Store in a SQLite file.
type Store struct {
	path    string
	lock    io.Closer
	writer  *writer // nil when opened read-only
	readers *readers
	keeper  *housekeeper
	sweeper sweeper
	claims  claims

	closing sync.Once
	closed  error
}

var _ store.Store = (*Store)(nil)

// Options are what an operator may choose.
type Options struct {
	// ExternalCheckpoints leaves the log alone, for a tool that ships it
	// elsewhere and runs the checkpoints itself.
	ExternalCheckpoints bool

	copyAfter int // in tests
}

// ErrReadOnly is returned for a change to a store that was opened read-only.
var ErrReadOnly = errors.New("sqlite: the store was opened read-only")

// ErrInUse is returned for a store that another process has open for writing.
var ErrInUse = errors.New("another process has it open for writing")

// Open opens the store in the file at path as its only writer. It creates the
// file if there is none, and applies pending migrations. A file that another
// process has open for writing, or that is not a store, is an error.
func Open(ctx context.Context, path string, options Options) (_ *Store, err error) {
	s := &Store{path: path}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open store %s: %w", path, errors.Join(err, s.Close()))
		}
	}()
	if strings.HasPrefix(filepath.Base(path), ":") {
		return nil, errors.New("a store is a file")
	}
	if s.lock, err = lockFile(path + ".lock"); err != nil {
		return nil, err
	}
	if err := checkLog(path); err != nil {
		return nil, err
	}
	conn, err := openWriter(path)
	if err != nil {
		return nil, err
	}
	if s.writer, err = newWriter(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if s.writer.home, err = findPlace(path); err != nil {
		return nil, err
	}
	s.readers = newReaders(path, sqlite.OpenReadWrite)
	s.keeper, err = newHousekeeper(s, cmp.Or(options.copyAfter, copyAfter), !options.ExternalCheckpoints)
	return s, err
}

// OpenReadOnly opens the store in the file at path for reading, also beside a
// live writer. Every change is refused with ErrReadOnly.
func OpenReadOnly(ctx context.Context, path string) (*Store, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := checkLog(path); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s := &Store{path: path, readers: newReaders(path, sqlite.OpenReadOnly)}
	err := s.read(ctx, func(r *reader) error { return checkCurrent(r.conn) })
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, errors.Join(err, s.Close()))
	}
	return s, nil
}

// Close waits for what is running, brings the file up to date with its log
// and closes it.
func (s *Store) Close() error {
	s.closing.Do(func() {
		var errs []error
		copies := false
		if s.keeper != nil {
			copies = s.keeper.conn != nil
			errs = append(errs, s.keeper.close())
		}
		if s.readers != nil {
			errs = append(errs, s.readers.close())
		}
		if s.writer != nil {
			errs = append(errs, s.writer.close(copies))
		}
		if s.lock != nil {
			errs = append(errs, s.lock.Close())
		}
		s.closed = errors.Join(errs...)
	})
	return s.closed
}

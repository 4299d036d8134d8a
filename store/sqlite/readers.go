package sqlite

import (
	"context"
	"errors"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/capstan-pay/capstan/store"
)

// poolSize bounds the connections that read. More callers wait for their turn.
const poolSize = 4

// readers is a pool of connections that only read, opened as they are needed.
type readers struct {
	path  string
	flags sqlite.OpenFlags
	slots chan *reader // as many as poolSize; nil is a connection not opened yet
}

// reader is one connection of the pool.
type reader struct{ conn *sqlite.Conn }

func newReaders(path string, flags sqlite.OpenFlags) *readers {
	p := &readers{path: path, flags: flags, slots: make(chan *reader, poolSize)}
	for range poolSize {
		p.slots <- nil
	}
	return p
}

func (p *readers) open() (*reader, error) {
	conn, err := sqlite.OpenConn(p.path, p.flags)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(patience)
	err = errors.Join(checkEngine(conn), set(conn, "query_only", "ON", "1"), set(conn, "cache_size", "-8192", "-8192"))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &reader{conn}, nil
}

// read calls fn with a connection, which it may use until it returns.
func (s *Store) read(ctx context.Context, fn func(*reader) error) error {
	p := s.readers
	var r *reader
	select {
	case got, ok := <-p.slots:
		if !ok {
			return errClosed
		}
		r = got
	case <-ctx.Done():
		return ctx.Err()
	}
	if r == nil {
		var err error
		if r, err = p.open(); err != nil {
			p.slots <- nil
			return s.unread(err)
		}
	}
	defer func() { p.slots <- r }()
	return s.unread(fn(r))
}

// unread looks whether a medium that is written to has failed under a reader.
func (s *Store) unread(err error) error {
	if s.writer == nil || errors.Is(err, store.ErrBroken) {
		return err
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultIOErr, sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return s.writer.breaks(err)
	}
	return err
}

// view calls fn with a connection on which all that it reads is of one moment.
// It ends early when ctx does.
func (s *Store) view(ctx context.Context, fn func(*reader) error) error {
	return s.read(ctx, func(r *reader) (err error) {
		r.conn.SetInterrupt(ctx.Done())
		defer r.conn.SetInterrupt(nil)
		defer sqlitex.Transaction(r.conn)(&err)
		return fn(r)
	})
}

// close waits for every reader to come back.
func (p *readers) close() error {
	var errs []error
	for range poolSize {
		if r := <-p.slots; r != nil {
			errs = append(errs, r.conn.Close())
		}
	}
	close(p.slots)
	return errors.Join(errs...)
}

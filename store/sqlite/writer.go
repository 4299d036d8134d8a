package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/capstan-pay/capstan/internal/failpoint"
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/store"
)

var errClosed = errors.New("sqlite: the store is closed")

// writer is the one connection that writes. It belongs to whoever has the
// turn.
type writer struct {
	turn chan struct{} // holds one token while nobody writes
	conn *sqlite.Conn
	stmt statements
	home place // of the file; where none is known, nothing is looked at

	between func() error          // called in its turn before each transaction; may be nil
	lowest  atomic.Int64          // the lowest id of a record that took another's place since a sweep; 0 is none
	broken  atomic.Pointer[error] // after the medium failed: nothing is written any more
	failed  chan error            // gets the first of these

	lastEvent int64 // the highest number that an event or a deposit has
	accounts  map[ledger.Account]int64

	history history
	before  int64            // lastEvent when the transaction began
	fresh   []ledger.Account // that are new in this transaction
	body    []byte           // scratch
	row     summed           // scratch
}

// accountsKept bounds the cache of account numbers; beyond it is emptied.
const accountsKept = 100_000

func newWriter(conn *sqlite.Conn) (*writer, error) {
	w := &writer{turn: make(chan struct{}, 1), conn: conn, accounts: map[ledger.Account]int64{}, failed: make(chan error, 1)}
	if err := w.stmt.prepare(conn); err != nil {
		return nil, err
	}
	w.history = history{state: w.stmt.state, event: w.stmt.event}
	if err := w.recount(); err != nil {
		return nil, err
	}
	w.turn <- struct{}{}
	return w, nil
}

// recount reads the highest number that an event or a deposit has.
func (w *writer) recount() error {
	last, err := integer(w.conn, "SELECT max(ifnull((SELECT max(id) FROM events), 0), ifnull((SELECT max(id) FROM deposits), 0))")
	w.lastEvent = int64(last)
	return err
}

// begin waits for the turn and begins a transaction.
func (w *writer) begin(ctx context.Context) error {
	if w == nil {
		return ErrReadOnly
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case _, ok := <-w.turn:
		if !ok {
			return errClosed
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	var err error
	if broken := w.broken.Load(); broken != nil {
		err = *broken
	}
	if err == nil && w.between != nil {
		err = w.between()
	}
	if err == nil {
		err = run(w.stmt.begin)
	}
	err = w.fault(err)
	if err != nil {
		w.turn <- struct{}{}
		return err
	}
	w.before, w.fresh = w.lastEvent, w.fresh[:0]
	return nil
}

// end commits, or rolls back when err says that something failed, and gives
// the turn back. It returns what the caller of the store gets to hear.
func (w *writer) end(err error) error {
	if err == nil {
		failpoint.Reach("sqlite.commit.before")
		err = run(w.stmt.commit)
		if gone := w.home.there(); err == nil && gone != nil {
			err = w.breaks(gone)
		}
		failpoint.Reach("sqlite.commit.after")
	}
	err = w.fault(err)
	if err != nil {
		w.forget()
		if !w.conn.AutocommitEnabled() {
			if undone := run(w.stmt.rollback); undone != nil {
				err = w.fault(errors.Join(err, undone))
			}
		}
	}
	w.turn <- struct{}{}
	return err
}

// summed begins to bind a row that has a checksum.
func (w *writer) summed(stmt *sqlite.Stmt) *summed {
	w.row.stmt, w.row.text, w.row.bound = stmt, w.row.text[:0], 0
	return &w.row
}

// forget drops what the transaction has numbered.
func (w *writer) forget() {
	w.lastEvent = w.before
	for _, account := range w.fresh {
		delete(w.accounts, account)
	}
}

// fault makes of SQLite's errors those of package store.
func (w *writer) fault(err error) error {
	if err == nil || errors.Is(err, store.ErrBroken) {
		return err
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultFull:
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	case sqlite.ResultIOErr, sqlite.ResultCorrupt, sqlite.ResultNotADB:
		err = w.breaks(err)
	}
	return err
}

// breaks notes that the medium failed: nothing is written any more, and nothing
// flushed. What a flush that failed has left in the system's memory passes for
// written the next time; only what a new process reads is really there.
func (w *writer) breaks(err error) error {
	err = fmt.Errorf("%w: %w", store.ErrBroken, err)
	if w.broken.CompareAndSwap(nil, &err) {
		w.failed <- err
	}
	return err
}

// Failed gets the error when the medium has failed under whatever the store was
// doing: the process has to end.
func (s *Store) Failed() <-chan error {
	if s.writer == nil {
		return nil
	}
	return s.writer.failed
}

// change runs fn in a transaction of its own.
func (s *Store) change(ctx context.Context, fn func(*sqlite.Conn) error) error {
	w := s.writer
	if err := w.begin(ctx); err != nil {
		return err
	}
	return w.end(fn(w.conn))
}

// close waits for the turn and closes the connection. Of a medium that failed
// it is left open: the last connection that is closed copies the log, and
// flushes it once more.
func (w *writer) close(checkpoint bool) error {
	<-w.turn
	close(w.turn)
	if broken := w.broken.Load(); broken != nil {
		return *broken
	}
	w.stmt.finalize()
	var err error
	if checkpoint {
		err = sqlitex.ExecuteTransient(w.conn, "PRAGMA wal_checkpoint(TRUNCATE)", nil)
	}
	return errors.Join(err, w.conn.Close())
}

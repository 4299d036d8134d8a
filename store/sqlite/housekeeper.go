package sqlite

import (
	"context"
	"errors"
	"sync/atomic"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/store"
)

// copyAfter is the length of the log, in pages, at which its pages are copied
// into the file. The longer it may grow, the more often a page that was
// changed again and again is copied only once.
const copyAfter = 64_000

// lookAfter is how many transactions pass between two looks at what there is
// to do.
const lookAfter = 4

// housekeeper does in the background what commits leave to be done: it copies
// the log into the file, and rolls up balances.
//
// When the bulk of the log is copied the writer copies the few pages that came
// meanwhile, between two batches; then the next commit begins the log anew, in
// the blocks that it has already. The log is never truncated: growing a file
// is dearer than writing over it. A reader that looks at an old state holds
// the log up; it is tried again.
type housekeeper struct {
	s      *Store
	conn   *sqlite.Conn // copies the log; nil when that is left to somebody else
	length *sqlite.Stmt // the length of the log, on the writer's connection
	rest   *sqlite.Stmt // copies what is left of it, on the writer's connection

	after  int         // copyAfter
	turns  int         // since the last look
	rolled int64       // the last event when balances were last to be rolled up
	full   atomic.Bool // the log is to be copied
	copied atomic.Bool // its bulk is copied, the rest is not

	wake   chan struct{} // a token: there is something to do
	cancel context.CancelFunc
	done   chan struct{}
}

const copyPassively = `PRAGMA wal_checkpoint(PASSIVE)`

func newHousekeeper(s *Store, after int, copies bool) (*housekeeper, error) {
	ctx, cancel := context.WithCancel(context.Background())
	h := &housekeeper{s: s, after: after, wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{})}
	if copies {
		if err := h.connect(ctx); err != nil {
			cancel()
			return nil, err
		}
	}
	s.writer.between = h.between
	go h.run(ctx)
	return h, nil
}

// connect prepares for copying the log.
func (h *housekeeper) connect(ctx context.Context) (err error) {
	if h.conn, err = sqlite.OpenConn(h.s.path, sqlite.OpenReadWrite); err != nil {
		return err
	}
	h.conn.SetBusyTimeout(patience)
	err = errors.Join(durable(h.conn), set(h.conn, "cache_size", "-1024", "-1024"))
	if err == nil {
		h.length, err = h.s.writer.stmt.add(h.s.writer.conn, `PRAGMA wal_checkpoint(NOOP)`)
	}
	if err == nil {
		h.rest, err = h.s.writer.stmt.add(h.s.writer.conn, copyPassively)
	}
	if err != nil {
		return errors.Join(err, h.conn.Close())
	}
	h.conn.SetInterrupt(ctx.Done())
	return nil
}

// run works whenever it is woken, and once for what an earlier process left.
func (h *housekeeper) run(ctx context.Context) {
	defer close(h.done)
	for {
		if h.full.CompareAndSwap(true, false) {
			// The second pass copies what was committed during the first, so
			// that little is left for the writer.
			if h.s.writer.broken.Load() != nil {
				return
			}
			var err error
			for n := 0; n < 2 && err == nil; n++ {
				_, err = checkpoint(h.conn.Prep(copyPassively))
			}
			if errors.Is(h.s.writer.fault(err), store.ErrBroken) {
				return
			}
			h.copied.Store(true)
		}
		h.s.rollUp(ctx) // if it fails it is done the next time
		select {
		case <-h.wake:
		case <-ctx.Done():
			return
		}
	}
}

// between is called by the writer, in its turn, before each transaction.
func (h *housekeeper) between() error {
	if h.copied.CompareAndSwap(true, false) {
		if _, err := checkpoint(h.rest); err != nil {
			return err
		}
	}
	if h.turns++; h.turns < lookAfter {
		return nil
	}
	h.turns = 0
	work := false
	if h.conn != nil {
		pages, err := checkpoint(h.length)
		if err != nil {
			return err
		}
		if pages >= h.after {
			h.full.Store(true)
			work = true
		}
	}
	if last := h.s.writer.lastEvent; last-h.rolled >= rollUpAfter {
		h.rolled = last
		work = true
	}
	if work {
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// checkpoint runs a checkpoint and returns the length of the log in pages.
func checkpoint(stmt *sqlite.Stmt) (pages int, err error) {
	err = each(stmt, func(row *sqlite.Stmt) error {
		pages = row.ColumnInt(1)
		return nil
	})
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultBusy, sqlite.ResultLocked, sqlite.ResultInterrupt, sqlite.ResultFull:
		err = nil // it is tried again
	}
	return pages, err
}

func (h *housekeeper) close() error {
	h.cancel()
	<-h.done
	if h.conn == nil {
		return nil
	}
	return h.conn.Close()
}

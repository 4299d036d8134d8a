package sqlite

import (
	"context"
	"errors"
	"sync/atomic"

	"zombiezen.com/go/sqlite"
)

// copyAfter is the length of the log, in pages, at which its pages are copied
// into the file. The longer it may grow, the more often a page that was
// changed again and again is copied only once.
const copyAfter = 64_000

// lookAfter is how many transactions pass between two looks at the length.
const lookAfter = 4

// copier copies pages from the log into the file while commits go on. When it
// is done the writer copies the few that came meanwhile, between two batches;
// then the next commit begins the log anew, in the blocks that it has already.
// The log is never truncated: growing a file is dearer than writing over it.
//
// A reader that looks at an old state holds the log up; it is tried again.
type copier struct {
	s    *Store
	conn *sqlite.Conn
	log  *sqlite.Stmt // the length of the log, on the writer's connection
	rest *sqlite.Stmt // copies what is left, on the writer's connection

	after  int           // copyAfter
	turns  int           // since the last look
	copied atomic.Bool   // the bulk is copied, the rest is not
	wake   chan struct{} // a token: there is something to copy
	cancel context.CancelFunc
	done   chan struct{}
}

const copyPassively = `PRAGMA wal_checkpoint(PASSIVE)`

func newCopier(s *Store, after int) (*copier, error) {
	conn, err := sqlite.OpenConn(s.path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &copier{s: s, conn: conn, after: after, wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{})}
	conn.SetBusyTimeout(patience)
	err = errors.Join(durable(conn), set(conn, "cache_size", "-1024", "-1024"))
	if err == nil {
		c.log, err = s.writer.stmt.add(s.writer.conn, `PRAGMA wal_checkpoint(NOOP)`)
	}
	if err == nil {
		c.rest, err = s.writer.stmt.add(s.writer.conn, copyPassively)
	}
	if err != nil {
		cancel()
		return nil, errors.Join(err, conn.Close())
	}
	conn.SetInterrupt(ctx.Done())
	s.writer.between = c.between
	go c.run(ctx)
	return c, nil
}

// run copies whenever it is woken.
func (c *copier) run(ctx context.Context) {
	defer close(c.done)
	c.s.rollUp(ctx) // whatever an earlier process left; if it fails it is done the next time
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return
		}
		// The second pass copies what was committed during the first, so that
		// little is left for the writer.
		for range 2 {
			if _, err := checkpoint(c.conn.Prep(copyPassively)); err != nil {
				c.s.writer.fault(err)
			}
		}
		c.copied.Store(true)
		c.s.rollUp(ctx)
	}
}

// between is called by the writer, in its turn, before each transaction.
func (c *copier) between() error {
	if c.copied.CompareAndSwap(true, false) {
		if _, err := checkpoint(c.rest); err != nil {
			return err
		}
	}
	if c.turns++; c.turns < lookAfter {
		return nil
	}
	c.turns = 0
	pages, err := checkpoint(c.log)
	if err == nil && pages >= c.after {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	return err
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

func (c *copier) close() error {
	c.cancel()
	<-c.done
	return c.conn.Close()
}

package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// Where replicas are to have a commit before it is acknowledged, PostgreSQL
// shows it to others although they have not, once the wait for them was
// cancelled. Such a commit is not acknowledged: it would be lost with the
// primary.

// unreplicated is under what a connection keeps that its last commit was not
// waited for.
const unreplicated = "capstan unreplicated"

var errUnreplicated = errors.New("postgres: the wait for the replicas that must have a commit was cancelled")

// noteUnreplicated notes the warning that a commit did not wait for replicas.
func noteUnreplicated(conn *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine == "SyncRepWaitForLSN" {
		conn.CustomData()[unreplicated] = true
	}
}

// replicated tells whether the last commit of a connection has reached the
// replicas that it has to.
func replicated(conn *pgconn.PgConn) bool { return conn.CustomData()[unreplicated] == nil }

// confirm makes sure, after a commit of which the outcome was unknown, that
// what was read just now is where commits have to be: a commit of our own that
// comes behind it waits for the same replicas.
func (s *Store) confirm(ctx context.Context) error {
	doubts := s.doubts.Load()
	if doubts == s.cleared.Load() || s.readOnly {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := s.writers.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if err := s.beat(ctx, conn); err != nil {
		return err
	}
	if !replicated(conn.Conn().PgConn()) {
		_ = conn.Conn().Close(ctx)
		return errUnreplicated
	}
	for cleared := s.cleared.Load(); cleared < doubts && !s.cleared.CompareAndSwap(cleared, doubts); cleared = s.cleared.Load() {
	}
	return nil
}

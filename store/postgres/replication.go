package postgres

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
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

// waited returns an error, and closes the connection, when its last commit has
// not reached the replicas that it has to.
func waited(ctx context.Context, conn *pgx.Conn) error {
	if conn.PgConn().CustomData()[unreplicated] == nil {
		return nil
	}
	_ = conn.Close(ctx)
	return errUnreplicated
}

// neverCancelling has a connection that is given up leave alone what it has sent:
// pgx would ask the server to cancel it, which ends no commit but its wait for the
// replicas.
func neverCancelling(_ context.Context, config *pgx.ConnConfig) error {
	dial, connected := config.DialFunc, config.AfterConnect
	var there atomic.Bool
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if there.Load() {
			return nil, errors.New("postgres: nothing is cancelled")
		}
		return dial(ctx, network, address)
	}
	config.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		there.Store(true)
		if connected != nil {
			return connected(ctx, conn)
		}
		return nil
	}
	return nil
}

// confirm makes sure, after a commit of which the outcome was unknown and after
// the database was gone, that what was read just now is where commits have to be:
// a commit of our own that comes behind it waits for the same replicas.
func (s *Store) confirm(ctx context.Context) error {
	if s.doubts.Load() == s.cleared.Load() || s.readOnly {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := s.aside.Acquire(ctx) // which may be a new one, and raise doubts
	if err != nil {
		return err
	}
	defer conn.Release()
	doubts := s.doubts.Load()
	if err := again(ctx, func() error { return s.beat(ctx, conn) }); err != nil {
		return err
	}
	if err := waited(ctx, conn.Conn()); err != nil {
		return err
	}
	for cleared := s.cleared.Load(); cleared < doubts && !s.cleared.CompareAndSwap(cleared, doubts); cleared = s.cleared.Load() {
	}
	return nil
}

// AtRisk tells, of a store whose connection string names several hosts, whether
// commits are acknowledged before another host has them: whoever takes over may
// lack the last then.
func (s *Store) AtRisk(ctx context.Context) (bool, error) {
	config := s.readers.Config().ConnConfig
	several := false
	for _, other := range config.Fallbacks {
		several = several || other.Host != config.Host || other.Port != config.Port
	}
	if !several {
		return false, nil
	}
	var names string
	err := s.readers.QueryRow(ctx, `SHOW synchronous_standby_names`).Scan(&names)
	return names == "", err
}

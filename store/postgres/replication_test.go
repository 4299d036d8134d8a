package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/postgres"
)

// A commit whose wait for the replica is cancelled stands on the primary alone,
// where everybody can see it. It is not acknowledged, nor is its record taken
// for an answer, before the replica has it.
func TestWhatTheReplicaHasNotIsNotAcknowledged(t *testing.T) {
	pair, err := pgtest.StartPair()
	check(t, err)
	t.Cleanup(pair.Stop)
	s := pgtest.OpenAt(t, pair.URL(), func(o *postgres.Options) { o.MachineTime = time.Now })
	conn, err := pgx.Connect(ctx, pair.URL())
	check(t, err)
	t.Cleanup(func() { _ = conn.Close(ctx) })

	check(t, pair.HoldReplica(true))
	key := payment.NewKey(1, "test", "k")
	committed := make(chan error, 1)
	go func() { committed <- commit(s, store.Change{Record: store.Record{Key: key, Tenant: 1, At: noon}}) }()
	cancelled := false
	for start := time.Now(); !cancelled; time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatal("no commit waits for the replica")
		}
		select {
		case err := <-committed:
			t.Fatalf("answered without the replica: %v", err)
		default:
		}
		check(t, conn.QueryRow(ctx, `SELECT coalesce(bool_or(pg_cancel_backend(pid)), false) FROM pg_stat_activity
			WHERE wait_event = 'SyncRep' AND query ILIKE 'COMMIT%'`).Scan(&cancelled))
	}
	if err := <-committed; !errors.Is(err, store.ErrUnknown) {
		t.Errorf("a commit that the replica has not: %v", err)
	}
	found := make(chan error, 1)
	go func() {
		_, ok, err := s.Record(ctx, 1, key)
		if err == nil && !ok {
			err = errors.New("there is no record")
		}
		found <- err
	}()
	select {
	case err := <-found:
		t.Errorf("the record of it is taken for an answer: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	check(t, pair.HoldReplica(false))
	check(t, <-found)
	check(t, commit(s, store.Change{Record: store.Record{Key: payment.NewKey(1, "test", "next"), Tenant: 1, At: noon}}))
}

package postgres_test

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/postgres"
)

// startPair starts a primary with a replica that it waits for: how to open
// stores on it, and a connection of another's.
func startPair(t *testing.T) (pair *pgtest.Pair, open func() *postgres.Store, conn *pgx.Conn) {
	pair, err := pgtest.StartPair()
	check(t, err)
	t.Cleanup(pair.Stop)
	conn, err = pgx.Connect(ctx, pair.URL())
	check(t, err)
	t.Cleanup(func() { _ = conn.Close(ctx) })
	return pair, func() *postgres.Store {
		return pgtest.OpenAt(t, pair.URL(), func(o *postgres.Options) { o.MachineTime = time.Now })
	}, conn
}

// A commit whose wait for the replica is cancelled stands on the primary alone,
// where everybody can see it. It is not acknowledged, nor is its record taken
// for an answer, before the replica has it.
func TestWhatTheReplicaHasNotIsNotAcknowledged(t *testing.T) {
	pair, open, conn := startPair(t)
	s := open()

	warm(t, s)
	check(t, pair.HoldReplica(true))
	key := payment.NewKey(1, "test", "k")
	committed := make(chan error, 1)
	go func() { committed <- commit(s, store.Change{Record: store.Record{Key: key, Tenant: 1, At: noon}}) }()
	cancelWait(t, conn, "COMMIT")
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
	repeated := make(chan error, 1)
	go func() { repeated <- touch(s, key) }()
	select {
	case err := <-found:
		t.Fatalf("the record of it is taken for an answer: %v", err)
	case err := <-repeated:
		t.Fatalf("a batch answers from it: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	check(t, pair.HoldReplica(false))
	check(t, <-found)
	check(t, <-repeated)
	check(t, commit(s, store.Change{Record: store.Record{Key: payment.NewKey(1, "test", "next"), Tenant: 1, At: noon}}))
}

// warm has an instance open its connections: what is new has to be confirmed by
// the replica.
func warm(t *testing.T, s *postgres.Store) {
	t.Helper()
	var all []store.Batch
	for range 4 {
		b, err := s.Begin(ctx, store.Touched{})
		check(t, err)
		all = append(all, b)
	}
	for _, b := range all {
		b.Rollback()
	}
	check(t, commit(s, store.Change{Record: store.Record{Key: payment.NewKey(1, "test", "warm"), Tenant: 1, At: noon, Expires: noon}}))
}

// touch begins a batch, and wants a record to be in it.
func touch(s store.Store, key payment.Key) error {
	b, err := s.Begin(ctx, store.Touched{Keys: []store.Ref[payment.Key]{{Tenant: 1, Name: key}}})
	if err != nil {
		return err
	}
	defer b.Rollback()
	if _, ok := b.Record(key); !ok {
		return errors.New("there is no record")
	}
	return nil
}

// cancelWait cancels a statement that waits for the replica, once it does.
func cancelWait(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	eventually(t, conn, `SELECT coalesce(bool_or(pg_cancel_backend(pid)), false) FROM pg_stat_activity
		WHERE wait_event = 'SyncRep' AND query ILIKE $1`, statement+"%")
}

// eventually waits for a query to be true.
func eventually(t *testing.T, conn *pgx.Conn, query string, arguments ...any) {
	t.Helper()
	for start, yes := time.Now(), false; !yes; time.Sleep(20 * time.Millisecond) {
		check(t, conn.QueryRow(ctx, query, arguments...).Scan(&yes))
		if time.Since(start) > 20*time.Second {
			t.Fatalf("never: %s", query)
		}
	}
}

// A commit that is given up, because the replica does not answer, is not shown to
// anybody before the replica has it: another instance would take it for an
// answer.
func TestWhatIsGivenUpIsNotShown(t *testing.T) {
	pair, open, conn := startPair(t)
	s := open()

	warm(t, s)
	check(t, pair.HoldReplica(true))
	was := *postgres.Patience()
	*postgres.Patience() = 300 * time.Millisecond
	key := payment.NewKey(1, "test", "k")
	err := commit(s, store.Change{Record: store.Record{Key: key, Tenant: 1, At: noon}})
	*postgres.Patience() = was
	if !errors.Is(err, store.ErrUnknown) {
		t.Errorf("a commit that the replica has not: %v", err)
	}
	const there = `SELECT EXISTS (SELECT FROM records WHERE expires IS NULL)`
	for start := time.Now(); time.Since(start) < time.Second; time.Sleep(20 * time.Millisecond) {
		var shown bool
		check(t, conn.QueryRow(ctx, there).Scan(&shown))
		if shown {
			t.Fatal("everybody can see it, and the replica has not got it")
		}
	}
	check(t, pair.HoldReplica(false))
	eventually(t, conn, there)
	check(t, touch(s, key))
}

// A primary that has come back shows commits that the replica has not: nobody
// answers from them.
func TestAPrimaryThatComesBack(t *testing.T) {
	pair, open, conn := startPair(t)
	a, b := open(), open()
	warm(t, a)
	warm(t, b)
	p := &payment.Payment{ID: 1, Tenant: 1, Merchant: 1, Version: 1}
	check(t, pair.HoldReplica(true))
	key := payment.NewKey(1, "test", "k")
	committed := make(chan error, 1)
	go func() {
		committed <- commit(a, store.Change{
			Record: store.Record{Key: key, Tenant: 1, At: noon}, Payment: p,
			Events: []payment.Event{{Kind: payment.HoldAuthorized, At: noon, Amount: 5}}, Entries: []ledger.Entry{nil},
		})
	}()
	eventually(t, conn, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query ILIKE 'COMMIT%')`)
	check(t, pair.CrashPrimary())
	if err := <-committed; !errors.Is(err, store.ErrUnknown) {
		t.Errorf("a commit under which the database was gone: %v", err)
	}
	conn, err := pgx.Connect(ctx, pair.URL())
	check(t, err)
	t.Cleanup(func() { _ = conn.Close(ctx) })
	eventually(t, conn, `SELECT EXISTS (SELECT FROM records WHERE expires IS NULL)`)

	patient := func(ask func() error) error { // the first connections are dead
		var err error
		for range 100 {
			if err = ask(); err == nil {
				return nil
			}
			time.Sleep(50 * time.Millisecond)
		}
		return err
	}
	answers := make(chan error, 2)
	go func() { answers <- patient(func() error { return touch(b, key) }) }()
	go func() {
		answers <- patient(func() error {
			events, err := b.Events(ctx, 1, 1)
			if err == nil && len(events) == 0 {
				err = errors.New("there is no payment")
			}
			return err
		})
	}()
	select {
	case err := <-answers:
		t.Fatalf("an answer that would be lost with the primary: %v", err)
	case <-time.After(time.Second):
	}
	check(t, pair.HoldReplica(false))
	for range 2 {
		check(t, <-answers)
	}
}

// A replica that is promoted may lack the last numbers that accounts were given:
// nothing is posted to those.
func TestNumbersThatThePromotedLacks(t *testing.T) {
	pair, open, conn := startPair(t)
	s := open()

	held := ledger.Account{Merchant: 1, Kind: ledger.Held, Currency: "USD"}
	source := ledger.Account{Merchant: 1, Kind: ledger.Acquirer, Currency: "USD"}
	hold := store.Change{
		Payment: &payment.Payment{ID: 1, Tenant: 1, Merchant: 1, Version: 1},
		Events:  []payment.Event{{Kind: payment.HoldAuthorized, At: noon, Amount: 5}}, Entries: []ledger.Entry{ledger.Move(5, source, held)},
	}
	warm(t, s)
	check(t, pair.DetachReplica())
	committed := make(chan error, 1)
	go func() { committed <- commit(s, hold) }()
	cancelWait(t, conn, "INSERT INTO accounts")
	eventually(t, conn, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query ILIKE 'COMMIT%')`)
	check(t, pair.KillPrimary())
	if err := <-committed; !errors.Is(err, store.ErrUnknown) {
		t.Errorf("a commit under which the database was gone: %v", err)
	}
	check(t, pair.Promote())
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		err := commit(s, hold)
		if err == nil {
			break
		}
		if time.Since(start) > 20*time.Second {
			t.Fatal(err)
		}
	}
	balances, err := s.Balances(ctx, 1)
	check(t, err)
	if balances[held] != 5 || balances[source] != -5 {
		t.Errorf("after a hold of 5 the books have %v", balances)
	}
}

// Several hosts of which none has to have a commit before it is acknowledged are
// a risk. One host is what it is.
func TestHostsThatMayLackCommits(t *testing.T) {
	address := pgtest.StoreURL(t)
	u, err := url.Parse(address)
	check(t, err)
	query := u.Query()
	query.Set("host", "/nowhere,"+query.Get("host"))
	u.RawQuery = query.Encode()
	pair, err := pgtest.StartPair()
	check(t, err)
	t.Cleanup(pair.Stop)
	for _, test := range []struct {
		address string
		want    bool
	}{{address, false}, {u.String(), true}, {pair.URL(), false}} {
		if risk, err := pgtest.OpenAt(t, test.address).AtRisk(ctx); risk != test.want || err != nil {
			t.Errorf("%s: %t, %v", test.address, risk, err)
		}
	}
}

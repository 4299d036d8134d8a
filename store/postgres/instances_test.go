package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/postgres"
	"github.com/capstan-pay/capstan/wallet"
)

var (
	ctx  = context.Background()
	noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
)

const lease = 400 * time.Millisecond

// two are two instances on one store.
func two(t *testing.T, options ...func(*postgres.Options)) (a, b *postgres.Store) {
	t.Helper()
	address := pgtest.StoreURL(t)
	options = append(options, func(o *postgres.Options) { o.Lease, o.MachineTime = lease, time.Now })
	return pgtest.OpenAt(t, address, options...), pgtest.OpenAt(t, address, options...)
}

// commit writes changes as one batch that has touched nothing.
func commit(s store.Store, changes ...store.Change) error {
	b, err := s.Begin(ctx, store.Touched{})
	if err != nil {
		return err
	}
	defer b.Rollback()
	return b.Commit(ctx, changes)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// agenda are timers that are due at noon.
func agenda(n int) store.Change {
	var c store.Change
	for i := range n {
		c.Timers = append(c.Timers, payment.Timer{Due: noon, Kind: payment.DeadlineTimer, Tenant: int64(i % 3), Merchant: 1, Payment: payment.ID(i + 1), Operation: 1})
	}
	return c
}

// Timers are each given to one of several instances, however many claim at a
// time, and can be done by that one alone.
func TestTimersAreClaimedByOne(t *testing.T) {
	a, b := two(t)
	const timers = 100
	check(t, commit(a, agenda(timers)))
	var mu sync.Mutex
	claimed := map[payment.ID]*postgres.Store{}
	var all sync.WaitGroup
	for _, s := range []*postgres.Store{a, b} {
		all.Go(func() {
			for range 4 {
				due, err := s.Claim(ctx, noon, timers/2)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				for _, d := range due {
					if other := claimed[d.Payment]; other != nil && other != s {
						t.Errorf("the timer of payment %d was given to both", d.Payment)
					}
					claimed[d.Payment] = s
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(claimed) != timers {
		t.Errorf("%d of %d timers were claimed", len(claimed), timers)
	}
	due, err := a.Due(ctx, noon, 1000)
	check(t, err)
	for _, d := range due {
		owner, other := a, b
		if claimed[d.Payment] == b {
			owner, other = b, a
		}
		if err := commit(other, store.Change{Done: []payment.Timer{d}}); !errors.Is(err, store.ErrConflict) {
			t.Fatalf("a timer that another instance has claimed: %v", err)
		}
		check(t, commit(owner, store.Change{Done: []payment.Timer{d}}))
	}
}

// What an instance has claimed that gives no sign of life is taken over when
// its lease is over; when it comes back it can do nothing of it any more. What
// was not taken over it can.
func TestARevivedInstance(t *testing.T) {
	a, b := two(t)
	check(t, commit(a, agenda(2)))
	due, err := a.Claim(ctx, noon, 10)
	check(t, err)
	if len(due) != 2 {
		t.Fatalf("%d timers", len(due))
	}
	if got, err := b.Claim(ctx, noon, 10); len(got) != 0 || err != nil {
		t.Fatalf("%d claimed timers were given away: %v", len(got), err)
	}
	a.Faint()
	var got []payment.Timer
	for start := time.Now(); len(got) == 0; {
		if time.Since(start) > 20*lease {
			t.Fatal("nothing was taken over")
		}
		time.Sleep(lease / 8)
		got, err = b.Claim(ctx, noon, 1)
		check(t, err)
	}
	// The old one has not noticed.
	if err := commit(a, store.Change{Done: got}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a timer that was taken over: %v", err)
	}
	for _, d := range due {
		if d != got[0] {
			check(t, commit(a, store.Change{Done: []payment.Timer{d}}))
		}
	}
	check(t, commit(b, store.Change{Done: got}))
}

// An instance that is closed gives back what it has claimed at once.
func TestAClosedInstance(t *testing.T) {
	a, b := two(t, func(o *postgres.Options) { o.Lease = time.Hour })
	check(t, commit(a, agenda(3)))
	_, err := a.Claim(ctx, noon, 10)
	check(t, err)
	check(t, a.Close())
	got, err := b.Claim(ctx, noon, 10)
	check(t, err)
	if len(got) != 3 {
		t.Errorf("%d of 3 timers", len(got))
	}
}

// A delivery is claimed likewise. What the old one has made of it does not count,
// before and after the new one has made its attempt.
func TestDeliveriesAreTakenOver(t *testing.T) {
	a, b := two(t)
	id := outbox.NoticeID{Payment: 7, Version: 1, Dialect: "test"}
	n := outbox.Notice{NoticeID: id, Tenant: 1, Merchant: 1, Topic: "t", At: noon, Deliveries: outbox.Deliver("e")}
	d := &n.Deliveries[0]
	d.NoticeID, d.Tenant, d.Merchant, d.State, d.Due = id, 1, 1, outbox.Waiting, noon
	check(t, commit(a, store.Change{Notices: []outbox.Notice{n}}))
	claim := outbox.Claim{Due: noon, Now: noon, Lease: time.Hour, Limit: 10, PerLane: 10}
	given, err := a.ClaimDeliveries(ctx, claim)
	check(t, err)
	if len(given) != 1 {
		t.Fatalf("%d deliveries", len(given))
	}
	if again, err := b.ClaimDeliveries(ctx, claim); len(again) != 0 || err != nil {
		t.Fatalf("a claimed delivery was given away: %v", err)
	}
	a.Faint()
	var taken []outbox.Delivery
	for start := time.Now(); len(taken) == 0; {
		if time.Since(start) > 20*lease {
			t.Fatal("it was not taken over")
		}
		time.Sleep(lease / 8)
		taken, err = b.ClaimDeliveries(ctx, claim)
		check(t, err)
	}
	check(t, a.ReleaseDeliveries(ctx, given)) // is not its own any more
	if again, err := a.ClaimDeliveries(ctx, claim); len(again) != 0 || err != nil {
		t.Fatalf("it was given back by one that had lost it: %v", err)
	}
	attempt := outbox.Attempt{DeliveryID: given[0].DeliveryID, Tenant: 1, Number: 1, At: noon, Status: 200, State: outbox.Delivered}
	failed := attempt
	failed.Status, failed.State, failed.Due = 500, outbox.Waiting, noon.Add(time.Minute)
	check(t, a.Attempted(ctx, []outbox.Attempt{failed}))
	check(t, b.Attempted(ctx, []outbox.Attempt{attempt}))
	check(t, a.Attempted(ctx, []outbox.Attempt{failed}))
	attempts, err := b.Attempts(ctx, 1, id)
	check(t, err)
	if len(attempts) != 1 || attempts[0].Status != 200 {
		t.Errorf("kept are the attempts %+v", attempts)
	}
	if kept, err := b.Notice(ctx, 1, id); err != nil || kept.Deliveries[0].State != outbox.Delivered {
		t.Errorf("%+v, %v", kept, err)
	}
}

// The sandbox's clock is moved for all, and never back; an instance has heard
// of it when the one that moved it is answered.
func TestTheClockIsShared(t *testing.T) {
	a, b := two(t)
	if a.Instance() == b.Instance() {
		t.Error("two instances have one number")
	}
	var seen time.Duration
	var mu sync.Mutex
	b.Follow(func(ahead time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		seen = ahead
	})
	for _, move := range []struct{ to, want time.Duration }{{time.Hour, time.Hour}, {time.Minute, time.Hour}, {48 * time.Hour, 48 * time.Hour}} {
		now, err := a.MoveClock(ctx, move.to)
		check(t, err)
		mu.Lock()
		if now != move.want || seen != move.want {
			t.Errorf("moved to %s it is %s ahead, and the other has heard of %s", move.to, now, seen)
		}
		mu.Unlock()
		batch, err := b.Begin(ctx, store.Touched{})
		check(t, err)
		if off := time.Since(batch.Time()) + move.want; off.Abs() > time.Minute {
			t.Errorf("the time of a batch is off by %s", off)
		}
		batch.Rollback()
	}
	if off := time.Since(b.Now()); off.Abs() > time.Minute {
		t.Errorf("the database's clock is off by %s", off)
	}
}

// A key that is in flight on another instance is waited for, no longer than
// until that commit.
func TestAKeyInFlight(t *testing.T) {
	a, b := two(t)
	key := payment.NewKey(1, "test", "k")
	conn, err := pgx.Connect(ctx, a.Address())
	check(t, err)
	defer conn.Close(ctx)
	tx, err := conn.Begin(ctx) // an instance whose commit takes a while
	check(t, err)
	_, err = tx.Exec(ctx, `INSERT INTO records (tenant, key, fingerprint, at, pending) VALUES (1, $1, $1, 0, false)`, [16]byte(key))
	check(t, err)
	answered := make(chan error, 1)
	go func() {
		answered <- commit(b, store.Change{Record: store.Record{Key: key, Tenant: 1, At: noon}})
	}()
	select {
	case err := <-answered:
		t.Fatalf("answered while the other was not: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	check(t, tx.Commit(ctx))
	select {
	case err := <-answered:
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("a key that is taken by now: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("it waits for more than that commit")
	}
}

// Balances are right at every moment, while several instances commit and the
// changes are added up.
func TestBalancesWhileTheyAreRolledUp(t *testing.T) {
	a, b := two(t)
	held := ledger.Account{Merchant: 1, Kind: ledger.Held, Currency: "USD"}
	source := ledger.Account{Merchant: 1, Kind: ledger.Acquirer, Currency: "USD"}
	const each = 40
	post := func(s store.Store, from int) error {
		for i := range each {
			p := &payment.Payment{ID: payment.ID(from + i), Tenant: int64(1 + i%2), Merchant: 1, Version: 1}
			err := commit(s, store.Change{
				Payment: p, Events: []payment.Event{{Kind: payment.HoldAuthorized, At: noon, Amount: 5}}, Entries: []ledger.Entry{ledger.Move(5, source, held)},
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	stop := make(chan struct{})
	var writers, others sync.WaitGroup
	for i, s := range []*postgres.Store{a, b, a, b} {
		writers.Go(func() {
			if err := post(s, 1000*(i+1)); err != nil {
				t.Error(err)
			}
		})
		others.Go(func() {
			for last := int64(0); ; {
				select {
				case <-stop:
					return
				default:
				}
				balances, err := s.Balances(ctx, 1)
				if err != nil || balances[held] < last || balances[held]+balances[source] != 0 {
					t.Errorf("%d held after %d, the books are off by %d: %v", balances[held], last, balances[held]+balances[source], err)
					return
				}
				last = balances[held]
				if err := s.RollUp(ctx); err != nil {
					t.Errorf("roll up: %v", err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	others.Wait()
	for range 2 {
		balances, err := a.Balances(ctx, 0)
		check(t, err)
		if want := int64(4 * each * 5); balances[held] != want {
			t.Errorf("%d held, not %d", balances[held], want)
		}
		check(t, a.RollUp(ctx))
	}
	var left int
	conn, err := pgx.Connect(ctx, a.Address())
	check(t, err)
	defer conn.Close(ctx)
	check(t, conn.QueryRow(ctx, `SELECT count(*) FROM balance_changes`).Scan(&left))
	if left != 0 {
		t.Errorf("%d changes were not added up", left)
	}
}

// Wallets are not overdrawn by instances that spend at the same time: what one
// has read of a balance holds until it has committed.
func TestAWalletIsSpentOnce(t *testing.T) {
	for _, level := range levels {
		t.Run(string(level), func(t *testing.T) { spendOnce(t, level) })
	}
}

func spendOnce(t *testing.T, level pgx.TxIsoLevel) {
	a, b := two(t, at(level))
	u := walletUser(t, a, 1000)
	purse := ledger.Account{Merchant: 1, Kind: ledger.Wallet, Holder: u, Currency: "USD"}
	held := ledger.Account{Merchant: 1, Kind: ledger.Held, Currency: "USD"}
	var spent, refused, next int
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, s := range []*postgres.Store{a, b, a, b} {
		all.Go(func() {
			for range 5 {
				for done := false; !done; {
					mu.Lock()
					next++
					id := payment.ID(next)
					mu.Unlock()
					err := func() error {
						batch, err := s.Begin(ctx, store.Touched{})
						if err != nil {
							return err
						}
						defer batch.Rollback()
						payers, err := batch.Payers(ctx, noon, []store.PayerRef{{Tenant: 1, User: u, Currency: "USD"}})
						if err != nil {
							return err
						}
						if payers[0].Available < 100 {
							mu.Lock()
							refused++
							mu.Unlock()
							return nil
						}
						err = batch.Commit(ctx, []store.Change{{
							Payment: &payment.Payment{ID: id, Tenant: 1, Merchant: 1, Version: 1},
							Events:  []payment.Event{{Kind: payment.HoldAuthorized, At: noon, Amount: 100}}, Entries: []ledger.Entry{ledger.Move(100, purse, held)},
						}})
						if err == nil {
							mu.Lock()
							spent++
							mu.Unlock()
						}
						return err
					}()
					if done = err == nil; err != nil && !errors.Is(err, store.ErrConflict) {
						t.Error(fmt.Errorf("spend: %w", err))
						return
					}
				}
			}
		})
	}
	all.Wait()
	if spent != 10 || refused != 10 {
		t.Errorf("of 20 at 100 each %d were paid from 1000, %d refused", spent, refused)
	}
}

// walletUser is somebody with minor units of USD.
func walletUser(t *testing.T, s store.Store, minor int64) int64 {
	t.Helper()
	u := wallet.User{Tenant: 1}
	check(t, s.CreateUser(ctx, 1, &u, []wallet.Balance{{Currency: "USD", Available: minor}}, noon))
	return u.ID
}

package storetest

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

func testAudit(t *testing.T, s store.Store) {
	a := newAuthor(t)
	u := newUser(t, s, 1000, "USD")
	second := a.create(card(1000, "USD"))
	first := a.create(purse(u, 300, "USD"))
	first.Payment.ID, second.Payment.ID = second.Payment.ID, first.Payment.ID // written against the order of their ids
	must(t, s, second, first)
	check(t, s.Deposit(ctx, merchantID, tenant, wallet.Balance{User: u, Currency: "USD", Available: 5}, noon))
	captured := a.capture(second.Payment, 400)
	must(t, s, a.capture(first.Payment, 100), captured)

	n := take(t, s)
	if len(n.States) != 2 || len(n.Events) != 6 || len(n.Records) != 4 || len(n.Timers) != 3 || len(n.Agenda) != 3 {
		t.Errorf("%d states, %d events, %d records, %d timers", len(n.States), len(n.Events), len(n.Records), len(n.Timers))
	}
	equal(t, "wallet balances", len(n.Wallets), 1)
	if !slices.IsSortedFunc(n.States, func(a, b store.State) int { return cmp.Compare(a.Payment, b.Payment) }) {
		t.Error("states are not in the order of payments")
	}
	for i, e := range n.Events {
		if want := i%3 + 1; e.Sequence != want || e.ID != n.States[i/3].Payment {
			t.Errorf("event %d is number %d of %s", i, e.Sequence, e.ID)
		}
	}
	if !slices.IsSortedFunc(n.Postings, func(a, b posting) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Sequence, b.Sequence))
	}) {
		t.Error("postings are not in order")
	}
	sums := ledger.Balances{}
	for _, p := range n.Postings {
		sums[p.Posting.Account] += p.Posting.Minor
	}
	equal(t, "sums of postings", sums, n.Balances)
	var entry ledger.Entry
	for _, p := range n.Postings {
		if p.ID == captured.Payment.ID && p.Sequence == 3 {
			entry = append(entry, p.Posting)
		}
	}
	equal(t, "entry", entry, captured.Entries[0])
	check(t, sums.Apply(entry))

	var records, timers, marks []payment.ID
	check(t, s.Audit(ctx, func(a store.Audit) error {
		balances, err := a.Balances()
		equal(t, "balances in the audit", balances, n.Balances)
		swept, err2 := a.Swept()
		if latest := noon; swept.Before(latest) {
			t.Errorf("records that expired by %s may be gone, but a record was written at %s", swept, latest)
		}
		return errors.Join(err, err2,
			a.Records(func(r store.Record) error { records = append(records, r.Payment); return nil }),
			a.Timers(func(t payment.Timer) error { timers = append(timers, t.Payment); return nil }),
			a.Marks(func(m store.Mark) error { marks = append(marks, m.Payment); return nil }),
			a.Strays(func(what string) error { t.Errorf("out of place: %s", what); return nil }))
	}))
	for what, ids := range map[string][]payment.ID{"records": records, "timers": timers, "marks": marks} {
		if len(ids) < 2 || !slices.IsSorted(ids) {
			t.Errorf("%s are not in the order of their payments: %v", what, ids)
		}
	}
}

func testAuditStops(t *testing.T, s store.Store) {
	a := newAuthor(t)
	u := newUser(t, s, 1000, "USD")
	told := a.create(card(1000, "USD"))
	tell(&told, 0, false, "a")
	must(t, s, told, a.create(purse(u, 300, "USD")))
	check(t, count(s, nil, counterOf("a", "1")))
	_, err := s.Administer(ctx, store.Administration{Act: act(1, "merchant.list", 0)})
	check(t, err)
	check(t, s.Attempted(ctx, []outbox.Attempt{attempt(told.Notices[0].Deliveries[0], outbox.Delivered, time.Time{})}))
	check(t, s.PutDocument(ctx, paper("a")))
	enough := errors.New("enough")
	err = s.Audit(ctx, func(a store.Audit) error {
		for name, walk := range map[string]func() error{
			"states":    func() error { return a.States(func(store.State) error { return enough }) },
			"events":    func() error { return a.Events(func(payment.ID, int, payment.Event) error { return enough }) },
			"postings":  func() error { return a.Postings(func(payment.ID, int, ledger.Posting) error { return enough }) },
			"records":   func() error { return a.Records(func(store.Record) error { return enough }) },
			"timers":    func() error { return a.Timers(func(payment.Timer) error { return enough }) },
			"wallets":   func() error { return a.WalletBalances(func(int64, wallet.Balance) error { return enough }) },
			"counters":  func() error { return a.Counters(func(store.Counter) error { return enough }) },
			"marks":     func() error { return a.Marks(func(store.Mark) error { return enough }) },
			"documents": func() error { return a.Documents(func(document.Document) error { return enough }) },
			"acts":      func() error { return a.Acts(func(store.Act) error { return enough }) },

			"notices":    func() error { return a.Notices(func(outbox.Notice, int) error { return enough }) },
			"deliveries": func() error { return a.Deliveries(func(outbox.Delivery) error { return enough }) },
			"attempts":   func() error { return a.Attempts(func(outbox.Attempt) error { return enough }) },
		} {
			if err := walk(); !errors.Is(err, enough) {
				t.Errorf("%s: %v", name, err)
			}
		}
		return enough
	})
	if !errors.Is(err, enough) {
		t.Errorf("audit: %v", err)
	}
}

func testAuditMoment(t *testing.T, s store.Store) {
	a := newAuthor(t)
	created := a.create(card(1000, "USD"))
	must(t, s, created)
	err := s.Audit(ctx, func(view store.Audit) error {
		must(t, s, a.capture(created.Payment, 400), a.create(card(5, "USD")))
		states, events := 0, 0
		err := view.States(func(state store.State) error {
			states++
			equal(t, "state", state, store.StateOf(created.Payment))
			return nil
		})
		return cmp.Or(err, view.Events(func(payment.ID, int, payment.Event) error { events++; return nil }), func() error {
			equal(t, "states and events seen", [2]int{states, events}, [2]int{1, len(created.Events)})
			return nil
		}())
	})
	check(t, err)
}

// testReaders reads while a writer writes: whatever was acknowledged is seen,
// and the books balance at every moment.
func testReaders(t *testing.T, s store.Store) {
	a := newAuthor(t)
	var mu sync.Mutex
	var acknowledged []store.State
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				mu.Lock()
				var want store.State
				if len(acknowledged) > 0 {
					want = acknowledged[len(acknowledged)-1]
				}
				mu.Unlock()
				if want.Payment == 0 {
					continue
				}
				p, err := s.Payment(ctx, tenant, want.Payment, 0)
				if err != nil || p == nil || p.Version < want.Version {
					t.Errorf("payment %s is %+v, was acknowledged at version %d: %v", want.Payment, p, want.Version, err)
					return
				}
				balances, err := s.Balances(ctx, 0)
				if sum := balances.Trial()[money.Currency("USD")]; sum != 0 || err != nil {
					t.Errorf("the books are off by %d: %v", sum, err)
					return
				}
			}
		})
	}
	for range 60 {
		created := a.create(card(1000, "USD"))
		for _, c := range []store.Change{created, a.capture(created.Payment, 400)} {
			if err := commit(s, c); err != nil {
				t.Errorf("commit: %v", err)
			}
			mu.Lock()
			acknowledged = append(acknowledged, store.StateOf(c.Payment))
			mu.Unlock()
		}
	}
	close(stop)
	readers.Wait()
}

// testReopen closes a store and opens it again.
func testReopen(t *testing.T, s store.Store, reopen func() store.Store) {
	a := newAuthor(t)
	u := newUser(t, s, 1000, "USD")
	first, second := a.create(card(1000, "USD")), a.create(purse(u, 300, "USD"))
	tell(&first, 0, true, "a", "b")
	tell(&first, 1, true, "a")
	must(t, s, first, second)
	check(t, s.Attempted(ctx, []outbox.Attempt{attempt(first.Notices[0].Deliveries[0], outbox.Waiting, noon.Add(time.Hour))}))
	must(t, s, a.decide(first.Payment, payment.Capture{Amount: 10}, wait))
	_, err := s.PutMeta(ctx, "mode", []byte("sandbox"), true)
	check(t, err)
	check(t, count(s, nil, counterOf("a", "1")))
	_, err = s.Administer(ctx, store.Administration{Act: act(1, "key.disable", 0)})
	check(t, err)
	check(t, s.PutDocument(ctx, paper("a")))
	before := take(t, s)
	for range 2 {
		check(t, s.Close())
		s = reopen()
		equal(t, "everything after reopening", take(t, s), before)
	}
	value, err := s.PutMeta(ctx, "mode", []byte("live"), true)
	check(t, err)
	equal(t, "mode", string(value), "sandbox")

	third := a.create(purse(u, 100, "USD")) // writing goes on where it ended
	must(t, s, third, a.capture(second.Payment, 300))
	after := take(t, s)
	if len(after.Events) != len(before.Events)+3 || len(after.Postings) != len(before.Postings)+4 {
		t.Errorf("%d events and %d postings after %d and %d", len(after.Events), len(after.Postings), len(before.Events), len(before.Postings))
	}
	check(t, s.Close())
}

package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

func testWhole(t *testing.T, s store.Store) {
	a := newAuthor(t)
	created := a.create(card(1000, "USD"))
	must(t, s, created)
	captured := a.capture(created.Payment, 400)
	captured.Done = created.Timers[:1]
	must(t, s, captured)

	p, err := s.Payment(ctx, tenant, created.Payment.ID, 0)
	check(t, err)
	equal(t, "payment", p, captured.Payment)
	events, err := s.Events(ctx, tenant, p.ID)
	check(t, err)
	equal(t, "events", events, append(created.Events, captured.Events...))
	r, ok, err := s.Record(ctx, tenant, captured.Record.Key)
	check(t, err)
	equal(t, "record", r, captured.Record)
	equal(t, "record is there", ok, true)
	due, err := s.Due(ctx, noon.AddDate(1, 0, 0), 10)
	check(t, err)
	equal(t, "timers", due, captured.Timers)

	b, err := s.Begin(ctx, touched([]store.Change{created, captured}))
	check(t, err)
	defer b.Rollback()
	equal(t, "payment of a batch", b.Payment(p.ID), captured.Payment)
	r, _ = b.Record(created.Record.Key)
	equal(t, "record of a batch", r, created.Record)
	if b.Payment(p.ID+1) != nil {
		t.Error("a payment that does not exist was loaded")
	}
	if _, ok := b.Record(a.key()); ok {
		t.Error("a record that does not exist was loaded")
	}
}

func testAtomic(t *testing.T, s store.Store) {
	a := newAuthor(t)
	u := newUser(t, s, 1000, "USD")
	first := a.create(card(1000, "USD"))
	must(t, s, first)
	before := take(t, s)

	taken := a.create(card(1000, "USD"))
	taken.Record.Key = first.Record.Key
	good := []store.Change{a.create(card(700, "EUR")), a.create(purse(u, 300, "USD")), a.capture(first.Payment, 100)}
	err := commit(s, append(good, taken)...)
	if !errors.Is(err, store.ErrConflict) {
		t.Fatalf("a batch with a taken key: %v", err)
	}
	equal(t, "everything after a conflict", take(t, s), before)

	must(t, s, good...)
	if after := take(t, s); len(after.States) != 3 {
		t.Errorf("%d payments after the rest was tried again", len(after.States))
	}
}

func testRollback(t *testing.T, s store.Store) {
	a := newAuthor(t)
	before := take(t, s)
	change := a.create(card(1000, "USD"))
	b, err := s.Begin(ctx, touched([]store.Change{change}))
	check(t, err)
	b.Rollback()
	b.Rollback() // does nothing
	if err := b.Commit(ctx, []store.Change{change}); err == nil {
		t.Error("a batch that was rolled back commits")
	}
	equal(t, "everything after a rollback", take(t, s), before)

	b, err = s.Begin(ctx, touched([]store.Change{change}))
	check(t, err)
	check(t, b.Commit(ctx, []store.Change{change}))
	b.Rollback() // does nothing
	if p, err := s.Payment(ctx, tenant, change.Payment.ID, 0); p == nil {
		t.Errorf("a rollback after the commit undid it: %v", err)
	}
}

func testVersions(t *testing.T, s store.Store) {
	a := newAuthor(t)
	created := a.create(card(1000, "USD"))
	must(t, s, created)
	stale := a.capture(created.Payment, 300)
	must(t, s, a.capture(created.Payment, 200))
	before := take(t, s)

	if err := commit(s, stale); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a capture of an old version: %v", err)
	}
	again := created
	again.Record.Key = a.key()
	if err := commit(s, again); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a creation of a payment that exists: %v", err)
	}
	future := a.capture(a.create(card(1000, "USD")).Payment, 10)
	if err := commit(s, future); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a capture of a payment that does not exist: %v", err)
	}
	early := a.capture(a.capture(before.latest(t, s), 10).Payment, 10)
	if err := commit(s, early); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a capture of a version that is still to come: %v", err)
	}
	equal(t, "everything after conflicts", take(t, s), before)
}

// latest returns the last payment of a snapshot.
func (n *snapshot) latest(t testing.TB, s store.Store) *payment.Payment {
	t.Helper()
	last := n.States[len(n.States)-1]
	p, err := s.Payment(ctx, last.Tenant, last.Payment, 0)
	check(t, err)
	return p
}

func testSeveral(t *testing.T, s store.Store) {
	a := newAuthor(t)
	created := a.create(card(1000, "USD"))
	first := a.capture(created.Payment, 300)
	second := a.capture(first.Payment, 200)
	must(t, s, created, first, second)
	third := a.capture(second.Payment, 100)
	fourth := a.capture(third.Payment, 150)
	must(t, s, third, fourth)

	p, err := s.Payment(ctx, tenant, created.Payment.ID, 0)
	check(t, err)
	equal(t, "payment", p, fourth.Payment)
	before := take(t, s)
	equal(t, "states", before.States, []store.State{store.StateOf(fourth.Payment)})

	fifth := a.capture(fourth.Payment, 10)
	skipping := a.capture(a.capture(fifth.Payment, 10).Payment, 10)
	if err := commit(s, fifth, skipping); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a change that skips one of its batch: %v", err)
	}
	equal(t, "everything after a conflict", take(t, s), before)
}

func testHistory(t *testing.T, s store.Store) {
	a := newAuthor(t)
	created := a.create(card(1000, "USD"))
	must(t, s, created)
	captured := a.capture(created.Payment, 400)
	must(t, s, captured)
	settled := a.decide(captured.Payment, payment.Settle{Operation: captured.Record.Operation}, approve)
	must(t, s, settled)

	for _, want := range []*payment.Payment{created.Payment, captured.Payment, settled.Payment} {
		p, err := s.Payment(ctx, tenant, want.ID, want.Version)
		check(t, err)
		equal(t, "payment at an earlier version", p, want)
	}
	for _, version := range []int{-1, settled.Payment.Version + 1} {
		if p, err := s.Payment(ctx, tenant, created.Payment.ID, version); p != nil || err != nil {
			t.Errorf("a payment at version %d: %v, %v", version, p, err)
		}
	}
}

func testTenants(t *testing.T, s store.Store) {
	a := newAuthor(t)
	created := a.create(card(1000, "USD"))
	must(t, s, created)
	const other = tenant + 1
	if p, err := s.Payment(ctx, other, created.Payment.ID, 0); p != nil || err != nil {
		t.Errorf("another tenant's payment: %v, %v", p, err)
	}
	if events, err := s.Events(ctx, other, created.Payment.ID); len(events) != 0 || err != nil {
		t.Errorf("another tenant's events: %v, %v", events, err)
	}
	if _, ok, err := s.Record(ctx, other, created.Record.Key); ok || err != nil {
		t.Errorf("another tenant's record: %v, %v", ok, err)
	}
	b, err := s.Begin(ctx, store.Touched{
		Keys:     []store.Ref[payment.Key]{{Tenant: other, Name: created.Record.Key}},
		Payments: []store.Ref[payment.ID]{{Tenant: other, Name: created.Payment.ID}},
	})
	check(t, err)
	defer b.Rollback()
	if _, ok := b.Record(created.Record.Key); ok || b.Payment(created.Payment.ID) != nil {
		t.Error("a batch loads what is another tenant's")
	}
}

func testCancelled(t *testing.T, s store.Store) {
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if b, err := s.Begin(cancelled, store.Touched{}); !errors.Is(err, context.Canceled) {
		t.Errorf("begin after a cancel: %v, %v", b, err)
	}
	must(t, s, newAuthor(t).create(card(1000, "USD"))) // the turn was given back
}

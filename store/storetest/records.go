package storetest

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

func testKeys(t *testing.T, s store.Store) {
	a := newAuthor(t)
	first := a.create(card(1000, "USD"))
	must(t, s, first)
	before := take(t, s)

	second := a.create(card(500, "USD"))
	second.Record.Key = first.Record.Key
	if err := commit(s, second); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a key that is taken: %v", err)
	}
	b, err := s.Begin(ctx, store.Touched{}) // the key was not looked at
	check(t, err)
	if err := b.Commit(ctx, []store.Change{second}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a key that is taken and was not looked at: %v", err)
	}
	third, fourth := a.create(card(1, "USD")), a.create(card(2, "USD"))
	fourth.Record.Key = third.Record.Key
	if err := commit(s, third, fourth); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a key twice in one batch: %v", err)
	}
	equal(t, "everything after conflicts", take(t, s), before)

	keyless := a.create(card(3, "USD"))
	keyless.Record = store.Record{}
	must(t, s, keyless)
	if after := take(t, s); len(after.Records) != 1 || len(after.States) != 2 {
		t.Errorf("a change without a key left %d records and %d payments", len(after.Records), len(after.States))
	}
}

func testExpiry(t *testing.T, s store.Store) {
	a := newAuthor(t)
	first := a.create(card(1000, "USD"))
	first.Record.Expires = noon.Add(time.Hour)
	must(t, s, first)
	for _, look := range []bool{true, false} {
		later := func(at time.Time) error {
			c := a.create(card(500, "USD"))
			c.Record.Key, c.Record.At, c.Record.Expires = first.Record.Key, at, at.Add(time.Hour)
			var see store.Touched
			if look {
				see = touched([]store.Change{c})
			}
			b, err := s.Begin(ctx, see)
			check(t, err)
			return b.Commit(ctx, []store.Change{c})
		}
		kept, _, err := s.Record(ctx, tenant, first.Record.Key)
		check(t, err)
		if err := later(kept.Expires.Add(-time.Millisecond)); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a key just before its expiry: %v", err)
		}
		if err := later(kept.Expires); err != nil {
			t.Errorf("a key at its expiry: %v", err)
		}
		replaced, ok, err := s.Record(ctx, tenant, first.Record.Key)
		check(t, err)
		if !ok || replaced.Payment == kept.Payment {
			t.Errorf("the record was not replaced: %+v", replaced)
		}
	}
	if n := take(t, s); len(n.Records) != 1 {
		t.Errorf("%d records", len(n.Records))
	}
}

func testResolve(t *testing.T, s store.Store) {
	a := newAuthor(t)
	created := a.create(card(1000, "USD"))
	must(t, s, created)
	asked := a.decide(created.Payment, payment.Capture{Amount: 300}, wait)
	asked.Record.Expires = noon.Add(time.Hour)
	if !asked.Record.Pending {
		t.Fatal("the capture is not pending")
	}
	must(t, s, asked)

	taken := a.create(card(500, "USD"))
	taken.Record.Key, taken.Record.At = asked.Record.Key, noon.AddDate(1, 0, 0)
	if err := commit(s, taken); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a pending key past its expiry: %v", err)
	}

	answer := a.decide(asked.Payment, payment.Resolve{Operation: asked.Record.Operation, Answer: approve(payment.Instruction{})}, nil)
	answer.Record.Key, answer.Resolves = asked.Record.Key, true
	answer.Record.Context = []byte("kept")
	again := answer
	must(t, s, answer)
	r, _, err := s.Record(ctx, tenant, asked.Record.Key)
	check(t, err)
	equal(t, "record", r, answer.Record)

	again.Payment, again.Events, again.Entries, again.Timers = nil, nil, nil, nil
	if err := commit(s, again); !errors.Is(err, store.ErrConflict) {
		t.Errorf("an answer to a record that is not pending: %v", err)
	}
	again.Record.Key = a.key()
	if err := commit(s, again); !errors.Is(err, store.ErrConflict) {
		t.Errorf("an answer to a record that is not there: %v", err)
	}

	// asked and answered in one batch
	asked = a.decide(answer.Payment, payment.Capture{Amount: 100}, wait)
	answer = a.decide(asked.Payment, payment.Resolve{Operation: asked.Record.Operation, Answer: approve(payment.Instruction{})}, nil)
	answer.Record.Key, answer.Resolves = asked.Record.Key, true
	must(t, s, asked, answer)
	r, _, err = s.Record(ctx, tenant, asked.Record.Key)
	check(t, err)
	equal(t, "record", r, answer.Record)
}

func testRecords(t *testing.T, s store.Store) {
	a := newAuthor(t)
	created := a.create(card(1000, "USD"))
	refused := a.decide(created.Payment, payment.Capture{Amount: 2000}, approve)
	if refused.Record.Refusal == nil || refused.Payment != nil {
		t.Fatal("the capture was not refused")
	}
	refused.Record.Context = []byte{0, 1, 2, 255}
	refused.Record.Expires = noon.Add(24 * time.Hour)
	bare := store.Change{Record: store.Record{Key: a.key(), Tenant: tenant, At: noon}}
	must(t, s, created, refused, bare)
	all := take(t, s).Records
	for name, want := range map[string]store.Record{"created": created.Record, "refused": refused.Record, "bare": bare.Record} {
		r, ok, err := s.Record(ctx, tenant, want.Key)
		check(t, err)
		equal(t, fmt.Sprintf("%s is there", name), ok, true)
		equal(t, name, r, want)
		equal(t, name+" in an audit", all[want.Key], want)
	}
	if _, ok, err := s.Record(ctx, tenant, a.key()); ok || err != nil {
		t.Errorf("a record that is not there: %v, %v", ok, err)
	}
}

// testStamps: a store of several instances keeps the stamp of whoever wrote a
// record last; another may show 0.
func testStamps(t *testing.T, s store.Store) {
	a := newAuthor(t)
	created := a.create(card(1000, "USD"))
	must(t, s, created)
	asked := a.decide(created.Payment, payment.Capture{Amount: 300}, wait)
	answer := a.decide(asked.Payment, payment.Resolve{Operation: asked.Record.Operation, Answer: approve(payment.Instruction{})}, nil)
	answer.Record.Key, answer.Resolves = asked.Record.Key, true
	asked.Record.Stamp, answer.Record.Stamp = 1, math.MaxInt64
	_, shared := s.(store.Shared)
	for _, c := range []store.Change{asked, answer} {
		must(t, s, c)
		r, _, err := s.Record(ctx, tenant, c.Record.Key)
		check(t, err)
		b, err := s.Begin(ctx, touched([]store.Change{c}))
		check(t, err)
		loaded, _ := b.Record(c.Record.Key)
		b.Rollback()
		for _, got := range []int64{r.Stamp, loaded.Stamp} {
			if got != c.Record.Stamp && (shared || got != 0) {
				t.Errorf("the record has the stamp %d, want %d", got, c.Record.Stamp)
			}
		}
	}
}

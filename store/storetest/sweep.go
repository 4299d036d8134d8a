package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

// sweep forgets what is over, a little at a time.
func sweep(t fataler, s store.Store, over store.Over, limit int) (all store.Swept) {
	t.Helper()
	for range 10_000 {
		done, err := s.Sweep(ctx, over, limit)
		if err != nil || done.Rows() > limit {
			t.Fatalf("%+v of at most %d: %v", done, limit, err)
		}
		all.Records += done.Records
		all.Counters += done.Counters
		all.Documents += done.Documents
		all.Grants += done.Grants
		all.Notices += done.Notices
		if !done.More {
			return all
		}
	}
	t.Fatalf("a sweep without end")
	return all
}

func testSweep(t *testing.T, s store.Store) {
	a := newAuthor(t)
	u := newUser(t, s, 1000, "USD")
	created := a.create(card(1000, "USD"))
	must(t, s, created) // for ever
	changes := map[string]store.Change{}
	for name, expires := range map[string]time.Duration{"over": time.Hour, "just over": 2 * time.Hour, "not over": 2*time.Hour + time.Millisecond} {
		c := a.create(card(500, "USD"))
		c.Record.Expires = noon.Add(expires)
		changes[name] = c
		must(t, s, c)
		n := counterOf(name, "1")
		n.Expires = noon.Add(expires)
		check(t, count(s, nil, n))
		d := paper(name)
		d.Expires = noon.Add(expires)
		check(t, s.PutDocument(ctx, d))
		check(t, s.PutGrant(ctx, wallet.Grant{Name: name, Tenant: tenant, User: u, ExpiresAt: noon.Add(expires), Revoked: name == "not over"}))
	}
	check(t, s.PutDocument(ctx, paper("for ever")))
	pending := a.decide(created.Payment, payment.Capture{Amount: 300}, wait)
	pending.Record.Expires = noon
	must(t, s, pending)

	over := store.Over{Before: noon.Add(2 * time.Hour), Grants: noon.Add(time.Hour)}
	before := take(t, s)
	equal(t, "swept", sweep(t, s, over, 100), store.Swept{Records: 2, Counters: 2, Documents: 2, Grants: 1})
	for _, name := range []string{"over", "just over"} {
		delete(before.Records, changes[name].Record.Key)
		delete(before.Counters, names([]store.Counter{counterOf(name, "")})[0])
	}
	after := take(t, s)
	kept := before.Documents[:0]
	for _, d := range before.Documents {
		if d.ID == "not over" || d.ID == "for ever" {
			kept = append(kept, d)
		}
	}
	before.Documents = kept
	equal(t, "what is left", after, before)
	for name, want := range map[string]bool{"over": false, "just over": true, "not over": true} {
		g, err := s.Grant(ctx, tenant, name)
		check(t, err)
		equal(t, "grant "+name, g != nil, want)
	}
	err := s.Audit(ctx, func(view store.Audit) error {
		swept, err := view.Swept()
		if swept.Before(over.Before) {
			t.Errorf("an audit may miss records that expired by %s", swept)
		}
		return err
	})
	check(t, err)
	equal(t, "swept again", sweep(t, s, over, 100), store.Swept{})

	// A pending record is over once it is answered.
	answer := a.decide(pending.Payment, payment.Resolve{Operation: pending.Record.Operation, Answer: approve(payment.Instruction{})}, nil)
	answer.Record.Key, answer.Record.Expires, answer.Resolves = pending.Record.Key, pending.Record.Expires, true
	must(t, s, answer)
	over.Before = noon.Add(24 * time.Hour)
	equal(t, "swept later", sweep(t, s, over, 100), store.Swept{Records: 2, Counters: 1, Documents: 1})
	if records := take(t, s).Records; len(records) != 1 {
		t.Errorf("%d records", len(records))
	}

	again := a.create(card(7, "USD")) // a key that is gone is free
	again.Record.Key = changes["over"].Record.Key
	must(t, s, again)
}

// testSweepPending answers a pending record long after its time: nothing is
// added to the store by that, and still the record goes.
func testSweepPending(t *testing.T, s store.Store) {
	a := newAuthor(t)
	created := a.create(card(1000, "USD"))
	pending := a.decide(created.Payment, payment.Capture{Amount: 300}, wait)
	pending.Record.Expires = noon
	must(t, s, created, pending)
	for hour := range 5 {
		equal(t, "swept while it is pending", sweep(t, s, store.Over{Before: noon.Add(time.Duration(hour) * time.Hour)}, 10), store.Swept{})
	}
	answer := a.decide(pending.Payment, payment.Resolve{Operation: pending.Record.Operation, Answer: approve(payment.Instruction{})}, nil)
	answer.Record.Key, answer.Record.Expires, answer.Resolves = pending.Record.Key, noon, true
	must(t, s, answer)
	equal(t, "swept when it is answered", sweep(t, s, store.Over{Before: noon.Add(6 * time.Hour)}, 10), store.Swept{Records: 1})
}

// bare is a change that leaves nothing but a record.
func (a *author) bare(expires time.Time) store.Change {
	return store.Change{Record: store.Record{Key: a.key(), Tenant: tenant, At: a.now, Expires: expires}}
}

func testSweepLimit(t *testing.T, s store.Store) {
	a := newAuthor(t)
	total := 0
	for round := range 12 {
		var changes []store.Change
		for i := range 500 {
			expires := time.Time{}
			if i%10 != 0 {
				expires = noon.Add(time.Duration(round*60+i%3) * time.Minute)
				total++
			}
			changes = append(changes, a.bare(expires))
		}
		must(t, s, changes...)
	}
	swept := 0
	for hour := range 13 {
		got := sweep(t, s, store.Over{Before: noon.Add(time.Duration(hour)*time.Hour + 30*time.Minute)}, 64).Records
		if want := min(450, total-swept); got != want {
			t.Errorf("hour %d: %d records, not %d", hour, got, want)
		}
		swept += got
		must(t, s, a.bare(noon.AddDate(1, 0, 0)))
	}
	equal(t, "left", len(take(t, s).Records), 12*50+13)
}

// testSweepReplaced gives keys again that are over, and takes away the newest
// records: whatever numbers a store has for them are used again.
func testSweepReplaced(t *testing.T, s store.Store) {
	a := newAuthor(t)
	var first []store.Change
	for range 3000 {
		first = append(first, a.bare(noon.Add(time.Hour)))
	}
	must(t, s, first...)
	last := a.bare(noon.Add(time.Hour))
	must(t, s, last)
	for round := 1; round < 6; round++ {
		a.now = noon.Add(time.Duration(round) * 10 * time.Hour)
		last.Record.At, last.Record.Expires = a.now, a.now.Add(time.Hour)
		must(t, s, last) // in place of the one that is over
		want := 0
		if round == 1 {
			want = 3000
		}
		equal(t, fmt.Sprintf("swept in round %d", round), sweep(t, s, store.Over{Before: a.now}, 500).Records, want)
		var more []store.Change
		for range 10 {
			more = append(more, a.bare(a.now.Add(time.Hour)))
		}
		must(t, s, more...)
		equal(t, "not over yet", sweep(t, s, store.Over{Before: a.now.Add(time.Minute)}, 500).Records, 0)
		equal(t, "over", sweep(t, s, store.Over{Before: a.now.Add(2 * time.Hour)}, 500).Records, 11)
		must(t, s, more[0])
		equal(t, "given again and over", sweep(t, s, store.Over{Before: a.now.Add(5 * time.Hour)}, 500).Records, 1)
		must(t, s, last)
	}
}

package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// list reads a listing of the tests' merchant to its end, page by page.
func list(t fataler, s store.Store, l payment.Listing) []payment.Place {
	t.Helper()
	l.Tenant, l.Merchant = tenant, merchantID
	var all []payment.Place
	for {
		page, err := s.List(ctx, l)
		if err != nil || len(page) > l.Limit {
			t.Fatalf("%d places of at most %d: %v", len(page), l.Limit, err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		l.After = page[len(page)-1]
	}
}

// reversed is what a listing has that begins at the other end.
func reversed(places []payment.Place) []payment.Place {
	places = slices.Clone(places)
	slices.Reverse(places)
	return places
}

func testListing(t *testing.T, s store.Store) {
	a := newAuthor(t)
	var oldest []payment.Place
	var first store.Change
	for i := range 7 {
		a.now = noon.Add(time.Duration(i/2) * time.Second) // two in a moment
		c := a.create(card(1000, "USD"))
		must(t, s, c)
		oldest = append(oldest, c.Payment.Place())
		if i == 0 {
			first = c
		}
	}
	must(t, s, a.capture(first.Payment, 400))
	other := a.create(card(1000, "USD"))
	other.Payment.Merchant++
	must(t, s, other)

	for limit := 1; limit <= 8; limit++ {
		equal(t, "newest first", list(t, s, payment.Listing{Limit: limit}), reversed(oldest))
		equal(t, "oldest first", list(t, s, payment.Listing{Limit: limit, OldestFirst: true}), oldest)
		for _, order := range []bool{false, true} {
			want := oldest[2:6]
			if !order {
				want = reversed(want)
			}
			equal(t, "a range", list(t, s, payment.Listing{
				Limit: limit, OldestFirst: order, From: noon.Add(time.Second), Until: noon.Add(2*time.Second + time.Millisecond),
			}), want)
			equal(t, "a range between milliseconds", list(t, s, payment.Listing{
				Limit: limit, OldestFirst: order, From: noon.Add(time.Second - time.Microsecond), Until: noon.Add(2*time.Second + time.Microsecond),
			}), want)
		}
	}
	for what, l := range map[string]payment.Listing{
		"an empty range":     {From: noon.Add(time.Hour), Limit: 10},
		"a range inside out": {From: noon.Add(2 * time.Second), Until: noon.Add(time.Second), Limit: 10},
		"beyond the end":     {After: oldest[0], Limit: 10},
		"beyond the other":   {After: oldest[6], OldestFirst: true, Limit: 10},
	} {
		equal(t, what, len(list(t, s, l)), 0)
	}
	for what, l := range map[string]payment.Listing{
		"another tenant":   {Tenant: tenant + 1, Merchant: merchantID, Limit: 10},
		"another label":    {Tenant: tenant, Merchant: merchantID, Label: payment.Label{Kind: "order"}, Limit: 10},
		"nothing asked of": {Tenant: tenant, Merchant: merchantID},
	} {
		page, err := s.List(ctx, l)
		check(t, err)
		equal(t, what, len(page), 0)
	}
	page, err := s.List(ctx, payment.Listing{Tenant: tenant, Merchant: merchantID + 1, Limit: 10})
	check(t, err)
	equal(t, "another merchant", page, []payment.Place{other.Payment.Place()})
}

func testLabels(t *testing.T, s store.Store) {
	a := newAuthor(t)
	seven, eight := payment.Label{Kind: "tracking", Value: "7"}, payment.Label{Kind: "tracking", Value: "8"}
	intake := card(1000, "USD")
	intake.Labels = []payment.Label{seven, {Kind: "customer", Value: "7"}}
	created := a.create(intake)
	a.now = a.now.Add(time.Second)
	captured := a.decide(created.Payment, payment.Capture{Amount: 100, Labels: []payment.Label{seven}}, approve)
	plain := a.create(card(5, "USD"))
	must(t, s, created, captured, plain)
	equal(t, "a change without labels leaves one mark", len(take(t, s).Marks), 3+1+1)

	want := []payment.Place{{At: a.now, Payment: created.Payment.ID, Operation: 2}, created.Payment.Place()}
	find := func(l payment.Label) []payment.Place { return list(t, s, payment.Listing{Label: l, Limit: 1}) }
	equal(t, "payment and capture", find(seven), want)

	// Revised, it has what it had and what is new, and nothing twice.
	revised := captured.Payment.Intake
	revised.Labels = []payment.Label{seven, eight}
	must(t, s, a.decide(captured.Payment, payment.Revise{Intake: revised}, approve))
	equal(t, "after a revision", find(seven), want)
	equal(t, "a new label", find(eight), want[1:])
	equal(t, "a label that is gone stays", find(payment.Label{Kind: "customer", Value: "7"}), want[1:])

	// What is not written cannot be found.
	taken := a.create(intake)
	taken.Record.Key = created.Record.Key
	if err := commit(s, taken); err == nil {
		t.Error("a taken key")
	}
	equal(t, "after a conflict", find(seven), want)
}

// testPages pages through payments while others are created, also with a clock
// that was set back: what was there before is seen once, and in order.
func testPages(t *testing.T, s store.Store) {
	a := newAuthor(t)
	create := func(n int) {
		var batch []store.Change
		for i := range n {
			a.now = a.now.Add(time.Duration(i%3) * time.Millisecond)
			batch = append(batch, a.create(card(1000, "USD")))
		}
		must(t, s, batch...)
	}
	create(100)
	instance := 1
	for _, order := range []bool{false, true} {
		before := list(t, s, payment.Listing{Limit: 1000, OldestFirst: order})
		l := payment.Listing{Tenant: tenant, Merchant: merchantID, Limit: 7, OldestFirst: order}
		var seen []payment.Place
		for turn := 0; ; turn++ {
			page, err := s.List(ctx, l)
			check(t, err)
			if len(page) == 0 {
				break
			}
			seen = append(seen, page...)
			l.After = page[len(page)-1]
			if turn < 20 {
				a.now = noon.Add(time.Duration(turn*7-50) * time.Millisecond)
				instance++
				a.ids = payment.NewIDs(instance) // as another instance would, or this one after a restart
				create(3)
			}
		}
		if !slices.IsSortedFunc(seen, func(a, b payment.Place) int {
			if order {
				return a.Compare(b)
			}
			return b.Compare(a)
		}) || len(slices.Compact(slices.Clone(seen))) != len(seen) {
			t.Error("not in order, or something twice")
		}
		seen = slices.DeleteFunc(seen, func(p payment.Place) bool { return !slices.Contains(before, p) })
		equal(t, "of what was there before", seen, before)
	}
}

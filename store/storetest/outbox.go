package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// tell adds a notice of a change's payment to it, going to endpoints.
func tell(c *store.Change, number int, ordered bool, endpoints ...string) {
	p := c.Payment
	n := outbox.Notice{
		NoticeID: outbox.NoticeID{Payment: p.ID, Version: p.Version, Dialect: "test", Number: number},
		Tenant:   p.Tenant, Merchant: p.Merchant, Topic: "something.happened", At: p.UpdatedAt, Context: []byte("c"), Ordered: ordered,
		Deliveries: outbox.Deliver(endpoints...),
	}
	for i := range n.Deliveries {
		d := &n.Deliveries[i]
		d.NoticeID, d.Tenant, d.Merchant, d.Ordered = n.NoticeID, n.Tenant, n.Merchant, ordered
		d.Lane, d.State, d.Due = outbox.LaneOf(n.Merchant, n.Dialect, d.Endpoint), outbox.Waiting, n.At
	}
	c.Notices = append(c.Notices, n)
}

// everything asks for all that is due at a time.
func everything(due time.Time) outbox.Claim {
	return outbox.Claim{Due: due, Now: noon, Lease: time.Minute, Limit: 1000, PerLane: 1000}
}

// claim claims, and gives the claims back unless they are to be kept.
func claim(t *testing.T, s store.Store, c outbox.Claim, keep bool) []outbox.Delivery {
	t.Helper()
	given, err := s.ClaimDeliveries(ctx, c)
	check(t, err)
	if !keep {
		check(t, s.ReleaseDeliveries(ctx, given))
	}
	return given
}

// attempt is the next attempt at a delivery.
func attempt(d outbox.Delivery, state outbox.State, due time.Time) outbox.Attempt {
	return outbox.Attempt{
		DeliveryID: d.DeliveryID, Tenant: d.Tenant, Number: d.Attempts + 1, At: noon.Add(time.Second), Took: 250 * time.Millisecond,
		Status: 500, Fault: "not acknowledged", Sealed: []byte{0, 1, 2}, State: state, Due: due,
	}
}

func testBacklog(t *testing.T, s store.Store) {
	expect := func(what string, limit int, want ...store.Backlog) {
		t.Helper()
		got, err := s.Backlog(ctx, limit)
		check(t, err)
		if len(got) != 0 || len(want) != 0 {
			equal(t, what, got, want)
		}
	}
	expect("nothing is to be delivered", 9)
	a := newAuthor(t)
	first := a.create(card(1000, "USD"))
	tell(&first, 0, false, "a", "b")
	tell(&first, 1, false, "a")
	first.Notices[1].Dialect, first.Notices[1].Deliveries[0].Dialect = "another", "another"
	due := first.Notices[0].At
	later := due.Add(time.Hour)
	first.Notices[0].Deliveries[1].Due = later
	must(t, s, first)
	expect("by dialect", 9, store.Backlog{Dialect: "another", Deliveries: 1, Due: due}, store.Backlog{Dialect: "test", Deliveries: 2, Due: due})
	expect("the first ones", 2, store.Backlog{Dialect: "another", Deliveries: 1, Due: due}, store.Backlog{Dialect: "test", Deliveries: 1, Due: due})
	for _, d := range claim(t, s, everything(due), true) {
		check(t, s.Attempted(ctx, []outbox.Attempt{attempt(d, outbox.Delivered, time.Time{})}))
	}
	expect("what is delivered is not in it", 9, store.Backlog{Dialect: "test", Deliveries: 1, Due: later})
}

func testNotices(t *testing.T, s store.Store) {
	a := newAuthor(t)
	first := a.create(card(1000, "USD"))
	tell(&first, 0, false, "a", "b")
	tell(&first, 1, false, "a")
	must(t, s, first)
	n := take(t, s)
	equal(t, "notices", n.Notices, []noticed{{first.Notices[0], 2}, {first.Notices[1], 1}})
	equal(t, "deliveries", len(n.Deliveries), 3)
	for _, want := range first.Notices {
		got, err := s.Notice(ctx, tenant, want.NoticeID)
		check(t, err)
		equal(t, "notice", got, &want)
	}
	for _, other := range []outbox.NoticeID{{Payment: first.Payment.ID, Version: first.Payment.Version, Dialect: "other"}, {}} {
		if got, err := s.Notice(ctx, tenant, other); got != nil || err != nil {
			t.Errorf("a notice that is not there: %v, %v", got, err)
		}
	}
	if got, err := s.Notice(ctx, tenant+1, first.Notices[0].NoticeID); got != nil || err != nil {
		t.Errorf("another tenant's notice: %v, %v", got, err)
	}
	if next, err := s.NextDelivery(ctx); err != nil || !next.Equal(first.Notices[0].At) {
		t.Errorf("the next delivery is due at %s, %v", next, err)
	}

	// They are written with the rest of their batch, or not at all.
	before := take(t, s)
	taken, second := a.create(card(1000, "USD")), a.create(card(700, "EUR"))
	taken.Record.Key = first.Record.Key
	tell(&second, 0, false, "a")
	if err := commit(s, second, taken); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a batch with a taken key: %v", err)
	}
	equal(t, "everything after a conflict", take(t, s), before)
	again := a.capture(first.Payment, 1)
	again.Notices = first.Notices[:1]
	if err := commit(s, again); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a notice that is there already: %v", err)
	}
	equal(t, "everything after a conflict", take(t, s), before)
}

func testClaims(t *testing.T, s store.Store) {
	if next, err := s.NextDelivery(ctx); err != nil || !next.IsZero() {
		t.Errorf("the next delivery of an empty store is due at %s, %v", next, err)
	}
	a := newAuthor(t)
	var want []outbox.DeliveryID
	for range 5 {
		c := a.create(card(1000, "USD"))
		tell(&c, 0, false, "a", "b")
		must(t, s, c)
		want = append(want, c.Notices[0].Deliveries[0].DeliveryID, c.Notices[0].Deliveries[1].DeliveryID)
		a.now = a.now.Add(time.Second)
	}
	c := everything(a.now)
	equal(t, "all that is due", ids(claim(t, s, c, false)), want)
	equal(t, "what was due before", len(claim(t, s, everything(noon.Add(-time.Millisecond)), false)), 0)
	equal(t, "what was due a second later", ids(claim(t, s, everything(noon.Add(time.Second)), false)), want[:4])

	// Each lane has its share, the earliest first.
	some := c
	some.PerLane = 2
	equal(t, "two of each", ids(claim(t, s, some, false)), want[:4])
	laneA := outbox.LaneOf(merchantID, "test", "a")
	some.Room = map[outbox.Lane]int{laneA: -1}
	equal(t, "none of a", ids(claim(t, s, some, false)), []outbox.DeliveryID{want[1], want[3]})
	some.Room = map[outbox.Lane]int{laneA: 4}
	equal(t, "four of a", len(claim(t, s, some, false)), 6)

	// Those that are full are passed over, the others are not.
	full := c
	full.Full = []outbox.Lanes{laneA.Host(), {First: laneA, Last: laneA}}
	equal(t, "none of the host of a", ids(claim(t, s, full, false)), []outbox.DeliveryID{want[1], want[3], want[5], want[7], want[9]})
	full.Full, full.After = []outbox.Lanes{outbox.LaneOf(merchantID, "test", "b").Host()}, laneA
	equal(t, "none of the host of b", len(claim(t, s, full, false)), 5)
	full.Full = []outbox.Lanes{laneA.Merchant()}
	equal(t, "none of the merchant", len(claim(t, s, full, false)), 0)

	// Lanes take turns where there is no room for all.
	seen := map[outbox.Lane]int{}
	turn := c
	turn.Limit, turn.PerLane = 1, 1
	for range 4 {
		given := claim(t, s, turn, false)
		equal(t, "given", len(given), 1)
		seen[given[0].Lane]++
		turn.After = given[0].Lane
	}
	equal(t, "turns of a", seen[laneA], 2)

	// What was given is nobody else's, until it is given back or the lease is
	// over.
	given := claim(t, s, some, true)
	equal(t, "the rest", len(claim(t, s, c, true)), len(want)-len(given))
	equal(t, "nothing is left", len(claim(t, s, c, true)), 0)
	check(t, s.ReleaseDeliveries(ctx, given))
	equal(t, "given back", len(claim(t, s, c, true)), len(given))
	late := c
	late.Now = noon.Add(time.Minute - time.Millisecond)
	equal(t, "at the end of the lease", len(claim(t, s, late, true)), 0)
	late.Now = noon.Add(time.Minute)
	equal(t, "after it", len(claim(t, s, late, true)), len(want))
}

func ids(deliveries []outbox.Delivery) []outbox.DeliveryID {
	var all []outbox.DeliveryID
	for _, d := range deliveries {
		all = append(all, d.DeliveryID)
	}
	return all
}

func testAttempts(t *testing.T, s store.Store) {
	a := newAuthor(t)
	c := a.create(card(1000, "USD"))
	tell(&c, 0, false, "a", "b")
	must(t, s, c)
	id := c.Notices[0].NoticeID
	d := claim(t, s, everything(noon), true)[0]
	later := noon.Add(time.Hour)
	failed := attempt(d, outbox.Waiting, later)
	check(t, s.Attempted(ctx, []outbox.Attempt{failed}))

	d.Attempts, d.Due = 1, later
	equal(t, "a delivery that waits", claim(t, s, everything(later), false), []outbox.Delivery{d}) // b is still claimed
	made, err := s.Attempts(ctx, tenant, id)
	check(t, err)
	equal(t, "attempts", made, []outbox.Attempt{failed})

	// One that is not the next leaves nothing.
	before := take(t, s)
	skipping, foreign := attempt(d, outbox.Delivered, time.Time{}), attempt(d, outbox.Delivered, time.Time{})
	skipping.Number, foreign.Tenant = 3, tenant+1
	gone := attempt(d, outbox.Delivered, time.Time{})
	gone.Endpoint = "nowhere"
	check(t, s.Attempted(ctx, []outbox.Attempt{failed, skipping, foreign, gone}))
	equal(t, "everything after attempts that were not the next", take(t, s), before)

	second := attempt(d, outbox.Delivered, time.Time{})
	second.Fault, second.Sealed, second.Status, second.Took = "", nil, 200, 0
	check(t, s.Attempted(ctx, []outbox.Attempt{second}))
	made, err = s.Attempts(ctx, tenant, id)
	check(t, err)
	equal(t, "attempts", made, []outbox.Attempt{failed, second})
	d.Attempts = 2
	check(t, s.Attempted(ctx, []outbox.Attempt{attempt(d, outbox.Waiting, later)})) // it is final
	got, err := s.Notice(ctx, tenant, id)
	check(t, err)
	d.State, d.Due = outbox.Delivered, time.Time{}
	equal(t, "a delivery that was made", got.Deliveries[0], d)
	if made, err := s.Attempts(ctx, tenant+1, id); len(made) != 0 || err != nil {
		t.Errorf("another tenant's attempts: %v, %v", made, err)
	}
}

func testOrdered(t *testing.T, s store.Store) {
	a := newAuthor(t)
	created := a.create(card(1000, "USD"))
	tell(&created, 0, true, "a", "b")
	tell(&created, 1, true, "a")
	first := a.capture(created.Payment, 100)
	tell(&first, 0, true, "a")
	tell(&first, 1, false, "a")
	must(t, s, created, first)
	queue := []outbox.DeliveryID{
		created.Notices[0].Deliveries[0].DeliveryID, created.Notices[1].Deliveries[0].DeliveryID, first.Notices[0].Deliveries[0].DeliveryID,
	}
	ofB, free := created.Notices[0].Deliveries[1].DeliveryID, first.Notices[1].Deliveries[0].DeliveryID

	due := claim(t, s, everything(noon), false)
	equal(t, "what does not wait", ids(due), []outbox.DeliveryID{queue[0], ofB, free})
	check(t, s.Attempted(ctx, []outbox.Attempt{attempt(due[0], outbox.Waiting, noon.Add(time.Hour))}))
	equal(t, "while the first one waits", ids(claim(t, s, everything(noon.Add(time.Minute)), false)), []outbox.DeliveryID{ofB, free})

	due[0].Attempts = 1
	check(t, s.Attempted(ctx, []outbox.Attempt{attempt(due[0], outbox.GivenUp, time.Time{})}))
	due = claim(t, s, everything(noon.Add(time.Minute)), false)
	equal(t, "after it was given up", ids(due), []outbox.DeliveryID{ofB, free, queue[1]})
	equal(t, "is due when that was", due[2].Due, noon.Add(time.Second))
	check(t, s.Attempted(ctx, []outbox.Attempt{attempt(due[2], outbox.Delivered, time.Time{})}))
	due = claim(t, s, everything(noon.Add(time.Minute)), false)
	equal(t, "after the second one", ids(due), []outbox.DeliveryID{ofB, free, queue[2]})
	check(t, s.Attempted(ctx, []outbox.Attempt{attempt(due[2], outbox.Stopped, time.Time{})}))
	second := a.capture(first.Payment, 100)
	tell(&second, 0, true, "a")
	must(t, s, second)
	due = claim(t, s, everything(noon), false)
	equal(t, "with nothing before it", ids(due), []outbox.DeliveryID{ofB, free, second.Notices[0].Deliveries[0].DeliveryID})

	// What happened while the one before it was on its way is not due before that.
	a.now = a.now.Add(time.Minute)
	third := a.capture(second.Payment, 100)
	tell(&third, 0, true, "a")
	must(t, s, third)
	check(t, s.Attempted(ctx, []outbox.Attempt{attempt(due[2], outbox.Delivered, time.Time{})}))
	due = claim(t, s, everything(a.now), false)
	equal(t, "what happened meanwhile", due[len(due)-1].DeliveryID, third.Notices[0].Deliveries[0].DeliveryID)
	equal(t, "is due when it happened", due[len(due)-1].Due, a.now)
}

func testRedeliver(t *testing.T, s store.Store) {
	a := newAuthor(t)
	c := a.create(card(1000, "USD"))
	tell(&c, 0, true, "a")
	must(t, s, c)
	d := claim(t, s, everything(noon), true)[0]
	check(t, s.Attempted(ctx, []outbox.Attempt{attempt(d, outbox.Delivered, time.Time{})}))
	later := noon.Add(time.Hour)
	there, err := s.Redeliver(ctx, tenant, d.DeliveryID, later)
	check(t, err)
	equal(t, "it is there", there, true)
	d.Attempts, d.Due = 1, later
	equal(t, "a delivery to be made again", claim(t, s, everything(later), false), []outbox.Delivery{d})

	next := a.capture(c.Payment, 100)
	tell(&next, 0, true, "a")
	must(t, s, next) // behind the one that is made again
	equal(t, "what is due", ids(claim(t, s, everything(later), false)), []outbox.DeliveryID{d.DeliveryID})
	check(t, s.Attempted(ctx, []outbox.Attempt{attempt(d, outbox.Delivered, time.Time{})}))
	equal(t, "what is due then", ids(claim(t, s, everything(later), false)), []outbox.DeliveryID{next.Notices[0].Deliveries[0].DeliveryID})

	// Also by a clock that was set back it is not due before it happened.
	_, err = s.Redeliver(ctx, tenant, d.DeliveryID, noon.Add(-time.Hour))
	check(t, err)
	d.Attempts, d.Due = 2, noon
	equal(t, "by a clock that was set back", claim(t, s, everything(noon), false)[:1], []outbox.Delivery{d})

	before := take(t, s)
	gone := d.DeliveryID
	gone.Endpoint = "nowhere"
	for of, id := range map[int64]outbox.DeliveryID{tenant: gone, tenant + 1: d.DeliveryID} {
		there, err := s.Redeliver(ctx, of, id, noon)
		check(t, err)
		equal(t, "it is there", there, false)
	}
	equal(t, "everything", take(t, s), before)
}

func testNoticeList(t *testing.T, s store.Store) {
	a := newAuthor(t)
	var all []outbox.Notice // the latest first
	var p *payment.Payment
	for i := range 4 {
		c := a.create(card(1000, "USD"))
		p = c.Payment
		tell(&c, 0, false, "a", "b")
		tell(&c, 1, false, "a")
		if i%2 == 0 {
			a.now = a.now.Add(time.Second)
		}
		must(t, s, c)
		all = append([]outbox.Notice{c.Notices[1], c.Notices[0]}, all...)
	}
	foreign := a.create(card(5, "USD"))
	foreign.Payment.Merchant++
	tell(&foreign, 0, false, "a")
	must(t, s, foreign)

	list := func(q store.NoticeQuery) []outbox.Notice {
		t.Helper()
		q.Tenant, q.Merchant = tenant, merchantID
		got, err := s.Notices(ctx, q)
		check(t, err)
		return got
	}
	equal(t, "all", list(store.NoticeQuery{}), all)
	equal(t, "of the dialect", list(store.NoticeQuery{Dialect: "test"}), all)
	equal(t, "of another", len(list(store.NoticeQuery{Dialect: "other"})), 0)
	equal(t, "of a payment", list(store.NoticeQuery{Payment: p.ID}), all[:2])
	equal(t, "since the second second", list(store.NoticeQuery{From: noon.Add(time.Second)}), all[:6])
	equal(t, "before it", list(store.NoticeQuery{Until: noon.Add(time.Second)}), all[6:])
	var paged []outbox.Notice
	for q := (store.NoticeQuery{Limit: 3}); ; {
		page := list(q)
		paged = append(paged, page...)
		if len(page) < q.Limit {
			break
		}
		q.Before = &page[len(page)-1]
	}
	equal(t, "page by page", paged, all)
	if got, err := s.Notices(ctx, store.NoticeQuery{Tenant: tenant + 1, Merchant: merchantID}); len(got) != 0 || err != nil {
		t.Errorf("another tenant's notices: %v, %v", got, err)
	}
}

func testClaimingTogether(t *testing.T, s store.Store) {
	a := newAuthor(t)
	const payments = 40
	for range payments {
		c := a.create(card(1000, "USD"))
		tell(&c, 0, false, "a", "b")
		must(t, s, c)
	}
	given := make(chan outbox.Delivery, 10*payments)
	fault := make(chan error, 8)
	for range 4 {
		go func() {
			c := everything(noon)
			c.PerLane = 3
			for {
				some, err := s.ClaimDeliveries(context.Background(), c)
				for _, d := range some {
					given <- d
					if err == nil {
						err = s.Attempted(context.Background(), []outbox.Attempt{attempt(d, outbox.Delivered, time.Time{})})
					}
				}
				if err != nil || len(some) == 0 {
					fault <- err
					return
				}
			}
		}()
	}
	for range 4 {
		check(t, <-fault)
	}
	seen := map[outbox.DeliveryID]bool{}
	for range len(given) {
		d := <-given
		if seen[d.DeliveryID] {
			t.Errorf("%v was given twice", d.DeliveryID)
		}
		seen[d.DeliveryID] = true
	}
	equal(t, "deliveries made", len(seen), 2*payments)
}

func testSweepNotices(t *testing.T, s store.Store) {
	a := newAuthor(t)
	var all []store.Change
	for range 6 {
		c := a.create(card(1000, "USD"))
		tell(&c, 0, false, "a", "b")
		must(t, s, c)
		all = append(all, c)
		a.now = a.now.Add(time.Hour)
	}
	finish := func(c store.Change, endpoints ...int) {
		for _, i := range endpoints {
			check(t, s.Attempted(ctx, []outbox.Attempt{attempt(c.Notices[0].Deliveries[i], outbox.Delivered, time.Time{})}))
		}
	}
	for _, c := range all[:4] {
		finish(c, 0, 1)
	}
	finish(all[4], 0) // the other one waits
	before := take(t, s)
	equal(t, "swept early", sweep(t, s, store.Over{Notices: noon.Add(-time.Millisecond)}, 100), store.Swept{})
	equal(t, "everything", take(t, s), before)

	over := store.Over{Notices: noon.Add(2 * time.Hour)}
	equal(t, "swept", sweep(t, s, over, 2).Notices, 3)
	n := take(t, s)
	equal(t, "notices left", len(n.Notices), 3)
	equal(t, "deliveries left", len(n.Deliveries), 6)
	equal(t, "attempts left", len(n.Attempts), 3)
	check(t, s.Audit(ctx, func(view store.Audit) error {
		swept, err := view.NoticesSwept()
		equal(t, "swept until", swept, over.Notices)
		return err
	}))
	equal(t, "swept again", sweep(t, s, over, 100), store.Swept{})

	over.Notices = noon.Add(24 * time.Hour)
	equal(t, "swept later", sweep(t, s, over, 100).Notices, 1) // something waits of the last two
	finish(all[4], 1)
	equal(t, "swept when it is told", sweep(t, s, over, 100).Notices, 1)
	equal(t, "notices left", len(take(t, s).Notices), 1)
}

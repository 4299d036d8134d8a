package storetest

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/wallet"
)

// RunModel writes random change sets, good and bad, to a store and to the one
// in memory, and holds everything that can be read of the two together. Open
// returns an empty store and a function that opens it again after it was
// closed; nil if what it keeps ends with it.
func RunModel(t *testing.T, open func() (s store.Store, reopen func() store.Store)) {
	rapid.Check(t, func(t *rapid.T) {
		s, reopen := open()
		m := &model{author: newAuthor(t), t: t, store: s, model: memory.Open(), users: []int64{0}}
		defer func() { m.store.Close() }()
		actions := map[string]func(*rapid.T){
			"commit":  m.commit,
			"stale":   m.stale,
			"user":    m.user,
			"deposit": m.deposit,
			"send":    m.send,
			"again":   m.again,
			"file":    m.file,
			"list":    m.list,
			"sweep":   m.sweep,
			"time": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(1, 3*24*3600).Draw(t, "seconds")) * time.Second)
			},
			"": m.compare,
		}
		if reopen != nil {
			actions["reopen"] = func(t *rapid.T) {
				if err := m.store.Close(); err != nil {
					t.Fatalf("close: %v", err)
				}
				m.store = reopen()
			}
		}
		t.Repeat(actions)
	})
}

// model is a store and its model on their way.
type model struct {
	*author
	t            *rapid.T
	store, model store.Store

	payments []payment.ID
	users    []int64 // 0 is the one that does not exist
	pending  []store.Record
	past     []store.Change // what was committed
}

// commit writes a batch of changes, some of which may not be possible.
func (m *model) commit(t *rapid.T) {
	now := map[payment.ID]*payment.Payment{} // as the batch has them
	var changes []store.Change
	for range rapid.IntRange(1, 5).Draw(t, "changes") {
		var c store.Change
		if len(m.payments) == 0 || rapid.IntRange(0, 3).Draw(t, "new") == 0 {
			c = m.open(t)
		} else {
			id := rapid.SampledFrom(m.payments).Draw(t, "payment")
			if now[id] == nil {
				p, err := m.model.Payment(ctx, tenant, id, 0)
				if err != nil || p == nil {
					t.Fatalf("payment %s: %v, %v", id, p, err)
				}
				now[id] = p
			}
			c = m.move(t, now[id])
		}
		if c.Payment != nil {
			now[c.Payment.ID] = c.Payment
			for number := range rapid.IntRange(0, 2).Draw(t, "notices") {
				tell(&c, number, rapid.Bool().Draw(t, "ordered"), rapid.SampledFrom([][]string{{"a"}, {"a", "b"}, {"b", "c"}}).Draw(t, "endpoints")...)
			}
		}
		m.spoil(t, &c)
		changes = append(changes, c)
	}
	m.write(t, changes)
}

// open is the change of a new payment.
func (m *model) open(t *rapid.T) store.Change {
	amount := rapid.Int64Range(1, 2000).Draw(t, "amount")
	intake := card(amount, rapid.SampledFrom([]money.Currency{"USD", "JPY"}).Draw(t, "currency"))
	if user := rapid.SampledFrom(m.users).Draw(t, "user"); user != 0 {
		intake = purse(user, amount, "USD")
	}
	intake.Labels = labels(t)
	intake.Policy.AutoCapture = rapid.Bool().Draw(t, "automatic capture")
	p := &payment.Payment{ID: m.ids.Next(m.now), Tenant: tenant, Merchant: rapid.Int64Range(merchantID, merchantID+2).Draw(t, "merchant")}
	return m.decide(p, payment.Create{Intake: intake, Attempt: &payment.Attempt{Asked: m.asked(t)}}, m.answer(t))
}

// move is the change of some command to a payment.
func (m *model) move(t *rapid.T, p *payment.Payment) store.Change {
	amount := rapid.Int64Range(0, 500).Draw(t, "amount")
	command := rapid.SampledFrom([]payment.Command{
		payment.Capture{Amount: amount, Final: amount%2 == 0}, payment.Capture{}, payment.Void{Amount: amount}, payment.Cancel{Rest: true},
		payment.Refund{Amount: amount}, payment.Expire{}, payment.Settle{Operation: 2}, payment.PayerAnswer{Approved: amount > 100},
	}).Draw(t, "command")
	if op := p.Pending(); op != nil && rapid.Bool().Draw(t, "answer") {
		command = payment.Resolve{Operation: op.Number, Answer: payment.Answer{Result: payment.Approved, Reference: "late"}}
	}
	return m.decide(p, command, m.answer(t))
}

func (m *model) asked(t *rapid.T) payment.Asked {
	return payment.Asked{Dialect: "wepay", Reference: rapid.StringN(0, 5, -1).Draw(t, "reference"), Details: some(t, "details"), Labels: labels(t)}
}

func (m *model) answer(t *rapid.T) func(payment.Instruction) payment.Answer {
	answer := payment.Answer{
		Result:    rapid.SampledFrom([]payment.Result{payment.Approved, payment.Approved, payment.Pending, payment.Refused, payment.PayerRequired}).Draw(t, "result"),
		Reference: "r", Data: some(t, "data"),
	}
	return func(i payment.Instruction) payment.Answer {
		if answer.Result == payment.PayerRequired && (i.Kind != payment.OpAuthorize || i.PayerDone) {
			return payment.Answer{Result: payment.Refused, Reason: payment.DoNotHonor}
		}
		return answer
	}
}

// some is nil or a few bytes.
func some(t *rapid.T, label string) []byte {
	b := rapid.SliceOfN(rapid.Byte(), 0, 6).Draw(t, label)
	if len(b) == 0 {
		return nil
	}
	return b
}

// spoil sets what the engine adds to a decision, and now and then sets it so
// that it cannot be.
func (m *model) spoil(t *rapid.T, c *store.Change) {
	r := &c.Record
	r.Context = some(t, "context")
	if rapid.Bool().Draw(t, "expires") {
		r.Expires = m.now.Add(24 * time.Hour)
	}
	switch rapid.IntRange(0, 12).Draw(t, "key") {
	case 0:
		*r = store.Record{}
	case 1:
		if len(m.past) > 0 { // taken, or past its expiry
			r.Key = rapid.SampledFrom(m.past).Draw(t, "taken").Record.Key
		}
	case 2, 3, 4:
		if len(m.pending) > 0 {
			r.Key, c.Resolves = rapid.SampledFrom(m.pending).Draw(t, "pending").Key, true
		}
	case 5:
		c.Resolves = r.Key != payment.Key{}
	}
	due, err := m.model.Due(ctx, m.now.AddDate(1, 0, 0), 100)
	if err != nil {
		t.Fatalf("due: %v", err)
	}
	switch n := rapid.IntRange(0, 5).Draw(t, "done"); {
	case len(due) == 0 || n > 1:
	case n == 1:
		done := rapid.SampledFrom(due).Draw(t, "timer")
		c.Done = append(c.Done, done)
		if done.Attempt++; rapid.Bool().Draw(t, "again") {
			c.Timers = append(c.Timers, done)
		}
	default:
		c.Done = append(c.Done, timer(m.now, 5, 0))
	}
}

// stale writes something that was written before.
func (m *model) stale(t *rapid.T) {
	if len(m.past) == 0 {
		t.Skip("nothing was written yet")
	}
	c := rapid.SampledFrom(m.past).Draw(t, "past")
	if rapid.Bool().Draw(t, "new key") {
		c.Record.Key = m.key()
	}
	m.write(t, []store.Change{c})
}

// write writes changes to both stores, which must agree on them.
func (m *model) write(t *rapid.T, changes []store.Change) {
	got, want := commit(m.store, changes...), commit(m.model, changes...)
	if errors.Is(got, store.ErrConflict) != errors.Is(want, store.ErrConflict) || (got == nil) != (want == nil) {
		t.Fatalf("commit: %v, but in memory: %v", got, want)
	}
	if want != nil {
		return
	}
	for _, c := range changes {
		if c.Payment != nil && c.Payment.Version == len(c.Events) {
			m.payments = append(m.payments, c.Payment.ID)
		}
		if c.Record.Pending {
			m.pending = append(m.pending, c.Record)
		}
		m.past = append(m.past, c)
	}
}

func (m *model) user(t *rapid.T) {
	u := wallet.User{Tenant: tenant}
	opening := []wallet.Balance{{Currency: "USD", Available: rapid.Int64Range(0, 5000).Draw(t, "opening")}}
	twin := u
	got, want := m.store.CreateUser(ctx, merchantID, &u, opening, m.now), m.model.CreateUser(ctx, merchantID, &twin, opening, m.now)
	if got != nil || want != nil {
		t.Fatalf("create user: %v, in memory: %v", got, want)
	}
	equal(t, "user", u, twin)
	m.users = append(m.users, u.ID)
}

func (m *model) deposit(t *rapid.T) {
	b := wallet.Balance{User: rapid.SampledFrom(m.users).Draw(t, "user"), Currency: "USD", Available: rapid.Int64Range(-2000, 2000).Draw(t, "minor")}
	got, want := m.store.Deposit(ctx, merchantID, tenant, b, m.now), m.model.Deposit(ctx, merchantID, tenant, b, m.now)
	if (got == nil) != (want == nil) {
		t.Fatalf("deposit: %v, in memory: %v", got, want)
	}
}

// send claims some deliveries in both stores, and records attempts at some of
// these.
func (m *model) send(t *rapid.T) {
	c := outbox.Claim{
		Due: m.now, Now: m.now, Lease: time.Hour, Limit: rapid.IntRange(1, 6).Draw(t, "limit"), PerLane: rapid.IntRange(1, 3).Draw(t, "per lane"),
		After: outbox.LaneOf(merchantID, "test", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "after")),
	}
	for _, full := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2).Draw(t, "full") {
		c.Full = append(c.Full, outbox.LaneOf(merchantID, "test", full).Host())
	}
	given, err := m.store.ClaimDeliveries(ctx, c)
	want, err2 := m.model.ClaimDeliveries(ctx, c)
	if err != nil || err2 != nil {
		t.Fatalf("claim: %v, in memory: %v", err, err2)
	}
	equal(t, "claimed", given, want)
	var attempts []outbox.Attempt
	for _, d := range given {
		one := attempt(d, rapid.SampledFrom([]outbox.State{outbox.Waiting, outbox.Delivered, outbox.GivenUp, outbox.Stopped}).Draw(t, "state"), time.Time{})
		if one.State == outbox.Waiting {
			one.Due = m.now.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "wait")) * time.Second)
		}
		one.Number += rapid.SampledFrom([]int{0, 0, 0, 0, 1}).Draw(t, "too far")
		attempts = append(attempts, one)
	}
	for _, s := range []store.Store{m.store, m.model} {
		if err := s.Attempted(ctx, attempts); err != nil {
			t.Fatalf("attempts: %v", err)
		}
		if err := s.ReleaseDeliveries(ctx, given); err != nil {
			t.Fatalf("release: %v", err)
		}
	}
}

// again has a delivery made again.
func (m *model) again(t *rapid.T) {
	if len(m.payments) == 0 {
		t.Skip("nobody was told of anything")
	}
	notices, err := m.model.Notices(ctx, store.NoticeQuery{
		Tenant: tenant, Merchant: merchantID, Payment: rapid.SampledFrom(m.payments).Draw(t, "payment"), Limit: 1,
	})
	if err != nil || len(notices) == 0 {
		t.Skip("nobody was told of it", err)
	}
	id := notices[0].Deliveries[0].DeliveryID
	got, err := m.store.Redeliver(ctx, tenant, id, m.now)
	want, err2 := m.model.Redeliver(ctx, tenant, id, m.now)
	if err != nil || err2 != nil || got != want {
		t.Fatalf("redeliver: %t %v, in memory: %t %v", got, err, want, err2)
	}
}

// compare runs after every step.
func (m *model) compare(t *rapid.T) { Same(t, m.store, m.model) }

// file puts or deletes a document.
func (m *model) file(t *rapid.T) {
	d := paper(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "id"))
	d.Version, d.Body, d.Sealed, d.CreatedAt, d.UpdatedAt = rapid.IntRange(0, 2).Draw(t, "version"), some(t, "body"), some(t, "sealed"), m.now, m.now
	if d.Owner = ""; rapid.Bool().Draw(t, "owned") {
		d.Owner = "o"
	}
	var got, want error
	if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
		got, want = m.store.DeleteDocument(ctx, d.Name, d.Version), m.model.DeleteDocument(ctx, d.Name, d.Version)
	} else {
		twin := *d
		got, want = m.store.PutDocument(ctx, d), m.model.PutDocument(ctx, &twin)
		equal(t, "document", *d, twin)
	}
	for _, err := range []error{document.ErrExists, document.ErrMoved, nil} {
		if errors.Is(got, err) != errors.Is(want, err) {
			t.Fatalf("document: %v, in memory: %v", got, want)
		}
	}
}

// list reads a page of each kind of listing.
func (m *model) list(t *rapid.T) {
	bound := func(label string) time.Time {
		if rapid.Bool().Draw(t, label) {
			return noon.Add(time.Duration(rapid.IntRange(0, int(m.now.Sub(noon)/time.Second)+2).Draw(t, label+" at")) * time.Second)
		}
		return time.Time{}
	}
	l := payment.Listing{
		Tenant: tenant, Merchant: rapid.Int64Range(merchantID, merchantID+2).Draw(t, "merchant"), OldestFirst: rapid.Bool().Draw(t, "oldest first"),
		From: bound("from"), Until: bound("until"), Limit: rapid.IntRange(0, 5).Draw(t, "limit"),
	}
	if some := labels(t); some != nil {
		l.Label = some[0]
	}
	for range 3 {
		got, err := m.store.List(ctx, l)
		want, err2 := m.model.List(ctx, l)
		if err != nil || err2 != nil {
			t.Fatalf("list: %v, %v", err, err2)
		}
		equal(t, "page", got, want)
		if len(want) == 0 {
			break
		}
		l.After = rapid.SampledFrom(want).Draw(t, "after")
	}
	d := document.Listing{
		Tenant: tenant, Merchant: merchantID, Dialect: "intents", Kind: "customer", OldestFirst: l.OldestFirst, Limit: l.Limit,
		From: l.From, Until: l.Until, After: rapid.Int64Range(0, 5).Draw(t, "after document"),
	}
	if rapid.Bool().Draw(t, "of an owner") {
		d.Owner = "o"
	}
	got, err := m.store.Documents(ctx, d)
	want, err2 := m.model.Documents(ctx, d)
	if err != nil || err2 != nil {
		t.Fatalf("documents: %v, %v", err, err2)
	}
	equal(t, "documents", got, want)
}

// sweep forgets what is over, after which the stores agree on what is left. It
// happens at times, as a sweep may leave what has been over for less than an hour.
func (m *model) sweep(t *rapid.T) {
	m.now = m.now.Add(2 * time.Hour)
	over := store.Over{Before: m.now, Grants: m.now}
	limit := rapid.IntRange(1, 4).Draw(t, "limit")
	got, want := sweep(t, m.store, over, limit), sweep(t, m.model, over, 1000)
	m.now = m.now.Add(time.Hour)
	equal(t, "swept", got, want)
}

// labels are none or a few.
func labels(t *rapid.T) []payment.Label {
	return rapid.SampledFrom([][]payment.Label{
		nil, nil, {{Kind: "order", Value: "7"}}, {{Kind: "order", Value: "8"}, {Kind: "customer", Value: "7"}},
	}).Draw(t, "labels")
}

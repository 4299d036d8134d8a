package postgres

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// writing is what the changes of a batch come to: one row for everything that
// is touched, however often.
type writing struct {
	b *batch

	states   map[*loaded]*moved
	accounts map[ownAccount]int64 // numbers
	balances map[ownAccount]int64 // what was posted
	purses   map[purse]int64      // what wallet users have more, or less, than before
	timers   map[timerName]*agenda
	counters map[store.Ref[string]]*store.Counter

	documents map[document.Name]*filed
	queues    map[queue]place // the first that waits in each

	body []byte // scratch

	addStates, moveStates, addEvents, addRecords, moveRecords rows
	dropTimers, clearTimers, setTimers, addBalances           rows
	openPurses, movePurses, addCounters, moveCounters         rows
	addMarks, addDocuments, moveDocuments                     rows
	addNotices, addDeliveries                                 rows
}

// moved is a payment with changes.
type moved struct {
	was int // its version before
	p   *payment.Payment
}

// ownAccount is an account and whose shard it is on.
type ownAccount struct {
	tenant int64
	ledger.Account
}

// purse names a guarded wallet balance.
type purse struct {
	tenant, user int64
	currency     money.Currency
}

// timerName is what two timers cannot have in common.
type timerName struct {
	due, tenant int64
	payment     payment.ID
	kind        payment.TimerKind
	operation   int
}

// agenda is what becomes of a timer.
type agenda struct {
	drop  *payment.Timer // has to be there, just like that
	clear bool           // is removed, whatever it is
	set   *payment.Timer
}

// gather works out what changes come to. It writes nothing but numbers of new
// accounts, which harm nobody.
func (b *batch) gather(ctx context.Context, changes []store.Change) (*writing, error) {
	w := &writing{
		b: b, states: map[*loaded]*moved{}, accounts: map[ownAccount]int64{}, balances: map[ownAccount]int64{},
		timers: map[timerName]*agenda{},
	}
	for _, r := range []struct {
		rows *rows
		s    *statement
	}{
		{&w.addStates, addStates}, {&w.moveStates, moveStates}, {&w.addEvents, addEvents}, {&w.addRecords, addRecords},
		{&w.moveRecords, moveRecords}, {&w.dropTimers, dropTimers}, {&w.clearTimers, clearTimers}, {&w.setTimers, setTimers},
		{&w.addBalances, addBalances}, {&w.openPurses, openPurses}, {&w.movePurses, movePurses},
		{&w.addCounters, addCounters}, {&w.moveCounters, moveCounters},
		{&w.addMarks, addMarks}, {&w.addDocuments, addDocuments}, {&w.moveDocuments, moveDocuments},
		{&w.addNotices, addNotices}, {&w.addDeliveries, addDeliveries},
	} {
		r.rows.reset(r.s)
	}
	if err := b.lookUp(ctx, changes); err != nil {
		return nil, err
	}
	if err := w.file(ctx, changes); err != nil {
		return nil, err
	}
	if err := w.lineUp(ctx, changes); err != nil {
		return nil, err
	}
	for i := range changes {
		c := &changes[i]
		for _, note := range []func(*store.Change) error{w.record, w.payment, w.agenda, w.count, w.putDocuments, w.notices} {
			if err := note(c); err != nil {
				return nil, err
			}
		}
	}
	if err := b.s.number(ctx, b.conn.Conn(), w.accounts); err != nil {
		return nil, err
	}
	w.fillStates()
	w.fillEvents(changes)
	w.fillRecords()
	w.fillTimers()
	w.fillMoney()
	w.fillCounters()
	w.fillDocuments()
	return w, nil
}

// record notes what a change keeps under its key.
func (w *writing) record(c *store.Change) error {
	r := &c.Record
	if r.Key == (payment.Key{}) {
		return nil
	}
	k := w.b.records[name[payment.Key]{Tenant: r.Tenant, Name: r.Key}]
	switch {
	case c.Resolves && (k.now == nil || !k.now.Pending):
		return store.ErrConflict
	case !c.Resolves && k.now != nil && !k.now.Free(r.At):
		return store.ErrConflict
	}
	k.now = r
	return nil
}

// payment notes the new state of a payment and what was posted.
func (w *writing) payment(c *store.Change) error {
	p := c.Payment
	if p == nil {
		return nil
	}
	if len(c.Events) == 0 || len(c.Entries) != len(c.Events) {
		return fmt.Errorf("postgres: payment %s changes by %d events with %d entries", p.ID, len(c.Events), len(c.Entries))
	}
	first := p.Version - len(c.Events)
	at := w.b.payments[p.ID]
	if at == nil { // it was not loaded: the database knows whether it is there
		at = &loaded{tenant: p.Tenant, version: first}
		w.b.payments[p.ID] = at
	}
	if at.version != first || at.tenant != p.Tenant {
		return store.ErrConflict
	}
	at.version = p.Version
	if m := w.states[at]; m != nil {
		m.p = p
	} else {
		w.states[at] = &moved{first, p}
	}
	for _, entry := range c.Entries {
		for _, posting := range entry {
			w.post(p.Tenant, posting)
		}
	}
	return nil
}

func (w *writing) post(tenant int64, posting ledger.Posting) {
	account := ownAccount{tenant, posting.Account}
	w.accounts[account] = 0
	w.balances[account] += posting.Minor
	if posting.Account.Kind == ledger.Wallet {
		if w.purses == nil {
			w.purses = map[purse]int64{}
		}
		w.purses[purse{tenant, posting.Account.Holder, posting.Account.Currency}] += posting.Minor
	}
}

// agenda notes timers that are done and new ones.
func (w *writing) agenda(c *store.Change) error {
	at := func(t *payment.Timer) *agenda {
		n := timerName{t.Due.UnixMilli(), t.Tenant, t.Payment, t.Kind, t.Operation}
		if w.timers[n] == nil {
			w.timers[n] = &agenda{}
		}
		return w.timers[n]
	}
	for i := range c.Done {
		t := &c.Done[i]
		switch a := at(t); {
		case a.set != nil && a.set.Attempt == t.Attempt:
			a.set, a.clear = nil, true
		case a.set != nil || a.clear || a.drop != nil:
			return store.ErrConflict
		default:
			a.drop = t
		}
	}
	for i := range c.Timers {
		at(&c.Timers[i]).set = &c.Timers[i]
	}
	return nil
}

// count notes what a change sets; a later one of the batch overrides it.
func (w *writing) count(c *store.Change) error {
	for i := range c.Counters {
		set := &c.Counters[i]
		ref := store.Ref[string]{Tenant: set.Tenant, Name: set.Name}
		if _, loaded := w.b.counters[ref]; !loaded {
			return fmt.Errorf("postgres: counter %q is set and was not loaded", set.Name)
		}
		if w.counters == nil {
			w.counters = map[store.Ref[string]]*store.Counter{}
		}
		w.counters[ref] = set
	}
	return nil
}

func (w *writing) fillStates() {
	for _, m := range w.states {
		r := &w.addStates
		if m.was > 0 {
			r = &w.moveStates
		}
		p, c := m.p, r.next()
		for i, v := range [...]int64{
			p.Tenant, int64(p.ID), p.Merchant, p.UpdatedAt.UnixMilli(), p.Authorized, p.Extended, p.Captured, p.Voided, p.Released, p.Refunded,
		} {
			c[i].int8(v)
		}
		c[10].int4(p.Version)
		c[11].int2(int(p.Status))
		c[12].int4(m.was)
	}
}

func (w *writing) fillEvents(changes []store.Change) {
	var postings []byte
	for i := range changes {
		c := &changes[i]
		if c.Payment == nil {
			continue
		}
		first := c.Payment.Version - len(c.Events)
		for j := range c.Events {
			e, at := &c.Events[j], w.addEvents.next()
			w.body = e.AppendBody(w.body[:0])
			at[0].int8(c.Payment.Tenant)
			at[1].int8(int64(c.Payment.ID))
			at[2].int8(e.At.UnixMilli())
			at[3].int8OrNull(e.Amount)
			at[4].int4(first + j + 1)
			at[5].int4OrNull(e.Operation)
			at[6].int2(int(e.Kind))
			at[7].bytes(w.body)
			w.mark(c.Payment, e)
			postings = postings[:0]
			for _, p := range c.Entries[j] {
				postings = entryText(postings, w.accounts[ownAccount{c.Payment.Tenant, p.Account}], p.Minor)
			}
			at[8].bytes(postings)
		}
	}
}

func (w *writing) fillRecords() {
	for _, k := range w.b.records {
		if k.now == k.was {
			continue
		}
		r, n := &w.addRecords, k.now
		if k.was != nil {
			r = &w.moveRecords
		}
		c := r.next()
		c[0].int8(n.Tenant)
		c[1].uuid(n.Key)
		c[2].uuid(n.Fingerprint)
		c[3].int8OrNull(int64(n.Payment))
		c[4].int4OrNull(n.Version)
		c[5].int4OrNull(n.Operation)
		if n.Refusal == nil {
			c[6].nothing()
		} else {
			c[6].text(store.EncodeRefusal(n.Refusal))
		}
		c[7].bool(n.Pending)
		c[8].int8(n.At.UnixMilli())
		c[9].timeOrNull(n.Expires)
		c[10].bytes(n.Context)
		c[11].int8OrNull(n.Stamp)
		if k.was != nil {
			c[12].int8(k.was.At.UnixMilli())
			c[13].bool(k.was.Pending)
		}
	}
}

func (w *writing) fillTimers() {
	named := func(c []array, n timerName) {
		c[0].int8(n.due)
		c[1].int8(n.tenant)
		c[2].int8(int64(n.payment))
		c[3].int2(int(n.kind))
		c[4].int4(n.operation)
	}
	for n, a := range w.timers {
		switch {
		case a.drop != nil:
			c := w.dropTimers.next()
			named(c, n)
			c[5].int4(a.drop.Attempt)
			c[6].int8(w.b.s.epoch.Load())
		case a.clear && a.set == nil:
			named(w.clearTimers.next(), n)
		}
		if a.set != nil {
			c := w.setTimers.next()
			named(c, n)
			c[5].int4(a.set.Attempt)
			c[6].int8(a.set.Merchant)
		}
	}
}

func (w *writing) fillMoney() {
	for account, minor := range w.balances {
		c := w.addBalances.next()
		c[0].int8(account.tenant)
		c[1].int8(w.accounts[account])
		c[2].int8(minor)
	}
	order := slices.SortedFunc(maps.Keys(w.purses), func(a, b purse) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.user, b.user), cmp.Compare(a.currency, b.currency))
	})
	for _, of := range order {
		minor := w.purses[of]
		if minor == 0 {
			continue
		}
		for _, r := range []*rows{&w.openPurses, &w.movePurses} {
			c := r.next()
			c[0].int8(of.tenant)
			c[1].int8(of.user)
			c[2].text(string(of.currency))
		}
		w.movePurses.last[3].int8(minor)
	}
}

func (w *writing) fillCounters() {
	for ref, set := range w.counters {
		r, was := &w.addCounters, w.b.counters[ref]
		if was > 0 {
			r = &w.moveCounters
		}
		c := r.next()
		c[0].int8(ref.Tenant)
		c[1].text(ref.Name)
		c[2].int8(was)
		c[3].int8(set.Expires.UnixMilli())
		c[4].filled(set.Value)
	}
}

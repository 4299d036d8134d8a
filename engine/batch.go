package engine

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// rearm is how long a timer waits that fell due while another operation of
// its payment waits for a processor.
const rearm = 5 * time.Second

// batch is what a batch of commands sees: what was loaded, and on top of it
// what the commands before in the same batch have changed.
type batch struct {
	engine   *Engine
	loaded   store.Batch
	now      time.Time
	payments map[payment.ID]*payment.Payment
	records  map[payment.Key]*store.Record
	payers   map[store.PayerRef]*payment.Payer
	stamp    int64 // of the records that it leaves

	tallies map[store.Ref[string]]*tally // counters of risk checks
	counted []*tally                     // that the item being decided has set

	// Of the item that is being decided:
	item         *item
	unchallenged bool  // the risk checks want the payer not to be asked to authenticate
	review       bool  // they want an operator to look at it
	fault        error // something could not be loaded: nothing may be written

	ctx context.Context // of loading
	env payment.Env     // what is the same for all items
}

// undecided is why a command could not be decided although all that it touches
// was loaded: a rule of ours is broken. Trying again does not help.
type undecided struct{ error }

func (u undecided) Unwrap() error { return u.error }

// decide decides the items in order and returns what has to be written.
func (e *Engine) decide(ctx context.Context, loaded store.Batch, items []*item) ([]store.Change, error) {
	now := loaded.Time()
	if now.IsZero() {
		now = e.Clock.Now()
	}
	b := &batch{engine: e, loaded: loaded, now: now, payments: map[payment.ID]*payment.Payment{}, records: map[payment.Key]*store.Record{}, stamp: 1 + rand.Int64N(math.MaxInt64), ctx: ctx}
	b.env = payment.Env{Now: b.now, Ask: b.ask, Screen: b.screen, Flags: b.reviewed}
	if err := b.loadPayers(ctx, items); err != nil {
		return nil, err
	}
	if err := b.loadTallies(ctx, items); err != nil {
		return nil, err
	}
	changes := make([]store.Change, 0, len(items))
	for _, it := range items {
		it.decided = decided{}
		change, err := b.execute(it)
		if err != nil && b.fault == nil {
			err = undecided{err}
		}
		if err != nil {
			return nil, err
		}
		if change != nil {
			changes = append(changes, *change)
		}
	}
	return changes, nil
}

// execute answers one item. What it changes, the batch's later items see. It
// returns nil when there is nothing to write. A panic of whoever is asked on
// the way is an error of that item.
func (b *batch) execute(it *item) (_ *store.Change, err error) {
	defer recovered(&err)
	if it.since.IsZero() || b.now.Before(it.since) {
		it.since = b.now
	}
	if prior := b.record(it.Key, it.since); prior != nil {
		it.record = prior
		if prior.Fingerprint != it.Fingerprint {
			it.outcome.Refusal = payment.Refuse(payment.KeyReused)
		}
		return nil, nil
	}
	p := b.subject(it)
	b.item, b.unchallenged, b.review = it, false, false
	env := b.env
	env.Key = it.Key
	for _, t := range it.timers {
		if t.Due.After(env.Now) { // it was due when it was fired: the clock was set back since
			env.Now = t.Due
		}
	}
	d := b.held(p, it.Command)
	if d.Refusal == nil {
		d, err = payment.Decide(p, it.Command, env)
	}
	if err == nil {
		err = b.fault
	}
	if err != nil {
		return nil, err
	}
	counters, err := b.count(it, p, d)
	if err != nil {
		return nil, err
	}
	it.outcome = payment.Outcome{
		Payment: d.Payment, Operation: d.Operation, Refusal: d.Refusal, At: env.Now, Pending: d.Pending(), Context: it.Context,
	}
	if d.Refusal != nil && len(d.Events) == 0 {
		it.outcome.Payment = p
		if p != nil && p.Status == payment.None {
			it.outcome.Payment = nil
		}
	}
	change := b.change(it, d, env.Now)
	if change != nil {
		change.Counters = counters
	}
	return change, nil
}

// change is what has to be written for an item that was decided at that moment.
func (b *batch) change(it *item, d payment.Decision, at time.Time) *store.Change {
	c := &store.Change{Done: it.timers}
	kept := d.Refusal != nil && it.Keeps != nil && it.Keeps(d.Refusal)
	if d.Refusal == nil || kept {
		c.Record = store.Record{
			Key: it.Key, Tenant: it.Tenant, Fingerprint: it.Fingerprint, Operation: d.Operation, Refusal: d.Refusal,
			Pending: it.outcome.Pending, At: b.now, Context: it.Context,
		}
		if it.Retain > 0 {
			c.Record.Expires = b.now.Add(it.Retain)
		}
		if it.outcome.Payment != nil {
			c.Record.Payment, c.Record.Version = it.outcome.Payment.ID, it.outcome.Payment.Version
		}
	}
	if it.resolves != (payment.Key{}) && !corrects(d) {
		c.Record = store.Record{}
		answered := len(d.Events) > 0 && !it.outcome.Pending // and nothing that followed from it waits
		if waiting := b.record(it.resolves, it.since); answered && waiting != nil && waiting.Pending {
			c.Record, c.Resolves = *waiting, true
			c.Record.Pending, c.Record.Version = false, d.Payment.Version
			if !waiting.Expires.IsZero() { // it is remembered for as long, counted from the answer
				c.Record.Expires = later(waiting.Expires, b.now.Add(waiting.Expires.Sub(waiting.At)))
			}
		}
	} else if len(d.Events) == 0 && (it.timers != nil || it.nameless && len(it.Documents) == 0) { // it changed nothing, and nobody can ask again
		c.Record = store.Record{}
	}
	if d.Refusal == nil {
		c.Documents = it.Documents
	}
	c.Timers = b.calls(it, d)
	if len(d.Events) > 0 {
		c.Payment, c.Events, c.Entries = d.Payment, d.Events, d.Entries
		c.Notices = b.notices(it, d)
		b.payments[d.Payment.ID] = d.Payment
		b.spend(d.Entries)
	}
	for _, t := range it.timers {
		if d.Refusal.Has(payment.OperationPending) {
			t.Due = at.Add(rearm)
			c.Timers = append(c.Timers, t)
		}
	}
	if c.Record.Key != (payment.Key{}) {
		c.Record.Stamp = b.stamp
		promise(d, c.Record)
		it.left = c.Record
		b.records[it.left.Key] = &c.Record
	}
	if c.Record.Key == (payment.Key{}) && c.Payment == nil && len(c.Done) == 0 && len(c.Timers) == 0 && len(c.Documents) == 0 {
		return nil
	}
	return c
}

// held refuses what may not be done before a payment is reconciled; a
// decision without a refusal is none.
func (b *batch) held(p *payment.Payment, c payment.Command) payment.Decision {
	if b.engine.Held == nil || p == nil {
		return payment.Decision{}
	}
	switch c.(type) {
	case payment.Capture, payment.Increment, payment.Void, payment.Cancel, payment.Refund, payment.Expire, payment.Review:
		if b.engine.Held(p.ID) {
			// Busy is what all dialects take for try again, and keep under no key.
			r := payment.Refuse(payment.OperationPending, payment.Busy)
			if _, closes := c.(payment.Expire); closes {
				r = payment.Refuse(payment.OperationPending)
			}
			r.Status, r.Ended, r.Currency = p.Status, p.Ended, p.Currency
			return payment.Decision{Payment: p, Refusal: r}
		}
	}
	return payment.Decision{}
}

// corrects tells whether a decision asks for a correction: that is an operation
// of its own, whose answer comes under the key of the command.
func corrects(d payment.Decision) bool {
	return slices.ContainsFunc(d.Events, func(e payment.Event) bool { return e.Kind == payment.CorrectionPending })
}

// promise writes on the event of a decision that decides it, until when its
// record is kept.
func promise(d payment.Decision, r store.Record) {
	last := len(d.Events) - 1
	for last > 0 && r.Pending && !d.Events[last].Kind.Pending() {
		last--
	}
	if last < 0 {
		return
	}
	if d.Events[last].Kept = r.Expires; r.Expires.IsZero() {
		d.Events[last].Kept = payment.Always
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// calls notes which processors have to be called once the decision is durable,
// and returns its timers. The attempt counts from the commit on, before the
// call is made; the timer says when to ask again if no answer comes.
func (b *batch) calls(it *item, d payment.Decision) []payment.Timer {
	timers := slices.Clone(d.Timers)
	for i := range timers {
		t := &timers[i]
		if t.Kind == payment.ProcessorTimer {
			if t.Attempt == 0 {
				t.Attempt, t.Due = 1, b.now.Add(inquiryAfter(1))
			}
			it.calls = append(it.calls, call{t.Operation, t.Attempt})
		}
		if it.due.IsZero() || t.Due.Before(it.due) {
			it.due = t.Due
		}
	}
	return timers
}

// subject is the payment that the item is about: one of the merchant's own,
// or an empty one for Create. Nil means there is none.
func (b *batch) subject(it *item) *payment.Payment {
	if _, creates := it.Command.(payment.Create); creates {
		if it.Payment == 0 {
			it.Payment = b.engine.IDs.Next(b.now)
		}
		return &payment.Payment{ID: it.Payment, Tenant: it.Tenant, Merchant: it.Merchant}
	}
	p := b.payments[it.Payment]
	if p == nil {
		p = b.loaded.Payment(it.Payment)
	}
	if p == nil || p.Tenant != it.Tenant || p.Merchant != it.Merchant || (it.Sees != nil && !it.Sees(p)) {
		return nil
	}
	return p
}

// record is what is kept under a key now, nil if the key is free. What was kept
// since a moment is of the very command that is decided: an attempt of which it
// was not known whether it took place. It counts though its time may be over.
func (b *batch) record(key payment.Key, since time.Time) *store.Record {
	if r := b.records[key]; r != nil {
		return r
	}
	r, ok := b.loaded.Record(key)
	if !ok || r.Free(b.now) && r.At.Before(since) {
		return nil
	}
	return &r
}

// ask puts an instruction to its processor.
func (b *batch) ask(i payment.Instruction) payment.Answer {
	p := b.engine.Processor(i.Payment.Merchant, i.Payment.Method)
	if p == nil {
		return payment.Answer{Result: payment.Refused, Reason: payment.UnsupportedMethod}
	}
	i.Unchallenged = i.Unchallenged || b.unchallenged
	return p.Decide(i, b.payerFor(i.Payment))
}

// payerFor returns the wallet user that a payment is paid by as it is now, nil
// for other methods. One that was not foreseen is loaded now. It returns nil
// after a fault, which ends the batch.
func (b *batch) payerFor(p *payment.Payment) *payment.Payer {
	ref := payerRef(p.Tenant, &p.Intake)
	if ref.User == 0 {
		return nil
	}
	if b.payers[ref] == nil && b.fault == nil {
		has := b.balance(ref)
		if b.fault = b.addPayers(b.ctx, []store.PayerRef{ref}); b.fault == nil && has != nil {
			b.payers[ref].Available = *has
		}
	}
	return b.payers[ref]
}

// balance is what a wallet user has after the batch's commands so far, where
// he is known to the batch under another grant; nil where he is not.
func (b *batch) balance(of store.PayerRef) *int64 {
	for ref, payer := range b.payers {
		if ref.Tenant == of.Tenant && ref.User == of.User && ref.Currency == of.Currency {
			return &payer.Available
		}
	}
	return nil
}

// loadPayers loads the wallet users that the batch's commands are paid by.
func (b *batch) loadPayers(ctx context.Context, items []*item) error {
	var refs []store.PayerRef
	for _, it := range items {
		p := b.loaded.Payment(it.Payment)
		if ref := payerOf(it, p); ref.User != 0 && !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return b.addPayers(ctx, refs)
}

// addPayers adds wallet users to those that the batch has.
func (b *batch) addPayers(ctx context.Context, refs []store.PayerRef) error {
	if len(refs) == 0 {
		return nil
	}
	payers, err := b.loaded.Payers(ctx, b.now, refs)
	if err != nil {
		return fmt.Errorf("load payers: %w", err)
	}
	if b.payers == nil {
		b.payers = make(map[store.PayerRef]*payment.Payer, len(refs))
	}
	for i, ref := range refs {
		b.payers[ref] = &payers[i]
	}
	return nil
}

// payerOf names the wallet user that will most probably pay for an item's
// command on payment p.
func payerOf(it *item, p *payment.Payment) store.PayerRef {
	var intake payment.Intake
	if p != nil {
		intake = p.Intake
	}
	switch c := it.Command.(type) {
	case payment.Create:
		intake = c.Intake
	case payment.Authorize:
		if c.Intake != nil {
			intake = *c.Intake
		}
	case payment.PayerAnswer:
		if c.Method != nil {
			intake.Method = *c.Method
		}
	}
	return payerRef(it.Tenant, &intake)
}

// payerRef names the wallet user of an intake, the zero name for other methods.
func payerRef(tenant int64, i *payment.Intake) store.PayerRef {
	if i.Method.Kind != payment.WalletMethod {
		return store.PayerRef{}
	}
	return store.PayerRef{Tenant: tenant, User: i.Method.User, Currency: i.Currency, Grant: i.Method.Grant}
}

// spend moves what payers have by what has just been posted.
func (b *batch) spend(entries []ledger.Entry) {
	if len(b.payers) == 0 {
		return
	}
	for _, entry := range entries {
		for _, posting := range entry {
			if posting.Account.Kind != ledger.Wallet {
				continue
			}
			for ref, payer := range b.payers {
				if ref.User == posting.Account.Holder && ref.Currency == posting.Account.Currency {
					payer.Available += posting.Minor
				}
			}
		}
	}
}

package engine

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/risk"
	"github.com/capstan-pay/capstan/store"
)

// tally is a counter as the batch has it.
type tally struct {
	risk.Tally
	ref     store.Ref[string]
	expires time.Time
	set     bool // by the item that is being decided
}

func refOf(tenant, merchant int64, name string) store.Ref[string] {
	return store.Ref[string]{Tenant: tenant, Name: strconv.FormatInt(merchant, 10) + "/" + name}
}

// loadTallies loads the counters that the batch's commands will most probably
// look at.
func (b *batch) loadTallies(ctx context.Context, items []*item) error {
	var refs []store.Ref[string]
	var known map[store.Ref[string]]bool
	want := func(it *item, name string) {
		ref := refOf(it.Tenant, it.Merchant, name)
		if known == nil {
			known = map[store.Ref[string]]bool{}
		}
		if !known[ref] {
			known[ref] = true
			refs = append(refs, ref)
		}
	}
	for _, it := range items {
		p := b.loaded.Payment(it.Payment)
		if op := moves(it.Command, p); op != nil {
			names, err := counted(p, op)
			if err != nil {
				return err
			}
			for _, name := range names {
				want(it, name)
			}
		}
		if it.checks == nil {
			continue
		}
		if in, ok := b.foresee(p, it.Command); ok {
			for _, c := range it.checks.Counters(in) {
				want(it, c.Name)
			}
		}
	}
	return b.load(ctx, refs)
}

// moves is the operation of p that a command will most probably move on, as far
// as it counts: the one that is answered, or the authorization that is held up.
func moves(c payment.Command, p *payment.Payment) *payment.Operation {
	if p == nil {
		return nil
	}
	if resolve, ok := c.(payment.Resolve); ok {
		return p.Op(resolve.Operation)
	}
	if p.HeldUp() && p.Policy.AutoCapture {
		return p.Authorization()
	}
	return nil
}

// load adds counters to those that the batch has.
func (b *batch) load(ctx context.Context, refs []store.Ref[string]) error {
	if len(refs) == 0 {
		return nil
	}
	loaded, err := b.loaded.Counters(ctx, refs)
	if err != nil {
		return fmt.Errorf("load counters: %w", err)
	}
	if b.tallies == nil {
		b.tallies = make(map[store.Ref[string]]*tally, len(refs))
	}
	for i, c := range loaded {
		t, err := risk.ParseTally(c.Value)
		if err != nil {
			return fmt.Errorf("counter %q: %w", refs[i].Name, err)
		}
		b.tallies[refs[i]] = &tally{Tally: t, ref: refs[i], expires: c.Expires}
	}
	return nil
}

// tally returns a counter of the item's merchant. One that was not foreseen is
// loaded now. It returns nil after a fault, which ends the batch.
func (b *batch) tally(it *item, c risk.Counter) *tally {
	ref := refOf(it.Tenant, it.Merchant, c.Name)
	if b.tallies[ref] == nil {
		if b.fault == nil {
			b.fault = b.load(b.ctx, []store.Ref[string]{ref})
		}
		if b.fault != nil {
			return nil
		}
	}
	t := b.tallies[ref]
	if c.Expires.After(t.expires) {
		t.expires = c.Expires
	}
	return t
}

// count moves the counters by what an item's decision did: an operation is
// held while its processor has not answered, or an operator has not looked at it,
// and taken when it succeeded. It returns the counters that the item has set.
func (b *batch) count(it *item, before *payment.Payment, d payment.Decision) ([]store.Counter, error) {
	if d.Payment != nil {
		for i := range d.Payment.Operations {
			now := &d.Payment.Operations[i]
			if now.Answer.Screening == nil {
				continue
			}
			var was *payment.Operation
			if before != nil {
				was = before.Op(now.Number)
			}
			if was != nil && was.Status == now.Status && (now.Kind != payment.OpAuthorize || before.HeldUp() == d.Payment.HeldUp()) {
				continue
			}
			b.book(it, before, was, -1)
			b.book(it, d.Payment, now, 1)
		}
	}
	var counters []store.Counter
	for _, t := range b.counted {
		t.set = false
		counters = append(counters, store.Counter{Tenant: t.ref.Tenant, Name: t.ref.Name, Value: t.Append(nil), Expires: t.expires})
	}
	b.counted = b.counted[:0]
	return counters, b.fault
}

// set notes that the item sets a counter.
func (b *batch) set(t *tally) {
	if !t.set {
		t.set = true
		b.counted = append(b.counted, t)
	}
}

// book counts an operation as it stands, or with a sign of -1 takes back what
// was counted of it.
func (b *batch) book(it *item, p *payment.Payment, op *payment.Operation, sign int64) {
	if op == nil || b.fault != nil {
		return
	}
	held, taken := int64(0), int64(0)
	switch {
	case op.Kind == payment.OpCapture && op.Status == payment.OpPending,
		op.Kind == payment.OpAuthorize && p.Policy.AutoCapture && (op.Status == payment.OpPending || op.Status == payment.OpApproved && p.HeldUp()):
		held = sign
	case op.Kind == payment.OpCapture && op.Status == payment.OpApproved:
		taken = sign
	default:
		return
	}
	names, err := counted(p, op)
	if err != nil {
		b.fault = err
		return
	}
	for _, name := range names {
		t := b.tally(it, risk.Counter{Name: name})
		if t == nil || t.expires.IsZero() { // forgotten meanwhile: its period is long over
			continue
		}
		t.Hold(held*op.Amount, held)
		t.Take(taken*op.Amount, taken)
		b.set(t)
	}
}

// counted names the counters that an operation counts towards.
func counted(p *payment.Payment, op *payment.Operation) ([]string, error) {
	names, err := risk.Counted(op.Answer.Screening)
	if err != nil {
		return nil, fmt.Errorf("screening of operation %d of payment %s: %w", op.Number, p.ID, err)
	}
	return names, nil
}

package payment

import (
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
)

// Refund gives captured money back to the payer.
type Refund struct {
	Amount          int64 // minor units; 0 is everything that may be given back
	Currency        money.Currency
	Fee             *int64        // the part of the platform's fee given back; nil is what is left of it with the last of the money, else none
	SettledOnly     bool          // only money that has left transit
	DuplicateWithin time.Duration // as in Capture; refunds of different captures are not the same
	Within          time.Duration // counted from the capture that it names, else from the last one; 0 is no bound

	// Denied is what the dialect's own rules came to; its guards count with
	// the others.
	Denied *Refusal

	Asked // Asked.Parent names the capture; 0 is the payment as a whole
}

func (c Refund) decide(d *decision) {
	p, r := d.p, &Refusal{}
	limit, possible := c.limit(p)
	amount := c.Amount
	if amount == 0 {
		amount = limit
	}
	r.Limit, r.Least = limit, 1
	if c.Denied != nil {
		r.Failed = c.Denied.Failed
	}
	r.when(!possible, NotRefundable)
	r.when(c.Currency != "" && c.Currency != p.Currency, CurrencyMismatch)
	r.when(amount < 1, AmountTooSmall)
	r.when(amount > limit, AmountTooLarge)
	r.when(c.Within > 0 && possible && !d.env.Now.Before(p.capturedAt(c.Parent).Add(c.Within)), RefundOver)
	r.when(c.DuplicateWithin > 0 && p.asked(OpRefund, c.Parent, amount, d.env.Now.Add(-c.DuplicateWithin)), DuplicateOperation)
	fee := c.fee(p, amount)
	r.when(c.Fee != nil && amount > 0 && (fee < 0 || fee > amount || fee > p.feesTaken()), FeeTooLarge)
	if d.refuse(r) {
		return
	}
	e := Event{Operation: d.next(), Amount: amount, Fee: fee, Asked: &c.Asked}
	d.concludeRefund(e, d.put(Instruction{Operation: e.Operation, Kind: OpRefund, Amount: amount, Parent: c.Parent}))
}

// limit is what may be refunded, and whether a refund is possible at all.
func (c Refund) limit(p *Payment) (int64, bool) {
	limit := p.Refundable()
	if c.SettledOnly {
		limit -= p.Captured - p.Settled
	}
	if c.Parent == 0 {
		return max(limit, 0), p.Captured > 0 && (!c.SettledOnly || p.Settled > 0)
	}
	capture := p.Op(c.Parent)
	if capture == nil || capture.Kind != OpCapture || capture.Status != OpApproved || c.SettledOnly && !capture.Settled {
		return 0, false
	}
	left := capture.Amount - capture.Refunded
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Kind == OpRefund && op.Status == OpPending && op.Parent == c.Parent {
			left -= op.Amount
		}
	}
	return max(min(limit, left), 0), true
}

// capturedAt is when a capture succeeded, or the last one if none is named.
func (p *Payment) capturedAt(number int) time.Time {
	if op := p.Op(number); op != nil {
		return op.DoneAt
	}
	var last time.Time
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Kind == OpCapture && op.Status == OpApproved && op.DoneAt.After(last) {
			last = op.DoneAt
		}
	}
	return last
}

// fee is the part of the platform's fee that goes back. When the last of the
// money does, so does all of the fee, and everybody is where he began.
func (c Refund) fee(p *Payment, amount int64) int64 {
	switch {
	case c.Fee != nil:
		return *c.Fee
	case p.Status == Captured && amount == p.Refundable():
		return p.feesTaken()
	}
	return 0
}

// feesTaken is what the platform keeps of the captures so far. It may still be
// in transit.
func (p *Payment) feesTaken() int64 {
	var sum int64
	for i := range p.Operations {
		switch op := &p.Operations[i]; {
		case op.Kind == OpCapture && op.Status == OpApproved:
			sum += op.Fee
		case op.Kind == OpRefund && op.Status != OpFailed:
			sum -= op.Fee
		}
	}
	return sum
}

// concludeRefund writes down what the processor said of the refund e describes.
func (d *decision) concludeRefund(e Event, a Answer) {
	d.conclude(e, a, MoneyRefunded, RefundPending, RefundDeclined)
}

func (p *Payment) applyRefund(op *Operation, e Event) ledger.Entry {
	switch e.Kind {
	case MoneyRefunded:
		p.Refunded += e.Amount
		if capture := p.Op(op.Parent); capture != nil {
			capture.Refunded += e.Amount
		}
		if p.Policy.RefundSettleAfter > 0 {
			return ledger.Move(e.Amount, p.account(ledger.InTransit), p.source())
		}
		op.Settled = true
		p.RefundsSettled += e.Amount
		return append(ledger.Entry{{Account: p.source(), Minor: e.Amount}}, p.credit(0, -e.Amount, -e.Fee)...)
	case RefundSettled:
		op.Settled = true
		p.RefundsSettled += op.Amount
		return p.credit(ledger.InTransit, -op.Amount, -op.Fee)
	}
	return nil
}

// presumed is the document of a pending answer to a refund that its processor
// counts as done, although a bank may still send the money back.
const presumed = `{"refund":"presumed"}`

// PresumedRefund is a pending answer of a processor that has done its part of a
// refund: whether the money arrives is known later.
func PresumedRefund() Answer { return Answer{Result: Pending, Data: []byte(presumed)} }

// Presumed tells whether the processor counts the operation as done, though its
// outcome is not final.
func (a *Answer) Presumed() bool { return a.Result == Pending && string(a.Data) == presumed }

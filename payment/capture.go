package payment

import (
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
)

// Capture takes money from the hold to the merchant.
type Capture struct {
	Amount   int64          // minor units; 0 is what was asked for, or everything that is left of it
	Currency money.Currency // empty is the payment's
	Fee      *int64         // the platform's share; nil is the payment's, or what is left of it
	Final    bool           // release what is left afterwards

	// What the capturing dialect does not offer, whatever the policy says:
	NoOverCapture      bool  // nothing above what is left of the hold
	PresentOverCapture bool  // nothing above it unless a terminal read the card
	MinCapture         int64 // a higher least amount
	FeePercent         int64 // a lower bound for the fee; 0 is none
	MaxAmount          int64 // the most that this capture may have; 0 is no bound
	MaxCaptures        int   // how many captures there may be with this one, without closing the hold; 0 is no bound

	// MustStayOpen refuses a capture that is not final where the policy would
	// close the hold all the same; without it the hold is closed.
	MustStayOpen bool

	// DuplicateWithin refuses the capture when one of the same amount was
	// asked for no longer ago than this, whatever became of it; 0 does not.
	DuplicateWithin time.Duration

	// Alongside lets it run while another operation waits for the processor,
	// as long as it cannot matter which of them is answered first: neither
	// may close the hold or enlarge it.
	Alongside bool

	// Scheduled is set by the capture timer. Such a capture is made once, when
	// the policy's CaptureAt has come and the hold is open, with as much of
	// the fee as it can bear; else nothing happens. One that fell due before
	// the deadline is not too late after it.
	Scheduled bool

	Dialect   string
	Reference string
	Labels    []Label
	Details   []byte

	// Revise replaces the payment's details in the same decision; nil leaves
	// them.
	Revise []byte
}

func (c Capture) decide(d *decision) {
	p := d.p
	lapsed := d.expireIfDue()
	if c.Scheduled && !p.scheduled(d.env.Now) {
		return // captured or closed before, or put off: nothing to do
	}
	if d.refuse(c.guards(d, lapsed && !c.Scheduled)) {
		return
	}
	if c.Revise != nil {
		intake := p.Intake
		intake.Details = c.Revise
		d.take(PaymentRevised, intake)
	}
	d.capture(c, Asked{Dialect: c.Dialect, Reference: c.Reference, Labels: c.Labels, Details: c.Details})
	if lapsed { // and declined: its turn has passed
		d.expireIfDue()
	}
	if c.Scheduled {
		d.rearm()
	}
}

// capture asks for a capture as a new operation.
func (d *decision) capture(c Capture, asked Asked) {
	p, amount := d.p, c.amount(d.p)
	e := Event{
		Operation: d.next(), Amount: amount, Fee: c.fee(p, amount), Extended: max(0, amount-p.Remaining()),
		Final: c.Final || p.lastCapture(), Asked: &asked,
	}
	answer := d.put(Instruction{Operation: e.Operation, Kind: OpCapture, Amount: amount, Final: e.Final, Parent: asked.Parent})
	d.concludeCapture(e, answer)
}

// guards evaluates every guard, so that each dialect can pick the one that its
// callers hear first.
func (c Capture) guards(d *decision, lapsed bool) *Refusal {
	p, r := d.p, &Refusal{}
	amount := c.amount(p)
	r.Limit = p.Capturable()
	if c.NoOverCapture || (c.PresentOverCapture && !p.Method.Present) {
		r.Limit = p.Remaining()
	}
	r.Least = max(p.Policy.MinCapture, c.MinCapture, 1)
	enlarges := amount > p.Remaining() && amount <= r.Limit
	r.when(p.inDoubt() && (!c.Alongside || p.aloneInFlight() || c.mayClose(p) || enlarges), OperationPending)
	r.when(p.Status != Authorized, NotCapturable)
	r.when(p.HeldUp(), NotCapturable)
	r.when(lapsed, HoldOver)
	r.when(p.Policy.ScheduledOnly && !c.Scheduled, ScheduledCapture)
	r.when(c.Currency != "" && c.Currency != p.Currency, CurrencyMismatch)
	r.when(amount < r.Least && !c.Scheduled, AmountTooSmall)
	r.when(amount > r.Limit, AmountTooLarge)
	r.when(c.MaxAmount > 0 && amount > c.MaxAmount, AboveMaximum)
	r.when(p.Policy.MaxCaptures > 0 && p.Captures() >= p.Policy.MaxCaptures, TooManyCaptures)
	r.when(c.MaxCaptures > 0 && p.Captures() >= c.MaxCaptures, TooManyCaptures)
	r.when(c.MustStayOpen && !c.Final && p.lastCapture(), CannotStayOpen)
	r.when(feeTooLarge(c.fee(p, amount), amount, tighter(p.Policy.FeePercent, c.FeePercent)), FeeTooLarge)
	r.when(c.DuplicateWithin > 0 && p.asked(OpCapture, 0, amount, d.env.Now.Add(-c.DuplicateWithin)), DuplicateOperation)
	return r
}

func (c Capture) amount(p *Payment) int64 {
	switch {
	case c.Amount != 0:
		return c.Amount
	case c.NoOverCapture:
		return min(p.planned(), p.Remaining())
	}
	return p.planned()
}

// planned is what a capture that names no amount takes: what was asked for, or
// last revised, as far as it is left; after a first capture, all that is left.
func (p *Payment) planned() int64 {
	left := p.Remaining()
	if p.Status != Authorized || p.Captures() > 0 {
		return left
	}
	return min(p.Amount, left+max(0, p.Amount-p.Authorized))
}

// fee is the platform's share of this capture. The payment's fee is taken by
// its first captures until it is used up. Where a bound in percent is set, it
// is held against the bound by the guards rather than cut silently, unless
// nobody is there to name another.
func (c Capture) fee(p *Payment, amount int64) int64 {
	if c.Fee != nil {
		return *c.Fee
	}
	left := p.Fee
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Kind == OpCapture && op.Status != OpFailed {
			left -= op.Fee
		}
	}
	left, amount = max(left, 0), max(amount, 0)
	switch percent := tighter(p.Policy.FeePercent, c.FeePercent); {
	case percent == 0:
		return min(left, amount)
	case c.Scheduled:
		return min(left, amount, money.Percent(amount, percent))
	}
	return left
}

// feeTooLarge tells whether a fee exceeds its amount, or the bound in percent
// of it if there is one.
func feeTooLarge(fee, amount, percent int64) bool {
	if amount < 1 {
		return false // it is the amount that is wrong
	}
	return fee < 0 || fee > amount || percent > 0 && money.ExceedsPercent(fee, amount, percent)
}

// tighter is the lower of two bounds, where 0 is none.
func tighter(a, b int64) int64 {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// scheduled tells whether a capture has fallen due by schedule, before the
// deadline, and was not tried yet.
func (p *Payment) scheduled(at time.Time) bool {
	due := p.Policy.CaptureAt
	if p.Status != Authorized || p.HeldUp() || due.IsZero() || due.After(at) || due.After(p.ExpiresAt) {
		return false
	}
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Kind == OpCapture && !op.At.Before(due) {
			return false
		}
	}
	return true
}

// mayClose tells whether the hold may end with this capture although something
// is left of it.
func (c Capture) mayClose(p *Payment) bool {
	return c.Final || p.lastCapture() || p.Policy.DeclinedCaptureEnds
}

// aloneInFlight tells whether a pending capture or increment bears no other
// operation beside it, because it may close the hold, or enlarges it.
func (p *Payment) aloneInFlight() bool {
	for i := range p.Operations {
		op := &p.Operations[i]
		if op.Kind == OpIncrement && op.Status == OpPending {
			return true
		}
		if op.Kind == OpCapture && op.Status == OpPending {
			if op.Final || op.Extended > 0 || p.Policy.DeclinedCaptureEnds {
				return true
			}
		}
	}
	return false
}

// lastCapture tells whether the policy closes the hold with the next capture.
func (p *Payment) lastCapture() bool {
	return p.Policy.MaxCaptures > 0 && p.Captures() >= p.Policy.MaxCaptures-1
}

// asked tells whether an operation of this kind, parent and amount was asked
// for at since or later.
func (p *Payment) asked(kind OperationKind, parent int, amount int64, since time.Time) bool {
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Kind == kind && op.Parent == parent && op.Amount == amount && !op.At.Before(since) {
			return true
		}
	}
	return false
}

// concludeCapture writes down what the processor said of the capture that e
// describes.
func (d *decision) concludeCapture(e Event, a Answer) {
	switch a.Result {
	case Approved:
		if rest := d.p.held() + e.Extended - e.Amount; e.Final || rest == 0 {
			e.Released, e.Ending = rest, EndedByCapture
		}
	case Refused:
		e.Extended = 0
		if op := d.p.Op(e.Operation); op != nil {
			e.Extended = -op.Extended
		}
		if d.p.Policy.DeclinedCaptureEnds && d.p.Captured == 0 {
			e.Released, e.Ending = d.p.held()+e.Extended, EndedByDecline
		}
	}
	d.conclude(e, a, HoldCaptured, CapturePending, CaptureDeclined)
	if a.Result == Refused && a.Reason == AuthorizationLapsed && d.p.Status == Authorized && !d.p.inDoubt() {
		d.expire() // the processor no longer has the hold
	}
}

func (p *Payment) applyCapture(op *Operation, e Event) ledger.Entry {
	held, source := p.account(ledger.Held), p.source()
	op.Extended += e.Extended
	p.Extended += e.Extended
	p.Released += e.Released
	switch e.Kind {
	case CapturePending:
		return ledger.Move(e.Extended, source, held)
	case CaptureDeclined:
		if e.Ending != Open {
			p.close(e, Declined)
		}
		return ledger.Move(e.Released-e.Extended, held, source)
	case CaptureSettled:
		op.Settled = true
		p.Settled += op.Amount
		return p.credit(ledger.InTransit, op.Amount, op.Fee)
	}
	op.Released = e.Released
	p.Captured += e.Amount
	if e.Ending != Open {
		p.close(e, Captured)
	}
	entry := ledger.Entry{
		{Account: held, Minor: e.Extended - e.Amount - e.Released},
		{Account: source, Minor: e.Released - e.Extended},
	}
	if entry[1].Minor == 0 {
		entry = entry[:1]
	}
	if p.Policy.SettleAfter > 0 {
		return append(entry, ledger.Posting{Account: p.account(ledger.InTransit), Minor: e.Amount})
	}
	op.Settled = true
	p.Settled += e.Amount
	return append(entry, p.credit(0, e.Amount, e.Fee)...)
}

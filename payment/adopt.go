package payment

import "github.com/capstan-pay/capstan/money"

// Adopt writes down what a processor has performed and what is not known here,
// because the store was restored from an older backup: a capture, a void or a
// refund of this payment, under the name that the processor knows it by. It is
// booked like any other and asks nobody.
//
// It is refused where the payment as it is here could not have asked for it:
// with DuplicateOperation if another operation has that name.
type Adopt struct {
	Operation int
	Kind      OperationKind
	Amount    int64
	Currency  money.Currency
	Note      string // who says so, and why
}

func (c Adopt) decide(d *decision) {
	p, r := d.p, &Refusal{}
	r.when(p.inDoubt(), OperationPending)
	r.when(c.Operation < d.next() || p.corrected(c.Operation), DuplicateOperation)
	r.when(c.Operation-d.next() > mostLost, NotFound)
	r.when(c.Currency != p.Currency, CurrencyMismatch)
	r.when(c.Amount < 1, AmountTooSmall)
	switch c.Kind {
	case OpCapture:
		r.when(p.Status != Authorized, NotCapturable)
		r.Limit = p.Capturable()
	case OpVoid:
		r.when(p.Status != Authorized, NotVoidable)
		r.Limit = p.Remaining()
	case OpRefund:
		limit, possible := Refund{}.limit(p)
		r.when(!possible, NotRefundable)
		r.Limit = limit
	default:
		r.add(NotFound)
	}
	r.when(c.Amount > r.Limit, AmountTooLarge)
	if d.refuse(r) {
		return
	}
	d.skip(c.Operation, c.Note)
	answer := Answer{Result: Approved, Message: c.Note}
	e := Event{Operation: d.next(), Amount: c.Amount, Asked: &Asked{Dialect: p.Dialect}}
	switch c.Kind {
	case OpCapture:
		e.Fee, e.Extended, e.Final = min(Capture{}.fee(p, c.Amount), c.Amount), max(0, c.Amount-p.Remaining()), p.lastCapture()
		d.concludeCapture(e, answer)
	case OpVoid:
		e.Ending = EndedByVoid
		d.concludeVoid(e, answer)
	case OpRefund:
		e.Fee, e.Asked.Parent = Refund{}.fee(p, c.Amount), p.onlyCapture()
		d.concludeRefund(e, answer)
	}
	d.rearm()
}

// onlyCapture is the number of the capture, if there is just one; else 0.
func (p *Payment) onlyCapture() (number int) {
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Kind == OpCapture && op.Status == OpApproved {
			if number != 0 {
				return 0
			}
			number = op.Number
		}
	}
	return number
}

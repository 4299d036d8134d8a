package payment

import (
	"github.com/capstan-pay/capstan/ledger"
)

// Increment raises a hold, and what is to be captured of it, to a new total,
// before anything was taken from it. The deadline stays. Whether a hold may be
// raised at all is for the dialect that made it to say.
type Increment struct {
	Amount int64 // minor units: the new total
	Most   int   // how often it may be asked for, declined ones included; 0 is no bound
	Asked
}

func (c Increment) decide(d *decision) {
	p := d.p
	lapsed := d.expireIfDue()
	r := &Refusal{Least: p.Authorized + 1, Limit: MaxAmount}
	r.when(p.inDoubt(), OperationPending)
	r.when(p.Status != Authorized || p.HeldUp() || p.Captures() > 0 || p.Voided > 0, NotCapturable)
	r.when(lapsed, HoldOver)
	r.when(c.Amount < r.Least, AmountTooSmall)
	r.when(c.Amount > r.Limit, AmountTooLarge)
	r.when(c.Most > 0 && p.count(OpIncrement) >= c.Most, TooManyCaptures)
	if d.refuse(r) {
		return
	}
	e := Event{Operation: d.next(), Amount: c.Amount - p.Authorized, Asked: &c.Asked}
	d.concludeIncrement(e, d.put(Instruction{Operation: e.Operation, Kind: OpIncrement, Amount: e.Amount}))
}

// count is how many operations of a kind there are, whatever became of them.
func (p *Payment) count(kind OperationKind) (n int) {
	for i := range p.Operations {
		if p.Operations[i].Kind == kind {
			n++
		}
	}
	return n
}

// concludeIncrement writes down what the processor said of the increment that e
// describes.
func (d *decision) concludeIncrement(e Event, a Answer) {
	d.conclude(e, a, HoldIncremented, IncrementPending, IncrementDeclined)
}

func (p *Payment) applyIncrement(e Event) ledger.Entry {
	if e.Kind != HoldIncremented {
		return nil
	}
	p.Authorized += e.Amount
	p.Amount = p.Authorized
	return ledger.Move(e.Amount, p.source(), p.account(ledger.Held))
}

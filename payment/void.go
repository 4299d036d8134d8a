package payment

import (
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
)

// Void gives back a part of the hold, or all that is left of it.
type Void struct {
	Amount          int64 // minor units; 0 is everything that is left
	All             bool  // everything that is left, whatever Amount says; but Amount must not exceed it
	Currency        money.Currency
	DuplicateWithin time.Duration // as in Capture
	Alongside       bool          // as in Capture
	Asked
}

// Cancel ends the payment as a whole: before its authorization, or its hold
// while nothing was captured. With Rest it may also end a hold that was partly
// captured; the captured part stays.
type Cancel struct {
	Rest bool
	Asked
}

func (c Void) decide(d *decision) {
	p := d.p
	lapsed := d.expireIfDue()
	if d.refuse(c.guards(d, lapsed)) {
		return
	}
	d.void(OpVoid, c.amount(p), EndedByVoid, c.Asked)
}

func (c Void) guards(d *decision, lapsed bool) *Refusal {
	p, r := d.p, &Refusal{}
	amount := c.amount(p)
	r.Limit, r.Least = p.Remaining(), 1
	r.when(p.inDoubt() && (!c.Alongside || p.aloneInFlight()), OperationPending)
	r.when(p.Status != Authorized, NotVoidable)
	r.when(lapsed, HoldOver)
	r.when(c.Currency != "" && c.Currency != p.Currency, CurrencyMismatch)
	r.when(amount < 1, AmountTooSmall)
	r.when(max(amount, c.Amount) > r.Limit, AmountTooLarge)
	r.when(c.DuplicateWithin > 0 && p.asked(OpVoid, 0, amount, d.env.Now.Add(-c.DuplicateWithin)), DuplicateOperation)
	return r
}

func (c Void) amount(p *Payment) int64 {
	if c.Amount == 0 || c.All {
		return p.Remaining()
	}
	return c.Amount
}

func (c Cancel) decide(d *decision) {
	p := d.p
	lapsed := d.expireIfDue()
	late := p.Policy.CancelFor > 0 && !d.env.Now.Before(p.CreatedAt.Add(p.Policy.CancelFor))
	r := &Refusal{}
	r.when(p.inDoubt(), OperationPending)
	r.when(lapsed, HoldOver)
	switch p.Status {
	case Created, AwaitingPayer:
	case Authorized:
		r.when(late || (!c.Rest && p.Captured+p.Voided > 0), NotCancellable)
	default:
		r.add(NotCancellable)
	}
	if d.refuse(r) {
		return
	}
	if p.Status != Authorized {
		d.emit(Event{Kind: PaymentCancelled, Operation: d.next(), Ending: EndedByCancel, Asked: &c.Asked})
		return
	}
	d.void(OpCancel, p.Remaining(), EndedByCancel, c.Asked)
}

// void asks the processor to give back amount of the hold.
func (d *decision) void(kind OperationKind, amount int64, why Ending, asked Asked) {
	e := Event{Operation: d.next(), Amount: amount, Asked: &asked, Ending: why}
	d.concludeVoid(e, d.put(Instruction{Operation: e.Operation, Kind: kind, Amount: amount}))
}

// concludeVoid writes down what the processor said of the void e describes.
func (d *decision) concludeVoid(e Event, a Answer) {
	d.conclude(e, a, HoldVoided, VoidPending, VoidDeclined)
}

func (p *Payment) applyVoid(op *Operation, e Event) ledger.Entry {
	if e.Ending == EndedByCancel {
		op.Kind = OpCancel
	}
	switch e.Kind {
	case PaymentCancelled:
		p.close(e, Voided)
	case HoldVoided:
		p.Voided += e.Amount
		if p.held() == 0 {
			p.close(e, Voided)
		}
		return ledger.Move(e.Amount, p.account(ledger.Held), p.source())
	}
	return nil
}

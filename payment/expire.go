package payment

import "github.com/capstan-pay/capstan/ledger"

// Expire closes the hold, or the wait for the payer, if its deadline has
// passed; else nothing happens. It is asked for by the deadline timer and
// before a read that must not show a hold that is over.
type Expire struct{}

func (Expire) decide(d *decision) { d.expireIfDue() }

// expireIfDue closes a hold, or the wait for a payer, whose deadline has
// passed, and tells whether it has. While an operation waits for its processor
// nobody knows how much is left: then the hold is closed when the answer is
// there, and nothing more is taken from it before.
func (d *decision) expireIfDue() bool {
	p := d.p
	if p.Status != Authorized && p.Status != AwaitingPayer || !p.due(d.env.Now) {
		return false
	}
	if !p.inDoubt() {
		d.emit(Event{Kind: HoldExpired, Released: p.held(), Ending: EndedByDeadline})
	}
	return true
}

func (p *Payment) applyExpired(e Event) ledger.Entry {
	p.Released += e.Released
	p.close(e, Expired)
	return ledger.Move(e.Released, p.account(ledger.Held), p.source())
}

// Settle moves a capture's money out of transit to the merchant, once.
type Settle struct{ Operation int }

func (c Settle) decide(d *decision) {
	op := d.p.Op(c.Operation)
	if op == nil || op.Kind != OpCapture || op.Status != OpApproved || op.Settled {
		return
	}
	d.emit(Event{Kind: CaptureSettled, Operation: op.Number, Amount: op.Amount, Fee: op.Fee})
}

package payment

import "github.com/capstan-pay/capstan/ledger"

// payOut asks for money to be sent to the payment's card, as its only
// operation. No hold precedes it, and nothing that was captured bounds it.
func (d *decision) payOut(a Attempt) {
	e := Event{Operation: d.next(), Amount: d.p.Amount, Asked: &a.Asked}
	i := Instruction{Payment: d.p, Operation: e.Operation, Kind: OpPayout, Amount: e.Amount, Secret: a.Secret}
	d.concludePayout(e, d.env.Ask(i)) // the risk checks are about money that is taken
}

// concludePayout writes down what the processor said of the payout e describes.
func (d *decision) concludePayout(e Event, a Answer) {
	switch a.Result {
	case Approved:
		e.Ending = EndedByPayout
	case Refused:
		e.Ending = EndedByDecline
	}
	d.conclude(e, a, MoneyPaidOut, PayoutPending, PayoutDeclined)
}

func (p *Payment) applyPayout(e Event) ledger.Entry {
	switch e.Kind {
	case PayoutPending:
		p.Status = Authorizing
	case MoneyPaidOut:
		p.Status, p.Ended = PaidOut, e.Ending
		return ledger.Move(e.Amount, p.account(ledger.Merchant), p.source())
	case PayoutDeclined:
		p.Status, p.Ended = Declined, e.Ending
	}
	return nil
}

package payment

import "github.com/capstan-pay/capstan/ledger"

// Settle takes a capture, or a refund, out of transit, once: the merchant gets
// what was captured, or is charged with what the payer was given back.
type Settle struct{ Operation int }

func (c Settle) decide(d *decision) {
	op := d.p.Op(c.Operation)
	if op == nil || op.Status != OpApproved || op.Settled {
		return
	}
	e := Event{Operation: op.Number, Amount: op.Amount, Fee: op.Fee}
	switch op.Kind {
	case OpCapture:
		e.Kind = CaptureSettled
	case OpRefund:
		e.Kind = RefundSettled
	default:
		return
	}
	d.emit(e)
}

// credit gives the merchant what a capture is worth to him and the platform
// its fee, out of the account of kind from; 0 is none. Of a refund, whose amount
// and fee are below zero, it takes them.
func (p *Payment) credit(from ledger.Kind, amount, fee int64) ledger.Entry {
	var entry ledger.Entry
	if from != 0 {
		entry = append(entry, ledger.Posting{Account: p.account(from), Minor: -amount})
	}
	if amount != fee {
		entry = append(entry, ledger.Posting{Account: p.account(ledger.Merchant), Minor: amount - fee})
	}
	if fee != 0 {
		entry = append(entry, ledger.Posting{Account: p.account(ledger.PlatformFees), Minor: fee})
	}
	return entry
}

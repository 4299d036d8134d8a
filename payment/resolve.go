package payment

// Resolve brings the processor's answer to a pending operation. Answering an
// operation that is not pending changes nothing.
type Resolve struct {
	Operation int
	Answer    Answer
}

func (c Resolve) decide(d *decision) {
	op := d.p.Op(c.Operation)
	if op == nil || op.Status != OpPending || c.Answer.Result == Pending {
		return
	}
	c.Answer.Screening = op.Answer.Screening
	e := Event{Operation: op.Number, Amount: op.Amount, Fee: op.Fee, Final: op.Final}
	switch op.Kind {
	case OpAuthorize:
		d.concludeAuthorization(op.Number, c.Answer, nil)
	case OpCapture:
		d.concludeCapture(e, c.Answer)
	case OpVoid:
		e.Ending = EndedByVoid
		d.concludeVoid(e, c.Answer)
	case OpCancel:
		e.Ending = EndedByCancel
		d.concludeVoid(e, c.Answer)
	case OpRefund:
		d.concludeRefund(e, c.Answer)
	}
	d.expireIfDue()
	d.made = c.Operation
}

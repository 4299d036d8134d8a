package payment

import "time"

// Resolve brings the processor's answer to a pending operation. Answering one
// that is not pending changes nothing, unless it was declined and is approved
// now: that is taken back. The answer to an automatic
// capture belongs to its authorization: that is Decision.Operation then.
type Resolve struct {
	Operation int
	Answer    Answer
}

func (c Resolve) decide(d *decision) {
	op := d.p.Op(c.Operation)
	if op == nil || c.Answer.Result == Pending {
		return
	}
	if op.Status != OpPending {
		d.contradict(op, c.Answer)
		return
	}
	e := Event{Operation: op.Number, Amount: op.Amount, Fee: op.Fee, Final: op.Final}
	switch op.Kind {
	case OpAuthorize:
		d.concludeAuthorization(op.Number, c.Answer, nil)
	case OpCapture:
		d.concludeCapture(e, c.Answer)
	case OpVoid:
		e.Ending = EndedByVoid
		if d.p.Review == ReviewFailed {
			e.Ending = EndedByReview
		}
		d.concludeVoid(e, c.Answer)
	case OpCancel:
		e.Ending = EndedByCancel
		d.concludeVoid(e, c.Answer)
	case OpRefund:
		d.concludeRefund(e, c.Answer)
	case OpPayout:
		d.concludePayout(e, c.Answer)
	case OpCorrection:
		d.concludeCorrection(e, c.Answer)
	case OpIncrement:
		d.concludeIncrement(e, c.Answer)
	}
	d.expireIfDue()
	d.rearm()
	if op.Kind == OpCapture && op.Parent != 0 {
		d.made = op.Parent
	}
}

// Inquire puts another question to the processor of a pending operation on
// the agenda: the attempt is counted, and durable, before the call is made.
type Inquire struct {
	Operation int
	Attempt   int           // the number of the call that is about to be made
	Again     time.Duration // when to ask once more if it gets no answer
}

func (c Inquire) decide(d *decision) {
	op := d.p.Op(c.Operation)
	if op == nil || op.Status != OpPending {
		return
	}
	again := d.p.timer(ProcessorTimer, d.env.Now.Add(c.Again), c.Operation)
	again.Attempt = c.Attempt
	d.timers = append(d.timers, again)
	d.made = c.Operation
}

package payment

import "github.com/capstan-pay/capstan/ledger"

// Correct writes down how an operator has settled what he found to differ
// between the books and a processor. It moves nothing and asks nobody. An
// operation that was settled before is not settled again.
//
// One that is not known here has a name that the processor knows: it, and the
// names before it, are not given to others, or the processor would take those
// for repeats.
type Correct struct {
	Operation int    // that it is about; one that is not known here counts too
	Note      string // who says so, and why
}

// mostLost is how far ahead of the operations that are known here one may be
// whose name is kept from others.
const mostLost = 100

func (c Correct) decide(d *decision) {
	r := &Refusal{}
	r.when(c.Operation < 1 || d.p.corrected(c.Operation), DuplicateOperation)
	if d.refuse(r) {
		return
	}
	if op := d.p.Op(c.Operation); op != nil {
		d.correct(c.Operation, op.Amount, c.Note)
		return
	}
	d.skip(c.Operation, c.Note)
	d.correct(c.Operation, 0, c.Note)
}

func (d *decision) correct(number int, amount int64, note string) {
	d.concludeCorrection(Event{Operation: d.next(), Amount: amount, Asked: &Asked{Parent: number}}, Answer{Result: Approved, Message: note})
}

// skip keeps the names before that of an operation from others, for its sake.
func (d *decision) skip(operation int, note string) {
	if operation-d.next() > mostLost {
		return
	}
	for d.err == nil && d.next() < operation {
		d.correct(operation, 0, note)
	}
}

// contradict takes an answer to an operation that was answered before. A
// processor that has performed what it had declined, or sealed, has moved money
// that is in nobody's books: that is taken back, by an operation of its own
// under its own name, once. What cannot be taken back is written down for an
// operator. Any other second answer changes nothing.
func (d *decision) contradict(op *Operation, a Answer) {
	if op.Status != OpFailed || a.Result != Approved || d.p.corrected(op.Number) {
		return
	}
	e := Event{Operation: d.next(), Amount: op.Amount, Asked: &Asked{Dialect: op.Dialect, Parent: op.Number}}
	answer := Answer{Result: Refused, Reason: ProcessingError, Message: "It cannot be taken back"}
	if op.Kind == OpAuthorize || op.Kind == OpCapture {
		answer = d.env.Ask(Instruction{Payment: d.p, Operation: e.Operation, Kind: OpCorrection, Amount: e.Amount, Parent: op.Number})
	}
	d.concludeCorrection(e, answer)
}

// corrected tells whether an operation was taken back, or is being.
func (p *Payment) corrected(number int) bool {
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Kind == OpCorrection && op.Parent == number && op.Status != OpFailed {
			return true
		}
	}
	return false
}

// concludeCorrection writes down what the processor said of the correction
// that e describes.
func (d *decision) concludeCorrection(e Event, a Answer) {
	d.conclude(e, a, CorrectionMade, CorrectionPending, CorrectionDeclined)
}

// applyCorrection moves nothing: what is taken back was never booked.
func (p *Payment) applyCorrection() ledger.Entry { return nil }

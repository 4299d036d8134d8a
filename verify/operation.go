package verify

import (
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/risk"
)

// operation is what is known of one operation.
type operation struct {
	kind     payment.OperationKind
	begun    int       // the sequence of its first event
	at       time.Time // of that event
	doneAt   time.Time // captures and refunds: when it succeeded
	pending  bool
	done     bool
	amount   int64
	fee      int64
	extended int64 // by a capture, while it is pending
	settled  bool
	approved bool
	key      payment.Key // of the record that its answer belongs to
	recorded bool        // that record is there
	counted  []string    // the counters of risk checks that it counts towards
}

// outcomes says of each kind of event which operation it belongs to and how
// that stands after it.
var outcomes = map[payment.EventKind]struct {
	kind          payment.OperationKind
	pending, done bool
}{
	payment.AuthorizationPending:  {payment.OpAuthorize, true, false},
	payment.PayerAwaited:          {payment.OpAuthorize, false, false},
	payment.HoldAuthorized:        {payment.OpAuthorize, false, true},
	payment.AuthorizationDeclined: {payment.OpAuthorize, false, true},
	payment.CapturePending:        {payment.OpCapture, true, false},
	payment.HoldCaptured:          {payment.OpCapture, false, true},
	payment.CaptureDeclined:       {payment.OpCapture, false, true},
	payment.CaptureSettled:        {payment.OpCapture, false, true},
	payment.VoidPending:           {payment.OpVoid, true, false},
	payment.HoldVoided:            {payment.OpVoid, false, true},
	payment.VoidDeclined:          {payment.OpVoid, false, true},
	payment.PaymentCancelled:      {payment.OpVoid, false, true},
	payment.RefundPending:         {payment.OpRefund, true, false},
	payment.MoneyRefunded:         {payment.OpRefund, false, true},
	payment.RefundDeclined:        {payment.OpRefund, false, true},
	payment.RefundSettled:         {payment.OpRefund, false, true},
	payment.PayoutPending:         {payment.OpPayout, true, false},
	payment.MoneyPaidOut:          {payment.OpPayout, false, true},
	payment.PayoutDeclined:        {payment.OpPayout, false, true},
	payment.CorrectionPending:     {payment.OpCorrection, true, false},
	payment.CorrectionMade:        {payment.OpCorrection, false, true},
	payment.CorrectionDeclined:    {payment.OpCorrection, false, true},
	payment.IncrementPending:      {payment.OpIncrement, true, false},
	payment.HoldIncremented:       {payment.OpIncrement, false, true},
	payment.IncrementDeclined:     {payment.OpIncrement, false, true},
}

// operation finds the operation of an event and moves it on.
func (acc *account) operation(sequence int, e *payment.Event) *operation {
	outcome, has := outcomes[e.Kind]
	if !has {
		return nil
	}
	if e.Operation == len(acc.operations)+1 {
		if e.Asked == nil {
			acc.add("event %d begins operation %d without saying who asked", sequence, e.Operation)
		}
		acc.operations = append(acc.operations, operation{
			kind: outcome.kind, begun: sequence, at: e.At, amount: e.Amount, fee: e.Fee,
		})
	}
	if e.Operation < 1 || e.Operation > len(acc.operations) {
		acc.add("event %d belongs to operation %d of %d", sequence, e.Operation, len(acc.operations))
		return &operation{}
	}
	op := &acc.operations[e.Operation-1]
	if op.kind != outcome.kind {
		acc.add("event %d (%s) belongs to operation %d, which is of another kind", sequence, e.Kind, e.Operation)
	}
	if op.done && e.Kind != payment.CaptureSettled && e.Kind != payment.RefundSettled {
		acc.add("event %d (%s) comes after operation %d was done", sequence, e.Kind, e.Operation)
	}
	if e.Answer != nil && len(e.Answer.Screening) > 0 {
		names, err := risk.Counted(e.Answer.Screening)
		if err != nil {
			acc.add("event %d: what the risk checks found cannot be read", sequence)
		}
		op.counted = names
	}
	if e.Asked != nil && e.Asked.Key != (payment.Key{}) && outcome.pending {
		op.key = e.Asked.Key
	}
	op.pending, op.done = outcome.pending, outcome.done
	return op
}

package verify

import (
	"time"

	"github.com/capstan-pay/capstan/payment"
)

// timer notes what is on the agenda. Timers are never cancelled, so there may
// be more than are wanted.
func (acc *account) timer(t payment.Timer) {
	if acc.stated && (t.Tenant != acc.tenant || t.Merchant != acc.merchant) {
		acc.add("a %s timer is of merchant %d of tenant %d, not %d of %d", t.Kind, t.Merchant, t.Tenant, acc.merchant, acc.tenant)
	}
	if t.Operation < 0 || t.Operation > len(acc.operations) {
		acc.add("a %s timer is for operation %d of %d", t.Kind, t.Operation, len(acc.operations))
	}
	if t.Kind == payment.ProcessorTimer && t.Attempt < 1 {
		acc.add("the processor of operation %d is to be asked again, but attempt %d was the last", t.Operation, t.Attempt)
	}
	if t.Kind != payment.ProcessorTimer && t.Attempt != 0 {
		acc.add("a %s timer has an attempt, %d, as only those of processors have", t.Kind, t.Attempt)
	}
	acc.timers = append(acc.timers, t)
}

// on returns the first timer of a kind for an operation, or nil; operation 0 is
// any.
func (acc *account) on(kind payment.TimerKind, operation int, due func(time.Time) bool) bool {
	for i := range acc.timers {
		if t := &acc.timers[i]; t.Kind == kind && (operation == 0 || t.Operation == operation) && due(t.Due) {
			return true
		}
	}
	return false
}

// agenda looks whether all is on the agenda that has to follow.
func (acc *account) agenda() {
	doubt, planned := false, acc.policy.CaptureAt
	whenever := func(time.Time) bool { return true }
	for i := range acc.operations {
		op := &acc.operations[i]
		doubt = doubt || op.pending && op.kind != payment.OpRefund && op.kind != payment.OpCorrection
		if op.kind == payment.OpCapture && !op.at.Before(planned) {
			planned = time.Time{} // it was made, or tried
		}
		if op.pending && !acc.on(payment.ProcessorTimer, i+1, whenever) {
			acc.add("operation %d waits for its processor, but nobody will ask again", i+1)
		}
		if op.approved && !op.settled {
			after := acc.policy.SettleAfter
			if op.kind == payment.OpRefund {
				after = acc.policy.RefundSettleAfter
			}
			if at := op.doneAt.Add(after); !acc.on(payment.SettleTimer, i+1, at.Equal) {
				acc.add("operation %d is in transit, but nothing will settle it at %s", i+1, at.Format(time.RFC3339Nano))
			}
		}
	}
	open := acc.status == payment.Authorized
	if open && !acc.heldUp() && !planned.IsZero() && !planned.After(acc.over) {
		if !acc.on(payment.CaptureTimer, 0, func(due time.Time) bool { return !due.Before(planned) }) {
			acc.add("a capture is planned for %s, but not on the agenda", planned.Format(time.RFC3339Nano))
		}
		doubt = true // that goes first, and the deadline's timer may be done with
	}
	waits := acc.status == payment.AwaitingPayer && !acc.over.IsZero()
	if (open && !doubt || waits) && !acc.on(payment.DeadlineTimer, acc.authorization, acc.over.Equal) {
		acc.add("is %s, but its deadline of %s is not on the agenda", acc.status, acc.over.Format(time.RFC3339Nano))
	}
}

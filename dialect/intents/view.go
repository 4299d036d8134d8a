package intents

import (
	"github.com/capstan-pay/capstan/payment"
)

// The states of an intent (section 6).
const (
	requiresMethod       = "requires_payment_method"
	requiresConfirmation = "requires_confirmation"
	requiresAction       = "requires_action"
	processing           = "processing"
	requiresCapture      = "requires_capture"
	canceled             = "canceled"
	succeeded            = "succeeded"
)

// view is a payment as this dialect sees it.
type view struct {
	p       *payment.Payment
	details details // empty for a payment that another dialect made
	scale   scale
	status  string
	failed  *payment.Operation // the attempt whose error still stands; nil for none
}

func (v *view) of(p *payment.Payment) {
	v.p, v.scale, v.details, v.failed = p, scaleOf(p.Currency), details{}, nil
	if p.Dialect == Name {
		v.details.read(p.Details)
	}
	if n := len(p.Operations); n > 0 && (p.Status == payment.Created || p.Status == payment.Declined) {
		if last := &p.Operations[n-1]; last.Kind == payment.OpAuthorize && last.Status == payment.OpFailed && n > v.seen() {
			v.failed = last
		}
	}
	v.status = v.state()
}

// seen is how many operations there were when the intent was last updated.
func (v *view) seen() int { return v.details.number(fieldSeen, 0) }

// state is the payment's status in this dialect's words. A payment that
// another dialect declined for good is canceled: no other attempt can follow.
func (v *view) state() string {
	switch v.p.Status {
	case payment.Created:
		if v.hasMethod() {
			return requiresConfirmation
		}
		return requiresMethod
	case payment.Authorizing:
		return processing
	case payment.AwaitingPayer:
		if v.authenticated() {
			return requiresConfirmation
		}
		return requiresAction
	case payment.Authorized:
		if v.inDoubt() || v.p.HeldUp() {
			return processing
		}
		return requiresCapture
	case payment.Captured:
		return succeeded
	}
	return canceled
}

// asked tells whether an authorization was asked for with the terms as they
// are, so that they do not change any more.
func (v *view) asked() bool {
	return v.p.Status == payment.Authorizing || v.p.Status > payment.AwaitingPayer
}

// inDoubt tells whether nobody knows how much is left of the hold: the
// processor has not answered. A refund does not touch the hold.
func (v *view) inDoubt() bool {
	for i := range v.p.Operations {
		if op := &v.p.Operations[i]; op.Status == payment.OpPending && op.Kind != payment.OpRefund && op.Kind != payment.OpCorrection {
			return true
		}
	}
	return false
}

// hasMethod tells whether a payment method is attached: one that was declined
// is not any more.
func (v *view) hasMethod() bool {
	if v.p.Method.Kind != payment.CardMethod {
		return false
	}
	op := v.p.Authorization()
	return op == nil || op.Status != payment.OpFailed || op.Answer.Reason == "" || op.Number <= v.seen()
}

// authenticated tells whether the payer has done his part of the attempt that
// waits, and the server's confirmation is what is missing.
func (v *view) authenticated() bool {
	op := v.p.Authorization()
	return op != nil && v.details.number(fieldAuthenticated, 0) == op.Number
}

// capturable is what may be captured by default, in minor units.
func (v *view) capturable() int64 {
	if v.status != requiresCapture {
		return 0
	}
	left := v.p.Remaining()
	if v.p.Captures() == 0 {
		return min(left, v.p.Amount) // another dialect may have asked for less since
	}
	return left
}

// released is what of the hold went back to the payer without ever having been
// captured, in minor units.
func (v *view) released() int64 {
	if v.p.Status.Final() {
		return max(0, v.p.Authorized-v.p.Captured)
	}
	return v.p.Voided
}

// attempt is the attempt that made the latest charge, nil if there is no
// charge: none was made, it waits for the payer, or the payer said no.
func (v *view) attempt() *payment.Operation {
	for i := len(v.p.Operations) - 1; i >= 0; i-- {
		if op := &v.p.Operations[i]; hasCharge(op) {
			return op
		}
	}
	return nil
}

// hasCharge tells whether an operation made a charge. An authentication that
// failed makes none (section 9).
func hasCharge(op *payment.Operation) bool {
	if op.Kind != payment.OpAuthorize || op.Status == payment.OpAwaiting {
		return false
	}
	return op.Status != payment.OpFailed || op.Answer.Reason != payment.PayerDeclined && op.Answer.Reason != payment.AuthenticationFailed && op.Answer.Reason != ""
}

// word is the value of a field that is one of a few words, otherwise if it is
// missing.
func (v *view) word(f field, otherwise string) string {
	if raw := v.details[f]; len(raw) > 2 {
		return string(raw[1 : len(raw)-1])
	}
	return otherwise
}

// reasonAutomatic is why a hold is canceled whose time is over.
const reasonAutomatic = "automatic"

// cancellation is why a canceled intent is so, as the wire has it; empty for
// no reason given.
func (v *view) cancellation() string {
	if v.p.Ended == payment.EndedByDeadline {
		return reasonAutomatic
	}
	if n := len(v.p.Operations); n > 0 && v.p.Ended == payment.EndedByCancel {
		if op := &v.p.Operations[n-1]; op.Kind == payment.OpCancel && op.Dialect == Name {
			var asked details
			asked.read(op.Details)
			return asked.text(fieldReason)
		}
	}
	return ""
}

// captures calls fn with the documents of this dialect's captures and increments that came
// after the last update, oldest first: what they set is not in the intent's own
// document yet.
func (v *view) captures(fn func(*details)) {
	for i := v.seen(); i < len(v.p.Operations); i++ {
		op := &v.p.Operations[i]
		if (op.Kind == payment.OpCapture || op.Kind == payment.OpIncrement) && op.Status == payment.OpApproved && op.Dialect == Name && op.Details != nil {
			var asked details
			asked.read(op.Details)
			fn(&asked)
		}
	}
}

package intents

import (
	"net/http"

	"github.com/capstan-pay/capstan/payment"
)

// reply is what becomes of an outcome. It is a function of the outcome and the
// note and of nothing else, so that a replay gives the same bytes.
type reply struct {
	d    *Dialect
	out  payment.Outcome
	note *note
	view view // of the outcome's payment
}

// append appends the reply to an outcome and returns its status.
func (r *reply) append(b []byte, d *Dialect, out payment.Outcome, n *note) (int, []byte) {
	if n.status != 0 {
		return n.status, append(b, n.body...)
	}
	r.d, r.out, r.note = d, out, n
	if out.Payment != nil {
		r.view.of(out.Payment)
	}
	if p := r.problem(); p != nil {
		return p.status, p.append(b)
	}
	if n.route == createRefundRoute {
		made, known := r.view.refundOf(out.Operation)
		if op := out.Op(); !known && op != nil { // of a hold, and the network has not answered
			made = refund{operation: op.Number, amount: op.Amount, at: op.At, reason: refundReason(op), status: "pending", metadata: refundMetadata(op)}
		}
		return http.StatusOK, append(d.appendRefund(b, &r.view, made, n.shape), '\n')
	}
	b = d.appendIntent(b, &r.view, n.shape)
	return http.StatusOK, append(b, '\n')
}

// intent is the full object, as errors carry it.
func (r *reply) intent() []byte {
	return r.d.appendIntent(nil, &r.view, r.note.shape&^(expandCharge|expandMethod))
}

// problem is what went wrong, nil if nothing did.
func (r *reply) problem() *problem {
	if r.out.Refusal != nil {
		return r.refused()
	}
	op := r.out.Op()
	if op == nil {
		return nil
	}
	v := &r.view
	switch {
	case op.Kind == payment.OpAuthorize && op.Status == payment.OpFailed:
		return r.d.declined(v, op, r.intent())
	case op.Kind == payment.OpAuthorize && v.p.Policy.AutoCapture && v.p.Status == payment.Authorized:
		if capture := v.p.Op(op.Number + 1); capture != nil && capture.Status == payment.OpFailed {
			return r.captureDeclined(capture)
		}
	case op.Kind == payment.OpIncrement && op.Status == payment.OpFailed:
		return r.incrementDeclined(op)
	case op.Kind == payment.OpCapture && op.Status == payment.OpFailed:
		return r.captureDeclined(op)
	case (op.Kind == payment.OpCancel || op.Kind == payment.OpVoid) && op.Status == payment.OpFailed:
		return &problem{
			status: http.StatusFailedDependency, kind: apiError, intent: r.intent(),
			message: "The card network did not release the authorization. Nothing has changed.",
		}
	}
	return nil
}

// captureDeclined is the error of a capture that its processor refused: the
// hold stays as it was, unless the processor no longer has it.
func (r *reply) captureDeclined(op *payment.Operation) *problem {
	charge := ""
	if attempt := r.view.attempt(); attempt != nil {
		charge = string(r.d.appendChargeID(nil, r.view.p.ID, attempt.Number))
	}
	if op.Answer.Reason == payment.AuthorizationLapsed {
		return &problem{
			status: http.StatusBadRequest, code: "charge_expired_for_capture", charge: charge, intent: r.intent(),
			message: "Charge " + charge + " cannot be captured because the charge has expired.",
		}
	}
	why := declineOf(op)
	return &problem{
		status: http.StatusPaymentRequired, kind: cardError, code: "card_declined", decline: why.issuer, message: why.message,
		charge: charge, intent: r.intent(),
	}
}

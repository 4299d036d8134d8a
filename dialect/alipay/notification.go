package alipay

import (
	"encoding/json"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// sender is what of a notification is in its headers.
type sender struct {
	noticeContext
	client string // to whom it is sent
}

// notification makes the body of a notice from the payment as it was then: the
// same at every attempt.
func (d *Dialect) notification(n outbox.Notice, p *payment.Payment) ([]byte, sender, error) {
	about, err := decodeNoticeContext(n.Context)
	if err != nil {
		return nil, sender{}, err
	}
	var made payDetails
	if err := json.Unmarshal(p.Details, &made); err != nil {
		return nil, sender{}, err
	}
	op := p.Op(about.operation)
	if op == nil && n.Topic != notifyVoid {
		return nil, sender{}, errNotice
	}
	b := newMessage(about.zone)
	switch n.Topic {
	case notifyPayment:
		d.appendNotifyPayment(&b, p, made)
	case notifyVoid:
		d.appendNotifyVoid(&b, p, op)
	case notifyCapture:
		d.appendNotifyCapture(&b, p, op)
	default:
		return nil, sender{}, errNotice
	}
	return b.done(), sender{about, made.Client}, nil
}

// appendNotifyPayment says what a payment has come to. Under /v1 the result is
// told in other members.
func (d *Dialect) appendNotifyPayment(b *reply, p *payment.Payment, made payDetails) {
	what := payResult(p, p.Authorization(), made.Credential)
	if made.V1 {
		b.text("partnerId", made.Partner)
	}
	b.text("paymentId", d.PaymentID(p))
	b.text("paymentRequestId", p.Reference)
	switch {
	case !made.V1:
		b.result("paymentResult", what)
	case what == success:
		b.text("paymentStatus", "SUCCESS")
	default:
		b.text("paymentStatus", "FAIL")
		b.text("paymentFailReason", what.code)
	}
	b.amount("paymentAmount", p.Amount, p.Currency)
	if what == success {
		b.time("paymentTime", p.AuthorizedAt)
	}
	b.time("paymentCreateTime", p.CreatedAt)
	if what == success && !p.Policy.AutoCapture {
		b.time("authExpiryTime", p.ExpiresAt)
	}
	b.raw("extendInfo", made.ExtendInfo)
}

// voidDetails is what a void's Details hold, where there is anything.
type voidDetails struct {
	Version    int             `json:"v"`
	ExtendInfo json.RawMessage `json:"extend"`
}

// appendNotifyVoid says what was given back of a hold: by the merchant's void,
// or by the wallet after the last capture or the deadline.
func (d *Dialect) appendNotifyVoid(b *reply, p *payment.Payment, op *payment.Operation) {
	if op != nil && op.Kind == payment.OpVoid {
		id, requestID := d.operationID(p, op), op.Reference
		if op.Dialect != Name || requestID == "" {
			requestID = id
		}
		b.result("voidResult", resultOf(op))
		b.text("voidRequestId", requestID)
		b.text("voidId", id)
		b.text("paymentId", d.PaymentID(p))
		b.amount("voidAmount", op.Amount, p.Currency)
		b.time("voidTime", op.DoneAt)
		b.text("voidSource", "MERCHANT")
		var kept voidDetails
		if op.Dialect == Name && len(op.Details) > 0 && json.Unmarshal(op.Details, &kept) == nil {
			b.raw("extendInfo", kept.ExtendInfo)
		}
		return
	}
	release := wireid.Name{Kind: wireid.Refund, Payment: p.ID}
	if op != nil {
		release.Operation = op.Number
	}
	id := d.IDs.Digits(release, p.ClosedAt)
	b.result("voidResult", success)
	b.text("voidRequestId", id)
	b.text("voidId", id)
	b.text("paymentId", d.PaymentID(p))
	b.amount("voidAmount", p.Released, p.Currency)
	b.time("voidTime", p.ClosedAt)
	b.text("voidSource", "WALLET")
}

// appendNotifyCapture says what a capture has come to.
func (d *Dialect) appendNotifyCapture(b *reply, p *payment.Payment, op *payment.Operation) {
	b.text("notifyType", "CAPTURE_RESULT")
	b.result("result", resultOf(op))
	if op.Dialect == Name {
		b.text("captureRequestId", op.Reference)
	}
	b.text("paymentId", d.PaymentID(p))
	b.text("captureId", d.operationID(p, op))
	b.amount("captureAmount", op.Amount, p.Currency)
	if op.Status == payment.OpApproved {
		b.time("captureTime", op.DoneAt)
	}
}

package alipay

import (
	"context"
	"encoding/json"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// inquiryPayment shows a payment as it is now: POST /v2/payments/inquiryPayment.
func (d *Dialect) inquiryPayment(ctx context.Context, c *call) []byte {
	id, requestID, extend := c.fields.id("paymentId", 64), c.fields.id("paymentRequestId", 64), c.fields.extend()
	if *c.fields.bad || (id == "" && requestID == "") {
		return only(paramIllegal)
	}
	p, err := d.find(ctx, c.client, id, requestID)
	what := success
	switch {
	case err != nil:
		d.Logger.Error("alipay: inquiryPayment", "error", err)
		what = unknownException
	case p == nil:
		what = orderNotExist
	}
	b := newReply(what, c.client.settings.zone)
	if p == nil {
		b.text("paymentId", id)
		b.text("paymentRequestId", requestID)
	} else {
		d.appendPayment(&b, c.client, p)
	}
	b.raw("extendInfo", extend)
	return b.done()
}

// find returns a client's payment by its id, or else by the request that made
// it; nil if there is none.
func (d *Dialect) find(ctx context.Context, c *client, id, requestID string) (*payment.Payment, error) {
	if id != "" {
		named, ok := d.ParsePaymentID(id)
		if !ok {
			return nil, nil
		}
		p, err := d.Engine.Payment(ctx, c.tenant, c.merchant, named)
		if p != nil && !sees(p) {
			p = nil
		}
		return p, err
	}
	out, ok, err := d.Engine.Recorded(ctx, c.tenant, c.requestKey("pay", requestID))
	if err != nil || !ok || out.Payment == nil {
		return nil, err
	}
	return d.Engine.Payment(ctx, c.tenant, c.merchant, out.Payment.ID)
}

// appendPayment appends all that an inquiry tells of a payment.
func (d *Dialect) appendPayment(b *reply, c *client, p *payment.Payment) {
	b.text("paymentId", d.PaymentID(p))
	if p.Dialect == Name {
		b.text("paymentRequestId", p.Reference)
	}
	b.amount("paymentAmount", p.Amount, p.Currency)
	status := paymentStatus(p, c.settings.authSuccess)
	if cancellation(p) != nil {
		status = "CANCELLED"
	}
	if status != "FAIL" && status != "PROCESSING" {
		b.time("paymentTime", p.AuthorizedAt)
	}
	b.time("paymentCreateTime", p.CreatedAt)
	b.text("paymentStatus", status)
	if status == "FAIL" {
		b.text("paymentFailReason", failure(p).code)
	}
	if !p.Policy.AutoCapture && !p.AuthorizedAt.IsZero() {
		b.time("authExpiryTime", p.ExpiresAt)
	}
	d.appendTransactions(b, p)
}

// paymentStatus is how this API calls the state of a payment.
func paymentStatus(p *payment.Payment, authSuccess bool) string {
	switch p.Status {
	case payment.Authorized:
		switch {
		case p.Policy.AutoCapture:
			return "PROCESSING" // its capture has not been answered
		case authSuccess && p.Captured == 0:
			return "AUTH_SUCCESS"
		}
		return "SUCCESS"
	case payment.Captured:
		return "SUCCESS"
	case payment.Voided, payment.Expired:
		return "CANCELLED"
	case payment.Declined:
		return "FAIL"
	}
	return "PROCESSING"
}

// failure is why a payment failed.
func failure(p *payment.Payment) result {
	if charge := automaticCapture(p); charge != nil && charge.Status == payment.OpFailed {
		return declinedPay(charge.Answer.Reason)
	}
	if op := p.Authorization(); op != nil && op.Status == payment.OpFailed {
		var made payDetails
		if p.Dialect != Name || json.Unmarshal(p.Details, &made) != nil {
			made = payDetails{}
		}
		return payResult(p, op, made.Credential)
	}
	for i := len(p.Operations) - 1; i >= 0; i-- { // closed by a capture that may not be repeated
		if op := &p.Operations[i]; op.Status == payment.OpFailed {
			return declinedCapture(op.Answer.Reason)
		}
	}
	return processFail
}

// transactionTypes are the operations that an inquiry lists.
var transactionTypes = map[payment.OperationKind]string{
	payment.OpCapture: "CAPTURE", payment.OpVoid: "VOID", payment.OpRefund: "REFUND", payment.OpCancel: "CANCEL",
}

// appendTransactions appends what was done to the payment, oldest first; not
// the charge of a payment that is not captured later, which is the payment.
func (d *Dialect) appendTransactions(b *reply, p *payment.Payment) {
	charge, first := automaticCapture(p), true
	for i := range p.Operations {
		op := &p.Operations[i]
		kind, listed := transactionTypes[op.Kind]
		if isCancellation(op) {
			kind = "CANCEL"
		}
		if !listed || op == charge {
			continue
		}
		if first {
			b.name("transactions")
			b.b = append(b.b, '[')
		} else {
			b.b = append(b.b, ',')
		}
		first = false
		d.appendTransaction(b, p, op, kind)
	}
	if !first {
		b.b = append(b.b, ']')
	}
}

func (d *Dialect) appendTransaction(b *reply, p *payment.Payment, op *payment.Operation, kind string) {
	status := "PROCESSING"
	switch op.Status {
	case payment.OpApproved:
		status = "SUCCESS"
	case payment.OpFailed:
		status = "FAIL"
	}
	b.b = appendResult(append(b.b, `{"transactionResult":`...), resultOf(op))
	b.text("transactionType", kind)
	b.text("transactionRequestId", op.Reference)
	b.text("transactionId", d.operationID(p, op))
	b.text("transactionStatus", status)
	amount := op.Amount
	if amount == 0 { // an order that was cancelled before anything was held
		amount = p.Amount
	}
	b.amount("transactionAmount", amount, p.Currency)
	b.time("transactionTime", op.DoneAt)
	switch op.Kind {
	case payment.OpCapture:
		b.name("isLastCapture") // a string, unlike in the capture request
		b.b = append(dialect.AppendBool(append(b.b, '"'), op.Final), '"')
	case payment.OpVoid:
		b.text("voidSource", "MERCHANT")
	}
	b.b = append(b.b, '}')
}

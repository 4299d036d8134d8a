package alipay

import (
	"context"
	"strconv"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

// captureRequest is the body of a capture.
type captureRequest struct {
	requestID string
	paymentID string
	amount    amount
	last      bool
	context   replyContext
}

// readCapture decodes a capture; false is PARAM_ILLEGAL.
func readCapture(c *call) (captureRequest, bool) {
	f := c.fields
	r := captureRequest{
		requestID: f.required("captureRequestId", 64),
		paymentID: f.required("paymentId", 64),
		amount:    f.amount("captureAmount"),
		last:      f.flag("isLastCapture", true),
		context:   replyContext{zone: c.client.settings.zone, extend: f.extend()},
	}
	return r, !*f.bad
}

// fingerprint is what a repeat must have in common with the first: an amount
// that was left out is not the same as one that says as much.
func (r captureRequest) fingerprint(d *Dialect) payment.Fingerprint {
	return d.fingerprint("capture", r.paymentID, r.amount.currency, strconv.FormatInt(r.amount.minor, 10), strconv.FormatBool(r.last))
}

// capture takes money from an authorization: POST /v2/payments/capture.
func (d *Dialect) capture(ctx context.Context, c *call) []byte {
	r, ok := readCapture(c)
	if !ok {
		return only(paramIllegal)
	}
	id, _ := d.ParsePaymentID(r.paymentID) // an unknown form is an unknown payment
	currency := money.Currency(r.amount.currency)
	if currency != "" && !c.client.settings.supports(r.amount.currency) {
		currency = unsupported
	}
	key := c.client.requestKey("capture", r.requestID)
	out, err := d.do(ctx, payment.Request{
		Tenant: c.client.tenant, Merchant: c.client.merchant, Payment: id, Sees: sees,
		Command: payment.Capture{
			Amount: r.amount.minor, Currency: currency, Final: r.last,
			NoOverCapture: true, MustStayOpen: !r.last,
			MaxAmount: c.client.settings.maxCaptureAmount, MaxCaptures: c.client.settings.maxCaptures,
			Dialect: Name, Reference: r.requestID,
		},
		Key: key, Fingerprint: r.fingerprint(d), Keeps: keepsCapture, Context: r.context.encode(), Patience: c.client.settings.patience,
	})
	if err != nil {
		d.Logger.Error("alipay: capture", "payment", id, "error", err)
		return r.reply(unknownException, r.context).done()
	}
	return d.renderCapture(r, out)
}

// unsupported is the currency of no payment: what the wallet does not take
// cannot be captured, whatever was authorized before.
const unsupported money.Currency = "none"

// keepsCapture tells which refusals are final under a captureRequestId.
func keepsCapture(r *payment.Refusal) bool { return refused(captureRefusals, r).keeps }

// renderCapture makes the answer of an outcome, and of nothing else: a repeat
// is the same bytes.
func (d *Dialect) renderCapture(r captureRequest, out payment.Outcome) []byte {
	first, err := contextOf(out, r.context)
	if err != nil {
		d.Logger.Error("alipay: capture", "error", err)
		return r.reply(unknownException, r.context).done()
	}
	op := out.Op()
	switch {
	case out.Refusal != nil:
		return r.reply(refused(captureRefusals, out.Refusal).result, first).done()
	case op == nil:
		d.Logger.Error("alipay: capture without an operation", "payment", r.paymentID)
		return r.reply(unknownException, first).done()
	case op.Status == payment.OpFailed:
		return r.reply(resultOf(op), first).done()
	}
	b := r.begin(resultOf(op).after(out), first)
	b.text("captureId", d.operationID(out.Payment, op))
	b.text("paymentId", r.paymentID)
	if op.Status == payment.OpApproved {
		b.amount("captureAmount", op.Amount, out.Payment.Currency)
		b.time("captureTime", op.DoneAt)
	}
	b.raw("extendInfo", first.extend)
	return b.done()
}

// begin starts an answer with what all of them have.
func (r captureRequest) begin(what result, c replyContext) reply {
	b := newReply(what, c.zone)
	b.text("captureRequestId", r.requestID)
	return b
}

// reply is the answer where no capture came about.
func (r captureRequest) reply(what result, c replyContext) *reply {
	b := r.begin(what, c)
	b.text("paymentId", r.paymentID)
	b.raw("extendInfo", c.extend)
	return &b
}

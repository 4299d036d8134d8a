package alipay

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// refundRequest is the body of a refund.
type refundRequest struct {
	requestID        string
	paymentID        string
	paymentRequestID string
	captureID        string // empty is the payment as a whole
	amount           amount
	reason           string
	context          replyContext
}

// refundDetails is what a refund's Details hold, where there is anything.
type refundDetails struct {
	Version int    `json:"v"`
	Reason  string `json:"reason"`
}

// readRefund decodes a refund; false is PARAM_ILLEGAL.
func readRefund(c *call) (refundRequest, bool) {
	f := c.fields
	r := refundRequest{
		requestID:        f.required("refundRequestId", 64),
		paymentID:        f.id("paymentId", 64),
		paymentRequestID: f.id("paymentRequestId", 64),
		captureID:        f.id("captureId", 64),
		amount:           f.amount("refundAmount"),
		reason:           f.text("refundReason", 256),
		context:          replyContext{zone: c.client.settings.zone, extend: f.extend()},
	}
	if r.amount.minor == 0 || (r.paymentID == "" && r.paymentRequestID == "") {
		f.fail()
	}
	return r, !*f.bad
}

// fingerprint is what a repeat must have in common with the first. The
// payment is the one that was found, however it was named.
func (r refundRequest) fingerprint(d *Dialect, of payment.ID) payment.Fingerprint {
	return d.fingerprint("refund", of.String(), r.amount.currency, strconv.FormatInt(r.amount.minor, 10), r.captureID)
}

// refund gives captured money back, from the payment as a whole or from one of
// its captures: POST /v2/payments/refund.
func (d *Dialect) refund(ctx context.Context, c *call) []byte {
	r, ok := readRefund(c)
	if !ok {
		return only(paramIllegal)
	}
	fail := func(err error) []byte {
		d.Logger.Error("alipay: refund", "error", err)
		return r.reply(unknownException, r.context)
	}
	p, err := d.find(ctx, c.client, r.paymentID, r.paymentRequestID)
	if err != nil {
		return fail(err)
	}
	command := payment.Refund{
		Amount: r.amount.minor, Currency: money.Currency(r.amount.currency), Within: c.client.settings.refundWindow,
		Denied: d.denyRefund(c.client, r, p), Asked: payment.Asked{Dialect: Name, Reference: r.requestID},
	}
	var of payment.ID
	if p != nil {
		of, r.paymentID = p.ID, d.PaymentID(p)
		if capture := d.captureOf(p, r.captureID); capture != nil {
			command.Parent = capture.Number
		}
	}
	if r.reason != "" {
		if command.Details, err = json.Marshal(refundDetails{Version: 1, Reason: r.reason}); err != nil {
			return fail(err)
		}
	}
	out, err := d.do(ctx, payment.Request{
		Tenant: c.client.tenant, Merchant: c.client.merchant, Payment: of, Sees: sees, Command: command,
		Key: c.client.requestKey("refund", r.requestID), Fingerprint: r.fingerprint(d, of), Keeps: keepsRefund,
		Context: r.context.encode(), Patience: c.client.settings.patience,
	})
	if err != nil {
		return fail(err)
	}
	return d.renderRefund(r, out)
}

// denyRefund is what this API's own rules say against a refund; nil is
// nothing. A charge that was cancelled is not refunded any more.
func (d *Dialect) denyRefund(c *client, r refundRequest, p *payment.Payment) *payment.Refusal {
	var guards []payment.Guard
	switch {
	case p == nil: // refused in any case
	case r.captureID != "" && d.captureOf(p, r.captureID) == nil:
		guards = append(guards, payment.NotFound)
	case cancellation(p) != nil:
		guards = append(guards, payment.NotRefundable)
	}
	if c.settings.partner != partnerActive {
		guards = append(guards, payment.MerchantBarred)
	}
	if guards == nil {
		return nil
	}
	return payment.Refuse(guards...)
}

// captureOf is a payment's capture by its id, nil if it has none of that name.
func (d *Dialect) captureOf(p *payment.Payment, id string) *payment.Operation {
	n, ok := d.IDs.ParseDigits(id)
	if !ok || n.Kind != wireid.Operation || n.Payment != p.ID {
		return nil
	}
	if op := p.Op(n.Operation); op != nil && op.Kind == payment.OpCapture && d.operationID(p, op) == id {
		return op
	}
	return nil
}

func keepsRefund(r *payment.Refusal) bool { return refused(refundRefusals, r).keeps }

// renderRefund makes the answer of an outcome.
func (d *Dialect) renderRefund(r refundRequest, out payment.Outcome) []byte {
	first, err := contextOf(out, r.context)
	if err != nil {
		d.Logger.Error("alipay: refund", "error", err)
		return r.reply(unknownException, r.context)
	}
	op := out.Op()
	switch {
	case out.Refusal != nil:
		return r.reply(refused(refundRefusals, out.Refusal).result, first)
	case op == nil:
		d.Logger.Error("alipay: refund without an operation", "payment", r.paymentID)
		return r.reply(unknownException, first)
	case op.Status != payment.OpApproved:
		return r.reply(resultOf(op).after(out), first)
	}
	b := newReply(success, first.zone)
	b.text("refundRequestId", r.requestID)
	b.text("refundId", d.operationID(out.Payment, op))
	b.text("paymentId", r.paymentID)
	b.amount("refundAmount", op.Amount, out.Payment.Currency)
	b.time("refundTime", op.DoneAt)
	b.raw("extendInfo", first.extend)
	return b.done()
}

// reply is the answer where nothing was given back, or not yet.
func (r refundRequest) reply(what result, c replyContext) []byte {
	b := newReply(what, c.zone)
	b.text("refundRequestId", r.requestID)
	b.text("paymentId", r.paymentID)
	b.raw("extendInfo", c.extend)
	return b.done()
}

package alipay

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

// voidRequest is the body of a void.
type voidRequest struct {
	requestID string
	paymentID string
	amount    amount
	all       bool
	context   replyContext
}

// readVoid decodes a void; false is PARAM_ILLEGAL.
func readVoid(c *call) (voidRequest, bool) {
	f := c.fields
	r := voidRequest{
		requestID: f.required("voidRequestId", 64),
		paymentID: f.required("paymentId", 64),
		amount:    f.amount("voidAmount"),
		all:       f.flag("voidRemainingAmount", false),
		context:   replyContext{zone: c.client.settings.zone, extend: f.extend()},
	}
	r.all = r.all || r.amount.minor == 0
	return r, !*f.bad
}

func (r voidRequest) fingerprint(d *Dialect) payment.Fingerprint {
	return d.fingerprint("void", r.paymentID, r.amount.currency, strconv.FormatInt(r.amount.minor, 10), strconv.FormatBool(r.all))
}

// void gives back a part of an authorization, or all that is left of it:
// POST /v2/payments/void.
func (d *Dialect) void(ctx context.Context, c *call) []byte {
	r, ok := readVoid(c)
	if !ok {
		return only(paramIllegal)
	}
	var details []byte
	if r.context.extend != nil {
		var err error
		if details, err = json.Marshal(voidDetails{Version: 1, ExtendInfo: r.context.extend}); err != nil {
			d.Logger.Error("alipay: void", "error", err)
			return r.reply(unknownException, r.context)
		}
	}
	id, _ := d.ParsePaymentID(r.paymentID)
	out, err := d.do(ctx, payment.Request{
		Tenant: c.client.tenant, Merchant: c.client.merchant, Payment: id, Sees: sees,
		Command: payment.Void{
			Amount: r.amount.minor, All: r.all, Currency: money.Currency(r.amount.currency),
			Asked: payment.Asked{Dialect: Name, Reference: r.requestID, Details: details},
		},
		Key: c.client.requestKey("void", r.requestID), Fingerprint: r.fingerprint(d), Keeps: keepsVoid,
		Context: r.context.encode(), Patience: c.client.settings.patience,
	})
	if err != nil {
		d.Logger.Error("alipay: void", "payment", id, "error", err)
		return r.reply(unknownException, r.context)
	}
	return d.renderVoid(r, out)
}

func keepsVoid(r *payment.Refusal) bool { return refused(voidRefusals, r).keeps }

// renderVoid makes the answer of an outcome.
func (d *Dialect) renderVoid(r voidRequest, out payment.Outcome) []byte {
	first, err := contextOf(out, r.context)
	if err != nil {
		d.Logger.Error("alipay: void", "error", err)
		return r.reply(unknownException, r.context)
	}
	op := out.Op()
	switch {
	case out.Refusal != nil:
		return r.reply(refused(voidRefusals, out.Refusal).result, first)
	case op == nil:
		return r.reply(unknownException, first)
	case op.Status != payment.OpApproved:
		return r.reply(resultOf(op), first)
	}
	b := newReply(success, first.zone)
	b.text("voidRequestId", r.requestID)
	b.text("voidId", d.operationID(out.Payment, op))
	b.text("paymentId", r.paymentID)
	b.amount("voidAmount", op.Amount, out.Payment.Currency)
	b.time("voidTime", op.DoneAt)
	b.raw("extendInfo", first.extend)
	return b.done()
}

// reply is the answer where nothing was voided, or not yet.
func (r voidRequest) reply(what result, c replyContext) []byte {
	b := newReply(what, c.zone)
	b.text("voidRequestId", r.requestID)
	b.text("paymentId", r.paymentID)
	b.raw("extendInfo", c.extend)
	return b.done()
}

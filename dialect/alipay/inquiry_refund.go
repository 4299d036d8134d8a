package alipay

import (
	"context"
	"encoding/json"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// inquiryRefund shows a refund as it is now: POST /v2/payments/inquiryRefund.
func (d *Dialect) inquiryRefund(ctx context.Context, c *call) []byte {
	id, requestID, extend := c.fields.id("refundId", 64), c.fields.id("refundRequestId", 64), c.fields.extend()
	if *c.fields.bad || (id == "" && requestID == "") {
		return only(paramIllegal)
	}
	p, op, err := d.findRefund(ctx, c.client, id, requestID)
	what := success
	switch {
	case err != nil:
		d.Logger.Error("alipay: inquiryRefund", "error", err)
		what = unknownException
	case op == nil:
		what = refundNotExist
	}
	b := newReply(what, c.client.settings.zone)
	if what == success {
		d.appendRefund(&b, p, op)
	} else {
		b.text("refundId", id)
		b.text("refundRequestId", requestID)
	}
	b.raw("extendInfo", extend)
	return b.done()
}

// findRefund returns a client's refund by its id, or else by the request that
// made it; nil if there is none. The cancellation of a charge is none.
func (d *Dialect) findRefund(ctx context.Context, c *client, id, requestID string) (*payment.Payment, *payment.Operation, error) {
	var of payment.ID
	var number int
	if id != "" {
		n, ok := d.IDs.ParseDigits(id)
		if !ok || n.Kind != wireid.Operation {
			return nil, nil, nil
		}
		of, number = n.Payment, n.Operation
	} else {
		out, ok, err := d.Engine.Recorded(ctx, c.tenant, c.requestKey("refund", requestID))
		if err != nil || !ok || out.Payment == nil || out.Operation == 0 {
			return nil, nil, err
		}
		of, number = out.Payment.ID, out.Operation
	}
	p, err := d.Engine.Payment(ctx, c.tenant, c.merchant, of)
	if err != nil || p == nil || !sees(p) {
		return nil, nil, err
	}
	op := p.Op(number)
	if op == nil || op.Kind != payment.OpRefund || isCancellation(op) || id != "" && d.operationID(p, op) != id {
		return nil, nil, nil
	}
	return p, op, nil
}

func (d *Dialect) appendRefund(b *reply, p *payment.Payment, op *payment.Operation) {
	b.text("refundId", d.operationID(p, op))
	if op.Dialect == Name {
		b.text("refundRequestId", op.Reference)
	}
	b.amount("refundAmount", op.Amount, p.Currency)
	b.text("refundReason", refundReason(op))
	switch op.Status {
	case payment.OpApproved:
		b.time("refundTime", op.DoneAt)
		b.text("refundStatus", "SUCCESS")
	case payment.OpFailed:
		b.text("refundStatus", "FAIL")
		b.text("refundFailReason", resultOf(op).code)
	default:
		b.text("refundStatus", "PROCESSING")
	}
}

// refundReason is why the merchant gave the money back, where he said so here.
func refundReason(op *payment.Operation) string {
	var kept refundDetails
	if op.Dialect != Name || len(op.Details) == 0 || json.Unmarshal(op.Details, &kept) != nil {
		return ""
	}
	return kept.Reason
}

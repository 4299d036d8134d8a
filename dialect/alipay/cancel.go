package alipay

import (
	"context"
	"slices"

	"github.com/capstan-pay/capstan/payment"
)

// cancel ends a payment as a whole: an unpaid order is closed, a hold is
// released, a direct charge is given back. POST /v2/payments/cancel. The
// payment itself is the key: a second cancel finds it cancelled.
func (d *Dialect) cancel(ctx context.Context, c *call) []byte {
	id, requestID, extend := c.fields.id("paymentId", 64), c.fields.id("paymentRequestId", 64), c.fields.extend()
	if *c.fields.bad || (id == "" && requestID == "") {
		return only(paramIllegal)
	}
	what, p, err := d.cancelPayment(ctx, c.client, id, requestID)
	if err != nil {
		d.Logger.Error("alipay: cancel", "error", err)
		what = unknownException
	}
	if p != nil {
		id = d.PaymentID(p)
		if p.Dialect == Name {
			requestID = p.Reference
		}
	}
	b := newReply(what, c.client.settings.zone)
	b.text("paymentId", id)
	b.text("paymentRequestId", requestID)
	if what == success {
		b.time("cancelTime", cancellation(p).DoneAt)
	}
	b.raw("extendInfo", extend)
	return b.done()
}

// cancelPayment cancels a payment and returns what came of it; the payment is
// nil if there is none.
func (d *Dialect) cancelPayment(ctx context.Context, c *client, id, requestID string) (result, *payment.Payment, error) {
	p, err := d.find(ctx, c, id, requestID)
	if err != nil || p == nil {
		return orderNotExist, nil, err
	}
	asked := payment.Asked{Dialect: Name}
	var command payment.Command = payment.Cancel{Asked: asked}
	if p.Policy.AutoCapture && p.Status == payment.Captured {
		asked.Details = cancelMark
		command = payment.Refund{Amount: p.Captured, Asked: asked}
	}
	out, err := d.do(ctx, payment.Request{
		Tenant: c.tenant, Merchant: c.merchant, Payment: p.ID, Command: command, Patience: c.settings.patience,
	})
	if err != nil {
		return result{}, p, err
	}
	if out.Payment != nil {
		p = out.Payment
	}
	op := out.Op()
	switch {
	case cancellation(p) != nil:
		return success, p, nil
	case cancelling(p):
		return unknownException, p, nil
	case out.Refusal != nil:
		return refused(cancelRefusals, out.Refusal).result, p, nil
	case op != nil && op.Status == payment.OpFailed:
		return processFail, p, nil
	}
	return unknownException, p, nil
}

// cancelMark is the Details of a refund that is the cancellation of a charge.
var cancelMark = []byte(`{"v":1,"cancel":true}`)

// cancellation is the operation that cancelled the payment as a whole, nil if
// none did.
func cancellation(p *payment.Payment) *payment.Operation {
	for i := range p.Operations {
		op := &p.Operations[i]
		if op.Status == payment.OpApproved && (op.Kind == payment.OpCancel && p.Captured == 0 || isCancellation(op)) {
			return op
		}
	}
	return nil
}

// cancelling tells whether a charge's money is on its way back, or may be.
func cancelling(p *payment.Payment) bool {
	return slices.ContainsFunc(p.Operations, func(op payment.Operation) bool {
		return op.Status == payment.OpPending && isCancellation(&op)
	})
}

// isCancellation tells whether a refund cancelled a charge.
func isCancellation(op *payment.Operation) bool {
	return op.Kind == payment.OpRefund && op.Dialect == Name && string(op.Details) == string(cancelMark)
}

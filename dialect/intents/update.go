package intents

import (
	"context"
	"net/http"

	"github.com/capstan-pay/capstan/payment"
)

// update answers POST /v1/payment_intents/{id}.
func (x *exchange) update(ctx context.Context) *problem {
	var c changes
	c.common(x)
	unknown := c.readCustomer(x)
	s, _ := x.expand(intentPaths)
	n := x.note(s)
	n.named = masked(c.named)
	switch {
	case c.amount != nil || c.currency != "" || c.fee != nil:
		n.remark = newAmount
	case c.card != nil || c.named != "" || c.detach:
		n.remark = newMethod
	}
	if bad := x.params.problem(); bad != nil {
		return x.reject(ctx, &n, bad)
	}
	if unknown != "" {
		return x.settle(ctx, &n, missing(http.StatusBadRequest, "customer", "customer", unknown))
	}
	if problem := x.storeCard(&c, true); problem != nil {
		return problem
	}
	account := x.account
	edit := func(p *payment.Payment) (payment.Intake, *payment.Refusal) {
		var v view
		v.of(p)
		if foreign(&v) {
			return payment.Intake{}, payment.Refuse(payment.NotCreated)
		}
		return c.apply(&v, account)
	}
	return x.submitEdit(ctx, &n, payment.Request{Payment: n.payment, Command: payment.Revise{Edit: edit}, Documents: c.papers()}, &c)
}

package intents

import (
	"context"

	"github.com/capstan-pay/capstan/payment"
)

// cancel answers POST /v1/payment_intents/{id}/cancel. What was captured
// before stays captured.
func (x *exchange) cancel(ctx context.Context) *problem {
	var asked details
	if reason, sent := x.params.enum("cancellation_reason", "duplicate", "fraudulent", "requested_by_customer", "abandoned", ""); sent && reason != "" {
		asked.setText(fieldReason, reason)
	}
	s, _ := x.expand(intentPaths)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	n := x.note(s)
	command := payment.Cancel{Rest: true, Asked: payment.Asked{Dialect: Name, Labels: []payment.Label{refundLabel}, Details: asked.orNil()}}
	return x.submit(ctx, &n, payment.Request{Payment: n.payment, Command: command})
}

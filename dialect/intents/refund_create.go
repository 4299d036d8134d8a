package intents

import (
	"context"
	"net/http"
	"strings"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// refundLabel is the label of what POST /v1/refunds and cancellations gave
// back, by which the list of refunds finds it.
var refundLabel = payment.Label{Kind: Name + ".refund"}

var refundPaths = []expansion{
	{"charge", expandCharge},
	{"payment_intent", expandIntent},
	{"balance_transaction", 0}, {"customer", 0}, {"payment_method", 0}, {"transfer_reversal", 0}, {"source_transfer_reversal", 0},
}

// refundParams is what a refund is asked for with.
type refundParams struct {
	amount *int64 // as on the wire; nil is all that is left
	intent string
	charge string
	asked  details
}

func (c *refundParams) read(p *params) {
	c.intent, _ = p.text("payment_intent", 255)
	c.charge, _ = p.text("charge", 255)
	if c.intent == "" && c.charge == "" {
		p.fail(&problem{
			status: http.StatusBadRequest, code: "parameter_missing", param: "payment_intent",
			message: "One of the following params should be provided for this request: payment_intent or charge.",
		})
	}
	if n, sent := p.integer("amount"); sent {
		if n < 1 {
			p.fail(&problem{status: http.StatusBadRequest, code: "parameter_invalid_integer", param: "amount", message: "Invalid positive integer"})
		}
		c.amount = &n
	}
	if reason, sent := p.enum("reason", "duplicate", "fraudulent", "requested_by_customer", "resolved_dispute", ""); sent && reason != "" {
		c.asked.setText(fieldReason, reason)
	}
	c.asked[fieldMetadata] = p.metadata()
	p.ignore("instructions_email", "origin", "refund_application_fee", "reverse_transfer")
}

// createRefund answers POST /v1/refunds: it gives captured money back, or all
// of a hold from which nothing was captured, which cancels the intent.
func (x *exchange) createRefund(ctx context.Context) *problem {
	var c refundParams
	c.read(&x.params)
	s, _ := x.expand(refundPaths)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	n := x.note(s)
	done, problem := x.tryRefund(ctx, &n, &c)
	if done {
		return problem
	}
	err := x.until(ctx, func() (bool, error) {
		done, problem = x.tryRefund(ctx, &n, &c)
		return done, nil
	})
	switch {
	case err != nil:
		return x.fault(err)
	case !done:
		return locked(nil)
	}
	return problem
}

// tryRefund gives back what there is to give back now, and replies or returns
// what is wrong. It is not done where a hold was captured or closed meanwhile,
// or where nobody knows yet whether it was.
func (x *exchange) tryRefund(ctx context.Context, n *note, c *refundParams) (done bool, wrong *problem) {
	v, problem := x.refunded(ctx, c)
	if problem != nil {
		if problem.code == "resource_missing" {
			return true, x.settle(ctx, n, problem)
		}
		return true, problem
	}
	n.payment = v.p.ID
	if c.amount != nil {
		minor, _ := v.scale.minor(*c.amount)
		n.named = price(minor, v.p.Currency)
	}
	request, bad := c.request(v)
	if bad != nil {
		bad.intent = x.d.appendIntent(nil, v, 0)
		return true, x.settle(ctx, n, bad)
	}
	_, cancels := request.Command.(payment.Cancel)
	passing := cancels || v.p.Status == payment.Authorized && v.p.Captured == 0 && v.inDoubt()
	request.Keeps = func(r *payment.Refusal) bool { return !passing && keeps(r) }
	out, problem := x.do(ctx, n, request)
	if problem != nil {
		return true, problem
	}
	if passing && !out.Replayed && out.Refusal != nil && !out.Refusal.Has(payment.OperationPending) && !out.Refusal.Has(payment.Busy) && !out.Refusal.Has(payment.KeyReused) && !out.Refusal.Has(payment.InProcess) {
		return false, nil
	}
	return true, x.answer(out, n)
}

// refunded finds the payment that is to be refunded.
func (x *exchange) refunded(ctx context.Context, c *refundParams) (*view, *problem) {
	var id payment.ID
	attempt := 0
	if c.intent != "" {
		id, _ = x.d.ParsePaymentID(c.intent)
	}
	if c.charge != "" {
		name, ok := x.d.parse(chargePrefix, wireid.Charge, c.charge)
		if c.intent != "" && (!ok || name.Payment != id) || !ok {
			id = 0
		} else {
			id, attempt = name.Payment, name.Operation
		}
	}
	v, problem := x.load(ctx, id)
	if problem != nil {
		return nil, problem
	}
	switch {
	case v != nil && (attempt == 0 || v.p.Op(attempt) != nil && hasCharge(v.p.Op(attempt))):
		return v, nil
	case c.charge != "":
		return nil, missing(http.StatusBadRequest, "charge", "charge", c.charge)
	}
	return nil, missing(http.StatusBadRequest, "payment_intent", "payment_intent", c.intent)
}

// request is the command that gives the money back: of a hold from which
// nothing was captured all goes back, or nothing.
func (c *refundParams) request(v *view) (payment.Request, *problem) {
	asked := payment.Asked{Dialect: Name, Labels: []payment.Label{refundLabel}, Details: c.asked.orNil()}
	command := payment.Refund{Asked: asked}
	ok := true
	if c.amount != nil {
		if command.Amount, ok = v.scale.minor(*c.amount); !ok {
			return payment.Request{}, wrongMultiple("amount", v.p.Currency)
		}
	}
	r := payment.Request{Payment: v.p.ID, Command: command}
	if v.p.Status == payment.Authorized && v.p.Captured == 0 && !v.inDoubt() {
		if c.amount != nil && command.Amount != v.p.Remaining() {
			return r, invalid("amount", "You cannot partially refund an uncaptured charge. Instead, capture the charge for an amount less than the original amount")
		}
		r.Command = payment.Cancel{Rest: v.p.Voided > 0, Asked: asked}
	}
	return r, nil
}

// wrongMultiple is an amount that has a part of the smallest unit there is.
func wrongMultiple(param string, c money.Currency) *problem {
	return invalid(param, "Invalid amount: amounts in "+strings.ToLower(string(c))+" must be a multiple of 100.")
}

// notRefundable says why there is nothing to give back.
func notRefundable(r *reply) *problem {
	v := &r.view
	if attempt := v.attempt(); attempt != nil && approved(attempt) && v.p.Status.Final() {
		charge := string(r.d.appendChargeID(nil, v.p.ID, attempt.Number))
		return &problem{status: http.StatusBadRequest, code: "charge_already_refunded", intent: r.intent(), message: "Charge " + charge + " has already been refunded."}
	}
	return &problem{
		status: http.StatusBadRequest, intent: r.intent(),
		message: "This PaymentIntent (" + string(r.d.appendIntentID(nil, v.p.ID)) + ") does not have a successful charge to refund.",
	}
}

// refundTooLarge is a refund of more than is left.
func refundTooLarge(r *reply) *problem {
	p := r.view.p
	if r.out.Refusal.Limit == 0 {
		return notRefundable(r)
	}
	why := invalid("amount", "Refund amount ("+r.note.named+") is greater than unrefunded amount on charge ("+price(r.out.Refusal.Limit, p.Currency)+")")
	why.intent = r.intent()
	return why
}

var symbols = map[money.Currency]string{"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}

// price is an amount in an error text, such as "$20.00".
func price(minor int64, c money.Currency) string {
	text := money.Of(minor, c).String()
	if symbol, ok := symbols[c]; ok {
		return symbol + strings.TrimSuffix(text, " "+string(c))
	}
	return text
}

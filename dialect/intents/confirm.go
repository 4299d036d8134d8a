package intents

import (
	"context"
	"net/http"

	"github.com/capstan-pay/capstan/payment"
)

// confirm answers POST /v1/payment_intents/{id}/confirm.
func (x *exchange) confirm(ctx context.Context) *problem {
	var c changes
	c.confirmable(x)
	c.readReturnURL(&x.params)
	absent := x.readAbsence()
	x.params.ignore("mandate", "mandate_data", "use_stripe_sdk", "radar_options", "payment_details", "hooks", "amount_details")
	s, _ := x.expand(intentPaths)
	clientSecret, hasSecret := x.params.text("client_secret", 255)
	n := x.note(s)
	n.named = masked(c.named)
	if bad := x.params.problem(); bad != nil {
		return x.reject(ctx, &n, bad)
	}
	if problem := x.checkSecret(clientSecret, hasSecret); problem != nil {
		return problem
	}

	// What is to be asked for depends on the intent: on whether the server's
	// confirmation is all that is missing, and on the options it has. The rest
	// is decided with the command.
	before, problem := x.load(ctx, n.payment)
	if problem != nil {
		return problem
	}
	request := payment.Request{Payment: n.payment}
	var attempt payment.Attempt
	if before != nil {
		if x.account.publishable && before.word(fieldConfirmation, "automatic") == "manual" {
			return secretKeyRequired()
		}
		if before.p.Status == payment.AwaitingPayer && before.authenticated() && c.card == nil {
			request.Command = payment.PayerAnswer{Approved: true}
			return x.submit(ctx, &n, request)
		}
		m := before.p.Method
		if c.card != nil {
			m = c.card.method
		}
		if c.card == nil {
			if attempt.Secret, problem = x.openStored(before.method()); problem != nil {
				return problem
			}
		}
		if problem := x.storeCard(&c, c.setsUp(before)); problem != nil {
			return problem
		}
		secret := attempt.Secret
		attempt = x.attempt(m, absent, readOptions(before.details[fieldOptions]), c.options)
		attempt.Secret = secret
		request.Documents = c.papers()
	}
	if c.card != nil {
		attempt.Secret = c.card.secret
	}
	account := x.account
	request.Command = payment.Authorize{Attempt: attempt, Edit: func(p *payment.Payment) (payment.Intake, *payment.Refusal) {
		var v view
		v.of(p)
		if foreign(&v) {
			return payment.Intake{}, payment.Refuse(payment.NotCreated)
		}
		in, refusal := c.apply(&v, account)
		if refusal == nil && c.card == nil && in.Method.Kind == payment.CardMethod && (before == nil || v.method().stored != before.method().stored) {
			c.late = locked(nil) // another card than the one that was opened
			return in, payment.Refuse(payment.NotFound)
		}
		if refusal == nil && in.Method.Kind != payment.CardMethod {
			refusal = payment.Refuse(payment.NotCreated)
		}
		return in, refusal
	}}
	return x.submitEdit(ctx, &n, request, &c)
}

// submitEdit is submit for a command that makes its intake of changes: what
// they cannot be put on is no final answer under the key.
func (x *exchange) submitEdit(ctx context.Context, n *note, r payment.Request, c *changes) *problem {
	r.Keeps = func(refusal *payment.Refusal) bool { return c.late == nil && keeps(refusal) }
	out, problem := x.do(ctx, n, r)
	if problem == nil && !out.Replayed {
		problem = c.late
	}
	if problem != nil {
		return problem
	}
	return x.answer(out, n)
}

// checkSecret holds a client secret against the id in the path. A publishable
// key must bring one.
func (x *exchange) checkSecret(secret string, sent bool) *problem {
	if !sent && x.account.publishable {
		return missingParam("client_secret")
	}
	if !sent {
		return nil
	}
	if id, ok := x.d.ParsePaymentID(x.id); ok && x.d.secretFits(id, secret) {
		return nil
	}
	return &problem{
		status: http.StatusBadRequest, code: "payment_intent_invalid_parameter", param: "client_secret",
		message: "The client_secret provided does not match the client_secret associated with this PaymentIntent.",
	}
}

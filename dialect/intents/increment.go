package intents

import (
	"context"
	"net/http"

	"github.com/capstan-pay/capstan/payment"
)

// mostIncrements is how often an increment may be asked for (section 12).
const mostIncrements = 10

// increment answers POST /v1/payment_intents/{id}/increment_authorization: the
// hold is raised to a new total, if the intent asked for that.
func (x *exchange) increment(ctx context.Context) *problem {
	p := &x.params
	amount, sent := p.integer("amount")
	switch {
	case !sent:
		p.fail(missingParam("amount"))
	case amount < 1:
		p.fail(&problem{status: 400, code: "parameter_invalid_integer", param: "amount", message: "This value must be greater than or equal to 1."})
	case amount > maxAmount:
		p.fail(&problem{status: 400, code: "amount_too_large", param: "amount", message: "Amount must be no more than $999,999.99"})
	}
	var set changes
	set.string(p, fieldStatement, "statement_descriptor", maxDescriptor)
	set.fields[fieldMetadata] = p.metadata()
	p.ignore("transfer_data", "amount_details", "payment_details", "hooks")
	s, _ := x.expand(intentPaths)
	if bad := p.problem(); bad != nil {
		return bad
	}
	n := x.note(s)
	v, bad := x.load(ctx, n.payment)
	if bad != nil {
		return bad
	}
	command := payment.Increment{Amount: amount, Most: mostIncrements, Asked: payment.Asked{Dialect: Name, Details: set.fields.orNil()}}
	if v != nil {
		if full := x.metadataFull(v, set.fields[fieldMetadata]); full != nil {
			return x.settle(ctx, &n, full)
		}
		var ok bool
		if command.Amount, ok = v.scale.minor(amount); !ok {
			return x.settle(ctx, &n, wrongMultiple("amount", v.p.Currency))
		}
		if v.p.Status == payment.Authorized && !v.incremental() {
			return x.settle(ctx, &n, &problem{
				status: http.StatusBadRequest, intent: x.d.appendIntent(nil, v, 0),
				message: "This PaymentIntent does not support incremental authorization. Ask for it with payment_method_options[card][request_incremental_authorization] when you create the PaymentIntent.",
			})
		}
	}
	return x.submit(ctx, &n, payment.Request{Payment: n.payment, Command: command})
}

// wishes tells whether the intent asked for one of the optional features of
// section 12, such as "multicapture".
func (v *view) wishes(feature string) bool {
	return v.p.Dialect == Name && option(readOptions(v.details[fieldOptions]), "card[request_"+feature+"]") == "if_available"
}

// incremental tells whether the hold may be raised.
func (v *view) incremental() bool {
	return v.wishes("incremental_authorization") && !v.p.Policy.AutoCapture && v.p.Method.Kind == payment.CardMethod
}

// notIncrementable says why a hold is not raised.
func notIncrementable(r *reply) *problem {
	v := &r.view
	switch {
	case v.status != requiresCapture:
		return r.state("This PaymentIntent's authorization could not be incremented because it has a status of " + v.status + ". Only a PaymentIntent with one of the following statuses may be incremented: requires_capture.")
	case r.out.Refusal.Has(payment.TooManyCaptures):
		p := invalid("amount", "This PaymentIntent's authorization has been incremented as often as it may be: 10 times.")
		p.intent = r.intent()
		return p
	case r.out.Refusal.Has(payment.AmountTooSmall):
		p := invalid("amount", "The amount must be greater than the currently authorized amount.")
		p.intent = r.intent()
		return p
	}
	return r.state("This PaymentIntent's authorization could not be incremented because a part of it has been captured.")
}

// incrementDeclined is the error of an increment that was declined: nothing has
// changed.
func (r *reply) incrementDeclined(op *payment.Operation) *problem {
	p := r.captureDeclined(op)
	p.status, p.kind, p.code = http.StatusPaymentRequired, cardError, "card_declined"
	return p
}

package intents

import (
	"context"
	"net/http"

	"github.com/capstan-pay/capstan/payment"
)

// expansion is a path that expand[] may name.
type expansion struct {
	path  string
	gives shape
}

var intentPaths = []expansion{
	{"latest_charge", expandCharge},
	{"payment_method", expandMethod},
	{"latest_charge.refunds", expandCharge | expandRefunds},
	{"latest_charge.balance_transaction", expandCharge | expandBalance},
	{"customer", 0}, {"invoice", 0}, {"review", 0}, {"application", 0}, {"on_behalf_of", 0}, {"source", 0},
	{"latest_charge.customer", expandCharge}, {"payment_method.customer", expandMethod},
}

var chargePaths = []expansion{
	{"refunds", expandRefunds},
	{"balance_transaction", expandBalance},
	{"payment_intent", expandIntent},
	{"customer", 0}, {"review", 0}, {"application", 0}, {"on_behalf_of", 0},
}

// expand reads which members are to be shown as objects, and with them the
// whole shape of the reply.
func (x *exchange) expand(known []expansion) (shape, *problem) {
	var s shape
	if x.account.publishable {
		s = publishable
	}
	if x.legacy() {
		s |= legacyCharges
	}
	if len(x.params.list) == 0 {
		return s, nil
	}
	paths, _ := x.params.words("expand", 20)
next:
	for _, path := range paths {
		for _, e := range known {
			if e.path == path {
				s |= e.gives
				continue next
			}
		}
		x.params.fail(invalid("expand", "This property cannot be expanded ("+path+")."))
	}
	return s, x.params.bad
}

// load returns one of the account's payments, nil if there is none.
func (x *exchange) load(ctx context.Context, id payment.ID) (*view, *problem) {
	if id == 0 {
		return nil, nil
	}
	p, err := x.d.Engine.Payment(ctx, x.account.Tenant, x.account.ID, id)
	if err != nil {
		return nil, x.fault(err)
	}
	if p == nil || !x.account.sees(p) {
		return nil, nil
	}
	v := &view{}
	v.of(p)
	return v, nil
}

// retrieve answers GET /v1/payment_intents/{id}.
func (x *exchange) retrieve(ctx context.Context) *problem {
	s, _ := x.expand(intentPaths)
	secret, sent := x.params.text("client_secret", 255)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	if problem := x.checkSecret(secret, sent); problem != nil {
		return problem
	}
	id, _ := x.d.ParsePaymentID(x.id)
	v, problem := x.load(ctx, id)
	if problem != nil {
		return problem
	}
	if v == nil {
		return missing(http.StatusNotFound, "intent", "payment_intent", x.id)
	}
	x.reply(http.StatusOK, append(x.d.appendIntent(x.out(), v, s), '\n'))
	return nil
}

// charge answers GET /v1/charges/{id}.
func (x *exchange) charge(ctx context.Context) *problem {
	s, _ := x.expand(chargePaths)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	v, op, problem := x.findCharge(ctx, x.id)
	if problem != nil || op == nil {
		return or(problem, noCharge(http.StatusNotFound, x.id))
	}
	x.reply(http.StatusOK, append(x.d.appendCharge(x.out(), v, op, s), '\n'))
	return nil
}

// captureCharge answers POST /v1/charges/{id}/capture: every charge here is an
// intent's, and is captured through it.
func (x *exchange) captureCharge(ctx context.Context) *problem {
	x.params.ignore("amount", "application_fee", "application_fee_amount", "receipt_email", "statement_descriptor",
		"statement_descriptor_suffix", "transfer_data", "transfer_group")
	_, _ = x.expand(chargePaths)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	n := x.note(0)
	v, op, problem := x.findCharge(ctx, x.id)
	switch {
	case problem != nil:
		return problem
	case op == nil:
		return x.settle(ctx, &n, noCharge(http.StatusNotFound, x.id))
	}
	return x.settle(ctx, &n, x.chargeNotCaptured(v, op))
}

// chargeNotCaptured says why a charge is not captured by itself.
func (x *exchange) chargeNotCaptured(v *view, op *payment.Operation) *problem {
	intent := x.d.appendIntent(nil, v, 0)
	if approved(op) && v.p.Captured > 0 {
		id := string(x.d.appendChargeID(nil, v.p.ID, op.Number))
		return &problem{
			status: http.StatusBadRequest, code: "charge_already_captured", intent: intent, message: "Charge " + id + " has already been captured.",
		}
	}
	return &problem{
		status: http.StatusBadRequest, intent: intent,
		message: "This charge belongs to the PaymentIntent " + x.d.PaymentID(v.p) + ". Capture the PaymentIntent instead.",
	}
}

func noCharge(status int, id string) *problem { return missing(status, "charge", "charge", id) }

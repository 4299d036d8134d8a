package intents

import (
	"context"

	"github.com/capstan-pay/capstan/payment"
)

// capture answers POST /v1/payment_intents/{id}/capture (section 7).
func (x *exchange) capture(ctx context.Context) *problem {
	p := &x.params
	var asked captureParams
	if len(p.list) > 0 { // most captures have none, or one
		asked.read(p)
	}
	s, _ := x.expand(intentPaths)
	if bad := p.problem(); bad != nil {
		return bad
	}
	n := x.note(s)
	command := payment.Capture{
		Final: !asked.open, MustStayOpen: asked.open, Dialect: Name, Details: asked.details, NoOverCapture: true, MaxCaptures: multicaptures,
	}
	if asked.sent {
		switch {
		case asked.amount == 0:
			n.remark, asked.amount = zeroAmount, -1 // to the core no amount is all that is left
		case asked.amount < 0:
			n.remark = negativeAmount
		}
	}
	command.Amount = asked.amount
	if asked.fee != nil {
		command.Fee = asked.fee
	}
	if x.account.over > 100 || asked.metadata != nil {
		v, problem := x.load(ctx, n.payment)
		if problem != nil {
			return problem
		}
		command.NoOverCapture = v == nil || foreign(v) || x.account.over <= 100
		if full := x.metadataFull(v, asked.metadata); full != nil {
			return x.settle(ctx, &n, full)
		}
	}
	if asked.sent || asked.fee != nil {
		return x.captureAmount(ctx, &n, command)
	}
	return x.submit(ctx, &n, payment.Request{Payment: n.payment, Command: command})
}

// captureAmount captures an amount that is given in the wire's units. They are
// the engine's own for all currencies but two; that the payment is in one of
// these is seen where the command would be decided, and then it is asked for
// again in the engine's units.
func (x *exchange) captureAmount(ctx context.Context, n *note, command payment.Capture) *problem {
	var units scale
	sees := x.account.sees
	r := payment.Request{Payment: n.payment, Command: command}
	r.Sees = func(p *payment.Payment) bool {
		if sees(p) {
			units = scaleOf(p.Currency)
		}
		return sees(p) && units.times == units.per
	}
	r.Keeps = func(refusal *payment.Refusal) bool { return units.times == units.per && keeps(refusal) }
	out, problem := x.do(ctx, n, r)
	if problem != nil {
		return problem
	}
	if units.times == units.per || out.Replayed {
		return x.answer(out, n)
	}
	if n.remark == plain {
		var ok bool
		if command.Amount, ok = units.minor(command.Amount); !ok {
			n.remark, command.Amount = brokenUnit, -1
		}
	}
	if command.Fee != nil {
		fee, ok := units.minor(*command.Fee)
		if !ok {
			fee = -1
		}
		command.Fee = &fee
	}
	return x.submit(ctx, n, payment.Request{Payment: n.payment, Command: command})
}

// captureParams is what a capture may ask for.
type captureParams struct {
	amount   int64 // as on the wire
	sent     bool  // the amount was
	open     bool  // final_capture=false
	fee      *int64
	metadata []byte // a patch
	details  []byte
}

func (c *captureParams) read(p *params) {
	c.amount, c.sent = p.integer("amount_to_capture")
	if final, sent := p.boolean("final_capture"); sent {
		c.open = !final
	}
	if fee, sent := p.integer("application_fee_amount"); sent {
		c.fee = &fee
	}
	var set changes
	set.string(p, fieldStatement, "statement_descriptor", maxDescriptor)
	set.string(p, fieldStatementSuffix, "statement_descriptor_suffix", maxDescriptor)
	c.metadata = p.metadata()
	set.fields[fieldMetadata] = c.metadata
	c.details = set.fields.orNil()
	p.ignore("transfer_data", "amount_details", "payment_details", "hooks")
}

// metadataFull tells whether an intent, nil if there is none, has no room for
// what a capture or an increment adds to its metadata.
func (x *exchange) metadataFull(v *view, patch []byte) *problem {
	if v == nil {
		return nil
	}
	_, full := addMetadata(v.metadata(), patch)
	if full != nil {
		full.intent = x.d.appendIntent(nil, v, 0)
	}
	return full
}

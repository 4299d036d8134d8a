package payment_test

import (
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

// An answer that says neither yes nor no nor later is a fault of the
// processor's, not a decline.
func TestNoAnswer(t *testing.T) {
	nothing, odd := payment.Answer{}, payment.Answer{Result: payment.PayerRequired + 1}
	captured := authorized(t).after(approve, capture(60_00))
	for _, test := range []struct {
		name   string
		desk   *desk
		c      payment.Command
		answer payment.Answer
	}{
		{"authorization", created(t), payment.Authorize{}, nothing},
		{"authorization, unheard of", created(t), payment.Authorize{}, odd},
		{"capture", authorized(t), capture(1), nothing},
		{"capture that wants the payer", authorized(t), capture(1), askPayer},
		{"void", authorized(t), void(1), nothing},
		{"void that wants the payer", authorized(t), void(1), askPayer},
		{"cancel", authorized(t), payment.Cancel{}, nothing},
		{"refund", captured, refund(1), nothing},
		{"refund that wants the payer", captured, refund(1), askPayer},
		{"capture, later", authorized(t).after(unknown, capture(1)), payment.Resolve{Operation: 2, Answer: nothing}, nothing},
		{"void, later", authorized(t).after(unknown, void(1)), payment.Resolve{Operation: 2, Answer: askPayer}, nothing},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := test.desk.says(test.answer)
			got, err := payment.Decide(d.p, test.c, payment.Env{Now: d.now, Ask: d.ask})
			if err == nil || got.Events != nil || got.Payment != nil {
				t.Errorf("got %v, %+v", err, got.Events)
			}
		})
	}
}

// An answer counts once, and only for an operation that waits for it.
func TestResolve(t *testing.T) {
	captured := authorized(t).after(approve, capture(60_00))
	waiting := captured.fork().after(unknown, refund(50_00))
	of := func(operation int, a payment.Answer) payment.Resolve {
		return payment.Resolve{Operation: operation, Answer: a}
	}
	for _, test := range []struct {
		name string
		desk *desk
		c    payment.Resolve
		want string // "" is nothing
	}{
		{"authorization approved", created(t).after(unknown, payment.Authorize{}), of(1, approve), "authorized, held 10000, left 10000"},
		{"authorization declined", created(t).after(unknown, payment.Authorize{}), of(1, decline), "declined by decline"},
		{"the payer has to act after all", created(t).after(unknown, payment.Authorize{}), of(1, askPayer), "awaiting_payer, authorize 1 awaiting_payer"},
		{"capture approved", authorized(t).after(unknown, capture(60_00)), of(2, approve), "authorized, held 10000, captured 6000, left 4000"},
		{"void approved", authorized(t).after(unknown, void(60_00)), of(2, approve), "authorized, held 10000, voided 6000, left 4000"},
		{"cancel approved", authorized(t).after(unknown, payment.Cancel{}), of(2, approve), "voided by cancel, held 10000, voided 10000"},
		{"refund approved", waiting.fork(), of(3, approve), "authorized, held 10000, captured 6000, refunded 5000, left 4000"},
		{"refund declined", waiting.fork(), of(3, decline), "authorized, held 10000, captured 6000, left 4000"},

		{"still no answer", waiting.fork(), of(3, unknown), ""},
		{"a second answer", waiting.fork().after(approve, of(3, approve)), of(3, approve), ""},
		{"a second answer that says the opposite", waiting.fork().after(approve, of(3, approve)), of(3, decline), ""},
		{"an answer to what was answered at once", captured.fork(), of(2, decline), ""},
		{"an answer to the payer's turn", created(t).after(askPayer, payment.Authorize{}), of(1, approve), ""},
		{"an operation nobody knows", captured.fork(), of(9, approve), ""},
		{"no operation", captured.fork(), of(0, approve), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.desk.do(test.c)
			if test.want == "" {
				if got.Events != nil || got.Refusal != nil || got.Operation != 0 {
					t.Errorf("got %+v", got)
				}
				return
			}
			expect(t, got, test.want)
			if got.Operation != test.c.Operation {
				t.Errorf("operation %d", got.Operation)
			}
		})
	}
}

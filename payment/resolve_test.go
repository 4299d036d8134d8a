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

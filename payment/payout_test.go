package payment_test

import (
	"testing"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
)

func payout() payment.Create {
	return payment.Create{
		Intake:  intake(func(i *payment.Intake) { i.Method.Kind, i.Policy = payment.PayeeCard, payment.Policy{} }),
		Attempt: &payment.Attempt{Payout: true, Secret: payment.Secret{Number: "4200000000000000"}, Asked: payment.Asked{Dialect: "test"}},
	}
}

// A payout is one operation: money goes from the merchant to the card, without
// a hold, and nothing follows.
func TestPayout(t *testing.T) {
	for _, test := range []struct {
		name     string
		first    payment.Answer
		later    *payment.Answer
		status   payment.Status
		ended    payment.Ending
		merchant int64
	}{
		{"approved", approve, nil, payment.PaidOut, payment.EndedByPayout, -100_00},
		{"declined", decline, nil, payment.Declined, payment.EndedByDecline, 0},
		{"not answered", unknown, nil, payment.Authorizing, payment.Open, 0},
		{"approved later", unknown, &approve, payment.PaidOut, payment.EndedByPayout, -100_00},
		{"declined later", unknown, &decline, payment.Declined, payment.EndedByDecline, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDesk(t).after(test.first, payout())
			if len(d.asked) != 1 || d.asked[0].Kind != payment.OpPayout || d.asked[0].Amount != 100_00 || d.asked[0].Secret.Number == "" {
				t.Fatalf("the processor was asked %+v", d.asked)
			}
			if test.first.Result == payment.Pending && (len(d.timers) != 1 || d.timers[0].Kind != payment.ProcessorTimer) {
				t.Errorf("on the agenda is %+v", d.timers)
			}
			if test.later != nil {
				d.resolve(1, *test.later)
			}
			p := d.p
			if p.Status != test.status || p.Ended != test.ended || d.balance(ledger.Merchant) != test.merchant || d.balance(ledger.Acquirer) != -test.merchant || d.balance(ledger.Held) != 0 {
				t.Errorf("is %s, ended by %s, with %v", p.Status, p.Ended, d.books)
			}
			if p.Authorization() != nil || p.Captured != 0 || p.Refundable() != 0 {
				t.Errorf("%+v", p)
			}
			for _, c := range []payment.Command{
				payment.Capture{}, payment.Void{Amount: 1}, payment.Cancel{}, payment.Refund{}, payment.PayerAnswer{Approved: true}, payment.Authorize{},
			} {
				if got := d.do(c); got.Refusal == nil || len(got.Events) != 0 {
					t.Errorf("%T is not refused", c)
				}
			}
			described := payout().Intake
			described.Description = "A prize"
			if got := d.do(payment.Revise{Intake: described}); got.Refusal != nil || d.p.Description != "A prize" || d.p.Status != test.status {
				t.Errorf("its description cannot be changed: %+v", got.Refusal)
			}
			if got := d.in(1000 * time.Hour).do(payment.Expire{}); len(got.Events) != 0 {
				t.Errorf("it expired: %+v", got.Events)
			}
		})
	}
}

// The risk checks are about money that is taken: a payout is not put to them.
func TestPayoutIsNotScreened(t *testing.T) {
	d := newDesk(t)
	d.screen = func(payment.Instruction) payment.Answer { return decline }
	if d.do(payout()); d.p.Status != payment.PaidOut {
		t.Errorf("is %s", d.p.Status)
	}
}

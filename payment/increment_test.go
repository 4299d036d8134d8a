package payment_test

import (
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

// Which holds may be raised, and to what.
func TestIncrement(t *testing.T) {
	for _, test := range []struct {
		name   string
		before func(*desk)
		ask    payment.Increment
		guard  payment.Guard
		ok     bool
	}{
		{"to more", func(*desk) {}, payment.Increment{Amount: 150_00}, 0, true},
		{"to the same", func(*desk) {}, payment.Increment{Amount: 100_00}, payment.AmountTooSmall, false},
		{"to less", func(*desk) {}, payment.Increment{Amount: 99_99}, payment.AmountTooSmall, false},
		{"to what nobody can count", func(*desk) {}, payment.Increment{Amount: payment.MaxAmount + 1}, payment.AmountTooLarge, false},
		{"too often", func(d *desk) { d.do(payment.Increment{Amount: 101_00}) }, payment.Increment{Amount: 150_00, Most: 1}, payment.TooManyCaptures, false},
		{"after a capture", func(d *desk) { d.do(payment.Capture{Amount: 1}) }, payment.Increment{Amount: 150_00}, payment.NotCapturable, false},
		{"after a void", func(d *desk) { d.do(payment.Void{Amount: 1}) }, payment.Increment{Amount: 150_00}, payment.NotCapturable, false},
		{"after the deadline", func(d *desk) { d.in(8 * 24 * time.Hour) }, payment.Increment{Amount: 150_00}, payment.HoldOver, false},
		{"while another is pending", func(d *desk) {
			d.says(payment.Answer{Result: payment.Pending})
			d.do(payment.Increment{Amount: 101_00})
		}, payment.Increment{Amount: 150_00}, payment.OperationPending, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := authorized(t, func(i *payment.Intake) { i.Amount = 100_00 })
			test.before(d)
			got := d.do(test.ask)
			if test.ok != (got.Refusal == nil) || !test.ok && !got.Refusal.Has(test.guard) {
				t.Fatalf("%v", got.Refusal)
			}
			if test.ok && (d.p.Authorized != 150_00 || d.p.Amount != 150_00 || d.p.Remaining() != 150_00) {
				t.Errorf("%+v", d.p)
			}
		})
	}
}

// A declined increment changes nothing, and one that was pending counts once it
// is approved.
func TestIncrementAnswers(t *testing.T) {
	d := authorized(t)
	before := *d.p
	d.after(decline, payment.Increment{Amount: 150_00})
	if op := d.p.Op(2); op.Status != payment.OpFailed || d.p.Authorized != before.Authorized || d.p.Amount != before.Amount {
		t.Errorf("%+v", d.p)
	}
	d.after(unknown, payment.Increment{Amount: 130_00})
	if got := d.do(payment.Capture{Alongside: true, Amount: 1}); !got.Refusal.Has(payment.OperationPending) {
		t.Errorf("captured meanwhile: %v", got.Refusal)
	}
	d.resolve(3, approve)
	if d.p.Authorized != 130_00 || d.p.Remaining() != 130_00 {
		t.Errorf("%+v", d.p)
	}
}

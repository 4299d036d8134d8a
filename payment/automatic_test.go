package payment_test

import (
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

var auto = policy(func(p *payment.Policy) { p.AutoCapture = true })

func TestAutoCapture(t *testing.T) {
	fromCreation := policy(func(p *payment.Policy) { p.FromCreation = true })
	noHold := policy(func(p *payment.Policy) { p.HoldFor = 0 })
	least := policy(func(p *payment.Policy) { p.MinCapture = 100_01 })
	ends := policy(func(p *payment.Policy) { p.DeclinedCaptureEnds = true })
	ask := payment.Authorize{}
	runCaptures(t, []captureTest{
		{"everything", created(t, auto), ask, "captured by capture, held 10000, captured 10000"},
		{"where the hold lasts no time", created(t, auto, noHold), ask, "captured by capture, held 10000, captured 10000"},
		{"after the deadline that counts from the creation", created(t, auto, fromCreation).in(week), ask, "captured by capture, held 10000, captured 10000"},
		{"less than the least a capture may have", created(t, auto, least), ask, "captured by capture, held 10000, captured 10000"},
		{"where one capture is permitted", created(t, auto, captures(1)), ask, "captured by capture, held 10000, captured 10000"},
		{"after the payer's yes", created(t, auto).after(askPayer, ask), payment.PayerAnswer{Approved: true}, "captured by capture, held 10000, captured 10000"},
		{"after the processor's late yes", created(t, auto).after(unknown, ask), payment.Resolve{Operation: 1, Answer: approve}, "captured by capture, held 10000, captured 10000"},
		{"the capture is declined", created(t, auto).says(approve, decline), ask, "authorized, held 10000, left 10000"},
		{"the capture is declined, which ends it", created(t, auto, ends).says(approve, decline), ask, "declined by decline, held 10000, released 10000"},
		{"the capture is not answered", created(t, auto).says(approve, unknown), ask, "authorized, held 10000, capture 2 pending"},
		{"the capture is approved after the deadline", created(t, auto).says(approve, unknown).after(approve, ask).in(week), payment.Resolve{Operation: 2, Answer: approve}, "captured by capture, held 10000, captured 10000"},
	})
}

// The command that asked for the authorization has its answer when the
// automatic capture has, and not before.
func TestAutoCaptureIsPartOfTheCommand(t *testing.T) {
	mine, other := payment.Key{1}, payment.Key{2}
	check := func(got payment.Decision, pending bool, key payment.Key) {
		t.Helper()
		if got.Operation != 1 || got.Pending() != pending {
			t.Errorf("operation %d, pending %t", got.Operation, got.Pending())
		}
		if op := got.Payment.Pending(); pending && op.Key != key {
			t.Errorf("the answer to %s %d will look for the record of %v", op.Kind, op.Number, op.Key)
		}
	}

	d := newDesk(t)
	d.key = mine
	check(d.says(unknown).do(payment.Create{Intake: intake(auto), Attempt: &payment.Attempt{}}), true, mine)
	d.key = other
	check(d.says(unknown).resolve(1, approve), true, mine)
	check(d.resolve(2, approve), false, mine)

	d = created(t, auto)
	d.key = mine
	check(d.says(approve, unknown).do(payment.Authorize{}), true, mine)
	d.key = other
	check(d.resolve(2, decline), false, mine)
}

// Whatever waits for a processor keeps the key of the command that waits.
func TestKeyOfWhatWaits(t *testing.T) {
	captured := authorized(t).after(approve, capture(1))
	for _, test := range []struct {
		name string
		desk *desk
		c    payment.Command
	}{
		{"authorize", created(t), payment.Authorize{}},
		{"payer's answer", created(t).after(askPayer, payment.Authorize{}), payment.PayerAnswer{Approved: true}},
		{"capture", authorized(t), capture(1)},
		{"void", authorized(t), void(1)},
		{"cancel", authorized(t), payment.Cancel{}},
		{"refund", captured, refund(1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			mine := payment.Key{1, 2, 3}
			d := test.desk.fork()
			d.key = mine
			if got := d.says(unknown).do(test.c); !got.Pending() || got.Payment.Op(got.Operation).Key != mine {
				t.Errorf("pending %t, kept %v", got.Pending(), got.Payment.Op(got.Operation).Key)
			}
			d = test.desk.fork()
			d.key = mine
			if got := d.do(test.c); got.Pending() || got.Payment.Op(got.Operation).Key != (payment.Key{}) {
				t.Errorf("answered at once: pending %t, kept %v", got.Pending(), got.Payment.Op(got.Operation).Key)
			}
		})
	}
}

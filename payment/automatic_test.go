package payment_test

import (
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

var auto = policy(func(p *payment.Policy) { p.AutoCapture = true })

func TestAutoCapture(t *testing.T) {
	fromCreation := policy(func(p *payment.Policy) { p.FromCreation = true })
	noHold := policy(func(p *payment.Policy) { p.HoldFor = 0 })
	least := policy(func(p *payment.Policy) { p.MinCapture = 100_01 })
	ends := policy(func(p *payment.Policy) { p.DeclinedCaptureEnds = true })
	ask := payment.Authorize{}
	play(t, []scene{
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

func TestScheduledCapture(t *testing.T) {
	at := func(wait time.Duration) func(*payment.Intake) {
		return policy(func(p *payment.Policy) { p.CaptureAt = noon.Add(wait) })
	}
	tomorrow := at(24 * time.Hour)
	only := policy(func(p *payment.Policy) { p.ScheduledOnly = true })
	twenty := policy(func(p *payment.Policy) { p.FeePercent = 20 })
	fee := func(i *payment.Intake) { i.Fee = 20_00 }
	ends := policy(func(p *payment.Policy) { p.DeclinedCaptureEnds = true })
	least := policy(func(p *payment.Policy) { p.MinCapture = 50_00 })
	timer := payment.Capture{Scheduled: true, Final: true}
	waiting := authorized(t, tomorrow).after(unknown, void(30_00)).in(week)
	play(t, []scene{
		{"everything", authorized(t, tomorrow).in(24 * time.Hour), timer, "captured by capture, held 10000, captured 10000"},
		{"what is left", authorized(t, tomorrow).after(approve, capture(60_00)).in(24 * time.Hour), timer, "captured by capture, held 10000, captured 10000"},
		{"what is left, below the least amount", authorized(t, tomorrow, least).after(approve, capture(60_00)).in(24 * time.Hour), timer, "captured by capture, held 10000, captured 10000"},
		{"by hand before", authorized(t, tomorrow), capture(60_00), "authorized, held 10000, captured 6000, left 4000"},
		{"by hand before, where that is not permitted", authorized(t, tomorrow, only), capture(60_00), "scheduled_capture"},
		{"by schedule, where nothing else is permitted", authorized(t, tomorrow, only).in(24 * time.Hour), timer, "captured by capture, held 10000, captured 10000"},
		{"of a captured payment", authorized(t, tomorrow).after(approve, final(60_00)).in(24 * time.Hour), timer, "captured by capture, held 10000, captured 6000, released 4000"},
		{"of a voided payment", authorized(t, tomorrow).after(approve, void(0)).in(24 * time.Hour), timer, "voided by void, held 10000, voided 10000"},
		{"of a payment that was not authorized", created(t, tomorrow).after(decline, payment.Authorize{}).in(24 * time.Hour), timer, "declined by decline"},
		{"declined", authorized(t, tomorrow).in(24 * time.Hour).says(decline), timer, "authorized, held 10000, left 10000"},
		{"declined, which ends it", authorized(t, tomorrow, ends).in(24 * time.Hour).says(decline), timer, "declined by decline, held 10000, released 10000"},
		{"with a fee that has become too large", authorized(t, tomorrow, twenty, fee).after(approve, void(50_00)).in(24 * time.Hour), timer, "captured by capture, held 10000, captured 5000, voided 5000"},

		{"served late, after the deadline", authorized(t, tomorrow).in(2 * week), timer, "captured by capture, held 10000, captured 10000"},
		{"served late, and declined", authorized(t, tomorrow).in(2 * week).says(decline), timer, "expired by deadline, held 10000, released 10000"},
		{"at the deadline", authorized(t, at(week)).in(week), timer, "captured by capture, held 10000, captured 10000"},
		{"after the deadline", authorized(t, at(week+time.Millisecond)).in(2 * week), timer, "expired by deadline, held 10000, released 10000"},
		{"the deadline is served first", authorized(t, tomorrow).in(2 * week), payment.Expire{}, "authorized, held 10000, left 10000"},
		{"by hand after the deadline", authorized(t, tomorrow).in(2 * week), capture(1), "hold_over"},
		{"voided after the deadline", authorized(t, tomorrow).in(2 * week), void(1), "hold_over"},
		{"the deadline, after it was declined", authorized(t, tomorrow).in(24*time.Hour).after(decline, timer).in(week), payment.Expire{}, "expired by deadline, held 10000, released 10000"},
		{"the deadline, after one by hand", authorized(t, tomorrow).after(approve, capture(1)).in(2 * week), payment.Expire{}, "authorized, held 10000, captured 1, left 9999"},
		{"while another waits", waiting.fork(), timer, "operation_pending"},
		{"after the other was answered", waiting.fork().after(approve, payment.Resolve{Operation: 2, Answer: approve}), timer, "captured by capture, held 10000, captured 7000, voided 3000"},
	})
	bounded := authorized(t, tomorrow, twenty, fee).after(approve, void(50_00)).in(24*time.Hour).after(approve, timer)
	if fee := bounded.p.Op(3).Fee; fee != 10_00 {
		t.Errorf("the fee is %d, want the bound of 20 percent", fee)
	}
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

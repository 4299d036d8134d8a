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
		{"twice", authorized(t, tomorrow).in(24*time.Hour).after(decline, timer), timer, "authorized, held 10000, left 10000"},
		{"before its time", authorized(t, tomorrow).in(24*time.Hour - time.Millisecond), timer, "authorized, held 10000, left 10000"},
		{"without a schedule", authorized(t), timer, "authorized, held 10000, left 10000"},
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

// What is to be captured of a hold may be revised until something is.
func TestRevisedPlan(t *testing.T) {
	plan := func(change func(*payment.Intake)) func(*desk) payment.Revise {
		return func(d *desk) payment.Revise {
			i := d.p.Intake
			change(&i)
			return payment.Revise{Intake: i, OfHold: true}
		}
	}
	amount := func(minor int64) func(*desk) payment.Revise {
		return plan(func(i *payment.Intake) { i.Amount = minor })
	}
	fee := func(minor int64) func(*desk) payment.Revise {
		return plan(func(i *payment.Intake) { i.Fee = minor })
	}
	twenty := policy(func(p *payment.Policy) { p.FeePercent = 20 })
	least := policy(func(p *payment.Policy) { p.MinCapture = 1_00 })
	for _, test := range []struct {
		name   string
		desk   *desk
		revise func(*desk) payment.Revise
		want   string // if it is refused
		then   string // what a final capture that names no amount makes of it
	}{
		{"less", authorized(t), amount(80_00), "", "captured by capture, held 10000, captured 8000, released 2000"},
		{"as much as is held", authorized(t), amount(100_00), "", "captured by capture, held 10000, captured 10000"},
		{"more than is held", authorized(t), amount(100_01), "amount_too_large (at most 10000)", ""},
		{"more than is held, within the policy", authorized(t, over(120)), amount(120_00), "", "captured by capture, held 10000, extended 2000, captured 12000"},
		{"more than the policy allows", authorized(t, over(120)), amount(120_01), "amount_too_large (at most 12000)", ""},
		{"the least", authorized(t, least), amount(1_00), "", "captured by capture, held 10000, captured 100, released 9900"},
		{"less than the least", authorized(t, least), amount(99), "amount_too_small (at least 100)", ""},
		{"nothing", authorized(t), amount(0), "amount_too_small (at least 1)", ""},
		{"less, and then there is less still", authorized(t).after(approve, void(30_00)), amount(80_00), "amount_too_large (at most 7000)", ""},
		{"what a void left", authorized(t).after(approve, void(30_00)), amount(70_00), "", "captured by capture, held 10000, captured 7000, voided 3000"},
		{"after a declined capture", authorized(t).after(decline, capture(1)), amount(80_00), "", "captured by capture, held 10000, captured 8000, released 2000"},
		{"after a capture", authorized(t).after(approve, capture(1)), amount(80_00), "not_created", ""},
		{"while a capture waits", authorized(t).after(unknown, capture(1)), amount(80_00), "not_created", ""},
		{"while a void waits", authorized(t).after(unknown, void(1)), amount(80_00), "not_created", ""},
		{"at the deadline", authorized(t).in(week), amount(80_00), "not_created", ""},
		{"a fee", authorized(t), fee(10_00), "", "captured by capture, held 10000, captured 10000"},
		{"a fee above the bound", authorized(t, twenty), fee(20_01), "fee_too_large", ""},
		{"a fee after a capture", authorized(t).after(approve, capture(1)), fee(1), "not_created", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.desk.do(test.revise(test.desk))
			if test.want != "" {
				expect(t, got, test.want)
				return
			}
			if got.Refusal != nil {
				t.Fatalf("refused: %s", outcome(got))
			}
			got = test.desk.do(payment.Capture{Final: true})
			expect(t, got, test.then)
			if op := got.Payment.Op(got.Operation); op.Fee != got.Payment.Fee {
				t.Errorf("the fee is %d, want %d", op.Fee, got.Payment.Fee)
			}
		})
	}

	tip := authorized(t, over(120))
	tip.do(amount(120_00)(tip))
	expect(t, tip.fork().do(payment.Capture{NoOverCapture: true}), "captured by capture, held 10000, captured 10000")
	tip.do(void(30_00))
	expect(t, tip.do(payment.Capture{}), "captured by capture, held 10000, extended 2000, captured 9000, voided 3000")
	more := authorized(t, over(120))
	more.do(amount(120_00)(more))
	expect(t, more.after(approve, capture(30_00)).do(payment.Capture{}), "captured by capture, held 10000, captured 10000")
	less := authorized(t)
	less.do(amount(80_00)(less))
	expect(t, less.fork().after(approve, capture(90_00)).do(payment.Capture{}), "captured by capture, held 10000, captured 10000")
	less.do(void(30_00))
	expect(t, less.do(payment.Capture{}), "captured by capture, held 10000, captured 7000, voided 3000")
}

func TestRevisedSchedule(t *testing.T) {
	day := 24 * time.Hour
	timer := payment.Capture{Scheduled: true, Final: true}
	at := func(d *desk, when time.Time) payment.Decision {
		i := d.p.Intake
		i.Policy.CaptureAt = when
		return d.do(payment.Revise{Intake: i, OfHold: true})
	}
	d := authorized(t, policy(func(p *payment.Policy) { p.CaptureAt = noon.Add(day) }))
	got := at(d, noon.Add(2*day))
	if len(got.Timers) != 1 || got.Timers[0].Kind != payment.CaptureTimer || !got.Timers[0].Due.Equal(noon.Add(2*day)) {
		t.Errorf("timers: %+v", got.Timers)
	}
	if again := at(d, noon.Add(2*day).In(time.FixedZone("CET", 3600))); len(again.Timers) != 0 {
		t.Errorf("the same moment again sets %+v", again.Timers)
	}
	expect(t, d.in(day).do(timer), "authorized, held 10000, left 10000")
	expect(t, d.in(day-time.Millisecond).do(timer), "authorized, held 10000, left 10000")
	expect(t, d.fork().in(time.Millisecond).do(timer), "captured by capture, held 10000, captured 10000")

	if none := at(d, time.Time{}); len(none.Timers) != 0 {
		t.Errorf("no schedule sets %+v", none.Timers)
	}
	expect(t, d.in(day).do(timer), "authorized, held 10000, left 10000")
	if got := at(created(t), noon.Add(day)); len(got.Timers) != 0 {
		t.Errorf("without a hold it sets %+v", got.Timers)
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
			if !d.p.Waits(mine) || d.p.Waits(payment.Key{}) {
				t.Error("it does not say that it waits for the command")
			}
			if d.resolve(d.p.Pending().Number, approve); d.p.Waits(mine) {
				t.Error("it waits though it was answered")
			}
			d = test.desk.fork()
			d.key = mine
			if got := d.do(test.c); got.Pending() || got.Payment.Op(got.Operation).Key != (payment.Key{}) {
				t.Errorf("answered at once: pending %t, kept %v", got.Pending(), got.Payment.Op(got.Operation).Key)
			}
		})
	}
}

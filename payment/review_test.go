package payment_test

import (
	"errors"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

var (
	passed = payment.Review{Passed: true, Note: "alice: known"}
	failed = payment.Review{Note: "alice: stolen"}
)

// inReview is a hold of 100.00 dollars, made at noon, that an operator has to
// look at before anything is captured.
func inReview(t fataler, change ...func(*payment.Intake)) *desk {
	d := newDesk(t)
	d.flagged = true
	change = append(change, policy(func(p *payment.Policy) { p.ReviewsHold = true }))
	d.do(payment.Create{Intake: intake(change...), Attempt: &payment.Attempt{}})
	d.flagged = false
	return d
}

func TestReview(t *testing.T) {
	tomorrow := policy(func(p *payment.Policy) { p.CaptureAt = noon.Add(24 * time.Hour) })
	captureAt := payment.Capture{Scheduled: true, Final: true}
	day := 24 * time.Hour
	let := func(d *desk) *desk { return d.after(approve, passed) }
	turned := inReview(t).after(unknown, failed)
	play(t, []scene{
		{"is not captured", inReview(t), capture(1), "not_capturable"},
		{"is not captured at once", inReview(t, auto), payment.Expire{}, "authorized, held 10000, left 10000, review in_review"},
		{"is not captured as planned", inReview(t, tomorrow).in(day), captureAt, "authorized, held 10000, left 10000, review in_review"},
		{"is not raised", inReview(t), payment.Increment{Amount: 200_00}, "not_capturable"},
		{"is voided", inReview(t), void(0), "voided by void, held 10000, voided 10000, review in_review"},
		{"is cancelled", inReview(t), payment.Cancel{}, "voided by cancel, held 10000, voided 10000, review in_review"},
		{"expires", inReview(t).in(week), payment.Expire{}, "expired by deadline, held 10000, released 10000, review in_review"},
		{"expires, though it is planned", inReview(t, tomorrow).in(week), payment.Expire{}, "expired by deadline, held 10000, released 10000, review in_review"},
		{"expires, though it was to be captured at once", inReview(t, auto).in(week), payment.Expire{}, "expired by deadline, held 10000, released 10000, review in_review"},

		{"passes", inReview(t), passed, "authorized, held 10000, left 10000, review passed"},
		{"passes, and is captured", let(inReview(t)), capture(60_00), "authorized, held 10000, captured 6000, left 4000, review passed"},
		{"passes, and is captured at once", inReview(t, auto), passed, "captured by capture, held 10000, captured 10000, review passed"},
		{"passes, and the capture waits", inReview(t, auto).says(unknown), passed, "authorized, held 10000, capture 2 pending, review passed"},
		{"passes, and the capture is declined", inReview(t, auto).says(decline), passed, "authorized, held 10000, left 10000, review passed"},
		{"passes in time for what is planned", let(inReview(t, tomorrow)).in(day), captureAt, "captured by capture, held 10000, captured 10000, review passed"},
		{"passes late for what was planned", let(inReview(t, tomorrow).in(2 * day)), captureAt, "captured by capture, held 10000, captured 10000, review passed"},
		{"passes at the deadline", inReview(t).in(week), passed, "not_capturable, hold_over"},
		{"passes twice", let(inReview(t)), passed, "not_capturable"},
		{"passes after it failed", turned.fork(), passed, "operation_pending, not_capturable"},
		{"passes though nobody has to look", authorized(t), passed, "not_capturable"},
		{"passes before there is a hold", created(t), passed, "not_capturable"},
		{"passes after it was voided", inReview(t).after(approve, void(0)), passed, "not_capturable"},
		{"passes after a part was voided", inReview(t, auto).after(approve, void(40_00)), passed, "captured by capture, held 10000, captured 6000, voided 4000, review passed"},
		{"passes while a void waits", inReview(t).after(unknown, void(1)), passed, "operation_pending"},

		{"fails", inReview(t), failed, "voided by review, held 10000, voided 10000, review failed"},
		{"fails, after a part was voided", inReview(t).after(approve, void(40_00)), failed, "voided by review, held 10000, voided 10000, review failed"},
		{"fails, and the processor does not answer", inReview(t).says(unknown), failed, "authorized, held 10000, void 2 pending, review failed"},
		{"answers late", turned.fork(), payment.Resolve{Operation: 2, Answer: approve}, "voided by review, held 10000, voided 10000, review failed"},
		{"answers no", turned.fork(), payment.Resolve{Operation: 2, Answer: decline}, "authorized, held 10000, left 10000, review failed"},
		{"answers too late", turned.fork().in(week), payment.Resolve{Operation: 2, Answer: decline}, "expired by deadline, held 10000, released 10000, review failed"},
		{"is not captured after it failed", inReview(t).after(decline, failed), capture(1), "not_capturable"},
		{"is turned down again", inReview(t).after(decline, failed), failed, "voided by review, held 10000, voided 10000, review failed"},
		{"is not let go on again", inReview(t).after(decline, failed), passed, "not_capturable"},
		{"is cancelled after it failed", inReview(t).after(decline, failed), payment.Cancel{}, "voided by cancel, held 10000, voided 10000, review failed"},
		{"fails after it passed", let(inReview(t)), failed, "not_capturable"},
		{"fails while it waits to be voided", turned.fork(), failed, "operation_pending"},
	})
}

// Who is to be looked at is known from the last time that he was judged, and
// only policies that say so hold up.
func TestWhatIsReviewed(t *testing.T) {
	holds := policy(func(p *payment.Policy) { p.ReviewsHold, p.RetryDeclined, p.PayerDeadline = true, true, time.Hour })
	flagged := func(d *desk, c payment.Command) payment.Decision {
		d.flagged = true
		return d.do(c)
	}
	play := func(name string, got payment.Decision, want string) {
		t.Run(name, func(t *testing.T) { expect(t, got, want) })
	}
	play("where nothing is held up", flagged(created(t), payment.Authorize{}), "authorized, held 10000, left 10000")
	play("a capture", flagged(authorized(t, holds), capture(1)), "authorized, held 10000, captured 1, left 9999")
	play("declined", flagged(created(t, holds).says(decline), payment.Authorize{}), "created")

	again := created(t, holds).says(decline)
	flagged(again, payment.Authorize{})
	again.flagged = false
	play("another attempt is judged anew", again.do(payment.Authorize{}), "authorized, held 10000, left 10000")

	late := created(t, holds).says(unknown)
	flagged(late, payment.Authorize{})
	late.flagged = false
	play("answered later", late.resolve(1, approve), "authorized, held 10000, left 10000, review in_review")

	payer := created(t, holds).says(askPayer)
	payer.do(payment.Authorize{})
	payer.says(unknown)
	flagged(payer, payment.PayerAnswer{Approved: true})
	payer.flagged = false
	play("judged again after the payer has acted", payer.resolve(1, approve), "authorized, held 10000, left 10000, review in_review")

	if got := inReview(t).do(payment.Revise{OfHold: true, Intake: intake(policy(func(p *payment.Policy) { p.ReviewsHold = true }), func(i *payment.Intake) { i.Amount = 1 })}); !got.Refusal.Has(payment.NotCreated) {
		t.Errorf("what is to be captured was revised: %s", outcome(got))
	}
}

func TestReviewed(t *testing.T) {
	for want, d := range map[string]*desk{
		"":          authorized(t),
		"in_review": inReview(t),
		"passed":    inReview(t).after(approve, passed),
		"failed":    inReview(t).after(approve, failed),
		"undecided": inReview(t).in(week).after(approve, payment.Expire{}),
	} {
		if got := d.p.Reviewed(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A planned capture, whose timer may have fired during the review, is put on the
// agenda again; the operator's words are in the history.
func TestReviewPutsOff(t *testing.T) {
	d := inReview(t, policy(func(p *payment.Policy) { p.CaptureAt = noon.Add(time.Hour) })).in(2 * time.Hour)
	got := d.do(passed)
	if len(got.Timers) != 1 || got.Timers[0].Kind != payment.CaptureTimer || !got.Timers[0].Due.Equal(d.now) || got.Operation != 1 {
		t.Errorf("on the agenda: %+v, operation %d", got.Timers, got.Operation)
	}
	if e := got.Events[0]; e.Kind != payment.HoldPassed || e.Answer.Message != passed.Note {
		t.Errorf("the history says %+v", e)
	}
	planned := noon.Add(time.Hour) // its timer may be gone, if the clock was set back during the review
	early := inReview(t, policy(func(p *payment.Policy) { p.CaptureAt = planned })).do(passed)
	if len(early.Timers) != 1 || early.Timers[0].Kind != payment.CaptureTimer || !early.Timers[0].Due.Equal(planned) {
		t.Errorf("before its time: %+v", early.Timers)
	}
	for name, test := range map[string]struct {
		desk *desk
		e    payment.Event
	}{
		"passed twice":                  {inReview(t).after(approve, passed), payment.Event{Kind: payment.HoldPassed}},
		"passed after it failed":        {inReview(t).after(decline, failed), payment.Event{Kind: payment.HoldPassed}},
		"rejected after it passed":      {inReview(t).after(approve, passed), payment.Event{Kind: payment.HoldRejected}},
		"passed without being flagged":  {authorized(t), payment.Event{Kind: payment.HoldPassed}},
		"rejected after it was voided":  {inReview(t).after(approve, void(0)), payment.Event{Kind: payment.HoldRejected}},
		"rejected before there was any": {created(t), payment.Event{Kind: payment.HoldRejected}},
	} {
		if _, err := clonePayment(test.desk.p).Apply(test.e); !errors.Is(err, payment.ErrIllegal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

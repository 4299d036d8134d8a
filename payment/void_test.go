package payment_test

import (
	"math"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

func void(minor int64) payment.Void { return payment.Void{Amount: minor} }

func TestVoid(t *testing.T) {
	captured := authorized(t).after(approve, capture(60_00))
	play(t, []scene{
		{"everything", authorized(t), void(0), "voided by void, held 10000, voided 10000"},
		{"everything by name", authorized(t), void(100_00), "voided by void, held 10000, voided 10000"},
		{"a part", authorized(t), void(30_00), "authorized, held 10000, voided 3000, left 7000"},
		{"the rest", authorized(t).after(approve, void(30_00)), void(70_00), "voided by void, held 10000, voided 10000"},
		{"one too many", authorized(t), void(100_01), "amount_too_large (at most 10000)"},
		{"what a dialect makes of 10^30", authorized(t), void(math.MaxInt64), "amount_too_large (at most 10000)"},
		{"less than nothing", authorized(t), void(-1), "amount_too_small (at least 1)"},
		{"everything, whatever the amount", authorized(t), payment.Void{Amount: 1, All: true}, "voided by void, held 10000, voided 10000"},
		{"everything, but the amount is too large", authorized(t), payment.Void{Amount: 100_01, All: true}, "amount_too_large (at most 10000)"},
		{"everything that a capture left", captured.fork(), payment.Void{Amount: 40_00, All: true}, "captured by void, held 10000, captured 6000, voided 4000"},
		{"a part of what a capture left", captured.fork(), void(10_00), "authorized, held 10000, captured 6000, voided 1000, left 3000"},
		{"what a capture left", captured.fork(), void(0), "captured by void, held 10000, captured 6000, voided 4000"},
		{"one more than a capture left", captured.fork(), void(40_01), "amount_too_large (at most 4000)"},
		{"over-capture makes no room", authorized(t, over(120)), void(100_01), "amount_too_large (at most 10000)"},
		{"in another currency", authorized(t), payment.Void{Currency: "EUR"}, "currency_mismatch"},
		{"in the right currency", authorized(t), payment.Void{Currency: "USD"}, "voided by void, held 10000, voided 10000"},
		{"without an authorization", created(t), void(1), "not_voidable, amount_too_large (at most 0)"},
		{"of a captured payment", authorized(t).after(approve, capture(0)), void(0), "not_voidable, amount_too_small (at least 1)"},
		{"twice", authorized(t).after(approve, void(0)), void(0), "not_voidable, amount_too_small (at least 1)"},
		{"on the last instant", authorized(t).in(week - time.Millisecond), void(0), "voided by void, held 10000, voided 10000"},
		{"at expiry", authorized(t).in(week), void(1), "not_voidable, hold_over, amount_too_large (at most 0)"},
		{"declined", authorized(t).says(decline), void(0), "authorized, held 10000, left 10000"},
		{"not answered", authorized(t).says(unknown), void(30_00), "authorized, held 10000, left 7000, void 2 pending"},
	})
}

func TestPendingVoid(t *testing.T) {
	waiting := authorized(t).after(unknown, void(0))
	yes, no := payment.Resolve{Operation: 2, Answer: approve}, payment.Resolve{Operation: 2, Answer: decline}
	part := authorized(t).after(unknown, void(30_00))
	play(t, []scene{
		{"approved", waiting.fork(), yes, "voided by void, held 10000, voided 10000"},
		{"declined", waiting.fork(), no, "authorized, held 10000, left 10000"},
		{"a part approved", part.fork(), yes, "authorized, held 10000, voided 3000, left 7000"},
		{"the deadline waits", waiting.fork().in(week), payment.Expire{}, "authorized, held 10000, void 2 pending"},
		{"approved after the deadline", waiting.fork().in(week), yes, "voided by void, held 10000, voided 10000"},
		{"declined after the deadline", waiting.fork().in(week), no, "expired by deadline, held 10000, released 10000"},
		{"a part approved after the deadline", part.fork().in(week), yes, "expired by deadline, held 10000, voided 3000, released 7000"},
		{"a capture meanwhile", waiting.fork(), capture(1), "operation_pending, amount_too_large (at most 0)"},
		{"another void meanwhile", part.fork(), void(1), "operation_pending"},
		{"another void alongside", part.fork(), payment.Void{Amount: 1, Alongside: true}, "authorized, held 10000, voided 1, left 6999, void 2 pending"},
		{"another void alongside, at expiry", part.fork().in(week), payment.Void{Amount: 1, Alongside: true}, "hold_over"},
	})
}

// A cancel that waits for its processor has reserved all that is left.
func TestPendingCancel(t *testing.T) {
	waiting := authorized(t).after(unknown, payment.Cancel{})
	play(t, []scene{
		{"approved", waiting.fork(), payment.Resolve{Operation: 2, Answer: approve}, "voided by cancel, held 10000, voided 10000"},
		{"declined", waiting.fork(), payment.Resolve{Operation: 2, Answer: decline}, "authorized, held 10000, left 10000"},
		{"declined after the deadline", waiting.fork().in(week), payment.Resolve{Operation: 2, Answer: decline}, "expired by deadline, held 10000, released 10000"},
		{"again", waiting.fork(), payment.Cancel{}, "operation_pending"},
		{"a capture alongside", waiting.fork(), alongside(1), "amount_too_large (at most 0)"},
		{"a void alongside", waiting.fork(), payment.Void{Amount: 1, Alongside: true}, "amount_too_large (at most 0)"},
	})
	if op := waiting.p.Op(2); op.Kind != payment.OpCancel || op.Amount != 100_00 {
		t.Errorf("the operation is a %s of %d", op.Kind, op.Amount)
	}
}

func TestDuplicateVoid(t *testing.T) {
	once := authorized(t).after(approve, void(10_00))
	again := payment.Void{Amount: 10_00, DuplicateWithin: 30 * time.Second}
	play(t, []scene{
		{"after 30 seconds", once.fork().in(30 * time.Second), again, "duplicate_operation"},
		{"after 30.001 seconds", once.fork().in(30_001 * time.Millisecond), again, "authorized, held 10000, voided 2000, left 8000"},
		{"where nobody minds", once.fork(), void(10_00), "authorized, held 10000, voided 2000, left 8000"},
		{"of a capture", authorized(t).after(approve, capture(10_00)), again, "authorized, held 10000, captured 1000, voided 1000, left 8000"},
	})
}

func TestCancel(t *testing.T) {
	cancel, rest := payment.Cancel{}, payment.Cancel{Rest: true}
	soon := policy(func(p *payment.Policy) { p.CancelFor = 90 * time.Minute })
	captured := authorized(t).after(approve, capture(60_00))
	voided := authorized(t).after(approve, void(30_00))
	awaiting := created(t, policy(func(p *payment.Policy) { p.PayerDeadline = time.Hour })).after(askPayer, payment.Authorize{})
	play(t, []scene{
		{"before the authorization", created(t), cancel, "voided by cancel"},
		{"after a decline", declinedOnce(t), cancel, "voided by cancel"},
		{"while the payer is awaited", awaiting.fork(), cancel, "voided by cancel"},
		{"while the payer is awaited, too late", awaiting.fork().in(time.Hour), cancel, "not_cancellable, hold_over"},
		{"while the processor is awaited", created(t).after(unknown, payment.Authorize{}), cancel, "operation_pending, not_cancellable"},
		{"a hold", authorized(t), cancel, "voided by cancel, held 10000, voided 10000"},
		{"a hold on its last instant", authorized(t).in(week - time.Millisecond), cancel, "voided by cancel, held 10000, voided 10000"},
		{"a hold at expiry", authorized(t).in(week), cancel, "not_cancellable, hold_over"},
		{"after a capture", captured.fork(), cancel, "not_cancellable"},
		{"the rest after a capture", captured.fork(), rest, "captured by cancel, held 10000, captured 6000, voided 4000"},
		{"after a void", voided.fork(), cancel, "not_cancellable"},
		{"the rest after a void", voided.fork(), rest, "voided by cancel, held 10000, voided 10000"},
		{"a captured payment", authorized(t).after(approve, capture(0)), rest, "not_cancellable"},
		{"twice", authorized(t).after(approve, cancel), cancel, "not_cancellable"},
		{"just in time", authorized(t, soon).in(90*time.Minute - time.Millisecond), cancel, "voided by cancel, held 10000, voided 10000"},
		{"90 minutes later", authorized(t, soon).in(90 * time.Minute), cancel, "not_cancellable"},
		{"a payment without a hold, 90 minutes later", created(t, soon).in(90 * time.Minute), cancel, "voided by cancel"},
		{"declined", authorized(t).says(decline), cancel, "authorized, held 10000, left 10000"},
		{"while a capture waits", authorized(t).after(unknown, capture(1)), cancel, "operation_pending"},
		{"while a capture waits, at expiry", authorized(t).after(unknown, capture(1)).in(week), cancel, "operation_pending, hold_over"},
	})
}

package payment_test

import (
	"math"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
)

func capture(minor int64) payment.Capture { return payment.Capture{Amount: minor} }

func final(minor int64) payment.Capture { return payment.Capture{Amount: minor, Final: true} }

func alongside(minor int64) payment.Capture { return payment.Capture{Amount: minor, Alongside: true} }

func over(percent int64) func(*payment.Intake) {
	return policy(func(p *payment.Policy) { p.OverCapture = percent })
}

func captures(most int) func(*payment.Intake) {
	return policy(func(p *payment.Policy) { p.MaxCaptures = most })
}

func TestCaptureAmount(t *testing.T) {
	play(t, []scene{
		{"everything", authorized(t), capture(0), "captured by capture, held 10000, captured 10000"},
		{"the exact amount", authorized(t), capture(100_00), "captured by capture, held 10000, captured 10000"},
		{"a part", authorized(t), capture(60_00), "authorized, held 10000, captured 6000, left 4000"},
		{"a part, and no more", authorized(t), final(60_00), "captured by capture, held 10000, captured 6000, released 4000"},
		{"the least", authorized(t), capture(1), "authorized, held 10000, captured 1, left 9999"},
		{"all but the least", authorized(t), capture(99_99), "authorized, held 10000, captured 9999, left 1"},
		{"one too many", authorized(t), capture(100_01), "amount_too_large (at most 10000)"},
		{"what a dialect makes of 10^30", authorized(t), capture(math.MaxInt64), "amount_too_large (at most 10000)"},
		{"less than nothing", authorized(t), capture(-1), "amount_too_small (at least 1)"},
		{"as far below nothing as can be", authorized(t), capture(math.MinInt64), "amount_too_small (at least 1)"},
		{"the rest by name", authorized(t).after(approve, capture(60_00)), capture(40_00), "captured by capture, held 10000, captured 10000"},
		{"the rest without a name", authorized(t).after(approve, capture(60_00)), capture(0), "captured by capture, held 10000, captured 10000"},
		{"one more than the rest", authorized(t).after(approve, capture(60_00)), capture(40_01), "amount_too_large (at most 4000)"},
		{"what a void left", authorized(t).after(approve, payment.Void{Amount: 30_00}), capture(0), "captured by capture, held 10000, captured 7000, voided 3000"},
		{"one more than a void left", authorized(t).after(approve, payment.Void{Amount: 30_00}), capture(70_01), "amount_too_large (at most 7000)"},
		{"of a captured payment", authorized(t).after(approve, capture(0)), capture(0), "not_capturable, amount_too_small (at least 1)"},
		{"a part of a captured payment", authorized(t).after(approve, final(1)), capture(1), "not_capturable, amount_too_large (at most 0)"},
		{"of a voided payment", authorized(t).after(approve, payment.Void{}), capture(1), "not_capturable, amount_too_large (at most 0)"},
		{"everything, without an authorization", created(t), capture(0), "not_capturable, amount_too_small (at least 1)"},
		{"without an authorization", created(t), capture(1), "not_capturable, amount_too_large (at most 0)"},
		{"in the right currency", authorized(t), payment.Capture{Currency: "USD"}, "captured by capture, held 10000, captured 10000"},
		{"in another currency", authorized(t), payment.Capture{Currency: "EUR"}, "currency_mismatch"},
	})
}

// A capture says what was given back of the hold by it.
func TestReleasedByCapture(t *testing.T) {
	d := authorized(t).after(approve, capture(10_00)).after(unknown, final(50_00))
	d.resolve(3, approve)
	if first, last := d.p.Op(2).Released, d.p.Op(3).Released; first != 0 || last != 40_00 || d.p.Released != 40_00 {
		t.Errorf("the first released %d, the last %d, together %d", first, last, d.p.Released)
	}
}

func TestCaptureBounds(t *testing.T) {
	least := policy(func(p *payment.Policy) { p.MinCapture = 1_00 })
	twice := authorized(t).after(approve, capture(1)).after(approve, capture(1))
	play(t, []scene{
		{"the least the policy allows", authorized(t, least), capture(1_00), "authorized, held 10000, captured 100, left 9900"},
		{"less than the policy allows", authorized(t, least), capture(99), "amount_too_small (at least 100)"},
		{"less than the capturing dialect allows", authorized(t), payment.Capture{Amount: 99, MinCapture: 1_00}, "amount_too_small (at least 100)"},
		{"the dialect may not go below the policy", authorized(t, least), payment.Capture{Amount: 99, MinCapture: 1}, "amount_too_small (at least 100)"},
		{"a rest below the least", authorized(t, least).after(approve, capture(99_50)), capture(0), "amount_too_small (at least 100)"},

		{"the most the caller may capture at once", authorized(t), payment.Capture{Amount: 50_00, MaxAmount: 50_00}, "authorized, held 10000, captured 5000, left 5000"},
		{"more than the caller may capture at once", authorized(t), payment.Capture{Amount: 50_01, MaxAmount: 50_00}, "above_maximum"},
		{"all is more than the caller may capture at once", authorized(t), payment.Capture{MaxAmount: 50_00}, "above_maximum"},
		{"as many as the caller may have", twice.fork(), payment.Capture{Amount: 1, MaxCaptures: 3}, "authorized, held 10000, captured 3, left 9997"},
		{"more than the caller may have", twice.fork(), payment.Capture{Amount: 1, MaxCaptures: 2}, "too_many_captures"},

		{"the only capture permitted", authorized(t, captures(1)), capture(60_00), "captured by capture, held 10000, captured 6000, released 4000"},
		{"the first of two", authorized(t, captures(2)), capture(60_00), "authorized, held 10000, captured 6000, left 4000"},
		{"the second of two", authorized(t, captures(2)).after(approve, capture(60_00)), capture(1), "captured by capture, held 10000, captured 6001, released 3999"},
		{"a declined one does not count", authorized(t, captures(1)).after(decline, capture(60_00)), capture(50_00), "captured by capture, held 10000, captured 5000, released 5000"},
		{"one that waits does", authorized(t, captures(1)).after(unknown, capture(60_00)), capture(1), "operation_pending, too_many_captures"},
		{"it must not be the last, and is not", authorized(t, captures(2)), payment.Capture{Amount: 1, MustStayOpen: true}, "authorized, held 10000, captured 1, left 9999"},
		{"it must not be the last, but is", authorized(t, captures(1)), payment.Capture{Amount: 1, MustStayOpen: true}, "cannot_stay_open"},
		{"it is meant to be the last, and is", authorized(t, captures(1)), payment.Capture{Amount: 1, MustStayOpen: true, Final: true}, "captured by capture, held 10000, captured 1, released 9999"},
		{"it must not be the last, but takes all", authorized(t), payment.Capture{MustStayOpen: true}, "captured by capture, held 10000, captured 10000"},
	})
}

func TestOverCapture(t *testing.T) {
	tip := authorized(t, over(120))
	present := func(i *payment.Intake) { i.Method.Present = true }
	play(t, []scene{
		{"120 percent", tip.fork(), capture(120_00), "captured by capture, held 10000, extended 2000, captured 12000"},
		{"one above 120 percent", tip.fork(), capture(120_01), "amount_too_large (at most 12000)"},
		{"120 percent of an odd amount, rounded down", authorized(t, over(120), func(i *payment.Intake) { i.Amount = 104 }), capture(125), "amount_too_large (at most 124)"},
		{"everything is what is held", tip.fork(), capture(0), "captured by capture, held 10000, captured 10000"},
		{"the hold itself", tip.fork(), capture(100_00), "captured by capture, held 10000, captured 10000"},
		{"in two steps", tip.fork().after(approve, capture(90_00)), capture(30_00), "captured by capture, held 10000, extended 2000, captured 12000"},
		{"in two steps, one too many", tip.fork().after(approve, capture(90_00)), capture(30_01), "amount_too_large (at most 3000)"},
		{"after a void", tip.fork().after(approve, payment.Void{Amount: 50_00}), capture(70_00), "captured by capture, held 10000, extended 2000, captured 7000, voided 5000"},
		{"after a void, one too many", tip.fork().after(approve, payment.Void{Amount: 50_00}), capture(70_01), "amount_too_large (at most 7000)"},
		{"where the capturing dialect has none", tip.fork(), payment.Capture{Amount: 100_01, NoOverCapture: true}, "amount_too_large (at most 10000)"},
		{"where the capturing dialect has it for cards that were present", tip.fork(), payment.Capture{Amount: 100_01, PresentOverCapture: true}, "amount_too_large (at most 10000)"},
		{"and the card was", authorized(t, over(120), present), payment.Capture{Amount: 120_00, PresentOverCapture: true}, "captured by capture, held 10000, extended 2000, captured 12000"},
		{"the hold of a card that was not present", tip.fork(), payment.Capture{PresentOverCapture: true}, "captured by capture, held 10000, captured 10000"},
		{"a policy of 100 percent", authorized(t, over(100)), capture(100_01), "amount_too_large (at most 10000)"},
		{"a policy of 99 percent is none", authorized(t, over(99)), capture(100_00), "captured by capture, held 10000, captured 10000"},
		{"a policy of 101 percent", authorized(t, over(101)), capture(101_00), "captured by capture, held 10000, extended 100, captured 10100"},
		{"without a cap", authorized(t, over(payment.NoCap)), capture(1e15), "captured by capture, held 10000, extended 999999999990000, captured 1000000000000000"},
		{"declined", tip.fork().says(decline), capture(120_00), "authorized, held 10000, left 10000"},
		{"not answered", tip.fork().says(unknown), capture(120_00), "authorized, held 10000, extended 2000, capture 2 pending"},
	})
}

func TestCaptureAtTheDeadline(t *testing.T) {
	play(t, []scene{
		{"on the last instant", authorized(t).in(week - time.Millisecond), capture(0), "captured by capture, held 10000, captured 10000"},
		{"at expiry", authorized(t).in(week), capture(0), "not_capturable, hold_over, amount_too_small (at least 1)"},
		{"the rest, at expiry", authorized(t).after(approve, capture(60_00)).in(week), capture(1), "not_capturable, hold_over, amount_too_large (at most 0)"},
		{"long after expiry", authorized(t).after(approve, payment.Void{Amount: 1}).in(week).after(approve, payment.Expire{}).in(week), capture(1), "not_capturable, amount_too_large (at most 0)"},
		{"at expiry, while another waits", authorized(t).after(unknown, capture(60_00)).in(week), alongside(1), "hold_over"},
		{"alongside on the last instant", authorized(t).after(unknown, capture(60_00)).in(week - time.Millisecond), alongside(1), "authorized, held 10000, captured 1, left 3999, capture 2 pending"},
	})

	late := authorized(t).in(week)
	got := late.do(capture(0))
	if got.Refusal.Ended != payment.EndedByDeadline || got.Refusal.Status != payment.Expired || got.Refusal.Currency != "USD" {
		t.Errorf("the refusal says %+v", got.Refusal)
	}
	if len(got.Events) != 1 || got.Events[0].Kind != payment.HoldExpired || got.Operation != 0 {
		t.Errorf("the hold was not closed first: %+v", got.Events)
	}
}

func TestCaptureFee(t *testing.T) {
	none, fifth, most, above := int64(0), int64(20_00), int64(100_00), int64(-1)
	fee := func(minor int64) func(*payment.Intake) { return func(i *payment.Intake) { i.Fee = minor } }
	twenty := policy(func(p *payment.Policy) { p.FeePercent = 20 })
	for _, test := range []struct {
		name string
		desk *desk
		c    payment.Capture
		want string // or the fee kept
		kept int64
	}{
		{"none", authorized(t), capture(0), "", 0},
		{"the payment's", authorized(t, fee(10_00)), capture(0), "", 10_00},
		{"another", authorized(t, fee(10_00)), payment.Capture{Fee: &fifth}, "", 20_00},
		{"waived", authorized(t, fee(10_00)), payment.Capture{Fee: &none}, "", 0},
		{"all of it", authorized(t), payment.Capture{Fee: &most}, "", 100_00},
		{"more than the capture", authorized(t), payment.Capture{Amount: 99_99, Fee: &most}, "fee_too_large", 0},
		{"more than the least capture", authorized(t), payment.Capture{Amount: 1, Fee: &fifth}, "fee_too_large", 0},
		{"less than nothing", authorized(t), payment.Capture{Fee: &above}, "fee_too_large", 0},
		{"what the capture can bear", authorized(t, fee(10_00)), capture(6_00), "", 6_00},
		{"what is left of the payment's", authorized(t, fee(10_00)).after(approve, capture(6_00)), capture(0), "", 4_00},
		{"nothing is left of the payment's", authorized(t, fee(10_00)).after(approve, capture(60_00)), capture(0), "", 0},
		{"a declined capture took none", authorized(t, fee(10_00)).after(decline, capture(60_00)), capture(0), "", 10_00},
		{"a waiting capture takes its part", authorized(t, fee(10_00)).after(unknown, capture(6_00)), alongside(94_00), "", 4_00},
		{"exactly 20 percent", authorized(t, twenty), payment.Capture{Fee: &fifth}, "", 20_00},
		{"one above 20 percent", authorized(t, twenty), payment.Capture{Amount: 99_99, Fee: &fifth}, "fee_too_large", 0},
		{"exactly 20 percent by the capturing dialect", authorized(t), payment.Capture{Fee: &fifth, FeePercent: 20}, "", 20_00},
		{"above by the capturing dialect", authorized(t), payment.Capture{Fee: &fifth, FeePercent: 19}, "fee_too_large", 0},
		{"the dialect may not loosen the policy", authorized(t, twenty), payment.Capture{Amount: 99_99, Fee: &fifth, FeePercent: 50}, "fee_too_large", 0},
		{"the dialect may tighten the policy", authorized(t, twenty), payment.Capture{Fee: &fifth, FeePercent: 19}, "fee_too_large", 0},
		{"the payment's, exactly 20 percent of a part", authorized(t, twenty, fee(10_00)), capture(50_00), "", 10_00},
		{"the payment's, above 20 percent of a part", authorized(t, twenty, fee(10_00)), capture(49_99), "fee_too_large", 0},
		{"an amount that is wrong has no fee", authorized(t, twenty, fee(10_00)), payment.Capture{Amount: -1, Fee: &above}, "amount_too_small (at least 1)", 0},
		{"nothing left has no fee", authorized(t, twenty, fee(10_00)).after(approve, capture(0)), capture(0), "not_capturable, amount_too_small (at least 1)", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := test.desk.balance(ledger.PlatformFees)
			got := test.desk.do(test.c)
			if test.want != "" {
				expect(t, got, test.want)
				return
			}
			if got.Refusal != nil {
				t.Fatalf("refused: %s", outcome(got))
			}
			if op := got.Payment.Op(got.Operation); op.Fee != test.kept {
				t.Errorf("the fee is %d, want %d", op.Fee, test.kept)
			}
			if kept := test.desk.balance(ledger.PlatformFees) - before; kept != test.kept {
				t.Errorf("the platform got %d, want %d", kept, test.kept)
			}
		})
	}
}

// A capture that waits for its processor reserves its amount until the answer
// is there; the deadline waits for it.
func TestPendingCapture(t *testing.T) {
	waiting := authorized(t).after(unknown, final(60_00))
	late := waiting.fork().in(week)
	late.do(payment.Expire{})
	approved, declined := payment.Resolve{Operation: 2, Answer: approve}, payment.Resolve{Operation: 2, Answer: decline}
	play(t, []scene{
		{"waits", authorized(t).says(unknown), capture(60_00), "authorized, held 10000, left 4000, capture 2 pending"},
		{"approved", waiting.fork(), approved, "captured by capture, held 10000, captured 6000, released 4000"},
		{"declined", waiting.fork(), declined, "authorized, held 10000, left 10000"},
		{"approved after the deadline", late.fork(), approved, "captured by capture, held 10000, captured 6000, released 4000"},
		{"declined after the deadline", late.fork(), declined, "expired by deadline, held 10000, released 10000"},
		{"a part, approved after the deadline", authorized(t).after(unknown, capture(60_00)).in(week), approved, "captured by deadline, held 10000, captured 6000, released 4000"},
		{"another meanwhile", waiting.fork(), capture(1), "operation_pending"},
	})
	if state(late.p) != "authorized, held 10000, left 4000, capture 2 pending" {
		t.Errorf("at the deadline the payment is %s", state(late.p))
	}
	if held := waiting.balance(ledger.Held); held != 100_00 {
		t.Errorf("%d held while a capture waits", held)
	}
}

// Two operations may wait at a time where the order of the answers cannot
// matter.
func TestCaptureAlongside(t *testing.T) {
	waiting := authorized(t).after(unknown, capture(60_00))
	both := waiting.fork().after(unknown, alongside(40_00))
	two := authorized(t, captures(2))
	ends := policy(func(p *payment.Policy) { p.DeclinedCaptureEnds = true })
	answer := func(operation int, a payment.Answer) payment.Resolve {
		return payment.Resolve{Operation: operation, Answer: a}
	}
	play(t, []scene{
		{"what is left", waiting.fork(), alongside(40_00), "authorized, held 10000, captured 4000, capture 2 pending"},
		{"everything is what is left", waiting.fork(), alongside(0), "authorized, held 10000, captured 4000, capture 2 pending"},
		{"one more than is left", waiting.fork(), alongside(40_01), "amount_too_large (at most 4000)"},
		{"and waits as well", waiting.fork().says(unknown), alongside(40_00), "authorized, held 10000, capture 2 pending, capture 3 pending"},
		{"the second is approved first", both.fork().after(approve, answer(3, approve)), answer(2, approve), "captured by capture, held 10000, captured 10000"},
		{"the second is declined first", both.fork().after(approve, answer(3, decline)), answer(2, approve), "authorized, held 10000, captured 6000, left 4000"},
		{"both are declined", both.fork().after(approve, answer(3, decline)), answer(2, decline), "authorized, held 10000, left 10000"},
		{"a void", waiting.fork(), payment.Void{Alongside: true}, "authorized, held 10000, voided 4000, capture 2 pending"},
		{"of a void", authorized(t).after(unknown, void(60_00)), alongside(0), "authorized, held 10000, captured 4000, void 2 pending"},

		{"not if it is final", waiting.fork(), payment.Capture{Amount: 1, Alongside: true, Final: true}, "operation_pending"},
		{"not if it is the last permitted", two.fork().after(unknown, capture(60_00)), alongside(1), "operation_pending"},
		{"not if it enlarges the hold", authorized(t, over(120)).after(unknown, capture(60_00)), alongside(40_01), "operation_pending"},
		{"not if it enlarges the hold as far as may be", authorized(t, over(120)).after(unknown, capture(60_00)), alongside(60_00), "operation_pending"},
		{"too much is too much, whatever waits", authorized(t, over(120)).after(unknown, capture(60_00)), alongside(60_01), "amount_too_large (at most 6000)"},
		{"it may be as large as what is left", authorized(t, over(120)).after(unknown, capture(60_00)), alongside(40_00), "authorized, held 10000, captured 4000, capture 2 pending"},
		{"not if its decline ends the payment", authorized(t, ends).after(unknown, void(60_00)), alongside(1), "operation_pending"},
		{"not of a final one", authorized(t).after(unknown, final(60_00)), alongside(1), "operation_pending"},
		{"not of one that enlarged the hold", authorized(t, over(120)).after(unknown, capture(110_00)), alongside(1), "operation_pending"},
		{"not of one whose decline ends the payment", authorized(t, ends).after(unknown, capture(60_00)), alongside(1), "operation_pending"},
		{"no void of a final one", authorized(t).after(unknown, final(60_00)), payment.Void{Amount: 1, Alongside: true}, "operation_pending"},
		{"a void of a void, where a declined capture would end the payment", authorized(t, ends).after(approve, capture(1)).after(unknown, void(1)), payment.Void{Amount: 2, Alongside: true}, "authorized, held 10000, captured 1, voided 2, left 9996, void 3 pending"},
		{"no void of one whose decline ends the payment", authorized(t, ends).after(unknown, capture(60_00)), payment.Void{Amount: 1, Alongside: true}, "operation_pending"},
	})
}

func TestDeclinedCapture(t *testing.T) {
	lapsed := payment.Answer{Result: payment.Refused, Reason: payment.AuthorizationLapsed}
	refunding := authorized(t).after(approve, capture(60_00)).after(unknown, refund(1))
	ends := policy(func(p *payment.Policy) { p.DeclinedCaptureEnds = true })
	tip := authorized(t, over(120), ends).after(unknown, capture(110_00))
	play(t, []scene{
		{"leaves the hold", authorized(t).says(decline), capture(60_00), "authorized, held 10000, left 10000"},
		{"ends the payment", authorized(t, ends).says(decline), capture(60_00), "declined by decline, held 10000, released 10000"},
		{"ends the payment, with a part voided", authorized(t, ends).after(approve, void(30_00)).says(decline), capture(60_00), "declined by decline, held 10000, voided 3000, released 7000"},
		{"does not end what was captured from", authorized(t, ends).after(approve, capture(60_00)).says(decline), capture(1), "authorized, held 10000, captured 6000, left 4000"},
		{"later ends the payment", authorized(t, ends).after(unknown, capture(60_00)), payment.Resolve{Operation: 2, Answer: decline}, "declined by decline, held 10000, released 10000"},
		{"because the hold is gone", authorized(t).says(lapsed), capture(60_00), "expired by deadline, held 10000, released 10000"},
		{"because the rest of the hold is gone", authorized(t).after(approve, capture(60_00)).says(lapsed), capture(1), "captured by deadline, held 10000, captured 6000, released 4000"},
		{"because the hold is gone, later", authorized(t).after(unknown, capture(60_00)), payment.Resolve{Operation: 2, Answer: lapsed}, "expired by deadline, held 10000, released 10000"},
		{"because the hold is gone, which ends the payment", authorized(t, ends).says(lapsed), capture(60_00), "declined by decline, held 10000, released 10000"},
		{"because the hold is gone, while another waits", authorized(t).after(unknown, capture(60_00)).says(lapsed), alongside(1), "authorized, held 10000, left 4000, capture 2 pending"},
		{"because the hold is gone, while a refund waits", refunding.says(lapsed), capture(1), "captured by deadline, held 10000, captured 6000, released 4000, refund 3 pending"},
		{"above the hold ends the payment", tip, payment.Resolve{Operation: 2, Answer: decline}, "declined by decline, held 10000, released 10000"},
	})
}

// The hold grows for a capture above it, and shrinks again when that is
// declined: nothing of it was released to the payer.
func TestDeclinedOverCapture(t *testing.T) {
	d := authorized(t, over(payment.NoCap))
	for range 9 {
		d.after(unknown, capture(payment.MaxAmount))
		if held := d.balance(ledger.Held); held != payment.MaxAmount {
			t.Fatalf("%d held while the capture waits", held)
		}
		expect(t, d.resolve(len(d.p.Operations), decline), "authorized, held 10000, left 10000")
	}
	expect(t, d.do(capture(0)), "captured by capture, held 10000, captured 10000")
}

// A capture brings new details with it, or leaves the old ones, whatever
// becomes of it. A refused one does nothing.
func TestCaptureRevises(t *testing.T) {
	old := func(i *payment.Intake) { i.Details = []byte("old") }
	for _, test := range []struct {
		name string
		desk *desk
		c    payment.Capture
		want string
	}{
		{"new ones", authorized(t, old), payment.Capture{Revise: []byte("new")}, "new"},
		{"none", authorized(t, old), payment.Capture{}, "old"},
		{"new ones, and it is declined", authorized(t, old).says(decline), payment.Capture{Revise: []byte("new")}, "new"},
		{"new ones, and it waits", authorized(t, old).says(unknown), payment.Capture{Revise: []byte("new")}, "new"},
		{"new ones, and it is refused", authorized(t, old), payment.Capture{Amount: 100_01, Revise: []byte("new")}, "old"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.desk.do(test.c)
			if got := string(test.desk.p.Details); got != test.want {
				t.Errorf("the details are %q", got)
			}
		})
	}
}

func TestDuplicateCapture(t *testing.T) {
	once := authorized(t).after(approve, capture(10_00))
	again := payment.Capture{Amount: 10_00, DuplicateWithin: 30 * time.Second}
	other := again
	other.Amount++
	twice := once.fork().in(20*time.Second).after(approve, capture(10_00))
	play(t, []scene{
		{"at once", once.fork(), again, "duplicate_operation"},
		{"after 29.999 seconds", once.fork().in(29_999 * time.Millisecond), again, "duplicate_operation"},
		{"after 30 seconds", once.fork().in(30 * time.Second), again, "duplicate_operation"},
		{"after 30.001 seconds", once.fork().in(30_001 * time.Millisecond), again, "authorized, held 10000, captured 2000, left 8000"},
		{"another amount", once.fork(), other, "authorized, held 10000, captured 2001, left 7999"},
		{"where nobody minds", once.fork(), capture(10_00), "authorized, held 10000, captured 2000, left 8000"},
		{"of the second, which nobody minded", twice.fork().in(30 * time.Second), again, "duplicate_operation"},
		{"of one that was declined", authorized(t).after(decline, capture(10_00)), again, "duplicate_operation"},
		{"of one that waits", authorized(t).after(unknown, capture(10_00)), again, "operation_pending, duplicate_operation"},
		{"of a void", authorized(t).after(approve, payment.Void{Amount: 10_00}), again, "authorized, held 10000, captured 1000, voided 1000, left 8000"},
		{"of one that took all", authorized(t).after(approve, capture(0)), payment.Capture{Amount: 100_00, DuplicateWithin: 30 * time.Second}, "not_capturable, amount_too_large (at most 0), duplicate_operation"},
	})
}

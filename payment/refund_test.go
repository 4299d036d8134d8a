package payment_test

import (
	"math"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
)

func refund(minor int64) payment.Refund { return payment.Refund{Amount: minor} }

func TestRefund(t *testing.T) {
	captured := authorized(t).after(approve, final(60_00))
	open := authorized(t).after(approve, capture(60_00))
	play(t, []scene{
		{"everything", captured.fork(), refund(0), "captured by capture, held 10000, captured 6000, released 4000, refunded 6000"},
		{"everything by name", captured.fork(), refund(60_00), "captured by capture, held 10000, captured 6000, released 4000, refunded 6000"},
		{"a part", captured.fork(), refund(1), "captured by capture, held 10000, captured 6000, released 4000, refunded 1"},
		{"the rest", captured.fork().after(approve, refund(20_00)), refund(0), "captured by capture, held 10000, captured 6000, released 4000, refunded 6000"},
		{"one more than the rest", captured.fork().after(approve, refund(20_00)), refund(40_01), "amount_too_large (at most 4000)"},
		{"one too many", captured.fork(), refund(60_01), "amount_too_large (at most 6000)"},
		{"what a dialect makes of 10^30", captured.fork(), refund(math.MaxInt64), "amount_too_large (at most 6000)"},
		{"less than nothing", captured.fork(), refund(-1), "amount_too_small (at least 1)"},
		{"after all went back", captured.fork().after(approve, refund(0)), refund(0), "amount_too_small (at least 1)"},
		{"more after all went back", captured.fork().after(approve, refund(0)), refund(1), "amount_too_large (at most 0)"},
		{"in another currency", captured.fork(), payment.Refund{Currency: "EUR"}, "currency_mismatch"},
		{"in the right currency", captured.fork(), payment.Refund{Amount: 1, Currency: "USD"}, "captured by capture, held 10000, captured 6000, released 4000, refunded 1"},
		{"with the hold still open", open.fork(), refund(60_00), "authorized, held 10000, captured 6000, refunded 6000, left 4000"},
		{"of a hold", authorized(t), refund(1), "not_refundable, amount_too_large (at most 0)"},
		{"of a voided payment", authorized(t).after(approve, void(0)), refund(0), "not_refundable, amount_too_small (at least 1)"},
		{"of a payment without an authorization", created(t), refund(1), "not_refundable, amount_too_large (at most 0)"},
		{"long after the deadline", captured.fork().in(100 * week), refund(0), "captured by capture, held 10000, captured 6000, released 4000, refunded 6000"},
		{"declined", captured.fork().says(decline), refund(0), "captured by capture, held 10000, captured 6000, released 4000"},
		{"in time", captured.fork().in(week - time.Millisecond), payment.Refund{Amount: 1, Within: week}, "captured by capture, held 10000, captured 6000, released 4000, refunded 1"},
		{"too late", captured.fork().in(week), payment.Refund{Amount: 1, Within: week}, "refund_over"},
		{"too late for too much", captured.fork().in(week), payment.Refund{Amount: 60_01, Within: week}, "amount_too_large (at most 6000), refund_over"},
		{"counted from the last capture", open.fork().in(week/2).after(approve, capture(1)).in(week / 2), payment.Refund{Amount: 1, Within: week}, "authorized, held 10000, captured 6001, refunded 1, left 3999"},
		{"counted from the capture that it names", open.fork().in(week/2).after(approve, capture(1)).in(week / 2), payment.Refund{Amount: 1, Within: week, Asked: payment.Asked{Parent: 2}}, "refund_over"},
		{"of a hold, too late for nothing", authorized(t).in(week), payment.Refund{Amount: 1, Within: time.Hour}, "not_refundable, amount_too_large (at most 0)"},
		{"denied by the dialect's own rules", captured.fork(), payment.Refund{Amount: 60_01, Denied: payment.Refuse(payment.MerchantBarred)}, "amount_too_large (at most 6000), merchant_barred"},
		{"while a capture waits", authorized(t).after(approve, capture(60_00)).after(unknown, capture(1)), refund(60_01), "amount_too_large (at most 6000)"},
	})
}

// A refund that waits for its processor reserves its amount. The hold does not
// depend on it.
func TestPendingRefund(t *testing.T) {
	waiting := authorized(t).after(approve, capture(60_00)).after(unknown, refund(50_00))
	yes, no := payment.Resolve{Operation: 3, Answer: approve}, payment.Resolve{Operation: 3, Answer: decline}
	expired := waiting.fork().in(week).after(approve, payment.Expire{})
	play(t, []scene{
		{"approved", waiting.fork(), yes, "authorized, held 10000, captured 6000, refunded 5000, left 4000"},
		{"declined", waiting.fork(), no, "authorized, held 10000, captured 6000, left 4000"},
		{"what it left", waiting.fork(), refund(0), "authorized, held 10000, captured 6000, refunded 1000, left 4000, refund 3 pending"},
		{"one more than it left", waiting.fork(), refund(10_01), "amount_too_large (at most 1000)"},
		{"a capture meanwhile", waiting.fork(), capture(0), "captured by capture, held 10000, captured 10000, refund 3 pending"},
		{"a void meanwhile", waiting.fork(), void(0), "captured by void, held 10000, captured 6000, voided 4000, refund 3 pending"},
		{"a cancel meanwhile", waiting.fork(), payment.Cancel{Rest: true}, "captured by cancel, held 10000, captured 6000, voided 4000, refund 3 pending"},
		{"the deadline meanwhile", waiting.fork().in(week), payment.Expire{}, "captured by deadline, held 10000, captured 6000, released 4000, refund 3 pending"},
		{"approved after the deadline", expired.fork(), yes, "captured by deadline, held 10000, captured 6000, released 4000, refunded 5000"},
		{"declined after the deadline", expired.fork(), no, "captured by deadline, held 10000, captured 6000, released 4000"},
	})
	if owed := waiting.balance(ledger.Merchant); owed != 60_00 {
		t.Errorf("the merchant has %d while the refund waits", owed)
	}
}

func TestRefundOfOneCapture(t *testing.T) {
	of := func(operation int, minor int64) payment.Refund {
		return payment.Refund{Amount: minor, Asked: payment.Asked{Parent: operation}}
	}
	two := authorized(t).after(approve, capture(60_00)).after(approve, capture(40_00)) // operations 2 and 3
	again := of(3, 10_00)
	again.DuplicateWithin = 30 * time.Second
	whole := again
	whole.Parent = 0
	ten := two.fork().after(approve, of(2, 10_00))
	play(t, []scene{
		{"all of it", two.fork(), of(2, 0), "captured by capture, held 10000, captured 10000, refunded 6000"},
		{"one too many", two.fork(), of(2, 60_01), "amount_too_large (at most 6000)"},
		{"the rest of it", ten.fork(), of(2, 50_00), "captured by capture, held 10000, captured 10000, refunded 6000"},
		{"one more than its rest", ten.fork(), of(2, 50_01), "amount_too_large (at most 5000)"},
		{"the other one", ten.fork(), of(3, 40_00), "captured by capture, held 10000, captured 10000, refunded 5000"},
		{"what waits is taken off", two.fork().after(unknown, of(2, 10_00)), of(2, 50_01), "amount_too_large (at most 5000)"},
		{"what waits for the other is not", two.fork().after(unknown, of(2, 10_00)), of(3, 40_00), "captured by capture, held 10000, captured 10000, refunded 4000, refund 4 pending"},
		{"what a refund of the whole left", two.fork().after(approve, refund(70_00)), of(2, 30_01), "amount_too_large (at most 3000)"},
		{"of a capture that waits", authorized(t).after(approve, capture(1)).after(unknown, capture(60_00)), of(3, 1), "not_refundable, amount_too_large (at most 0)"},
		{"of a capture that was declined", authorized(t).after(approve, capture(1)).after(decline, capture(60_00)), of(3, 1), "not_refundable, amount_too_large (at most 0)"},
		{"of the authorization", two.fork(), of(1, 1), "not_refundable, amount_too_large (at most 0)"},
		{"of a refund", ten.fork(), of(4, 1), "not_refundable, amount_too_large (at most 0)"},
		{"of nothing known", two.fork(), of(9, 1), "not_refundable, amount_too_large (at most 0)"},

		{"the same again", two.fork().after(approve, of(3, 10_00)).in(30 * time.Second), again, "duplicate_operation"},
		{"the same again, later", two.fork().after(approve, of(3, 10_00)).in(30_001 * time.Millisecond), again, "captured by capture, held 10000, captured 10000, refunded 2000"},
		{"where nobody minds", ten.fork(), of(2, 10_00), "captured by capture, held 10000, captured 10000, refunded 2000"},
		{"as much of the other one", ten.fork(), again, "captured by capture, held 10000, captured 10000, refunded 2000"},
		{"as much of the whole", ten.fork(), whole, "captured by capture, held 10000, captured 10000, refunded 2000"},
	})
}

func TestRefundOfSettledMoney(t *testing.T) {
	transit := policy(func(p *payment.Policy) { p.SettleAfter = time.Hour })
	two := authorized(t, transit).after(approve, capture(60_00)).after(approve, capture(40_00)) // operations 2 and 3
	first := two.fork().after(approve, payment.Settle{Operation: 2})
	settled := func(minor int64, parent int) payment.Refund {
		return payment.Refund{Amount: minor, SettledOnly: true, Asked: payment.Asked{Parent: parent}}
	}
	play(t, []scene{
		{"nothing has left transit", two.fork(), settled(1, 0), "not_refundable, amount_too_large (at most 0)"},
		{"a capture has", first.fork(), settled(60_00, 0), "captured by capture, held 10000, captured 10000, refunded 6000"},
		{"one more than it", first.fork(), settled(60_01, 0), "amount_too_large (at most 6000)"},
		{"everything is what has left", first.fork(), settled(0, 0), "captured by capture, held 10000, captured 10000, refunded 6000"},
		{"of the capture that has", first.fork(), settled(0, 2), "captured by capture, held 10000, captured 10000, refunded 6000"},
		{"of the capture that has not", first.fork(), settled(1, 3), "not_refundable, amount_too_large (at most 0)"},
		{"where transit does not matter", two.fork(), refund(0), "captured by capture, held 10000, captured 10000, refunded 10000"},
	})
}

func TestRefundFee(t *testing.T) {
	fee := func(i *payment.Intake) { i.Fee = 20_00 }
	transit := policy(func(p *payment.Policy) { p.SettleAfter = time.Hour })
	none, some, most, above, below := int64(0), int64(5_00), int64(20_00), int64(20_01), int64(-1)
	back := func(minor int64, fee *int64) payment.Refund { return payment.Refund{Amount: minor, Fee: fee} }
	captured := authorized(t, fee).after(approve, capture(0))
	for _, test := range []struct {
		name string
		desk *desk
		c    payment.Refund
		want string // or what the platform and the merchant have afterwards
		kept int64
		owed int64
	}{
		{"all of it with all of the money", captured.fork(), back(0, nil), "", 0, 0},
		{"none of it with a part", captured.fork(), back(99_99, nil), "", 20_00, -19_99},
		{"all of it with the last part, however small", captured.fork().after(approve, back(99_99, nil)), back(0, nil), "", 0, 0},
		{"what is left of it with the last part", captured.fork().after(approve, back(90_00, &some)), back(10_00, nil), "", 0, 0},
		{"none of it if the caller says so", captured.fork(), back(0, &none), "", 20_00, -20_00},
		{"what the caller says", captured.fork(), back(50_00, &some), "", 15_00, 35_00},
		{"all of it with a part", captured.fork(), back(20_00, &most), "", 0, 80_00},
		{"more of it than the refund", captured.fork(), back(19_99, &most), "fee_too_large", 0, 0},
		{"more than was taken", captured.fork(), back(0, &above), "fee_too_large", 0, 0},
		{"more than is left of it", captured.fork().after(approve, back(50_00, &some)), back(20_00, &most), "fee_too_large", 0, 0},
		{"what a declined refund would have given back", captured.fork().after(decline, back(50_00, &some)), back(20_00, &most), "", 0, 80_00},
		{"what a waiting refund may give back", captured.fork().after(unknown, back(50_00, &some)), back(20_00, &most), "fee_too_large", 0, 0},
		{"less than nothing", captured.fork(), back(1, &below), "fee_too_large", 0, 0},
		{"an amount that is wrong has no fee", captured.fork(), back(-1, &below), "amount_too_small (at least 1)", 0, 0},
		{"nothing is left, and has no fee", captured.fork().after(approve, back(0, nil)), back(0, &below), "amount_too_small (at least 1)", 0, 0},
		{"none of it with the hold still open", authorized(t, fee).after(approve, capture(60_00)), back(0, nil), "", 20_00, -20_00},
		{"all of it before it has left transit", authorized(t, fee, transit).after(approve, capture(0)), back(0, nil), "", -20_00, -80_00},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.desk.do(test.c)
			if test.want != "" {
				expect(t, got, test.want)
				return
			}
			if got.Refusal != nil {
				t.Fatalf("refused: %s", outcome(got))
			}
			if kept, owed := test.desk.balance(ledger.PlatformFees), test.desk.balance(ledger.Merchant); kept != test.kept || owed != test.owed {
				t.Errorf("the platform has %d and the merchant %d, want %d and %d", kept, owed, test.kept, test.owed)
			}
		})
	}

	early := authorized(t, fee, transit).after(approve, capture(0)).after(approve, back(0, nil))
	early.do(payment.Settle{Operation: 2})
	if kept, owed := early.balance(ledger.PlatformFees), early.balance(ledger.Merchant); kept != 0 || owed != 0 {
		t.Errorf("refunded before it was settled: the platform has %d and the merchant %d", kept, owed)
	}
}

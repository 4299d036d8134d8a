package payment_test

import (
	"math"
	"testing"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
)

func refund(minor int64) payment.Refund { return payment.Refund{Amount: minor} }

func TestRefund(t *testing.T) {
	captured := authorized(t).after(approve, final(60_00))
	open := authorized(t).after(approve, capture(60_00))
	runCaptures(t, []captureTest{
		{"everything", captured.fork(), refund(0), "captured by capture, held 10000, captured 6000, released 4000, refunded 6000"},
		{"everything by name", captured.fork(), refund(60_00), "captured by capture, held 10000, captured 6000, released 4000, refunded 6000"},
		{"a part", captured.fork(), refund(1), "captured by capture, held 10000, captured 6000, released 4000, refunded 1"},
		{"the rest", captured.fork().after(approve, refund(20_00)), refund(0), "captured by capture, held 10000, captured 6000, released 4000, refunded 6000"},
		{"one more than the rest", captured.fork().after(approve, refund(20_00)), refund(40_01), "amount_too_large (at most 4000)"},
		{"one too many", captured.fork(), refund(60_01), "amount_too_large (at most 6000)"},
		{"what a dialect makes of 10^30", captured.fork(), refund(math.MaxInt64), "amount_too_large (at most 6000)"},
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
		{"while a capture waits", authorized(t).after(approve, capture(60_00)).after(unknown, capture(1)), refund(60_01), "amount_too_large (at most 6000)"},
	})
}

// A refund that waits for its processor reserves its amount. The hold does not
// depend on it.
func TestPendingRefund(t *testing.T) {
	waiting := authorized(t).after(approve, capture(60_00)).after(unknown, refund(50_00))
	yes, no := payment.Resolve{Operation: 3, Answer: approve}, payment.Resolve{Operation: 3, Answer: decline}
	expired := waiting.fork().in(week).after(approve, payment.Expire{})
	runCaptures(t, []captureTest{
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

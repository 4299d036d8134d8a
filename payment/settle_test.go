package payment_test

import (
	"testing"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
)

func TestSettle(t *testing.T) {
	fee := func(i *payment.Intake) { i.Fee = 10_00 }
	transit := policy(func(p *payment.Policy) { p.SettleAfter = time.Hour })
	d := authorized(t, fee, transit).after(approve, capture(60_00)).after(approve, capture(40_00)).after(decline, refund(1))
	accounts := func(transit, merchant, fees int64) {
		t.Helper()
		got := [...]int64{d.balance(ledger.InTransit), d.balance(ledger.Merchant), d.balance(ledger.PlatformFees)}
		if want := [...]int64{transit, merchant, fees}; got != want {
			t.Errorf("in transit, merchant, fees: %d, want %d", got, want)
		}
	}
	accounts(100_00, 0, 0)
	for _, none := range []int{0, 1, 4, 9} { // nothing, the authorization, a refund, nothing
		if got := d.do(payment.Settle{Operation: none}); got.Events != nil || got.Refusal != nil {
			t.Errorf("operation %d was settled", none)
		}
	}
	if got := d.do(payment.Settle{Operation: 2}); got.Operation != 2 || !d.p.Op(2).Settled || d.p.Settled != 60_00 {
		t.Errorf("settled %d: %+v", d.p.Settled, d.p.Op(2))
	}
	accounts(40_00, 50_00, 10_00)
	if got := d.do(payment.Settle{Operation: 2}); got.Events != nil {
		t.Error("settled twice")
	}
	d.do(payment.Settle{Operation: 3})
	accounts(0, 90_00, 10_00)

	open := authorized(t, transit).after(approve, capture(60_00))
	expect(t, open.do(payment.Settle{Operation: 2}), "authorized, held 10000, captured 6000, left 4000")

	waiting := authorized(t, transit).after(unknown, capture(1))
	if got := waiting.do(payment.Settle{Operation: 2}); got.Events != nil {
		t.Error("settled before it was captured")
	}

	d = authorized(t, fee).after(approve, capture(0))
	accounts(0, 90_00, 10_00) // without transit
	if !d.p.Op(2).Settled || d.p.Settled != 100_00 {
		t.Errorf("settled %d", d.p.Settled)
	}
}

// A refund in transit has left the payer's side of the books, as what the
// processor has done, and not the merchant's yet.
func TestSettleRefund(t *testing.T) {
	fee := func(i *payment.Intake) { i.Fee = 10_00 }
	transit := policy(func(p *payment.Policy) { p.RefundSettleAfter = time.Hour })
	some := int64(2_00)
	d := authorized(t, fee, transit).after(approve, capture(0))
	accounts := func(what string, transit, merchant, fees int64) {
		t.Helper()
		got := [...]int64{d.balance(ledger.InTransit), d.balance(ledger.Merchant), d.balance(ledger.PlatformFees)}
		if want := [...]int64{transit, merchant, fees}; got != want {
			t.Errorf("%s: in transit, merchant, fees: %d, want %d", what, got, want)
		}
	}
	accounts("captured", 0, 90_00, 10_00)
	d.do(payment.Refund{Amount: 30_00, Fee: &some})
	accounts("refunded", -30_00, 90_00, 10_00)
	if op := d.p.Op(3); d.p.Refunded != 30_00 || d.p.RefundsSettled != 0 || op.Status != payment.OpApproved || op.Settled {
		t.Errorf("refunded %d, settled %d: %+v", d.p.Refunded, d.p.RefundsSettled, op)
	}
	expect(t, d.fork().do(refund(70_01)), "amount_too_large (at most 7000)") // what is on its way cannot be given back again
	d.after(unknown, refund(20_00)).after(decline, refund(1_00)).after(approve, refund(0))
	accounts("and the rest, of which a part waits", -80_00, 90_00, 10_00)
	for _, none := range []int{4, 5} { // one that waits, and one that was declined
		if got := d.do(payment.Settle{Operation: none}); got.Events != nil || got.Refusal != nil {
			t.Errorf("operation %d was settled", none)
		}
	}
	if got := d.do(payment.Settle{Operation: 6}); got.Operation != 6 || !d.p.Op(6).Settled || d.p.RefundsSettled != 50_00 {
		t.Errorf("settled %d: %+v", d.p.RefundsSettled, d.p.Op(6))
	}
	accounts("the second has settled", -30_00, 48_00, 2_00)
	d.do(payment.Settle{Operation: 3})
	if got := d.do(payment.Settle{Operation: 3}); got.Events != nil {
		t.Error("settled twice")
	}
	accounts("so has the first", 0, 20_00, 0)
	d.resolve(4, approve)
	accounts("what waited was given back", -20_00, 20_00, 0)
	d.do(payment.Settle{Operation: 4})
	accounts("all has settled", 0, 0, 0)

	d = authorized(t, fee, transit, policy(func(p *payment.Policy) { p.SettleAfter = 2 * time.Hour })).after(approve, capture(0)).after(approve, refund(0))
	accounts("refunded before it has settled", 0, 0, 0)
	d.do(payment.Settle{Operation: 3})
	accounts("the refund has settled first", 100_00, -90_00, -10_00)
	d.do(payment.Settle{Operation: 2})
	accounts("and then the capture", 0, 0, 0)

	open := authorized(t, transit).after(approve, capture(60_00)).after(approve, refund(1_00))
	expect(t, open.do(payment.Settle{Operation: 3}), "authorized, held 10000, captured 6000, refunded 100, left 4000")
}

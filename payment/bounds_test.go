package payment_test

import (
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

// TestOwnBounds: what a caller bounds by himself does not change the hold.
func TestOwnBounds(t *testing.T) {
	create := payment.Create{Intake: intake(), Attempt: &payment.Attempt{}}
	for _, c := range []struct {
		name  string
		had   int // captures of 10_00 before
		c     payment.Capture
		want  payment.Guard
		fails bool
	}{
		{"at the maximum", 0, payment.Capture{Amount: 50_00, MaxAmount: 50_00}, 0, false},
		{"above the maximum", 0, payment.Capture{Amount: 50_01, MaxAmount: 50_00}, payment.AboveMaximum, true},
		{"all that is left is above the maximum", 0, payment.Capture{MaxAmount: 50_00}, payment.AboveMaximum, true},
		{"all that is left is not", 5, payment.Capture{MaxAmount: 50_00}, 0, false},
		{"the last that is permitted", 1, payment.Capture{Amount: 1, MaxCaptures: 2}, 0, false},
		{"one too many", 2, payment.Capture{Amount: 1, MaxCaptures: 2}, payment.TooManyCaptures, true},
		{"no bounds", 9, payment.Capture{Amount: 1}, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t).after(approve, create)
			for range c.had {
				d.after(approve, payment.Capture{Amount: 10_00})
			}
			got := d.do(c.c)
			if got.Refusal.Has(c.want) != c.fails || (got.Refusal != nil) != c.fails {
				t.Errorf("%v", got.Refusal)
			}
			if !c.fails && c.c.Amount != 0 && d.p.Status != payment.Authorized {
				t.Errorf("the hold is %s", d.p.Status)
			}
		})
	}
}

// TestUnheld: a refusal says whether there ever was a hold to capture.
func TestUnheld(t *testing.T) {
	charged := intake()
	charged.Policy.AutoCapture = true
	authorize := func(a payment.Answer, i payment.Intake) *desk {
		return newDesk(t).after(a, payment.Create{Intake: i, Attempt: &payment.Attempt{}})
	}
	for name, c := range map[string]struct {
		desk *desk
		want bool
	}{
		"declined":             {authorize(decline, intake()), true},
		"not answered":         {authorize(unknown, intake()), true},
		"the payer is awaited": {authorize(askPayer, intake()), true},
		"cancelled before":     {authorize(askPayer, intake()).after(approve, payment.Cancel{}), true},
		"captured with it":     {authorize(approve, charged), true},
		"cancelled":            {authorize(approve, intake()).after(approve, payment.Cancel{}), false},
		"expired":              {authorize(approve, intake()).in(week), false},
		"captured":             {authorize(approve, intake()).after(approve, payment.Capture{Final: true}), false},
	} {
		if got := c.desk.do(payment.Capture{Amount: 1}); got.Refusal == nil || got.Refusal.Unheld != c.want {
			t.Errorf("%s: %+v", name, got.Refusal)
		}
	}
}

// TestDenied: a refusal of the dialect's own comes before anything is made.
func TestDenied(t *testing.T) {
	d := newDesk(t)
	denied := payment.Refuse(payment.CurrencyMismatch)
	got := d.do(payment.Create{Intake: intake(), Attempt: &payment.Attempt{}, Denied: denied})
	if !got.Refusal.Has(payment.CurrencyMismatch) || len(got.Events) != 0 || len(d.asked) != 0 {
		t.Errorf("%+v", got)
	}
	if *denied != *payment.Refuse(payment.CurrencyMismatch) {
		t.Error("the caller's refusal was changed")
	}
}

// TestVoidAll: everything that is left, with an amount beside that is only
// checked.
func TestVoidAll(t *testing.T) {
	hold := func() *desk {
		return newDesk(t).after(approve, payment.Create{Intake: intake(), Attempt: &payment.Attempt{}})
	}
	for _, amount := range []int64{0, 1, 100_00} {
		d := hold()
		if got := d.do(payment.Void{Amount: amount, All: true}); got.Refusal != nil || d.p.Voided != 100_00 || d.p.Status != payment.Voided {
			t.Errorf("with %d beside: voided %d, %v", amount, d.p.Voided, got.Refusal)
		}
	}
	if got := hold().do(payment.Void{Amount: 100_01, All: true}); !got.Refusal.Has(payment.AmountTooLarge) {
		t.Errorf("too much beside: %v", got.Refusal)
	}
}

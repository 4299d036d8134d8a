package payment_test

import (
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

func TestRefusal(t *testing.T) {
	r := payment.Refuse(payment.AmountTooLarge, payment.NotCapturable)
	if !r.Has(payment.NotCapturable) || !r.Has(payment.AmountTooLarge) || r.Has(payment.AmountTooSmall) || r.Has(payment.NotFound) {
		t.Errorf("failed: %b", r.Failed)
	}
	if got := r.Error(); got != "refused: not_capturable, amount_too_large" {
		t.Errorf("got %q", got)
	}
	var none *payment.Refusal
	if none.Has(payment.NotFound) {
		t.Error("nothing was refused, and yet something failed")
	}
	for _, g := range payment.Guards() {
		if one := payment.Refuse(g); !one.Has(g) || one.Error() != "refused: "+g.String() {
			t.Errorf("%s: %s", g, one)
		}
	}
}

func TestFirst(t *testing.T) {
	r := payment.Refuse(payment.NotCapturable, payment.AmountTooLarge, payment.DuplicateOperation)
	for _, test := range []struct {
		name  string
		order []payment.Guard
		want  payment.Guard
		named bool
	}{
		{"in the dialect's order", []payment.Guard{payment.DuplicateOperation, payment.NotCapturable}, payment.DuplicateOperation, true},
		{"in another order", []payment.Guard{payment.AmountTooLarge, payment.DuplicateOperation}, payment.AmountTooLarge, true},
		{"after some that did not fail", []payment.Guard{payment.NotFound, payment.NotCapturable}, payment.NotCapturable, true},
		{"none of those named", []payment.Guard{payment.NotFound, payment.HoldOver}, payment.NotCapturable, false},
		{"none named", nil, payment.NotCapturable, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, named := r.First(test.order...); got != test.want || named != test.named {
				t.Errorf("got %s, %t", got, named)
			}
		})
	}
}

package book

import (
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

// A wallet pays what it has, for a hold and for more of one.
func TestDecide(t *testing.T) {
	p := &payment.Payment{Intake: payment.Intake{Method: payment.Method{Kind: payment.WalletMethod, User: 7}}}
	for _, kind := range []payment.OperationKind{payment.OpAuthorize, payment.OpIncrement} {
		for _, test := range []struct {
			name  string
			payer *payment.Payer
			want  payment.Reason
		}{
			{"enough", &payment.Payer{Available: 100}, ""},
			{"not enough", &payment.Payer{Available: 99}, payment.InsufficientFunds},
			{"frozen", &payment.Payer{Available: 100, Frozen: true}, payment.PayerFrozen},
			{"no longer permitted", &payment.Payer{Available: 100, GrantOver: true}, payment.GrantOver},
			{"nobody", nil, payment.UnsupportedMethod},
		} {
			a := Processor{}.Decide(payment.Instruction{Payment: p, Operation: 1, Kind: kind, Amount: 100}, test.payer)
			if (a.Result == payment.Approved) != (test.want == "") || a.Reason != test.want {
				t.Errorf("%s, %s: %+v", kind, test.name, a)
			}
		}
	}
}

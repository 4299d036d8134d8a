// Package book is the processor of closed-loop wallets: the money is a balance
// in our own ledger, so every answer is known on the spot.
package book

import (
	"context"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
)

// Processor decides for wallet users. Its zero value is ready to use.
type Processor struct{}

// Decide approves an authorization, or more of one, when the user may pay and has the money;
// a capture when he may still pay; giving money back always. Without a known
// user an authorization waits for one: the payer confirms at the cashier.
func (Processor) Decide(i payment.Instruction, payer *payment.Payer) payment.Answer {
	switch i.Kind {
	case payment.OpAuthorize, payment.OpIncrement:
		switch {
		case i.Payment.Method.User == 0:
			return payment.Answer{Result: payment.PayerRequired}
		case payer == nil:
			return decline(payment.UnsupportedMethod)
		case payer.GrantOver:
			return decline(payment.GrantOver)
		case payer.Frozen:
			return decline(payment.PayerFrozen)
		case payer.Available < i.Amount:
			return decline(payment.InsufficientFunds)
		}
	case payment.OpCapture:
		switch {
		case payer == nil:
			return decline(payment.UnsupportedMethod)
		case payer.GrantOver:
			return decline(payment.GrantOver)
		case payer.Frozen:
			return decline(payment.PayerFrozen)
		case i.Amount > i.Payment.Remaining() && payer.Available < i.Amount-i.Payment.Remaining():
			return decline(payment.InsufficientFunds)
		}
	}
	return payment.Answer{Result: payment.Approved}
}

func decline(why payment.Reason) payment.Answer {
	return payment.Answer{Result: payment.Refused, Reason: why}
}

// Perform and Lookup repeat that there is nothing outside: an operation that
// was left to be performed later, by a simulated outage, succeeds.
func (Processor) Perform(context.Context, processor.Order) (payment.Answer, error) {
	return payment.Answer{Result: payment.Approved}, nil
}

// Lookup returns ErrNoTrace: what is not in our ledger did not happen.
func (Processor) Lookup(context.Context, processor.Order) (payment.Answer, error) {
	return payment.Answer{}, processor.ErrNoTrace
}

// Seal returns ErrSealed: nobody but us could perform it.
func (Processor) Seal(context.Context, processor.Order) (payment.Answer, error) {
	return payment.Answer{}, processor.ErrSealed
}

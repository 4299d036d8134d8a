package payment

import (
	"math/bits"
	"strings"

	"github.com/capstan-pay/capstan/money"
)

// Guard is one reason to refuse a command.
type Guard uint8

// The guards. When several fail at once all of them are reported, and each
// dialect's own order says which one its callers hear.
const (
	NotFound           Guard = iota // no such payment of this merchant
	KeyReused                       // the key was used before for another request
	InProcess                       // the key's first request has not been answered yet
	Busy                            // the server takes no more commands at the moment
	OperationPending                // another operation of the payment waits for the processor
	NotCreated                      // only possible before the authorization
	NotAwaitingPayer                // the payer is not asked for anything
	NotCapturable                   // no hold is open, or a review holds it up
	NotVoidable                     // nothing is held, or not any more
	NotCancellable                  // something was captured, voided or refunded, or it is too late
	NotRefundable                   // nothing was captured, or not settled yet, or the operation named is no capture
	HoldOver                        // the deadline has passed
	ScheduledCapture                // captured by schedule only
	CurrencyMismatch                // not the currency of the payment, or none that is known
	AmountTooSmall                  // below Least
	AmountTooLarge                  // above Limit
	FeeTooLarge                     // above the share of the capture that a fee may have
	TooManyCaptures                 // the payment has had all the captures, or increments, it may have
	CannotStayOpen                  // the policy closes the hold with this capture
	DuplicateOperation              // the same was asked for a moment ago
	AboveMaximum                    // more than the caller may capture at once
	RefundOver                      // the time in which it may be refunded has passed
	MerchantBarred                  // the merchant may not do business at the moment
	guardCount
)

var guardNames = [...]string{
	NotFound: "not_found", KeyReused: "key_reused", InProcess: "in_process", Busy: "busy",
	OperationPending: "operation_pending", NotCreated: "not_created", NotAwaitingPayer: "not_awaiting_payer",
	NotCapturable: "not_capturable", NotVoidable: "not_voidable", NotCancellable: "not_cancellable",
	NotRefundable: "not_refundable", HoldOver: "hold_over", ScheduledCapture: "scheduled_capture",
	CurrencyMismatch: "currency_mismatch", AmountTooSmall: "amount_too_small", AmountTooLarge: "amount_too_large",
	FeeTooLarge: "fee_too_large", TooManyCaptures: "too_many_captures", CannotStayOpen: "cannot_stay_open",
	DuplicateOperation: "duplicate_operation", AboveMaximum: "above_maximum", RefundOver: "refund_over", MerchantBarred: "merchant_barred",
}

// String is the name of the guard in logs, such as "amount_too_large".
func (g Guard) String() string {
	if g >= guardCount {
		return "unknown_guard"
	}
	return guardNames[g]
}

// Guards lists every guard, so that each dialect's table can be tested for
// completeness.
func Guards() []Guard {
	all := make([]Guard, guardCount)
	for i := range all {
		all[i] = Guard(i)
	}
	return all
}

// Refusal says why a command was not carried out. It is an answer, not a
// fault: nothing of the command happened.
type Refusal struct {
	Failed   uint64 // set of guards, one bit each
	Limit    int64  // AmountTooLarge: the most that would have passed
	Least    int64  // AmountTooSmall: the least that would have passed
	Status   Status // of the payment when it was refused
	Ended    Ending
	Currency money.Currency // of the payment
	Unheld   bool           // there never was a hold to capture: not authorized, or captured with its authorization
}

// Refuse returns a refusal for the given guards.
func Refuse(guards ...Guard) *Refusal {
	r := &Refusal{}
	for _, g := range guards {
		r.add(g)
	}
	return r
}

// Has tells whether guard g failed.
func (r *Refusal) Has(g Guard) bool { return r != nil && r.Failed&(1<<g) != 0 }

// First returns the first guard of order that failed. When none of them did
// it returns the failed guard with the lowest number and false.
func (r *Refusal) First(order ...Guard) (Guard, bool) {
	for _, g := range order {
		if r.Has(g) {
			return g, true
		}
	}
	return Guard(bits.TrailingZeros64(r.Failed)), false
}

// Error lists the guards that failed, for logs.
func (r *Refusal) Error() string {
	var names []string
	for g := range guardCount {
		if r.Has(g) {
			names = append(names, g.String())
		}
	}
	return "refused: " + strings.Join(names, ", ")
}

func (r *Refusal) add(g Guard) { r.Failed |= 1 << g }

func (r *Refusal) when(failed bool, g Guard) {
	if failed {
		r.add(g)
	}
}

package payment

import (
	"math"
	"time"

	"github.com/capstan-pay/capstan/money"
)

// Policy is what a hold permits. The dialect that authorizes sets it and it is
// stored with the payment; a dialect that captures later may ask for less,
// never for more. Durations are whole milliseconds.
type Policy struct {
	// HoldFor is how long the hold lives, counted from the authorization, or
	// from the second of the payment's creation when FromCreation is set:
	// dialects tell the time of that in seconds.
	HoldFor      time.Duration
	FromCreation bool

	// AutoCapture captures everything as soon as it is authorized.
	AutoCapture bool

	// CaptureAt captures what is left at that moment; zero is never, and so
	// is a moment after the hold is over.
	// With ScheduledOnly nobody may capture before.
	CaptureAt     time.Time
	ScheduledOnly bool

	// MaxCaptures bounds the number of successful captures; 0 is no bound.
	// The last one permitted closes the hold.
	MaxCaptures int

	// OverCapture is the most that may be captured in all, in percent of the
	// authorized amount; 0 is the same as 100, NoCap is no bound.
	OverCapture int64

	// MinCapture is the least amount one capture may have.
	MinCapture int64

	// FeePercent bounds the platform's fee in percent of the capture; 0 is
	// no bound but the captured amount itself.
	FeePercent int64

	// SettleAfter is how long captured money stays in transit before the
	// merchant has it; 0 is not at all.
	SettleAfter time.Duration

	// RefundSettleAfter is how long after a refund the merchant is charged with
	// it; 0 is at once. In between what the payer has got back is in transit.
	RefundSettleAfter time.Duration

	// ReviewsHold: an authorization that the risk checks want an operator to look
	// at is held up until he has. Without it nothing is held up by that.
	ReviewsHold bool

	// RetryDeclined lets another authorization follow a declined one.
	RetryDeclined bool

	// DeclinedCaptureEnds closes the payment when a capture is declined.
	DeclinedCaptureEnds bool

	// PayerDeadline is how long the payer may take to act; 0 is for ever.
	PayerDeadline time.Duration

	// CancelFor is how long after creation the whole may be cancelled; 0 is
	// as long as the hold lives.
	CancelFor time.Duration
}

// NoCap is the OverCapture that sets no bound but MaxAmount.
const NoCap = -1

// MaxAmount is the largest amount of a payment, and the most that is ever
// captured from one: sums of a few of them fit 64 bits.
const MaxAmount = math.MaxInt64 / 4

// ceiling is the most that may be captured in all from a hold of authorized.
func (p Policy) ceiling(authorized int64) int64 {
	switch {
	case p.OverCapture == NoCap:
		return MaxAmount
	case p.OverCapture <= 100:
		return authorized
	}
	return min(money.Percent(authorized, p.OverCapture), MaxAmount)
}

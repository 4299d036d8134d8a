package verify

import (
	"slices"

	"github.com/capstan-pay/capstan/payment"
)

// heldUp tells whether the hold is open and an operator has not let it go on.
func (acc *account) heldUp() bool {
	return acc.status == payment.Authorized && (acc.review == payment.InReview || acc.review == payment.ReviewFailed)
}

// reviewed follows an authorization that is held up until an operator has
// looked at it: nothing may be captured meanwhile.
func (acc *account) reviewed(sequence int, e *payment.Event) {
	waits := acc.heldUp()
	switch e.Kind {
	case payment.AuthorizationPending, payment.PayerAwaited, payment.HoldAuthorized:
		if acc.policy.ReviewsHold && e.Asked != nil && slices.Contains(e.Asked.Labels, payment.ToReview) {
			acc.review = payment.InReview
		}
	case payment.AuthorizationDeclined:
		acc.review = payment.NotReviewed
	case payment.CapturePending, payment.HoldCaptured, payment.HoldIncremented:
		if waits {
			acc.add("event %d (%s) takes from a hold whose review is %s", sequence, e.Kind, acc.review)
		}
	case payment.HoldPassed, payment.HoldRejected:
		if acc.review != payment.InReview && !(waits && e.Kind == payment.HoldRejected) {
			acc.add("event %d (%s) decides a review that is %s", sequence, e.Kind, acc.review)
		}
		acc.review = payment.ReviewPassed
		if e.Kind == payment.HoldRejected {
			acc.review = payment.ReviewFailed
		}
	case payment.HoldVoided:
		if e.Ending == payment.EndedByReview && acc.review != payment.ReviewFailed {
			acc.add("event %d voids a hold because of a review that is %s", sequence, acc.review)
		}
	}
}

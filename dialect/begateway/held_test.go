package begateway

import (
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

// A sale that another dialect holds up for a review is not a successful one
// before it is captured, and never if it is not.
func TestHeldUp(t *testing.T) {
	for _, test := range []struct {
		status  payment.Status
		review  payment.ReviewStatus
		atOnce  bool
		capture payment.OperationStatus
		want    string
	}{
		{payment.Authorized, payment.InReview, true, 0, statusIncomplete},
		{payment.Authorized, payment.ReviewFailed, true, 0, statusIncomplete},
		{payment.Captured, payment.ReviewPassed, true, payment.OpApproved, statusSuccessful},
		{payment.Authorized, payment.ReviewPassed, true, payment.OpFailed, statusFailed},
		{payment.Voided, payment.ReviewFailed, true, 0, statusFailed},
		{payment.Expired, payment.InReview, true, 0, statusExpired},
		{payment.Authorized, payment.InReview, false, 0, statusSuccessful},
	} {
		p := &payment.Payment{
			Status: test.status, Review: test.review, AuthorizedAt: time.Unix(1, 0),
			Intake:     payment.Intake{Policy: payment.Policy{AutoCapture: test.atOnce}},
			Operations: []payment.Operation{{Number: 1, Kind: payment.OpAuthorize, Status: payment.OpApproved}},
		}
		if test.capture != 0 {
			p.Operations = append(p.Operations, payment.Operation{Number: 2, Kind: payment.OpCapture, Status: test.capture})
		}
		if got := viewOf(p).status; got != test.want {
			t.Errorf("%s, %s: %s, want %s", test.status, test.review, got, test.want)
		}
	}
}

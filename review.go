package capstan

import (
	"context"
	"net/http"
	"time"

	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/payment"
)

// reviewPatience is how long an operator waits for what follows from his
// decision.
const reviewPatience = 10 * time.Second

// Review lets a payment that is held up for a review go on, or gives its hold
// back, and returns it as it is then. What was decided so before stays so.
func (s *Server) Review(ctx context.Context, id payment.ID, passed bool, note string) (*payment.Payment, error) {
	p, err := s.anywhere(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return nil, admin.Problem{Status: http.StatusNotFound, Text: "no such payment"}
	}
	out, err := s.Engine.Do(ctx, payment.Request{
		Tenant: p.Tenant, Merchant: p.Merchant, Payment: p.ID, Retain: reconcileEvery, Patience: reviewPatience,
		Command: payment.Review{Passed: passed, Note: note},
	})
	switch {
	case err != nil:
		return nil, err
	case out.Refusal == nil:
		return out.Payment, nil
	case passed && out.Payment.Review == payment.ReviewPassed, !passed && out.Payment.Review == payment.ReviewFailed:
		return out.Payment, nil
	case out.Refusal.Has(payment.OperationPending):
		return nil, admin.Problem{Status: http.StatusConflict, Text: "its processor has not answered yet: try again later"}
	case out.Refusal.Has(payment.NotCapturable), out.Refusal.Has(payment.HoldOver):
		return nil, admin.Problem{Status: http.StatusConflict, Text: "it is not held up for a review: it is " + out.Payment.Status.String() + " and " + out.Payment.Review.String()}
	}
	return nil, out.Refusal
}

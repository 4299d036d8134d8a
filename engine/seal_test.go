package engine_test

import (
	"errors"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/store/faulty"
)

// TestAuthorizationIsNeverSentAgain: the process died after the intention, and
// whether the request has left nobody knows. It is looked up, then sealed; what
// was not performed then has failed. So it is with payouts.
func TestAuthorizationIsNeverSentAgain(t *testing.T) {
	noTrace := func(processor.Order) (payment.Answer, error) { return payment.Answer{}, processor.ErrNoTrace }
	silent := func(processor.Order) (payment.Answer, error) { return payment.Answer{}, errLost }
	yes := func(processor.Order) (payment.Answer, error) { return approved, nil }
	no := func(processor.Order) (payment.Answer, error) { return declined, nil }
	for _, test := range []struct {
		name         string
		lookup, seal func(processor.Order) (payment.Answer, error)
		sealed       int
		status       payment.Status
		reason       payment.Reason
	}{
		{"never arrived", noTrace, nil, 1, payment.Declined, payment.ProcessingError},
		{"arrives just before it is sealed", noTrace, yes, 1, payment.Authorized, ""},
		{"is declined just before it is sealed", noTrace, no, 1, payment.Declined, payment.DoNotHonor},
		{"arrived", yes, nil, 0, payment.Authorized, ""},
		{"was declined", no, nil, 0, payment.Declined, payment.DoNotHonor},
		{"nobody can say", silent, nil, 0, payment.Authorizing, ""},
		{"nobody can seal it", noTrace, silent, 4, payment.Authorizing, ""}, // after 1 s, 5 s, 30 s, 2 min
	} {
		check := func(t *testing.T, attempt payment.Attempt, intake payment.Intake, status payment.Status) {
			s := newScene(t)
			s.proc.far = true
			s.script.expect(faulty.Commit, brokenWritten)
			request := payment.Request{
				Tenant: 1, Merchant: 1, Key: payment.NewKey(1, "test", "k"),
				Command: payment.Create{Intake: intake, Attempt: &attempt},
			}
			if _, err := s.Do(t.Context(), request); !errors.Is(err, engine.ErrUnknown) {
				t.Fatal(err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.proc.lookup, s.proc.seal = test.lookup, test.seal
			s.restart()
			if err := s.Advance(t.Context(), s.clock, 5*time.Minute); err != nil {
				t.Fatal(err)
			}
			out, err := s.Do(t.Context(), request)
			if err != nil || !out.Replayed || out.Payment.Status != status || out.Pending != (test.status == payment.Authorizing) {
				t.Fatalf("%v", result{out, err})
			}
			if why := out.Op().Answer.Reason; why != test.reason {
				t.Errorf("failed because of %q", why)
			}
			id := payment.OperationID(out.Payment.ID, 1)
			if s.proc.performed[id] != 0 || s.proc.sealed[id] != test.sealed {
				t.Errorf("performed %d times, sealed %d times", s.proc.performed[id], s.proc.sealed[id])
			}
		}
		t.Run(test.name, func(t *testing.T) { check(t, payment.Attempt{}, intake(100), test.status) })
		t.Run(test.name+", a payout", func(t *testing.T) {
			status, out := test.status, intake(100)
			if status == payment.Authorized {
				status = payment.PaidOut
			}
			out.Method.Kind = payment.PayeeCard
			check(t, payment.Attempt{Payout: true}, out, status)
		})
	}
}

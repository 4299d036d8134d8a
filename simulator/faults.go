package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

// The outcomes that can be queued: those of the sandbox's own control, and
// faults that only a processor far away can have.
const (
	approve          = "approve"
	decline          = "decline"
	timeout          = "timeout" // not performed, no answer
	lostThenApproved = "lost_then_approved"
	lostThenDeclined = "lost_then_declined"
	late             = "late"                // no answer; performed after the delay
	pendingApproved  = "pending"             // answered as pending; approved after the delay
	failed           = "error"               // not performed, status 500
	failedApproved   = "error_then_approved" // performed, status 500
	contradict       = "contradict"          // answered as declined, performed all the same
)

var outcomes = []string{
	approve, decline, timeout, lostThenApproved, lostThenDeclined, late, pendingApproved, failed, failedApproved, contradict,
}

// step is what happens to a call.
type step struct {
	outcome string
	reason  payment.Reason
	delay   time.Duration // before the answer
}

// queue names a queue of steps; no merchant is any.
type queue struct{ merchant, operation string }

// take returns the next step for an operation of a merchant.
func (s *Simulator) take(merchant, operation string) step {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range []queue{{merchant, operation}, {"", operation}} {
		if steps := s.steps[q]; len(steps) > 0 {
			s.steps[q] = steps[1:]
			return steps[0]
		}
	}
	return step{outcome: approve}
}

// control is POST /_sandbox/processor: it queues outcomes.
func (s *Simulator) control(w http.ResponseWriter, r *http.Request) {
	in := struct {
		Merchant  string         `json:"merchant"`
		Operation string         `json:"operation"`
		Outcome   string         `json:"outcome"`
		Reason    payment.Reason `json:"reason"`
		DelayMS   int64          `json:"delay_ms"`
		Times     int            `json:"times"`
	}{Times: 1}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyLimit))
	d.DisallowUnknownFields()
	switch err := d.Decode(&in); {
	case err != nil:
		refuse(w, http.StatusBadRequest, "the body is not what this control takes: "+err.Error())
	case !slices.Contains(operations, in.Operation):
		refuse(w, http.StatusBadRequest, "operation must be authorize, capture, void, refund or payout")
	case !slices.Contains(outcomes, in.Outcome):
		refuse(w, http.StatusBadRequest, "unknown outcome: docs/processors.md lists them")
	case in.Reason != "" && !slices.Contains(payment.Reasons(), in.Reason):
		refuse(w, http.StatusBadRequest, "unknown reason: docs/sandbox.md lists them")
	case in.DelayMS < 0 || in.DelayMS > 600_000 || in.Times < 1 || in.Times > 10_000:
		refuse(w, http.StatusBadRequest, "delay_ms must be 0 to 600000 and times 1 to 10000")
	default:
		q := queue{in.Merchant, in.Operation}
		s.mu.Lock()
		for range in.Times {
			s.steps[q] = append(s.steps[q], step{in.Outcome, in.Reason, time.Duration(in.DelayMS) * time.Millisecond})
		}
		s.mu.Unlock()
		write(w, http.StatusOK, map[string]int{"queued": in.Times})
	}
}

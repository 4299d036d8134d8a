// Package scripted puts a queue of outcomes in front of other processors, so
// that a sandbox can rehearse declines, time-outs and lost answers.
package scripted

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
)

// Outcome is what is to happen to a call.
type Outcome string

// The outcomes. The lost ones are decided, but their answer is lost: only an
// inquiry tells.
const (
	Approve          Outcome = "approve"
	Decline          Outcome = "decline"
	Timeout          Outcome = "timeout" // not performed, no answer
	LostThenApproved Outcome = "lost_then_approved"
	LostThenDeclined Outcome = "lost_then_declined"
)

// Known tells whether o is one of the outcomes.
func (o Outcome) Known() bool {
	switch o {
	case Approve, Decline, Timeout, LostThenApproved, LostThenDeclined:
		return true
	}
	return false
}

// Step is what happens to the next matching call.
type Step struct {
	Outcome Outcome
	Reason  payment.Reason // of a decline; empty is the generic one
	Delay   time.Duration  // before the answer
}

var errLost = errors.New("scripted: the answer is lost")

// Script is a queue of steps, which several processors may follow: the next
// matching call of any of them takes the next step. It is safe for concurrent
// use.
type Script struct {
	mu    sync.Mutex
	queue map[match][]Step
	plans map[string]Step // by operation: a batch that is decided again meets the same step
	done  map[string]payment.Answer
}

type match struct {
	merchant int64
	kind     payment.OperationKind
}

// NewScript returns an empty script.
func NewScript() *Script {
	return &Script{queue: map[match][]Step{}, plans: map[string]Step{}, done: map[string]payment.Answer{}}
}

// Queue appends a step, times over, for operations of a kind of a merchant.
func (s *Script) Queue(merchant int64, kind payment.OperationKind, step Step, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := match{merchant, kind}
	for range times {
		s.queue[m] = append(s.queue[m], step)
	}
}

// plan returns the step for an operation, taking the next one off the queue
// the first time it is asked.
func (s *Script) plan(i payment.Instruction) (Step, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if step, ok := s.plans[i.ID()]; ok {
		return step, true
	}
	m := match{i.Payment.Merchant, i.Kind}
	switch m.kind {
	case payment.OpCancel:
		m.kind = payment.OpVoid
	case payment.OpIncrement:
		m.kind = payment.OpAuthorize
	}
	if len(s.queue[m]) == 0 {
		return Step{}, false
	}
	step := s.queue[m][0]
	s.queue[m] = s.queue[m][1:]
	s.plans[i.ID()] = step
	return step, true
}

// take returns the step of an operation that is performed now, and forgets it.
func (s *Script) take(id string) (Step, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	step, ok := s.plans[id]
	delete(s.plans, id)
	return step, ok
}

// keep notes what was performed, and returns what is the answer from then on:
// another one if the operation was sealed meanwhile.
func (s *Script) keep(id string, a payment.Answer) payment.Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sealed, ok := s.done[id]; ok {
		return sealed
	}
	s.done[id] = a
	return a
}

func (s *Script) performed(id string) (payment.Answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.done[id]
	return a, ok
}

// seal returns what was performed; else nothing more will be, and it reports
// true.
func (s *Script) seal(id string) (payment.Answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.done[id]; ok {
		return a, false
	}
	delete(s.plans, id)
	s.done[id] = payment.Answer{Result: payment.Refused, Reason: payment.ProcessingError, Message: "Sealed"}
	return payment.Answer{}, true
}

// unseal forgets a seal that the processor behind did not agree to.
func (s *Script) unseal(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.done, id)
}

// Before returns a processor that follows the script, and asks the one behind
// where the script says nothing.
func (s *Script) Before(behind processor.Processor) processor.Processor { return follower{behind, s} }

type follower struct {
	behind processor.Processor
	script *Script
}

// Decide answers by the script. Whatever takes time or gets lost is Pending.
func (f follower) Decide(i payment.Instruction, payer *payment.Payer) payment.Answer {
	step, ok := f.script.plan(i)
	switch {
	case !ok || step.Outcome == Approve && step.Delay == 0:
		return f.behind.Decide(i, payer)
	case step.Outcome == Decline && step.Delay == 0:
		return step.declined()
	}
	return payment.Answer{Result: payment.Pending}
}

// Perform follows the step of the operation, once.
func (f follower) Perform(ctx context.Context, o processor.Order) (payment.Answer, error) {
	if a, ok := f.script.performed(o.ID); ok {
		return a, nil
	}
	step, ok := f.script.take(o.ID)
	if !ok {
		return f.behind.Perform(ctx, o)
	}
	select {
	case <-time.After(step.Delay):
	case <-ctx.Done():
		return payment.Answer{}, ctx.Err()
	}
	if step.Outcome == Timeout {
		return payment.Answer{}, errLost
	}
	answer := step.declined()
	if step.Outcome == Approve || step.Outcome == LostThenApproved {
		var err error
		if answer, err = f.behind.Perform(ctx, o); err != nil {
			return payment.Answer{}, err
		}
	}
	answer = f.script.keep(o.ID, answer)
	if step.Outcome == LostThenApproved || step.Outcome == LostThenDeclined {
		return payment.Answer{}, errLost
	}
	return answer, nil
}

// Lookup tells what was performed here, else what the processor behind knows.
func (f follower) Lookup(ctx context.Context, o processor.Order) (payment.Answer, error) {
	if a, ok := f.script.performed(o.ID); ok {
		return a, nil
	}
	return f.behind.Lookup(ctx, o)
}

// Seal tells what was performed here, else has it never performed: a request
// that arrives later is refused.
func (f follower) Seal(ctx context.Context, o processor.Order) (payment.Answer, error) {
	if a, sealed := f.script.seal(o.ID); !sealed {
		return a, nil
	}
	answer, err := f.behind.Seal(ctx, o)
	if !errors.Is(err, processor.ErrSealed) { // the one behind knows better
		f.script.unseal(o.ID)
	}
	return answer, err
}

func (s Step) declined() payment.Answer {
	why := s.Reason
	if why == "" {
		why = payment.GenericDecline
	}
	return payment.Answer{Result: payment.Refused, Reason: why, Message: "Declined"}
}

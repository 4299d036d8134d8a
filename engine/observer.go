package engine

import (
	"context"
	"errors"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// Observer is told what the engine does, for metrics. Many call it at a time;
// it has to be quick and must not call the engine.
type Observer interface {
	// Committed: so many commands were taken together and are written, or had
	// nothing to write. Took is how long that was from taking them, commit the
	// part of it that the store took to make them durable.
	Committed(commands int, took, commit time.Duration)
	// Decided: what became of a command. Answer says it in a word.
	Decided(c payment.Command, answer Answer, out payment.Outcome)
	// Retried: an attempt to write commands ended with err and another follows.
	Retried(err error)
	// Called: a processor was asked to perform an operation, or what became of
	// it. An error is no answer.
	Called(kind payment.OperationKind, result payment.Result, took time.Duration, err error)
}

// Answer says in a word what became of a command.
type Answer uint8

// The answers.
const (
	AnswerDone        Answer = iota // carried out
	AnswerPending                   // taken, and the processor has not answered
	AnswerDeclined                  // the processor or a risk check said no
	AnswerRefused                   // a guard failed
	AnswerReplayed                  // decided earlier, under the same key
	AnswerUnavailable               // the store cannot write at the moment, or the engine is closed
	AnswerUnknown                   // not known
	AnswerFailed                    // a fault of ours
	answerCount
)

// String is the name of the answer in metrics, such as "done".
func (a Answer) String() string {
	names := [...]string{
		AnswerDone: "done", AnswerPending: "pending", AnswerDeclined: "declined", AnswerRefused: "refused", AnswerReplayed: "replayed",
		AnswerUnavailable: "unavailable", AnswerUnknown: "unknown", AnswerFailed: "failed",
	}
	if a >= answerCount {
		return "invalid"
	}
	return names[a]
}

// Answers lists all answers.
func Answers() []Answer {
	all := make([]Answer, answerCount)
	for i := range all {
		all[i] = Answer(i)
	}
	return all
}

// answer is what became of an item.
func (it *item) answer() Answer {
	switch {
	case errors.Is(it.err, ErrUnknown):
		return AnswerUnknown
	case errors.Is(it.err, ErrUnavailable), errors.Is(it.err, ErrClosed):
		return AnswerUnavailable
	case it.err != nil:
		return AnswerFailed
	case it.outcome.Refusal != nil:
		return AnswerRefused
	case it.record != nil:
		return AnswerReplayed
	case it.outcome.Pending:
		return AnswerPending
	}
	if op := it.outcome.Op(); op != nil && op.Status == payment.OpFailed {
		return AnswerDeclined
	}
	return AnswerDone
}

// Tracer begins spans of work, for traces.
type Tracer interface {
	// Start begins a span below the one of ctx. The context it returns carries
	// the new one; end is to be called once, with what the work failed with. It
	// returns nil for end when nobody wants the span.
	Start(ctx context.Context, name string) (_ context.Context, end func(error))
	// Mark remembers that version of a payment as made by the span of ctx.
	Mark(ctx context.Context, id payment.ID, version int)
}

// traced begins a span when somebody wants one. The end is never nil.
func (e *Engine) traced(ctx context.Context, name, of string) (context.Context, func(error)) {
	if e.Tracer == nil {
		return ctx, untraced
	}
	ctx, end := e.Tracer.Start(ctx, name+of)
	if end == nil {
		end = untraced
	}
	return ctx, end
}

func untraced(error) {}

// traceCommit begins a span for each item of a batch that is traced, and
// returns what ends them.
func (e *Engine) traceCommit(items []*item) func() {
	if e.Tracer == nil {
		return func() {}
	}
	var ends []func(error)
	var of []*item
	for _, it := range items {
		if it.trace == nil {
			continue
		}
		if _, end := e.Tracer.Start(it.trace, "engine.commit"); end != nil {
			ends, of = append(ends, end), append(of, it)
		}
	}
	return func() {
		for i, it := range of {
			ends[i](it.err)
			if p := it.outcome.Payment; p != nil && it.err == nil && it.record == nil {
				e.Tracer.Mark(it.trace, p.ID, p.Version)
			}
		}
	}
}

// began is when the processing of a batch begins.
func (e *Engine) began() time.Duration {
	if e.Observer == nil {
		return 0
	}
	e.commitTook = 0
	return clock.Ticks()
}

// observed reports items that are about to be answered.
func (e *Engine) observed(items []*item, began time.Duration) {
	if e.Observer == nil {
		return
	}
	e.Observer.Committed(len(items), clock.Ticks()-began, e.commitTook)
	for _, it := range items {
		e.Observer.Decided(it.Command, it.answer(), it.outcome)
	}
}

// turnedAway reports a command that was not taken.
func (e *Engine) turnedAway(it *item, refusal *payment.Refusal, err error) {
	if e.Observer != nil {
		it.err, it.outcome.Refusal = err, refusal
		e.Observer.Decided(it.Command, it.answer(), it.outcome)
	}
}

// retried reports that an attempt failed after which another is made.
func (e *Engine) retried(err error) {
	if e.Observer != nil {
		e.Observer.Retried(err)
	}
}

// commit makes changes durable and notes how long that took.
func (e *Engine) commit(ctx context.Context, b store.Batch, changes []store.Change) error {
	if e.Observer == nil {
		return b.Commit(ctx, changes)
	}
	began := clock.Ticks()
	err := b.Commit(ctx, changes)
	e.commitTook += clock.Ticks() - began
	return err
}

// Queued is how many commands wait to be taken.
func (e *Engine) Queued() int { return len(e.queue) }

// Calling is how many calls to processors are under way.
func (e *Engine) Calling() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.calling)
}

// Awaiting is how many callers of Do wait for a processor: what they have asked
// for is written, and they cost nobody anything.
func (e *Engine) Awaiting() int64 { return e.awaiting.Load() }

// Failed tells whether the storage failed: the process has to end.
func (e *Engine) Failed() bool {
	select {
	case <-e.failed:
		return true
	default:
		return false
	}
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/internal/failpoint"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
)

// callTimeout bounds one call to a processor.
const callTimeout = time.Minute

// inquiries are the waits before a processor that has not answered is asked
// again; the last one repeats.
var inquiries = []time.Duration{
	time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 24 * time.Hour,
}

func inquiryAfter(attempt int) time.Duration {
	return inquiries[min(max(attempt, 1), len(inquiries))-1]
}

// call is one call to be made to a processor.
type call struct{ operation, attempt int }

// after does what follows a commit: it calls the processors of pending
// operations, tells those who wait for one, and wakes the timer loop when it
// would look too late.
func (e *Engine) after(items []*item) {
	noticed := false
	for _, it := range items {
		if it.err != nil || it.record != nil {
			continue
		}
		if !it.due.IsZero() && it.due.UnixMilli() < e.waking.Load() {
			e.wake()
		}
		noticed = noticed || it.notices > 0
		if _, ok := it.Command.(payment.Resolve); ok && !it.outcome.Pending && it.outcome.Operation != 0 {
			e.tell(operation{it.outcome.Payment.ID, it.outcome.Operation}, it.outcome)
		}
		for _, c := range it.calls {
			e.call(it, c)
		}
	}
	if noticed && e.Noticed != nil {
		e.Noticed()
	}
}

// call asks the processor about one operation in the background, unless a
// call for it is under way. The intention and the number of the attempt are
// durable already.
func (e *Engine) call(it *item, c call) {
	p, secret, trace := it.outcome.Payment, it.secret, it.trace
	op := operation{p.ID, c.operation}
	e.mu.Lock()
	_, busy := e.calling[op]
	if busy || e.closed {
		e.mu.Unlock()
		return
	}
	e.calling[op] = struct{}{}
	delete(e.silent, op)
	e.work.Add(1)
	e.mu.Unlock()
	go func() {
		defer e.work.Done()
		defer e.called(op)
		ctx, cancel := context.WithTimeout(e.base, callTimeout)
		defer cancel()
		failpoint.Reach("engine.call.before")
		answer, err := e.ask(ctx, trace, processor.NewOrder(p, c.operation, secret), c.attempt)
		if err != nil {
			e.Logger.Warn("processor gave no answer", "operation", payment.OperationID(p.ID, c.operation), "attempt", c.attempt, "error", err)
			e.unanswered(op)
			return
		}
		failpoint.Reach("engine.call.answered")
		e.resolve(trace, p, c.operation, answer)
	}()
}

// unanswered tells the callers that wait for an operation that its call has
// ended without an answer: until somebody asks again, nobody knows.
func (e *Engine) unanswered(op operation) {
	e.mu.Lock()
	e.silent[op] = struct{}{}
	e.mu.Unlock()
	e.tell(op, payment.Outcome{Pending: true})
}

func (e *Engine) called(op operation) {
	e.mu.Lock()
	delete(e.calling, op)
	e.mu.Unlock()
}

// ask consults the processor, and tells those who watch. The trace, if any, is
// of the command that the call follows from.
func (e *Engine) ask(ctx, trace context.Context, o processor.Order, attempt int) (payment.Answer, error) {
	if e.Observer == nil && e.Tracer == nil {
		return e.consult(ctx, o, attempt)
	}
	began := clock.Ticks()
	if trace != nil {
		ctx = spanned{ctx, trace}
	}
	ctx, end := e.traced(ctx, "processor.", o.Kind.String())
	answer, err := e.consult(ctx, o, attempt)
	end(err)
	if e.Observer != nil {
		e.Observer.Called(o.Kind, answer.Result, clock.Ticks()-began, err)
	}
	return answer, err
}

// spanned is a context with the values, and so the span, of another.
type spanned struct {
	context.Context
	of context.Context
}

func (s spanned) Value(key any) any {
	if v := s.Context.Value(key); v != nil {
		return v
	}
	return s.of.Value(key)
}

// consult asks the processor: the first time to perform the operation, later
// what became of it, and to perform it only if it never arrived. An
// authorization, and a payout, is never sent again, for the card's secret is not
// kept: one that never arrived is sealed, and has failed then.
func (e *Engine) consult(ctx context.Context, o processor.Order, attempt int) (_ payment.Answer, err error) {
	defer recovered(&err)
	p := e.Processor(o.Merchant, o.Method)
	if p == nil { // it was there when the intention was committed
		return payment.Answer{}, errNobody
	}
	if attempt > 1 { // an earlier attempt may have arrived
		answer, err := p.Lookup(ctx, o)
		if !errors.Is(err, processor.ErrNoTrace) {
			return answer, err
		}
		failpoint.Reach("engine.inquiry.no_trace")
		if secret(o.Kind) {
			return seal(ctx, p, o)
		}
	}
	answer, err := p.Perform(ctx, o)
	if errors.Is(err, processor.ErrNotSent) && attempt == 1 && secret(o.Kind) {
		return notReached, nil // nobody has ever sent it, and nobody will
	}
	return answer, err
}

// secret tells whether operations of a kind need what is not kept: they are
// sent by their first attempt or never.
func secret(kind payment.OperationKind) bool {
	return kind == payment.OpAuthorize || kind == payment.OpPayout
}

// notReached is what becomes of an operation that is never sent.
var notReached = payment.Answer{Result: payment.Refused, Reason: payment.ProcessingError, Message: "The request did not reach the processor"}

var errNobody = errors.New("no processor takes this method any more")

// seal makes sure that an authorization is never performed, unless it was.
func seal(ctx context.Context, p processor.Processor, o processor.Order) (payment.Answer, error) {
	answer, err := p.Seal(ctx, o)
	if errors.Is(err, processor.ErrSealed) {
		failpoint.Reach("engine.call.sealed")
		return notReached, nil
	}
	return answer, err
}

// recovered makes an error of a panic. It is deferred. The error says where,
// not with what: the value may be a part of somebody's request.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %T\n%s", p, debug.Stack())
	}
}

// resolve brings a processor's answer to its operation. It is not bounded by
// the closing of the engine: the answer is in hand.
func (e *Engine) resolve(trace context.Context, p *payment.Payment, number int, answer payment.Answer) {
	it := &item{
		Request: payment.Request{
			Tenant: p.Tenant, Merchant: p.Merchant, Payment: p.ID, Key: e.newKey(), Retain: keylessKept,
			Command: payment.Resolve{Operation: number, Answer: answer},
		},
		resolves: p.Op(number).Key,
		nameless: true,
		done:     make(chan struct{}),
		trace:    trace,
	}
	var err error
	if it.told, err = e.subscriber(context.Background(), p.Merchant); err != nil {
		e.Logger.Error("answer of a processor is left to the next inquiry", "operation", payment.OperationID(p.ID, number), "error", err)
		return
	}
	e.work.Add(1) // the call's own keeps it above zero
	select {
	case e.queue <- it:
	case <-e.failed:
		e.work.Done()
		return
	}
	select {
	case <-it.done:
	case <-e.failed:
		return
	}
	if it.err != nil {
		e.Logger.Error("answer of a processor could not be recorded", "operation", payment.OperationID(p.ID, number), "error", it.err)
	}
}

// tell passes a resolved outcome on to the callers that wait for it.
func (e *Engine) tell(op operation, out payment.Outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !out.Pending {
		delete(e.silent, op)
	}
	for _, ch := range e.waiting[op] {
		select {
		case ch <- out:
		default:
		}
	}
}

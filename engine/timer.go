package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/payment"
)

const (
	dueLimit = 256             // timers taken at a time
	idle     = 5 * time.Second // the longest sleep of the timer loop
)

var errStuck = errors.New("engine: timers are still there after they were fired")

// timerLoop fires timers when they fall due.
func (e *Engine) timerLoop() {
	defer e.work.Done()
	for {
		e.waking.Store(math.MaxInt64) // whatever is set from here on wakes us
		e.advancing.Lock()
		err := e.fireDue(e.Clock.Now())
		e.advancing.Unlock()
		wait := idle
		if err != nil {
			if e.base.Err() == nil {
				e.Logger.Error("timers could not be fired", "error", err)
			}
		} else if next, err := e.Store.NextDue(context.Background()); err == nil && !next.IsZero() {
			wait = min(max(next.Sub(e.Clock.Now()), time.Millisecond), idle)
		}
		e.waking.Store(e.Clock.Now().Add(wait).UnixMilli())
		sleep := time.NewTimer(wait)
		select {
		case <-sleep.C:
		case <-e.poke:
		case <-e.base.Done():
			sleep.Stop()
			return
		case <-e.failed:
			sleep.Stop()
			return
		}
		sleep.Stop()
	}
}

// wake makes the timer loop look again.
func (e *Engine) wake() {
	select {
	case e.poke <- struct{}{}:
	default:
	}
}

// fireDue fires all timers due at or before now, in order. It returns an error
// when one of them is still there, though others may have been fired.
func (e *Engine) fireDue(now time.Time) error {
	var failed error
	for tried := []payment.Timer(nil); ; {
		due, err := e.Store.Due(context.Background(), now, dueLimit)
		if err != nil || len(due) == 0 {
			return err
		}
		if slices.Equal(due, tried) { // nothing has moved
			return cmp.Or(failed, errStuck)
		}
		failed, tried = e.fire(due), due
	}
}

// fire fires timers and waits until each is done with. It returns why the
// first that was not was not: maybe because somebody was faster.
func (e *Engine) fire(due []payment.Timer) error {
	var failed error
	items := make([]*item, 0, len(due))
	for _, t := range due {
		it := &item{
			Request: payment.Request{Tenant: t.Tenant, Merchant: t.Merchant, Payment: t.Payment, Key: e.newKey(), Command: t.Command()},
			timers:  []payment.Timer{t}, done: make(chan struct{}),
		}
		if t.Kind == payment.ProcessorTimer {
			it.Command = payment.Inquire{Operation: t.Operation, Attempt: t.Attempt + 1, Again: inquiryAfter(t.Attempt + 1)}
		}
		checks, err := e.checks(context.Background(), it.Request)
		if it.checks = checks; err != nil {
			it.err = err
			close(it.done)
		} else if !e.push(it) {
			failed = ErrClosed
			break
		}
		items = append(items, it)
	}
	for i, it := range items {
		select {
		case <-it.done:
		case <-e.failed:
			return ErrUnknown
		}
		if it.err != nil && failed == nil {
			failed = fmt.Errorf("%s timer of payment %s: %w", due[i].Kind, it.Payment, it.err)
		}
	}
	return failed
}

// push queues an item of our own, waiting for room. It reports false when the
// engine is closing.
func (e *Engine) push(it *item) bool {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return false
	}
	e.work.Add(1)
	e.mu.Unlock()
	select {
	case e.queue <- it:
		return true
	case <-e.failed:
		e.work.Done()
		return false
	}
}

// Advance moves a shifted clock forward and does everything that falls due on
// the way, in order and each at its own time. It returns when all is done; on
// an error the clock stands where the first thing is that could not be done.
func (e *Engine) Advance(ctx context.Context, c *clock.Shifted, by time.Duration) error {
	e.advancing.Lock()
	defer e.advancing.Unlock()
	target := c.Offset() + by
	for {
		if err := e.settleCalls(ctx); err != nil { // they were made before the clock moves
			return err
		}
		next, err := e.Store.NextDue(ctx)
		if err != nil {
			return err
		}
		ahead := next.Sub(c.Now())
		if next.IsZero() || c.Offset()+ahead > target {
			break
		}
		c.Advance(c.Offset() + max(ahead, 0))
		if err := e.fireDue(c.Now()); err != nil {
			return err
		}
	}
	c.Advance(target)
	err := e.fireDue(c.Now())
	e.wake()
	return err
}

// settleCalls waits until no call to a processor is under way. It returns an
// error when ctx ends or the engine fails.
func (e *Engine) settleCalls(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		e.mu.Lock()
		busy := len(e.calling)
		e.mu.Unlock()
		if busy == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.failed:
			return ErrUnknown
		case <-time.After(time.Millisecond):
		}
	}
}

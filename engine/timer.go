package engine

import (
	"context"
	"math"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/payment"
)

const (
	dueLimit = 256             // timers taken at a time
	idle     = 5 * time.Second // the longest sleep of the timer loop
)

// timerLoop fires timers when they fall due.
func (e *Engine) timerLoop() {
	defer e.work.Done()
	for {
		e.waking.Store(math.MaxInt64) // whatever is set from here on wakes us
		e.advancing.Lock()
		_, err := e.fireDue(e.Clock.Now())
		e.advancing.Unlock()
		wait := idle
		if err != nil {
			e.Logger.Error("timers could not be read", "error", err)
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

// fireDue fires all timers due at or before now, in order, and returns how
// many there were.
func (e *Engine) fireDue(now time.Time) (int, error) {
	fired := 0
	for {
		due, err := e.Store.Due(context.Background(), now, dueLimit)
		if err != nil || len(due) == 0 {
			return fired, err
		}
		done := e.fire(due)
		fired += done
		if done < len(due) || len(due) < dueLimit {
			return fired, nil
		}
	}
}

// fire fires timers and waits until each is done with. It returns how many
// were.
func (e *Engine) fire(due []payment.Timer) int {
	items := make([]*item, 0, len(due))
	for _, t := range due {
		it := &item{
			Request: payment.Request{Tenant: t.Tenant, Merchant: t.Merchant, Payment: t.Payment, Key: e.newKey(), Command: t.Command()},
			timers:  []payment.Timer{t}, done: make(chan struct{}),
		}
		if t.Kind == payment.ProcessorTimer {
			it.Command = payment.Inquire{Operation: t.Operation, Attempt: t.Attempt + 1, Again: inquiryAfter(t.Attempt + 1)}
		}
		checks, err := e.checks(context.Background(), t.Merchant, it.Command)
		if it.checks = checks; err != nil {
			it.err = err
			close(it.done)
		} else if !e.push(it) {
			break
		}
		items = append(items, it)
	}
	done := 0
	for i, it := range items {
		select {
		case <-it.done:
		case <-e.failed:
			return done
		}
		if it.err != nil {
			e.Logger.Error("timer could not be fired", "payment", it.Payment, "kind", due[i].Kind, "error", it.err)
			continue
		}
		done++
	}
	return done
}

// push queues an item of our own, waiting for room. It reports false when the
// engine is closing.
func (e *Engine) push(it *item) bool {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return false
	}
	e.inFlight[it.Key] = struct{}{}
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
// the way, in order and each at its own time. It returns when all is done.
func (e *Engine) Advance(ctx context.Context, c *clock.Shifted, by time.Duration) error {
	e.advancing.Lock()
	defer e.advancing.Unlock()
	if err := e.settleCalls(ctx); err != nil { // they were made before the clock moves
		return err
	}
	target := c.Offset() + by
	for {
		next, err := e.Store.NextDue(ctx)
		if err != nil {
			return err
		}
		ahead := next.Sub(c.Now())
		if next.IsZero() || c.Offset()+ahead > target {
			break
		}
		c.Advance(c.Offset() + max(ahead, 0))
		if _, err := e.fireDue(c.Now()); err != nil {
			return err
		}
		if err := e.settleCalls(ctx); err != nil {
			return err
		}
	}
	c.Advance(target)
	_, err := e.fireDue(c.Now())
	e.wake()
	return err
}

// settleCalls waits until no call to a processor is under way.
func (e *Engine) settleCalls(ctx context.Context) error {
	for {
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

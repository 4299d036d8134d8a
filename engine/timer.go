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
	"github.com/capstan-pay/capstan/internal/failpoint"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

const (
	dueLimit = 256             // timers taken at a time
	idle     = 5 * time.Second // the longest sleep of the timer loop

	// elsewhere is how long the timer loop sleeps when what is due was claimed
	// by other instances.
	elsewhere = 200 * time.Millisecond

	// advancePatience is how long Advance waits in all for processors that
	// have been called.
	advancePatience = 10 * time.Second
)

var errStuck = errors.New("still there after it was fired")

// stuck are timers that could not be done, and why. They do not keep others
// from being done.
type stuck map[payment.Timer]error

// timerLoop fires timers when they fall due. However the clock jumps, it looks
// every few seconds by itself.
func (e *Engine) timerLoop() {
	defer e.work.Done()
	failed := stuck{}
	again := time.NewTicker(idle)
	defer again.Stop()
	for {
		e.waking.Store(math.MaxInt64) // whatever is set from here on wakes us
		wait := e.look(failed)
		e.waking.Store(e.Clock.Now().Add(wait).UnixMilli())
		sleep := time.NewTimer(wait)
		select {
		case <-sleep.C:
		case <-e.poke:
		case <-again.C:
			clear(failed)
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

// look fires what is due, save what failed before, and returns how long there
// is nothing to do.
func (e *Engine) look(failed stuck) time.Duration {
	select {
	case e.advancing <- struct{}{}:
		defer func() { <-e.advancing }()
	case <-e.base.Done():
		return idle
	}
	before := len(failed)
	now := e.Clock.Now()
	if err := e.fireDue(now, failed); err != nil {
		if e.base.Err() == nil {
			e.Logger.Error("timers could not be fired", "error", err)
		}
		return idle
	}
	if n := len(failed); n > before {
		e.Logger.Error("timers could not be fired: they are tried again", "timers", n, "error", failed.first())
	}
	next, err := e.next(now.Add(idle), failed)
	if err != nil || next.IsZero() {
		return idle
	}
	if e.shared && !next.After(now) {
		return elsewhere
	}
	return min(max(next.Sub(e.Clock.Now()), time.Millisecond), idle)
}

// wake makes the timer loop look again.
func (e *Engine) wake() {
	select {
	case e.poke <- struct{}{}:
	default:
	}
}

// Wake makes the engine look at its timers: the clock was moved.
func (e *Engine) Wake() { e.wake() }

// next returns when the next timer falls due that is not among the failed, if
// it does so at or before until; else zero.
func (e *Engine) next(until time.Time, failed stuck) (time.Time, error) {
	if len(failed) == 0 {
		next, err := e.Store.NextDue(context.Background())
		if next.After(until) {
			next = time.Time{}
		}
		return next, err
	}
	due, err := e.Store.Due(context.Background(), until, 1+len(failed))
	due = without(due, failed)
	if err != nil || len(due) == 0 {
		return time.Time{}, err
	}
	return due[0].Due, nil
}

// claim returns up to limit timers that are due at now, save the failed, and
// keeps other instances from doing them.
func (e *Engine) claim(now time.Time, limit int, failed stuck) ([]payment.Timer, error) {
	due, err := e.Store.Claim(context.Background(), now, limit+len(failed))
	if err != nil {
		return nil, err
	}
	due = without(due, failed)
	return due[:min(limit, len(due))], nil
}

func without(due []payment.Timer, failed stuck) []payment.Timer {
	return slices.DeleteFunc(due, func(t payment.Timer) bool { return failed[t] != nil })
}

// fireDue fires all timers due at or before now, in order, but those that other
// instances have claimed. Those that cannot be
// done, because a rule of ours is broken, become failed. It returns an error
// when the store fails.
func (e *Engine) fireDue(now time.Time, failed stuck) error {
	again := map[payment.Timer]int{} // how often those have been fired that may still be there
	for {
		due, err := e.claim(now, dueLimit, failed)
		if err != nil || len(due) == 0 {
			return err
		}
		failpoint.Reach("engine.timers.claimed")
		before := again
		again = make(map[payment.Timer]int, len(due))
		for i, err := range e.fire(due) {
			t := due[i]
			again[t] = before[t] + 1
			_, broken := errors.AsType[undecided](err)
			switch {
			case err == nil && again[t] > 1:
				failed[t] = failure(t, errStuck)
			case errors.Is(err, store.ErrConflict) && again[t] < attempts, err == nil: // maybe somebody was faster
			case errors.Is(err, store.ErrConflict), broken:
				failed[t] = failure(t, err)
			default:
				return failure(t, err)
			}
		}
	}
}

func failure(t payment.Timer, err error) error {
	return fmt.Errorf("%s timer of payment %s: %w", t.Kind, t.Payment, err)
}

// first is why the earliest of them could not be done.
func (s stuck) first() error {
	var first *payment.Timer
	for t := range s {
		if first == nil || t.Due.Before(first.Due) || t.Due.Equal(first.Due) && t.Payment < first.Payment {
			first = &t
		}
	}
	if first == nil {
		return nil
	}
	return s[*first]
}

// fire fires timers and waits until each is done with. It returns, for each,
// why it was not done.
func (e *Engine) fire(due []payment.Timer) []error {
	errs := make([]error, len(due))
	items := make([]*item, len(due))
	for i, t := range due {
		it := &item{
			Request: payment.Request{Tenant: t.Tenant, Merchant: t.Merchant, Payment: t.Payment, Key: e.newKey(), Retain: keylessKept, Command: t.Command()},
			timers:  []payment.Timer{t}, done: make(chan struct{}),
		}
		if t.Kind == payment.ProcessorTimer {
			it.Command = payment.Inquire{Operation: t.Operation, Attempt: t.Attempt + 1, Again: inquiryAfter(t.Attempt + 1)}
		}
		checks, err := e.checks(context.Background(), &it.Request)
		if err == nil {
			it.told, err = e.subscriber(context.Background(), t.Merchant)
		}
		if err != nil {
			errs[i] = undecided{err}
			continue
		}
		it.checks = checks
		if !e.push(it) {
			errs[i] = ErrClosed
			continue
		}
		items[i] = it
	}
	for i, it := range items {
		if it == nil {
			continue
		}
		select {
		case <-it.done:
			errs[i] = it.err
		case <-e.failed:
			errs[i] = ErrUnknown
		}
	}
	return errs
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

// Agenda is something else that has things falling due, such as deliveries.
type Agenda interface {
	// NextDue returns when the next thing falls due; zero is never.
	NextDue(context.Context) (time.Time, error)
	// DoDue does all that is due, and returns when it is done.
	DoDue(context.Context) error
}

// Advance moves a shifted clock forward and does everything that falls due on
// the way, in order and each at its own time: first the timers of that moment,
// then what is on the other agendas. Before the clock moves on it waits for
// processors that have been called, up to ten seconds in all: the answer of one
// that hangs is taken later, at whatever time it is then.
//
// It returns when all is done. When the store fails the clock stops where the
// first thing is that could not be done. What breaks a rule of ours is left on
// the agenda, the rest is done, and the error names the first.
func (e *Engine) Advance(ctx context.Context, c *clock.Shifted, by time.Duration, also ...Agenda) error {
	select {
	case e.advancing <- struct{}{}:
		defer func() { <-e.advancing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	defer e.wake()
	target := c.Offset() + by
	patience := time.NewTimer(advancePatience)
	defer patience.Stop()
	failed, over := stuck{}, false
	for {
		if err := e.settleCalls(ctx, patience.C, &over); err != nil { // they were made before the clock moves
			return err
		}
		if err := doDue(ctx, also); err != nil {
			return err
		}
		next, err := e.nextOf(ctx, c.Now().Add(target-c.Offset()), failed, also)
		if err != nil {
			return err
		}
		if next.IsZero() {
			break
		}
		ahead := next.Sub(c.Now())
		if ahead <= 0 && e.shared { // another instance may be at it
			time.Sleep(time.Millisecond)
		}
		if err := e.step(ctx, c, min(c.Offset()+max(ahead, 0), target)); err != nil {
			return err
		}
		if err := e.fireDue(c.Now(), failed); err != nil {
			return err
		}
	}
	if err := e.step(ctx, c, target); err != nil {
		return err
	}
	if err := e.fireDue(c.Now(), failed); err != nil {
		return err
	}
	if err := doDue(ctx, also); err != nil {
		return err
	}
	return cmp.Or(failed.first(), e.sweepNow(ctx))
}

// step puts the clock ahead, after whoever has to know was told.
func (e *Engine) step(ctx context.Context, c *clock.Shifted, ahead time.Duration) error {
	if e.Step != nil && ahead > c.Offset() {
		if err := e.Step(ctx, ahead); err != nil {
			return err
		}
	}
	failpoint.Reach("engine.clock.kept")
	c.Advance(ahead)
	return nil
}

// nextOf returns when the next timer falls due that is not among the failed, or
// the next thing on another agenda, if it does so at or before until; else zero.
func (e *Engine) nextOf(ctx context.Context, until time.Time, failed stuck, also []Agenda) (time.Time, error) {
	next, err := e.next(until, failed)
	for _, a := range also {
		if err != nil {
			break
		}
		var due time.Time
		if due, err = a.NextDue(ctx); !due.IsZero() && !due.After(until) && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next, err
}

func doDue(ctx context.Context, agendas []Agenda) error {
	for _, a := range agendas {
		if err := a.DoDue(ctx); err != nil {
			return err
		}
	}
	return nil
}

// settleCalls waits until no call to a processor is under way, or patience is
// over. It returns an error when ctx ends or the engine fails.
func (e *Engine) settleCalls(ctx context.Context, patience <-chan time.Time, over *bool) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		e.mu.Lock()
		busy := len(e.calling)
		e.mu.Unlock()
		if busy == 0 || *over {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.failed:
			return ErrUnknown
		case <-patience:
			*over = true
		case <-time.After(time.Millisecond):
		}
	}
}

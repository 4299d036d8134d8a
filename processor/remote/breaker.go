package remote

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/capstan-pay/capstan/clock"
)

// The bounds of what one processor may cost.
const (
	slots  = 64  // calls at a time
	line   = 256 // that may wait for a slot
	tries  = 8   // calls in a row without an answer, the first begun so long ago, open the breaker
	grace  = 5 * time.Second
	rest   = time.Second // how long nothing new is sent then; it doubles
	repose = 30 * time.Second
)

var (
	errOpen = errors.New("the processor has not answered for a while")
	errFull = errors.New("too many calls wait for the processor")
)

// breaker keeps a processor that hangs from costing anybody else: a bounded
// number of calls is under way, a bounded number waits, and while it answers
// nothing, nothing new is sent. An inquiry goes through all the same, one at a
// time: it is how one finds out that the processor answers again.
type breaker struct {
	slots   chan struct{}
	waiting chan struct{}
	changed func(open bool)

	mu       sync.Mutex
	failures int           // in a row
	since    time.Duration // when the first of them began
	open     bool
	until    time.Duration // nothing new is sent before
	pause    time.Duration
	probe    chan struct{} // closed when the probe under way has ended; nil is none
}

func newBreaker(changed func(open bool)) *breaker {
	return &breaker{slots: make(chan struct{}, slots), waiting: make(chan struct{}, line), changed: changed}
}

// enter lets a call go, and returns what is to be called with its end. An
// error means that nothing may be sent. An inquiry may be let go while the
// breaker is open.
func (b *breaker) enter(ctx context.Context, inquiry bool) (leave func(answered bool), err error) {
	probing, err := b.admit(ctx, inquiry)
	if err != nil {
		return nil, err
	}
	if err := b.slot(ctx, probing); err != nil {
		if probing {
			b.probed()
		}
		return nil, err
	}
	began := clock.Ticks()
	return func(answered bool) {
		if !probing { // which took no slot: a processor that hangs has them all
			<-b.slots
		}
		b.ended(began, answered)
		if probing {
			b.probed()
		}
	}, nil
}

// admit says whether a call may be made now, and whether it is the one that
// tries whether the processor answers.
func (b *breaker) admit(ctx context.Context, inquiry bool) (probing bool, err error) {
	for {
		b.mu.Lock()
		switch {
		case !b.open:
			b.mu.Unlock()
			return false, nil
		case b.probe == nil && (inquiry || clock.Ticks() >= b.until):
			b.probe = make(chan struct{})
			b.mu.Unlock()
			return true, nil
		case !inquiry || b.probe == nil:
			b.mu.Unlock()
			return false, errOpen
		}
		probe, failures := b.probe, b.failures
		b.mu.Unlock()
		select {
		case <-probe:
		case <-ctx.Done():
			return false, ctx.Err()
		}
		b.mu.Lock()
		worse := b.open && b.failures > failures
		b.mu.Unlock()
		if worse { // what the probe found counts for all that waited
			return false, errOpen
		}
	}
}

func (b *breaker) slot(ctx context.Context, probing bool) error {
	if probing {
		return nil
	}
	select {
	case b.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case b.waiting <- struct{}{}:
		defer func() { <-b.waiting }()
	default:
		return errFull
	}
	select {
	case b.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ended counts how a call has ended.
func (b *breaker) ended(began time.Duration, answered bool) {
	b.mu.Lock()
	was := b.open
	switch now := clock.Ticks(); {
	case answered:
		b.failures, b.open, b.pause = 0, false, 0
	default:
		if b.failures == 0 || began < b.since {
			b.since = began
		}
		b.failures++
		if b.open || b.failures >= tries && now-b.since >= grace {
			b.open, b.pause = true, min(max(2*b.pause, rest), repose)
			b.until = now + b.pause
		}
	}
	open := b.open
	b.mu.Unlock()
	if open != was {
		b.changed(open)
	}
}

func (b *breaker) probed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.probe)
	b.probe = nil
}

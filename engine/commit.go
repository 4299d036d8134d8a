package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/capstan-pay/capstan/internal/failpoint"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// attempts is how often a command is tried when others get in its way, and
// together how often a whole batch is tried again before each of its commands
// is tried by itself.
const (
	attempts = 10
	together = 2
)

// commitLoop takes what waits, and commits it. There is no timer in it: an
// idle server answers at once, a busy one batches by itself.
func (e *Engine) commitLoop() {
	defer close(e.stopped)
	batch := make([]*item, 0, e.BatchLimit)
	for first := range e.queue {
		batch = append(batch[:0], first)
		if e.gathering != nil {
			e.gathering()
		}
		if len(e.queue) == 0 {
			runtime.Gosched() // whoever is about to ask may come along
		}
	gather:
		for len(batch) < e.BatchLimit {
			select {
			case next, ok := <-e.queue:
				if !ok {
					break gather
				}
				batch = append(batch, next)
			default:
				break gather
			}
		}
		if !e.process(batch) {
			e.abandon(batch)
			return
		}
	}
}

// process answers every item of a batch and tells whether the engine may go
// on.
func (e *Engine) process(items []*item) bool {
	ctx := context.Background() // a command that was taken is carried out
	e.settling <- struct{}{}    // until it is known what became of the batch, its records stay
	defer func() { <-e.settling }()
	began := e.began()
	traced := e.traceCommit(items)
	err := e.try(ctx, items)
	for n := 0; n < together && len(items) > 1 && errors.Is(err, store.ErrConflict); n++ {
		e.renumber(n, items...)
		err = e.try(ctx, items) // what the winner has left is there by now
	}
	if errors.Is(err, store.ErrUnknown) {
		if written, lookup := e.written(ctx, items...); lookup == nil && written {
			err = nil
		}
	}
	if err != nil {
		// One must not fail its neighbours: each is tried by itself.
		for _, it := range items {
			e.retried(err)
			if broken := e.alone(ctx, it, err); broken != nil {
				e.broken(broken)
				return false
			}
		}
	}
	failpoint.Reach("engine.commit.after")
	traced()
	e.observed(items, began)
	e.after(items) // first, so that whoever is answered finds the calls that follow under way
	failpoint.Reach("engine.answers.before")
	e.leave(items)
	return true
}

// try decides a batch and commits it. On an error nobody has been answered.
func (e *Engine) try(ctx context.Context, items []*item) error {
	failpoint.Reach("engine.batch.taken")
	b, err := e.Store.Begin(ctx, touched(items))
	if err != nil {
		return err
	}
	defer b.Rollback()
	changes, err := e.decide(ctx, b, items)
	if err != nil || len(changes) == 0 {
		return err
	}
	failpoint.Reach("engine.commit.before")
	// From here on the batch is durable, or none of it is.
	return e.commit(ctx, b, changes)
}

// alone carries out one item whose batch ended with err. After an unknown
// outcome it looks for the item's record before it tries again. It returns an
// error only when the storage is broken.
func (e *Engine) alone(ctx context.Context, it *item, err error) error {
	doubt := false // an attempt may have been written, whatever the later ones say
	for n := range attempts {
		if errors.Is(err, store.ErrBroken) {
			return err
		}
		if errors.Is(err, store.ErrUnknown) {
			written, lookup := e.written(ctx, it)
			if lookup != nil {
				it.fail(fmt.Errorf("%w: %w", ErrUnknown, lookup))
				return nil
			}
			if written {
				return nil
			}
			doubt = true
		}
		if err = e.try(ctx, []*item{it}); err == nil {
			return nil
		}
		if errors.Is(err, store.ErrConflict) {
			e.renumber(n, it)
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUnknown) {
			break
		}
		if it.timers != nil && errors.Is(err, store.ErrConflict) {
			break // another engine may have done it: whoever fires it looks at the agenda again
		}
		e.retried(err)
	}
	switch {
	case errors.Is(err, store.ErrBroken):
		return err
	case doubt, errors.Is(err, store.ErrUnknown):
		it.fail(fmt.Errorf("%w: %w", ErrUnknown, err))
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrConflict):
		it.fail(fmt.Errorf("%w: %w", ErrUnavailable, err))
	default:
		it.fail(fmt.Errorf("engine: %T: %w", it.Command, err))
	}
	return nil
}

// renumber takes the IDs from payments that items create, after the n-th
// conflict: one of them may be another's, made before the clock was set back.
func (e *Engine) renumber(n int, items ...*item) {
	for _, it := range items {
		if _, creates := it.Command.(payment.Create); creates {
			it.Payment = 0
			e.IDs.Skip(time.Millisecond << n)
		}
	}
}

// written tells whether the commit in which items were decided last has taken
// place. It writes all of its changes or none, so one record that it would
// have left is enough. The record must be that very one: another may have been
// left under the key by an earlier request. What leaves no record can be
// decided again without harm.
func (e *Engine) written(ctx context.Context, items ...*item) (bool, error) {
	for _, it := range items {
		if it.left.Key == (payment.Key{}) {
			continue
		}
		r, ok, err := e.Store.Record(ctx, it.Tenant, it.left.Key)
		if err != nil {
			return false, err
		}
		if ok && sameRecord(r, it.left) {
			return true, nil
		}
	}
	return false, nil
}

// sameRecord tells whether a and b, of one key, are of the same command.
func sameRecord(a, b store.Record) bool {
	return a.Fingerprint == b.Fingerprint && a.Payment == b.Payment && a.Version == b.Version && a.Operation == b.Operation &&
		a.Pending == b.Pending && a.At.Equal(b.At) && (a.Refusal == nil) == (b.Refusal == nil)
}

// broken ends the engine: what is on disk is not known, so nobody is told
// anything more.
func (e *Engine) broken(err error) {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.stop()
	close(e.failed)
	e.Logger.Error("storage failed: no more answers", "error", err)
	e.Fatal(err)
}

// abandon lets go of items, and of whatever follows in the queue until the
// engine is closed.
func (e *Engine) abandon(items []*item) {
	for range items {
		e.work.Done()
	}
	for range e.queue {
		e.work.Done()
	}
}

// touched names what a batch may look at.
func touched(items []*item) store.Touched {
	t := store.Touched{Keys: make([]store.Ref[payment.Key], 0, len(items)), Payments: make([]store.Ref[payment.ID], 0, len(items))}
	for _, it := range items {
		t.Keys = append(t.Keys, store.Ref[payment.Key]{Tenant: it.Tenant, Name: it.Key})
		if it.resolves != (payment.Key{}) {
			t.Keys = append(t.Keys, store.Ref[payment.Key]{Tenant: it.Tenant, Name: it.resolves})
		}
		if it.Payment != 0 {
			t.Payments = append(t.Payments, store.Ref[payment.ID]{Tenant: it.Tenant, Name: it.Payment})
		}
	}
	return t
}

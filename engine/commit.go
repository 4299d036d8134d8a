package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// attempts is how often a command is tried when others get in its way.
const attempts = 10

// commitLoop takes what waits, and commits it. There is no timer in it: an
// idle server answers at once, a busy one batches by itself.
func (e *Engine) commitLoop() {
	defer close(e.stopped)
	batch := make([]*item, 0, e.BatchLimit)
	for first := range e.queue {
		batch = append(batch[:0], first)
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
			return
		}
	}
}

// process answers every item of a batch and tells whether the engine may go
// on.
func (e *Engine) process(items []*item) bool {
	ctx := context.Background() // a command that was taken is carried out
	err := e.try(ctx, items)
	switch {
	case err == nil:
	case errors.Is(err, store.ErrBroken):
		e.broken(err)
		return false
	case len(items) == 1:
		err = e.alone(ctx, items[0], err)
	default:
		// One must not fail its neighbours: each is tried by itself.
		for _, it := range items {
			if broken := e.alone(ctx, it, err); broken != nil {
				e.broken(broken)
				return false
			}
		}
		err = nil
	}
	if err != nil {
		e.broken(err)
		return false
	}
	e.after(items) // first, so that whoever is answered finds the calls that follow under way
	e.leave(items)
	return true
}

// try decides a batch and commits it. On an error nobody has been answered.
func (e *Engine) try(ctx context.Context, items []*item) error {
	b, err := e.Store.Begin(ctx, touched(items))
	if err != nil {
		return err
	}
	defer b.Rollback()
	changes, err := e.decide(ctx, b, items)
	if err != nil || len(changes) == 0 {
		return err
	}
	// From here on the batch is durable, or none of it is.
	return b.Commit(ctx, changes)
}

// alone carries out one item whose batch ended with err. After an unknown
// outcome it looks for the item's record before it tries again. It returns an
// error only when the storage is broken.
func (e *Engine) alone(ctx context.Context, it *item, err error) error {
	for range attempts {
		if errors.Is(err, store.ErrBroken) {
			return err
		}
		if errors.Is(err, store.ErrUnknown) {
			found, lookup := e.find(ctx, it)
			if lookup != nil {
				it.err = fmt.Errorf("%w: %w", ErrUnknown, lookup)
				return nil
			}
			if found {
				return nil
			}
		}
		if errors.Is(err, store.ErrFull) {
			break
		}
		if err = e.try(ctx, []*item{it}); err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUnknown) {
			break
		}
	}
	switch {
	case errors.Is(err, store.ErrBroken):
		return err
	case errors.Is(err, store.ErrUnknown):
		it.err = ErrUnknown
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrConflict):
		it.err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	default:
		it.err = fmt.Errorf("engine: %T: %w", it.Command, err)
	}
	it.outcome, it.record = payment.Outcome{}, nil
	return nil
}

// find looks for the record that an item's command would have left, after a
// commit whose outcome is unknown. A resolving command leaves the record of
// the command it completes.
func (e *Engine) find(ctx context.Context, it *item) (bool, error) {
	if it.outcome.Payment == nil && it.outcome.Refusal == nil && len(it.timers) == 0 {
		return false, nil // it had not been decided
	}
	key := it.Key
	if it.resolves != (payment.Key{}) {
		key = it.resolves
	}
	r, ok, err := e.Store.Record(ctx, it.Tenant, key)
	if err != nil || !ok || r.Pending && it.resolves != (payment.Key{}) {
		return false, err
	}
	return true, nil // the outcome that was decided is the one that was written
}

// broken ends the engine: what is on disk is not known, so nobody is told
// anything more.
func (e *Engine) broken(err error) {
	e.fail.Do(func() {
		e.mu.Lock()
		e.closed = true
		e.mu.Unlock()
		close(e.failed)
		e.Logger.Error("storage failed: no more answers", "error", err)
		e.Fatal(err)
	})
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

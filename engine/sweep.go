package engine

import (
	"context"
	"errors"
	"time"

	"github.com/capstan-pay/capstan/store"
)

const (
	// keylessKept is how long the record of a command stays that brought no
	// key. Nobody can ask for it but the committer, while it finds out whether a
	// commit took place, and during that time nothing is swept.
	keylessKept = time.Hour

	// grace is how long what is over stays all the same: until then a clock
	// that is set back makes no difference.
	grace = time.Hour

	// grantsKept is how long a grant that has run out is still known, so that
	// whoever uses it hears that it has expired and not that there is no such.
	grantsKept = 400 * 24 * time.Hour

	// noticesKept is how long it can be looked up what merchants were told,
	// counted from when it happened.
	noticesKept = 100 * 24 * time.Hour

	sweepEvery  = time.Minute
	sweepRows   = 100                   // in one go: a few milliseconds of the writer
	sweepPause  = 25 * time.Millisecond // between two, for the commands that wait
	sweepAtOnce = 500 * time.Millisecond
)

// sweepLoop forgets in the background what is over.
func (e *Engine) sweepLoop() {
	defer e.work.Done()
	wait := time.NewTimer(sweepEvery)
	defer wait.Stop()
	for {
		select {
		case <-wait.C:
		case <-e.base.Done():
			return
		case <-e.failed:
			return
		}
		next := sweepEvery
		switch done, err := e.sweep(e.base); {
		case err != nil && e.base.Err() == nil:
			e.Logger.Warn("what is over could not be swept", "error", err)
		case done.More:
			next = sweepPause
		}
		wait.Reset(next)
	}
}

// sweep forgets a little of what is over. Nothing is on its way to the store
// meanwhile: a commit of which it is not known whether it took place is looked
// up by its records. Another instance sweeps them two hours later at the earliest.
func (e *Engine) sweep(ctx context.Context) (store.Swept, error) {
	select {
	case e.settling <- struct{}{}:
		defer func() { <-e.settling }()
	case <-ctx.Done():
		return store.Swept{}, ctx.Err()
	case <-e.failed:
		return store.Swept{}, nil
	}
	select {
	case <-e.failed:
		return store.Swept{}, nil
	default:
	}
	now := e.Clock.Now()
	return e.Store.Sweep(ctx, store.Over{Before: now.Add(-grace), Grants: now.Add(-grantsKept), Notices: now.Add(-noticesKept)}, sweepRows)
}

// sweepNow forgets what is over, or what of it can be forgotten in a moment;
// the rest is left to the background.
func (e *Engine) sweepNow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepAtOnce)
	defer cancel()
	for ctx.Err() == nil {
		done, err := e.sweep(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if err != nil || !done.More {
			return err
		}
	}
	return nil
}

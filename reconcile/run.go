package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/processor/remote"
	"github.com/capstan-pay/capstan/store"
)

// Source is a processor to reconcile with.
type Source interface {
	Performed(ctx context.Context, since time.Time) ([]remote.Effect, error)
	Lookup(context.Context, processor.Order) (payment.Answer, error)
}

// Store is what is needed of a store.
type Store interface {
	Audit(context.Context, func(store.Audit) error) error
	Events(ctx context.Context, tenant int64, id payment.ID) ([]payment.Event, error)
}

// ErrProcessor is wrapped by an error of a processor that could not be asked, or
// whose answer is none.
var ErrProcessor = errors.New("the books could not be compared")

// Run compares what a processor has performed since a moment with the history.
// It may run beside a server that is at work: what goes on meanwhile is no
// finding. An error means that nothing can be said.
func Run(ctx context.Context, st Store, from Source, since time.Time, covers func(payment.Method) bool) ([]Finding, error) {
	effects, err := from.Performed(ctx, since) // first: whatever is in it was written before it was sent
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProcessor, err)
	}
	findings, err := compare(ctx, st, effects, since, covers)
	if err != nil {
		return nil, err
	}
	kept := findings[:0]
	for _, f := range findings {
		if f.Kind == Missing { // it may have been performed after the list was made
			answer, err := from.Lookup(ctx, processor.Order{ID: f.ID, Amount: f.Amount})
			switch {
			case err == nil && answer.Result == payment.Approved:
				continue
			case err != nil && !errors.Is(err, processor.ErrNoTrace):
				return nil, fmt.Errorf("%w: look up %s: %w", ErrProcessor, f.ID, err)
			}
		}
		kept = append(kept, f)
	}
	return kept, nil
}

// compare holds effects against the history. From the beginning it reads all of
// that. Since a moment it reads only the payments that have changed since then,
// and those that the processor names: they are found in the narrow rows that say
// how payments stand.
func compare(ctx context.Context, st Store, effects []remote.Effect, since time.Time, covers func(payment.Method) bool) (findings []Finding, err error) {
	if since.IsZero() {
		err = st.Audit(ctx, func(view store.Audit) (err error) {
			findings, err = Compare(view, effects, since, covers)
			return err
		})
		return findings, err
	}
	named := make(map[payment.ID]bool, len(effects))
	for i := range effects {
		if id, _, ok := payment.ParseOperationID(effects[i].ID); ok {
			named[id] = true
		}
	}
	var changed []store.Ref[payment.ID]
	err = st.Audit(ctx, func(view store.Audit) error {
		return view.States(func(s store.State) error {
			if !s.UpdatedAt.Before(since) || named[s.Payment] {
				changed = append(changed, store.Ref[payment.ID]{Tenant: s.Tenant, Name: s.Payment})
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	b := newBooks(effects, since, covers)
	for _, p := range changed {
		events, err := st.Events(ctx, p.Tenant, p.Name)
		if err != nil {
			return nil, fmt.Errorf("events of payment %s: %w", p.Name, err)
		}
		for i := range events {
			if err := b.add(p.Name, i+1, events[i]); err != nil {
				return nil, err
			}
		}
	}
	return b.compare(effects), nil
}

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

// Auditor shows one consistent snapshot of a store.
type Auditor interface {
	Audit(context.Context, func(store.Audit) error) error
}

// Run compares what a processor has performed since a moment with the history.
// It may run beside a server that is at work: what goes on meanwhile is no
// finding. An error means that nothing can be said.
func Run(ctx context.Context, st Auditor, from Source, since time.Time, covers func(payment.Method) bool) ([]Finding, error) {
	effects, err := from.Performed(ctx, since) // first: whatever is in it was written before it was sent
	if err != nil {
		return nil, err
	}
	var findings []Finding
	err = st.Audit(ctx, func(view store.Audit) (err error) {
		findings, err = Compare(view, effects, since, covers)
		return err
	})
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
				return nil, fmt.Errorf("look up %s: %w", f.ID, err)
			}
		}
		kept = append(kept, f)
	}
	return kept, nil
}

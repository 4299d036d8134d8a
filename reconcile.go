package capstan

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/reconcile"
)

// How often a server reconciles by itself, and how far it looks back.
const (
	reconcileEvery = 24 * time.Hour
	reconcileBack  = 8 * 24 * time.Hour
)

// Reconcile compares what the remote processors have performed since a moment
// with the history, and returns all differences. What one of them has performed
// against its own word is taken back at once. What goes on meanwhile is no
// difference.
func (s *Server) Reconcile(ctx context.Context, since time.Time) (findings []reconcile.Finding, err error) {
	for _, name := range slices.Sorted(maps.Keys(s.remotes)) {
		found, err := reconcile.Run(ctx, s.Store, s.remotes[name], since, func(m payment.Method) bool { return s.remote(m) == name })
		if err != nil {
			return nil, fmt.Errorf("reconcile with %s: %w", name, err)
		}
		for _, f := range found {
			f.Processor = name
			if f.Kind == reconcile.Against {
				s.takeBack(ctx, f)
			}
			findings = append(findings, f)
		}
	}
	return findings, nil
}

// takeBack has an operation taken back that was performed after all.
func (s *Server) takeBack(ctx context.Context, f reconcile.Finding) {
	p, err := s.anywhere(ctx, f.Payment)
	if err != nil || p == nil {
		s.Logger.Error("what was performed against the processor's word could not be taken back", "operation", f.ID, "error", err)
		return
	}
	out, err := s.Engine.Do(ctx, payment.Request{
		Tenant: p.Tenant, Merchant: p.Merchant, Payment: p.ID, Retain: reconcileEvery,
		Command: payment.Resolve{Operation: f.Operation, Answer: payment.Answer{Result: payment.Approved}},
	})
	if err != nil || out.Refusal != nil {
		s.Logger.Error("what was performed against the processor's word could not be taken back", "operation", f.ID, "error", err)
	}
}

// Settle writes into the history of an operation's payment how a difference
// was settled, and who says so: it is no difference any more.
func (s *Server) Settle(ctx context.Context, id, note string) error {
	var of int64
	var number int
	if n, err := fmt.Sscanf(id, "op_%d_%d", &of, &number); n != 2 || err != nil || payment.OperationID(payment.ID(of), number) != id {
		return admin.Problem{Status: 422, Text: "an operation is named op_..., as reconcile shows it"}
	}
	p, err := s.anywhere(ctx, payment.ID(of))
	switch {
	case err != nil:
		return err
	case p == nil:
		return admin.Problem{Status: 404, Text: "no payment is known that this operation would belong to: settle it with the processor"}
	}
	out, err := s.Engine.Do(ctx, payment.Request{
		Tenant: p.Tenant, Merchant: p.Merchant, Payment: p.ID, Retain: reconcileEvery, Command: payment.Correct{Operation: number, Note: note},
	})
	switch {
	case err != nil:
		return err
	case out.Refusal.Has(payment.DuplicateOperation):
		return admin.Problem{Status: 409, Text: "it is settled already"}
	case out.Refusal != nil:
		return out.Refusal
	}
	return nil
}

// reconcileLoop reconciles once a day, until the server closes, and says in the
// log what it finds.
func (s *Server) reconcileLoop(ctx context.Context) {
	if len(s.remotes) == 0 {
		return
	}
	first := time.NewTimer(time.Minute)
	defer first.Stop()
	daily := time.NewTicker(reconcileEvery)
	defer daily.Stop()
	for {
		select {
		case <-first.C:
		case <-daily.C:
		case <-ctx.Done():
			return
		}
		findings, err := s.Reconcile(ctx, clock.System{}.Now().Add(-reconcileBack)) // the processors' clock, which nobody moves
		if err != nil {
			if ctx.Err() == nil {
				s.Logger.Error("the books could not be reconciled", "error", err)
			}
			continue
		}
		for _, f := range findings {
			s.Logger.Error("the books differ from a processor's: see capstan reconcile", "processor", f.Processor, "kind", f.Kind, "operation", f.ID, "text", f.Text)
		}
	}
}

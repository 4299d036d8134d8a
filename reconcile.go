package capstan

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor/remote"
	"github.com/capstan-pay/capstan/reconcile"
	"github.com/capstan-pay/capstan/store"
)

// How often a server reconciles by itself, and how far it looks back.
const (
	reconcileEvery = 24 * time.Hour
	reconcileBack  = 8 * 24 * time.Hour

	restoredAgain = 10 * time.Second // until a restored store could be reconciled
)

// Reconcile compares what the remote processors have performed since a moment
// with the history, and returns all differences. What one of them has performed
// against its own word is taken back at once. What goes on meanwhile is no
// difference.
func (s *Server) Reconcile(ctx context.Context, since time.Time) (findings []reconcile.Finding, err error) {
	defer func() {
		if err == nil && since.IsZero() {
			err = s.release(ctx, findings)
		}
	}()
	for _, name := range slices.Sorted(maps.Keys(s.remotes)) {
		found, err := reconcile.Run(ctx, s.Store, s.remotes[name], since, func(m payment.Method) bool { return s.remote(m) == name })
		if err != nil {
			return nil, unanswered(err)
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

// unanswered tells an operator why a processor could not be asked; any other
// error is ours.
func unanswered(err error) error {
	if errors.Is(err, reconcile.ErrProcessor) {
		return admin.Problem{Status: http.StatusBadGateway, Text: err.Error()}
	}
	return err
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
	p, number, err := s.subject(ctx, id)
	if err != nil {
		return err
	}
	return s.conclude(ctx, p, payment.Correct{Operation: number, Note: note})
}

// Adopt books what a processor has performed and what is not known here, as if
// it had been asked for here, with who says so and why. Nothing is asked of the
// processor but its list.
func (s *Server) Adopt(ctx context.Context, id, note string) error {
	p, number, err := s.subject(ctx, id)
	if err != nil {
		return err
	}
	processor := s.remotes[s.remote(p.Method)]
	if processor == nil {
		return admin.Problem{Status: 409, Text: "the payment is no remote processor's"}
	}
	effects, err := processor.Performed(ctx, p.ID.Time().Add(-reconcileEvery)) // its clock may be another
	if err != nil {
		return unanswered(fmt.Errorf("%w: %w", reconcile.ErrProcessor, err))
	}
	i := slices.IndexFunc(effects, func(e remote.Effect) bool { return e.ID == id })
	if i < 0 {
		return admin.Problem{Status: 404, Text: "the processor's list does not have it"}
	}
	kinds := map[string]payment.OperationKind{"capture": payment.OpCapture, "void": payment.OpVoid, "refund": payment.OpRefund}
	kind, ok := kinds[effects[i].Operation]
	if of, _, named := payment.ParseOperationID(effects[i].Payment); !ok || !named || of != p.ID {
		return admin.Problem{Status: 409, Text: "only a capture, a void or a refund of this very payment can be adopted: settle it with the processor"}
	}
	return s.conclude(ctx, p, payment.Adopt{
		Operation: number, Kind: kind, Amount: effects[i].Amount, Currency: money.Currency(effects[i].Currency), Note: note,
	})
}

// subject finds the payment of an operation, by our name for the operation.
func (s *Server) subject(ctx context.Context, id string) (*payment.Payment, int, error) {
	of, number, ok := payment.ParseOperationID(id)
	if !ok {
		return nil, 0, admin.Problem{Status: 422, Text: "an operation is named op_..., as reconcile shows it"}
	}
	p, err := s.anywhere(ctx, of)
	if err == nil && p == nil {
		err = admin.Problem{Status: 404, Text: "no payment is known that this operation would belong to: settle it with the processor"}
	}
	return p, number, err
}

// conclude carries out what an operator wants of a payment that differs.
func (s *Server) conclude(ctx context.Context, p *payment.Payment, c payment.Command) error {
	out, err := s.Engine.Do(ctx, payment.Request{Tenant: p.Tenant, Merchant: p.Merchant, Payment: p.ID, Retain: reconcileEvery, Command: c})
	switch {
	case err != nil:
		return err
	case out.Refusal.Has(payment.DuplicateOperation):
		return admin.Problem{Status: 409, Text: "it is settled already, or its name is another operation's here"}
	case out.Refusal.Has(payment.Busy):
		return admin.Problem{Status: 503, Text: "the server is busy: try again"}
	case out.Refusal != nil:
		return admin.Problem{Status: 409, Text: "the payment as it is here could not have asked for it (" + out.Refusal.Error() + "): settle it by hand"}
	}
	if s.held.Load() != nil {
		_, err = s.Reconcile(ctx, time.Time{})
	}
	return err
}

// metaRestored marks a store that was made from a backup and was not reconciled
// since.
const metaRestored = "restored"

// MarkRestored marks a store that was made from a backup. Served with remote
// processors it answers reads, and moves no payment on that differs from what
// they have performed: first none at all, then those that reconciliation finds.
func MarkRestored(ctx context.Context, st store.Registry) error {
	_, err := st.PutMeta(ctx, metaRestored, []byte("yes"), false)
	return err
}

// held are the payments that are not moved on; nil is all of them.
type held map[payment.ID]bool

// holdRestored holds all payments of a store that was restored, if there is
// anybody to reconcile with.
func (s *Server) holdRestored(ctx context.Context) error {
	marked, err := s.Store.Meta(ctx, metaRestored)
	if err == nil && string(marked) == "yes" && len(s.remotes) > 0 {
		s.held.Store(new(held))
	}
	return err
}

// isHeld tells whether a payment is not to be moved on.
func (s *Server) isHeld(id payment.ID) bool {
	held := s.held.Load()
	return held != nil && (*held == nil || (*held)[id])
}

// release lets all payments go that reconciliation has found nothing about, and
// when it has found nothing at all, the mark of the store.
func (s *Server) release(ctx context.Context, findings []reconcile.Finding) error {
	if s.held.Load() == nil {
		return nil
	}
	still := held{}
	for _, f := range findings {
		if f.Kind != reconcile.Against { // which is being taken back
			still[f.Payment] = true
			if f.Payment == 0 { // of an operation that is not known of a payment that may be
				if of, _, ok := payment.ParseOperationID(f.ID); ok {
					still[of] = true
				}
			}
		}
	}
	for id := range still { // what is no payment here cannot be moved on
		if p, err := s.anywhere(ctx, id); err != nil {
			return err
		} else if p == nil {
			delete(still, id)
		}
	}
	if len(still) > 0 {
		s.held.Store(&still)
		return nil
	}
	s.held.Store(nil)
	_, err := s.Store.PutMeta(ctx, metaRestored, []byte("no"), false)
	return err
}

// reconcileLoop reconciles once a day, until the server closes, and says in the
// log what it finds.
func (s *Server) reconcileLoop(ctx context.Context) {
	if len(s.remotes) == 0 {
		return
	}
	wait := time.Minute
	if s.held.Load() != nil {
		wait = 0
	}
	first := time.NewTimer(wait)
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
		since := clock.System{}.Now().Add(-reconcileBack) // the processors' clock, which nobody moves
		if s.held.Load() != nil {
			since = time.Time{}
		}
		findings, err := s.Reconcile(ctx, since)
		if err != nil {
			if ctx.Err() == nil {
				s.Logger.Error("the books could not be reconciled", "error", err)
			}
			if s.held.Load() != nil {
				first.Reset(restoredAgain)
			}
			continue
		}
		for _, f := range findings {
			s.Logger.Error("the books differ from a processor's: see capstan reconcile", "processor", f.Processor, "kind", f.Kind, "operation", f.ID, "text", f.Text)
		}
	}
}

package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/verify"
)

// check holds the world against what must be true at any time.
func (w *world) check() {
	if w.err != nil || w.written == w.checked {
		return
	}
	w.checked = w.written
	report, err := verify.Audit(context.Background(), w.store)
	if err != nil {
		w.fail("audit: %v", err)
		return
	}
	for _, f := range report.Findings {
		w.fail("audit: %s", f)
		return
	}
	w.once()
	w.truth(false)
}

// once looks through the history: no request has done anything twice, no hold
// ended before its time, and nothing was taken from one after it.
func (w *world) once() {
	done := map[string]int{}
	err := w.store.Audit(context.Background(), func(view store.Audit) error {
		return view.Events(func(id payment.ID, n int, e payment.Event) error {
			if e.Kind == payment.PaymentCreated {
				done["payment of "+e.Intake.Reference]++
			}
			if e.Asked != nil && e.Asked.Reference != "" && e.Asked.Parent == 0 {
				done["operation of "+e.Asked.Reference]++
			}
			return nil
		})
	})
	if err != nil {
		w.fail("%v", err)
	}
	for _, what := range slices.Sorted(maps.Keys(done)) {
		if done[what] > 1 {
			w.fail("%s: %d of them", what, done[what])
			return
		}
	}
	for _, p := range w.payments() {
		if p.Ended == payment.EndedByDeadline && p.ClosedAt.Before(p.ExpiresAt) {
			w.fail("the hold of payment %s until %s ended by its deadline at %s", p.ID, p.ExpiresAt, p.ClosedAt)
		}
		for _, op := range p.Operations {
			late := !p.AuthorizedAt.IsZero() && !op.At.Before(p.ExpiresAt) && op.Status != payment.OpFailed
			if late && op.Parent == 0 && op.Reference != "" && (op.Kind == payment.OpCapture || op.Kind == payment.OpVoid) {
				w.fail("operation %d of payment %s was taken at %s, from a hold until %s", op.Number, p.ID, op.At, p.ExpiresAt)
			}
		}
	}
}

// truth holds what is written against what the bank has done. While something
// is on its way only what is written as final has to be true.
func (w *world) truth(all bool) {
	for _, id := range slices.Sorted(maps.Keys(w.bank.known)) {
		at := w.bank.known[id]
		_, op := w.operation(id)
		switch {
		case op == nil:
			w.fail("%s was sent to the bank, but is not written", id)
		case at.effects > 1:
			w.fail("the bank has performed %s %d times", id, at.effects)
		case at.order.Amount != op.Amount:
			w.fail("%s: %d were sent, %d are written", id, at.order.Amount, op.Amount)
		case at.fickle:
		case op.Status == payment.OpApproved && !at.approved:
			w.fail("%s is written as approved, the bank has not performed it", id)
		case op.Status == payment.OpFailed && at.approved:
			w.fail("%s is written as failed, the bank has performed it", id)
		case op.Status == payment.OpFailed && !at.declined && !at.sealed:
			w.fail("%s is written as failed, the bank may perform it yet", id)
		case all && at.approved && op.Status != payment.OpApproved:
			w.fail("the bank has performed %s, it is written as %s", id, op.Status)
		}
	}
}

// reconcile reports to the engines what the bank has performed against its own
// word.
func (w *world) reconcile() {
	for _, id := range slices.Sorted(maps.Keys(w.bank.known)) {
		p, op := w.operation(id)
		if op == nil || op.Status != payment.OpFailed || !w.bank.known[id].approved {
			continue
		}
		w.say("the bank says that it has performed %s after all", id)
		go func() {
			_, _ = w.live()[0].e.Do(context.Background(), payment.Request{
				Tenant: 1, Merchant: 1, Payment: p.ID, Command: payment.Resolve{Operation: op.Number, Answer: payment.Answer{Result: payment.Approved}},
			})
		}()
		w.settle()
	}
}

// corrections looks whether what was performed against the bank's own word was
// taken back, once. The bank may decline that.
func (w *world) corrections() {
	for _, id := range slices.Sorted(maps.Keys(w.bank.known)) {
		p, op := w.operation(id)
		if op == nil || op.Status != payment.OpFailed || !w.bank.known[id].approved {
			continue
		}
		tried, made := 0, 0
		for i := range p.Operations {
			if back := &p.Operations[i]; back.Kind == payment.OpCorrection && back.Parent == op.Number {
				tried++
				if back.Status == payment.OpApproved {
					made++
				}
			}
		}
		if tried == 0 || made > 1 {
			w.fail("%s was performed against the bank's own word: %d times it was to be taken back, %d times it was", id, tried, made)
		}
		w.seen.corrected += made
	}
}

// atRest looks at what must be true when there is nothing left to do.
func (w *world) atRest() {
	w.truth(true)
	w.corrections()
	w.sink.told(w.payments())
	now := w.clock.Now()
	for _, p := range w.payments() {
		if op := p.Pending(); op != nil {
			w.fail("operation %d of payment %s still waits for its processor", op.Number, p.ID)
		}
		if p.Over(now) {
			w.fail("payment %s is %s, its deadline was %s, it is %s", p.ID, p.Status, p.ExpiresAt, now)
		}
		if p.Settled != p.Captured {
			w.fail("payment %s: captured %d, settled %d", p.ID, p.Captured, p.Settled)
		}
		if p.RefundsSettled != p.Refunded {
			w.fail("payment %s: refunded %d, settled %d", p.ID, p.Refunded, p.RefundsSettled)
		}
		if p.Status == payment.Expired {
			w.seen.expired++
		}
		if p.Captured > 0 {
			w.seen.captured++
		}
		if p.Review == payment.ReviewPassed || p.Ended == payment.EndedByReview {
			w.seen.reviewed++
		}
		if p.Authorized > 1000 && slices.ContainsFunc(p.Operations, func(op payment.Operation) bool {
			return op.Kind == payment.OpIncrement && op.Status == payment.OpApproved
		}) {
			w.seen.raised++
		}
	}
	if due, err := w.store.Due(context.Background(), now.Add(-time.Minute), 10); err != nil || len(due) > 0 {
		w.fail("timers are overdue: %+v, %v", due, err)
	}
	for _, c := range w.clients {
		if c.busy != nil || c.open != nil {
			w.fail("client %d has not been told what became of %s", c.n, w.name(c))
		}
	}
	for _, i := range w.live() {
		i.e.mu.Lock()
		if n := len(i.e.inFlight) + len(i.e.calling) + len(i.e.queue); n > 0 {
			i.e.mu.Unlock()
			w.fail("engine %d is not at rest: %d things are under way", i.n, n)
			return
		}
		i.e.mu.Unlock()
	}
}

func (w *world) name(c *simClient) string {
	if c.busy != nil {
		return c.busy.name + ", which it has sent"
	}
	return c.open.name
}

// payments returns all payments by their IDs.
func (w *world) payments() (all []*payment.Payment) {
	err := w.store.Audit(context.Background(), func(view store.Audit) error {
		return view.States(func(s store.State) error {
			p, err := w.store.Payment(context.Background(), s.Tenant, s.Payment, 0)
			all = append(all, p)
			return err
		})
	})
	if err != nil {
		w.fail("%v", err)
	}
	return all
}

// operation returns an operation as it is written, by its name.
func (w *world) operation(id string) (*payment.Payment, *payment.Operation) {
	var of int64
	var number int
	if _, err := fmt.Sscanf(id, "op_%d_%d", &of, &number); err != nil {
		w.fail("%s is no name of an operation", id)
		return nil, nil
	}
	p, err := w.store.Payment(context.Background(), 1, payment.ID(of), 0)
	if err != nil || p == nil {
		return nil, nil
	}
	return p, p.Op(number)
}

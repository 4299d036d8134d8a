package engine

import (
	"context"
	"fmt"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
)

// subscriber looks up who says what is to be told of a merchant's payments.
func (e *Engine) subscriber(ctx context.Context, merchant int64) (outbox.Subscriber, error) {
	if e.Subscriber == nil {
		return nil, nil
	}
	s, err := e.Subscriber(ctx, merchant)
	if err != nil {
		return nil, fmt.Errorf("engine: subscriber of merchant %d: %w", merchant, err)
	}
	return s, nil
}

// notices are what is told of a decision, with their deliveries. Its events say
// how many there are.
func (b *batch) notices(it *item, d payment.Decision) []outbox.Notice {
	if it.told == nil {
		return nil
	}
	before := b.subject(it)
	if before != nil && before.Status == payment.None {
		before = nil
	}
	told, err := tell(it.told, outbox.Occasion{Before: before, After: d.Payment, Events: d.Events, Aside: it.Aside})
	if err != nil { // money goes first: what has happened has happened, whoever cannot be told
		b.engine.Logger.Error("notices of a decision could not be made", "payment", d.Payment.ID, "version", d.Payment.Version, "error", err)
		return nil
	}
	kept, first := told[:0], d.Payment.Version-len(d.Events)+1
	for _, n := range told {
		if len(n.Deliveries) == 0 {
			continue
		}
		if n.Version < first || n.Version > d.Payment.Version {
			b.engine.Logger.Error("a notice tells of another version", "payment", d.Payment.ID, "version", n.Version, "topic", n.Topic)
			continue
		}
		n.Payment, n.Tenant, n.Merchant, n.At = d.Payment.ID, d.Payment.Tenant, d.Payment.Merchant, d.Events[n.Version-first].At
		for _, other := range kept {
			if other.Dialect == n.Dialect && other.Version == n.Version {
				n.Number = other.Number + 1
			}
		}
		for i := range n.Deliveries {
			to := &n.Deliveries[i]
			to.NoticeID, to.Tenant, to.Merchant = n.NoticeID, n.Tenant, n.Merchant
			to.Lane, to.Ordered = outbox.LaneOf(n.Merchant, n.Dialect, to.Endpoint), n.Ordered
			to.State, to.Due = outbox.Waiting, n.At
		}
		d.Events[n.Version-first].Told += len(n.Deliveries)
		kept = append(kept, n)
	}
	it.notices = len(kept)
	return kept
}

// tell asks a subscriber. A panic of his is an error.
func tell(s outbox.Subscriber, o outbox.Occasion) (told []outbox.Notice, err error) {
	defer recovered(&err)
	return s.Notices(o), nil
}

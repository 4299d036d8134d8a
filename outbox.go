package capstan

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/webhook"
)

// postOffice knows who is told of a merchant's payments, and what he was told.
// It is what the dialects know as dialect.Outbox. It is safe for concurrent use.
type postOffice struct {
	store     webhook.Store
	merchants *merchant.Directory
	guard     *webhook.Guard

	deliverer atomic.Pointer[webhook.Deliverer] // nil until there is one

	assembled chan struct{} // closed when the dialects are there
	dialects  []dialect.Dialect

	mu      sync.RWMutex
	known   map[int64]subscription
	changes int // how often somebody's endpoints have changed
}

// subscription is what is remembered of a merchant.
type subscription struct {
	access     *merchant.Access // as it was then
	subscriber outbox.Subscriber
}

// subscriptionLimit is how many merchants' are remembered.
const subscriptionLimit = 10_000

// wake has the deliverer look at what was committed.
func (o *postOffice) wake() {
	if d := o.deliverer.Load(); d != nil { // else it looks for itself when it starts
		d.Wake()
	}
}

// notifier returns a dialect that notifies, nil if there is none of that name.
func (o *postOffice) notifier(name string) dialect.Notifier {
	for _, d := range o.dialects {
		if n, ok := d.(dialect.Notifier); ok && d.Name() == name {
			return n
		}
	}
	return nil
}

// subscriber returns who says what is told of a merchant's payments, nil if
// nobody does. It is remembered until the merchant is looked up again, which
// happens every few seconds.
func (o *postOffice) subscriber(ctx context.Context, id int64) (outbox.Subscriber, error) {
	a, err := o.merchants.Merchant(ctx, id)
	if err != nil || a == nil {
		return nil, err
	}
	o.mu.RLock()
	s, ok := o.known[id]
	changes := o.changes
	o.mu.RUnlock()
	if ok && s.access == a {
		return s.subscriber, nil
	}
	select {
	case <-o.assembled: // timers of an earlier run fall due before
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s, err = o.subscribe(ctx, a)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.known) >= subscriptionLimit {
		clear(o.known)
	}
	if o.changes == changes { // else it may be of before
		o.known[id] = s
	}
	return s.subscriber, nil
}

func (o *postOffice) subscribe(ctx context.Context, a *merchant.Access) (subscription, error) {
	s := subscription{access: a}
	var all subscribers
	for _, d := range o.dialects {
		n, ok := d.(dialect.Notifier)
		if !ok {
			continue
		}
		one, err := n.Subscriber(ctx, &a.Merchant)
		if err != nil {
			return s, err
		}
		if one != nil {
			all = append(all, named{d.Name(), one})
		}
	}
	if len(all) > 0 {
		s.subscriber = all
	}
	return s, nil
}

// subscribers are those of several dialects.
type subscribers []named

type named struct {
	dialect string
	outbox.Subscriber
}

// Notices implements outbox.Subscriber.
func (all subscribers) Notices(o outbox.Occasion) []outbox.Notice {
	var told []outbox.Notice
	for _, one := range all {
		from := len(told)
		if told = append(told, one.Subscriber.Notices(o)...); len(told) > from {
			for i := range told[from:] {
				told[from+i].Dialect = one.dialect
			}
		}
	}
	return told
}

// Changed implements dialect.Outbox.
func (o *postOffice) Changed(id int64) {
	o.mu.Lock()
	delete(o.known, id)
	o.changes++
	o.mu.Unlock()
}

// CheckTarget implements dialect.Outbox.
func (o *postOffice) CheckTarget(url string) error { return o.guard.Check(url) }

// Told implements dialect.Outbox.
func (o *postOffice) Told(ctx context.Context, m *merchant.Merchant, id outbox.NoticeID) (*dialect.Told, error) {
	n, err := o.store.Notice(ctx, m.Tenant, id)
	if err != nil || n == nil || n.Merchant != m.ID {
		return nil, err
	}
	p, err := o.store.Payment(ctx, m.Tenant, n.Payment, n.Version)
	if err != nil || p == nil {
		return nil, err
	}
	return &dialect.Told{Notice: *n, Of: p}, nil
}

// List implements dialect.Outbox.
func (o *postOffice) List(ctx context.Context, m *merchant.Merchant, q dialect.NoticeQuery) ([]dialect.Told, error) {
	notices, err := o.store.Notices(ctx, store.NoticeQuery{
		Tenant: m.Tenant, Merchant: m.ID, Dialect: q.Dialect, Payment: q.Payment, Before: q.Before, From: q.From, Until: q.Until, Limit: q.Limit,
	})
	if err != nil {
		return nil, err
	}
	told := make([]dialect.Told, 0, len(notices))
	for _, n := range notices {
		p, err := o.store.Payment(ctx, m.Tenant, n.Payment, n.Version)
		if err != nil {
			return nil, err
		}
		if p != nil {
			told = append(told, dialect.Told{Notice: n, Of: p})
		}
	}
	return told, nil
}

// Redeliver implements dialect.Outbox.
func (o *postOffice) Redeliver(ctx context.Context, m *merchant.Merchant, id outbox.DeliveryID) (bool, error) {
	n, err := o.store.Notice(ctx, m.Tenant, id.NoticeID)
	if err != nil || n == nil || n.Merchant != m.ID {
		return false, err
	}
	d := o.deliverer.Load()
	if d == nil {
		return false, errors.New("nothing is delivered yet")
	}
	return d.Redeliver(ctx, m.Tenant, id)
}

package begateway

import (
	"strconv"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// renotified is the answer to a request that was done.
var renotified = []byte(`{"response":{"message":"Transaction was renotified"}}`)

// renotify answers POST /transactions/{uid}/renotify: the last notification of
// a transaction is sent again, whatever became of it.
func (d *Dialect) renotify(c *call, uid string) answered {
	t, ok := d.parseUID(uid)
	if !ok {
		return answered{problem: notFound}
	}
	m := c.shop.merchant
	p, err := d.Engine.Payment(c.Context(), m.Tenant, m.ID, t.payment)
	switch {
	case err != nil:
		return answered{err: err}
	case !shown(p, t):
		return answered{problem: notFound}
	}
	told, err := d.told(c, p, t)
	switch {
	case err != nil:
		return answered{err: err}
	case told == nil: // it named no URL, or nothing has become of it yet
		return answered{problem: fails(base, textNoNotice)}
	}
	for _, delivery := range told.Deliveries {
		if _, err := d.Outbox.Redeliver(c.Context(), m, delivery.DeliveryID); err != nil {
			return answered{err: err}
		}
	}
	return answered{body: renotified}
}

// told is the last notice of a transaction, nil if there is none.
func (d *Dialect) told(c *call, p *payment.Payment, t transaction) (*dialect.Told, error) {
	query := dialect.NoticeQuery{Dialect: Name, Payment: p.ID, Limit: readAhead}
	for {
		page, err := d.Outbox.List(c.Context(), c.shop.merchant, query)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if string(page[i].Context) == strconv.Itoa(t.operation) {
				return &page[i], nil
			}
		}
		if len(page) < query.Limit {
			return nil, nil
		}
		query.Before = &page[len(page)-1].Notice
	}
}

// readAhead is how many notices of a payment are looked at at a time.
const readAhead = 100

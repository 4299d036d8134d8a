package postgres

import (
	"context"
	"math"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// mark notes the places that an event gives its payment.
func (w *writing) mark(p *payment.Payment, e *payment.Event) {
	for _, m := range p.Marks(e) {
		c := w.addMarks.next()
		c[0].int8(p.Tenant)
		c[1].int8(p.Merchant)
		c[2].text(m.Label.Kind)
		c[3].text(m.Label.Value)
		c[4].int8(m.At.UnixMilli())
		c[5].int8(int64(m.Payment))
		c[6].int4(m.Operation)
	}
}

// List implements store.Reader.
func (s *Store) List(ctx context.Context, l payment.Listing) (page []payment.Place, err error) {
	low, high := l.Bounds()
	order := ` ORDER BY at DESC, payment DESC, operation DESC LIMIT $11`
	if l.OldestFirst {
		order = ` ORDER BY at, payment, operation LIMIT $11`
	}
	lowAt, highAt := int64(math.MinInt64), int64(math.MaxInt64) // a moment beyond all others where there is no bound
	if low != (payment.Place{}) {
		lowAt = low.At.UnixMilli()
	}
	if high != (payment.Place{}) {
		highAt = high.At.UnixMilli()
	}
	err = each(ctx, s.readers, `SELECT at, payment, operation FROM marks WHERE tenant = $1 AND merchant = $2 AND kind = $3 AND value = $4
			AND (at, payment, operation) > ($5, $6, $7) AND (at, payment, operation) < ($8, $9, $10)`+order,
		func(r row) error {
			page = append(page, placeOf(r))
			return nil
		}, l.Tenant, l.Merchant, l.Label.Kind, l.Label.Value, lowAt, int64(low.Payment), low.Operation, highAt, int64(high.Payment), high.Operation, max(l.Limit, 0))
	return page, err
}

func placeOf(r row) payment.Place {
	return payment.Place{At: r.time(0), Payment: payment.ID(r.int(1)), Operation: int(r.int(2))}
}

// Marks implements store.Audit.
func (a *audit) Marks(fn func(store.Mark) error) error {
	return a.each(`SELECT at, payment, operation, tenant, merchant, kind, value FROM marks ORDER BY payment, tenant, merchant, kind, value, at, operation`, func(r row) error {
		return fn(store.Mark{
			Tenant: r.int(3), Merchant: r.int(4), Mark: payment.Mark{Label: payment.Label{Kind: r.text(5), Value: r.text(6)}, Place: placeOf(r)},
		})
	})
}

package sqlite

import (
	"context"
	"math"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// writeMarks writes the places that an event gives its payment. One that it
// has already stays.
func (b *batch) writeMarks(p *payment.Payment, e *payment.Event) error {
	for _, m := range p.Marks(e) {
		if err := b.writeMark(p.Tenant, p.Merchant, m); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) writeMark(tenant, merchant int64, m payment.Mark) error {
	stmt := b.w.stmt.addMark
	stmt.BindInt64(1, tenant)
	stmt.BindInt64(2, merchant)
	stmt.BindText(3, m.Label.Kind)
	stmt.BindText(4, m.Label.Value)
	stmt.BindInt64(5, m.At.UnixMilli())
	stmt.BindInt64(6, int64(m.Payment))
	stmt.BindInt64(7, int64(m.Operation))
	return run(stmt)
}

const (
	selectMarks = `SELECT at, payment, operation FROM marks
		WHERE tenant = ? AND merchant = ? AND kind = ? AND value = ? AND (at, payment, operation) > (?, ?, ?) AND (at, payment, operation) < (?, ?, ?)`
	newestFirst = ` ORDER BY at DESC, payment DESC, operation DESC LIMIT ?`
	oldestFirst = ` ORDER BY at, payment, operation LIMIT ?`
)

// List implements store.Reader.
func (s *Store) List(ctx context.Context, l payment.Listing) (page []payment.Place, err error) {
	low, high := l.Bounds()
	err = s.read(ctx, func(r *reader) error {
		query := selectMarks + newestFirst
		if l.OldestFirst {
			query = selectMarks + oldestFirst
		}
		stmt := r.conn.Prep(query)
		stmt.BindInt64(1, l.Tenant)
		stmt.BindInt64(2, l.Merchant)
		stmt.BindText(3, l.Label.Kind)
		stmt.BindText(4, l.Label.Value)
		bindPlace(stmt, 5, low, math.MinInt64)
		bindPlace(stmt, 8, high, math.MaxInt64)
		stmt.BindInt64(11, int64(max(l.Limit, 0)))
		return each(stmt, func(row *sqlite.Stmt) error {
			page = append(page, placeOf(row, 0))
			return nil
		})
	})
	return page, err
}

// bindPlace binds a bound of a listing, or a moment beyond all others if there
// is none.
func bindPlace(stmt *sqlite.Stmt, param int, p payment.Place, none int64) {
	at := none
	if p != (payment.Place{}) {
		at = p.At.UnixMilli()
	}
	stmt.BindInt64(param, at)
	stmt.BindInt64(param+1, int64(p.Payment))
	stmt.BindInt64(param+2, int64(p.Operation))
}

func placeOf(row *sqlite.Stmt, column int) payment.Place {
	return payment.Place{
		At:      time.UnixMilli(row.ColumnInt64(column)).UTC(),
		Payment: payment.ID(row.ColumnInt64(column + 1)), Operation: row.ColumnInt(column + 2),
	}
}

// Marks implements store.Audit.
func (a *audit) Marks(fn func(store.Mark) error) error {
	return a.each(`SELECT at, payment, operation, tenant, merchant, kind, value FROM marks ORDER BY payment, tenant, merchant, kind, value, at, operation`, func(row *sqlite.Stmt) error {
		return fn(store.Mark{
			Tenant: row.ColumnInt64(3), Merchant: row.ColumnInt64(4),
			Mark: payment.Mark{Label: payment.Label{Kind: row.ColumnText(5), Value: row.ColumnText(6)}, Place: placeOf(row, 0)},
		})
	})
}

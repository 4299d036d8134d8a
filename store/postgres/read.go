package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}

// each calls fn with every row of a query.
func each(ctx context.Context, q querier, query string, fn func(row) error, args ...any) error {
	rows, err := q.Query(ctx, query, append([]any{pgx.QueryResultFormats(binaryFormat)}, storables(args)...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.RawValues()); err != nil {
			return err
		}
	}
	return rows.Err()
}

func currencyOf(r row, column int) money.Currency { return money.Currency(r[column]) }

// Payment implements store.Reader.
func (s *Store) Payment(ctx context.Context, tenant int64, id payment.ID, version int) (*payment.Payment, error) {
	h, err := s.history(ctx, tenant, id)
	if err != nil || h == nil || version < 0 || version > len(h.events) {
		return nil, err
	}
	if version > 0 {
		h.events = h.events[:version]
	}
	return payment.Fold(id, tenant, h.merchant, h.events)
}

// Events implements store.Reader.
func (s *Store) Events(ctx context.Context, tenant int64, id payment.ID) ([]payment.Event, error) {
	h, err := s.history(ctx, tenant, id)
	if err != nil || h == nil {
		return nil, err
	}
	return h.events, nil
}

// history reads all events of a payment, nil if there is none.
func (s *Store) history(ctx context.Context, tenant int64, id payment.ID) (*history, error) {
	var h *history
	err := each(ctx, s.readers, `SELECT s.merchant, s.version, e.sequence, e.kind, e.at, e.operation, e.amount, e.body
		FROM states s JOIN events e ON e.tenant = s.tenant AND e.payment = s.payment WHERE s.tenant = $1 AND s.payment = $2`,
		func(r row) error {
			if h == nil {
				h = &history{merchant: r.int(0), events: make([]payment.Event, r.int(1))}
			}
			return h.read(id, r)
		}, tenant, int64(id))
	if err != nil || h == nil {
		return nil, err
	}
	if err := s.confirm(ctx); err != nil {
		return nil, err
	}
	return h, h.complete(id)
}

// Record implements store.Reader.
func (s *Store) Record(ctx context.Context, tenant int64, key payment.Key) (found store.Record, ok bool, err error) {
	err = each(ctx, s.readers, `SELECT `+recordColumns+` FROM records r WHERE tenant = $1 AND key = $2`, func(r row) error {
		record, err := readRecord(r)
		found, ok = *record, true
		return err
	}, tenant, [16]byte(key))
	if err == nil && ok {
		err = s.confirm(ctx)
	}
	return found, ok && err == nil, err
}

const timerColumns = `due, payment, kind, operation, tenant, merchant, attempt`

func timerOf(r row) payment.Timer {
	return payment.Timer{
		Due: r.time(0), Payment: payment.ID(r.int(1)), Kind: payment.TimerKind(r.int(2)), Operation: int(r.int(3)),
		Tenant: r.int(4), Merchant: r.int(5), Attempt: int(r.int(6)),
	}
}

// Due implements store.Reader.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (due []payment.Timer, err error) {
	err = each(ctx, s.readers, `SELECT `+timerColumns+` FROM timers WHERE due <= $1 ORDER BY due, payment, kind, operation LIMIT $2`,
		func(r row) error {
			due = append(due, timerOf(r))
			return nil
		}, now.UnixMilli(), limit)
	return due, err
}

// Agenda implements store.Reader.
func (s *Store) Agenda(ctx context.Context, kind payment.TimerKind, until time.Time, limit int) (due []payment.Timer, err error) {
	err = each(ctx, s.readers, `SELECT `+timerColumns+` FROM timers WHERE due <= $1 AND kind = $2 ORDER BY due, payment, kind, operation LIMIT $3`,
		func(r row) error {
			due = append(due, timerOf(r))
			return nil
		}, until.UnixMilli(), int16(kind), limit)
	return due, err
}

// Size implements store.Sized: the store's tables with their indexes. The
// database's log is not the store's.
func (s *Store) Size(ctx context.Context) (data, log int64, err error) {
	err = s.readers.QueryRow(ctx, `SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
		WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'`).Scan(&data)
	return data, 0, err
}

// NextDue implements store.Reader.
func (s *Store) NextDue(ctx context.Context) (next time.Time, err error) {
	err = each(ctx, s.readers, `SELECT min(due) FROM timers`, func(r row) error {
		next = r.time(0)
		return nil
	})
	return next, err
}

package sqlite

import (
	"context"
	"os"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// Payment implements store.Reader. Events never change, so what a state row
// leads to is of one moment without a transaction.
func (s *Store) Payment(ctx context.Context, tenant int64, id payment.ID, version int) (p *payment.Payment, err error) {
	err = s.read(ctx, func(r *reader) error {
		p, _, err = r.history().payment(tenant, id, version)
		return err
	})
	return p, err
}

// Events implements store.Reader.
func (s *Store) Events(ctx context.Context, tenant int64, id payment.ID) (events []payment.Event, err error) {
	err = s.read(ctx, func(r *reader) error {
		_, events, err = r.history().load(tenant, id)
		return err
	})
	return events, err
}

// Record implements store.Reader.
func (s *Store) Record(ctx context.Context, tenant int64, key payment.Key) (found store.Record, ok bool, err error) {
	err = s.read(ctx, func(r *reader) error {
		kept, err := loadRecord(r.conn.Prep(recordByKey), key)
		if kept != nil && kept.Tenant == tenant {
			found, ok = *kept, true
		}
		return err
	})
	return found, ok, err
}

const selectTimer = `SELECT due, payment, kind, operation, tenant, merchant, attempt FROM timers`

// Due implements store.Reader.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (due []payment.Timer, err error) {
	err = s.read(ctx, func(r *reader) error {
		stmt := r.conn.Prep(selectTimer + ` WHERE due <= ? ORDER BY due, payment, kind, operation LIMIT ?`)
		stmt.BindInt64(1, now.UnixMilli())
		stmt.BindInt64(2, int64(limit))
		return each(stmt, func(row *sqlite.Stmt) error {
			due = append(due, timerOf(row))
			return nil
		})
	})
	return due, err
}

// Claim implements store.Store: there is one instance, so all is its own.
func (s *Store) Claim(ctx context.Context, now time.Time, limit int) ([]payment.Timer, error) {
	return s.Due(ctx, now, limit)
}

// Agenda implements store.Reader. It walks through all timers that are due
// until then, which are in order.
func (s *Store) Agenda(ctx context.Context, kind payment.TimerKind, until time.Time, limit int) (due []payment.Timer, err error) {
	err = s.view(ctx, func(r *reader) error {
		stmt := r.conn.Prep(selectTimer + ` WHERE due <= ? AND kind = ? ORDER BY due, payment, kind, operation LIMIT ?`)
		stmt.BindInt64(1, until.UnixMilli())
		stmt.BindInt64(2, int64(kind))
		stmt.BindInt64(3, int64(limit))
		return each(stmt, func(row *sqlite.Stmt) error {
			due = append(due, timerOf(row))
			return nil
		})
	})
	return due, err
}

// Size implements store.Sized.
func (s *Store) Size(context.Context) (data, log int64, err error) {
	file, err := os.Stat(s.path)
	if err != nil {
		return 0, 0, err
	}
	if wal, err := os.Stat(s.path + "-wal"); err == nil {
		log = wal.Size()
	}
	return file.Size(), log, nil
}

// NextDue implements store.Reader.
func (s *Store) NextDue(ctx context.Context) (next time.Time, err error) {
	err = s.read(ctx, func(r *reader) error {
		return each(r.conn.Prep(`SELECT min(due) FROM timers`), func(row *sqlite.Stmt) error {
			next = columnTime(row, 0)
			return nil
		})
	})
	return next, err
}

package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/store"
)

// sweeper remembers when it is worth to look through the counters again, which
// have no index by expiry: theirs is moved often.
type sweeper struct {
	mu  sync.Mutex
	due time.Time
}

const passEvery = time.Hour

// Under these names it is kept up to which moment something was swept, Unix
// milliseconds.
const (
	metaSwept        = "records_swept"
	metaNoticesSwept = "notices_swept"
)

// Sweep implements store.Store. Several instances may do it at a time: none
// waits for rows that another has.
func (s *Store) Sweep(ctx context.Context, over store.Over, limit int) (done store.Swept, err error) {
	if s.readOnly {
		return done, ErrReadOnly
	}
	s.sweeper.mu.Lock()
	defer s.sweeper.mu.Unlock()
	sweep := func(count *int, table, where string, before time.Time) {
		left := limit - done.Rows()
		if err != nil || left <= 0 {
			done.More = done.More || left <= 0
			return
		}
		var n int
		n, err = s.forget(ctx, table, where, before, left)
		*count += n
		done.More = done.More || n == left
	}
	sweep(&done.Records, "records", "expires <= $1 AND NOT pending", over.Before)
	if !over.Before.Before(s.sweeper.due) {
		left := limit - done.Rows()
		if sweep(&done.Counters, "counters", "expires <= $1", over.Before); err == nil && left > 0 && done.Counters < left {
			s.sweeper.due = over.Before.Add(passEvery)
		}
	}
	sweep(&done.Grants, "wallet_grants", "expires_at <= $1", over.Grants)
	sweep(&done.Documents, "documents", "expires <= $1", over.Before)
	if left := limit - done.Rows(); err == nil && left > 0 {
		done.Notices, err = s.forgetNotices(ctx, over.Notices, left)
		done.More = done.More || done.Notices == left
	} else {
		done.More = true
	}
	return done, err
}

// forgetNotices deletes up to limit notices of what happened by then, with all
// that belongs to them, if nothing waits of them.
func (s *Store) forgetNotices(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = s.changeAt(ctx, pgx.ReadCommitted, func(tx pgx.Tx) error {
		const same = `x.tenant = n.tenant AND x.payment = n.payment AND x.version = n.version AND x.dialect = n.dialect AND x.number = n.number`
		err := tx.QueryRow(ctx, `WITH n AS (
				DELETE FROM notices WHERE ctid = ANY (ARRAY(
					SELECT ctid FROM notices n WHERE at <= $1 AND NOT EXISTS (SELECT FROM deliveries x WHERE `+same+` AND x.state = 1)
					LIMIT $2 FOR UPDATE SKIP LOCKED))
				RETURNING tenant, payment, version, dialect, number),
			attempts_gone AS (DELETE FROM attempts x USING n WHERE `+same+`),
			deliveries_gone AS (DELETE FROM deliveries x USING n WHERE `+same+`)
			SELECT count(*) FROM n`, before.UnixMilli(), limit).Scan(&n)
		if err != nil || n == 0 {
			return err
		}
		return markSwept(ctx, tx, metaNoticesSwept, before)
	})
	return n, err
}

// markSwept tells audits what they must not miss.
func markSwept(ctx context.Context, tx pgx.Tx, name string, before time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO meta (name, value) VALUES ($1, convert_to($2::bigint::text, 'UTF8'))
		ON CONFLICT (name) DO UPDATE SET value = convert_to(greatest($2::bigint, convert_from(meta.value, 'UTF8')::bigint)::text, 'UTF8')`,
		name, before.UnixMilli())
	return err
}

// forget deletes up to limit rows of a table that are over.
func (s *Store) forget(ctx context.Context, table, where string, before time.Time, limit int) (n int, err error) {
	err = s.changeAt(ctx, pgx.ReadCommitted, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM `+table+` WHERE `+where+` LIMIT $2 FOR UPDATE SKIP LOCKED))`, before.UnixMilli(), limit)
		n = int(tag.RowsAffected())
		if err != nil || n == 0 || table != "records" {
			return err
		}
		return markSwept(ctx, tx, metaSwept, before)
	})
	return n, err
}

// Swept implements store.Audit. A record that made room for another had
// expired when that was written.
func (a *audit) Swept() (swept time.Time, err error) {
	err = a.each(`SELECT greatest((SELECT convert_from(value, 'UTF8')::bigint FROM meta WHERE name = '`+metaSwept+`'), (SELECT max(at) FROM records), 0)`,
		func(r row) error {
			swept = r.time(0)
			return nil
		})
	return swept, err
}

// NoticesSwept implements store.Audit.
func (a *audit) NoticesSwept() (swept time.Time, err error) {
	err = a.each(`SELECT convert_from(value, 'UTF8')::bigint FROM meta WHERE name = '`+metaNoticesSwept+`'`, func(r row) error {
		swept = r.time(0)
		return nil
	})
	return swept, err
}

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

// metaSwept names the moment up to which expired records were swept, Unix
// milliseconds.
const metaSwept = "records_swept"

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
	return done, err
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
		_, err = tx.Exec(ctx, `INSERT INTO meta (name, value) VALUES ($1, convert_to($2::bigint::text, 'UTF8'))
			ON CONFLICT (name) DO UPDATE SET value = convert_to(greatest($2::bigint, convert_from(meta.value, 'UTF8')::bigint)::text, 'UTF8')`,
			metaSwept, before.UnixMilli())
		return err
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

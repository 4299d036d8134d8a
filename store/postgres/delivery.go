package postgres

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/store"
)

// claimDeliveries walks the lanes in which something is due at some time, from
// one on, passes over those that are full, and of the others takes the first
// that are due and free.
const claimDeliveries = `
	WITH RECURSIVE lanes AS (
		(SELECT lane FROM deliveries WHERE due IS NOT NULL AND lane > $1 AND lane <= $2 ORDER BY lane LIMIT 1)
		UNION ALL
		SELECT (SELECT d.lane FROM deliveries d WHERE d.due IS NOT NULL AND d.lane <= $2 AND d.lane > greatest(l.lane,
			(SELECT max(f.last) FROM unnest($11::bigint[], $12::bigint[]) AS f (first, last) WHERE l.lane BETWEEN f.first AND f.last))
			ORDER BY d.lane LIMIT 1)
		FROM lanes l WHERE l.lane IS NOT NULL),
	free AS (
		SELECT f.* FROM lanes l CROSS JOIN LATERAL (
			SELECT d.tenant, d.payment, d.dialect, d.endpoint, d.version, d.number FROM deliveries d
			WHERE d.lane = l.lane AND d.due IS NOT NULL AND d.due <= $3
				AND (d.claim IS NULL OR d.claimed_until <= $4
					OR NOT EXISTS (SELECT FROM instances i WHERE i.epoch = d.claim AND i.lease_until > clock_timestamp()))
			ORDER BY d.due, d.payment, d.version, d.number
			LIMIT greatest(0, coalesce((SELECT r.room FROM unnest($5::bigint[], $6::bigint[]) AS r (lane, room) WHERE r.lane = l.lane), $7))
			FOR UPDATE SKIP LOCKED) f
		WHERE l.lane IS NOT NULL
			AND NOT EXISTS (SELECT FROM unnest($11::bigint[], $12::bigint[]) AS f (first, last) WHERE l.lane BETWEEN f.first AND f.last)
		LIMIT $8)
	UPDATE deliveries d SET claim = $9, claimed_until = $10 FROM free f
	WHERE d.tenant = f.tenant AND d.payment = f.payment AND d.dialect = f.dialect AND d.endpoint = f.endpoint
		AND d.version = f.version AND d.number = f.number
	RETURNING ` + deliveryColumns

// ClaimDeliveries implements store.Outbox. A claim is over with its lease, or
// with the instance that has it.
func (s *Store) ClaimDeliveries(ctx context.Context, c outbox.Claim) (given []outbox.Delivery, err error) {
	var lanes, room, first, last []int64
	for lane, n := range c.Room {
		lanes, room = append(lanes, int64(lane)), append(room, int64(n))
	}
	for _, full := range c.Full {
		first, last = append(first, int64(full.First)), append(last, int64(full.Last))
	}
	err = s.changeAt(ctx, pgx.ReadCommitted, func(tx pgx.Tx) error {
		given = given[:0]
		for _, part := range [][2]int64{{int64(c.After), math.MaxInt64}, {math.MinInt64, int64(c.After)}} {
			if len(given) >= c.Limit {
				break
			}
			err := each(ctx, tx, claimDeliveries, func(r row) error {
				given = append(given, deliveryOf(r))
				return nil
			}, part[0], part[1], c.Due.UnixMilli(), c.Now.UnixMilli(), lanes, room, int64(c.PerLane), int64(c.Limit-len(given)),
				s.epoch.Load(), c.Now.Add(c.Lease).UnixMilli(), first, last)
			if err != nil {
				return err
			}
		}
		return nil
	})
	slices.SortFunc(given, func(a, b outbox.Delivery) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Payment, b.Payment), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Number, b.Number),
			cmp.Compare(a.Dialect, b.Dialect), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return given, err
}

// ReleaseDeliveries implements store.Outbox.
func (s *Store) ReleaseDeliveries(ctx context.Context, deliveries []outbox.Delivery) error {
	if len(deliveries) == 0 {
		return nil
	}
	return s.changeAt(ctx, pgx.ReadCommitted, func(tx pgx.Tx) error {
		for _, d := range deliveries {
			_, err := tx.Exec(ctx, `UPDATE deliveries d SET claim = NULL, claimed_until = NULL WHERE`+deliveryNamed+` AND d.claim = $7`,
				append(nameOf(d.Tenant, d.DeliveryID), s.epoch.Load())...)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// NextDelivery implements store.Outbox.
func (s *Store) NextDelivery(ctx context.Context) (next time.Time, err error) {
	err = each(ctx, s.readers, `SELECT min(due) FROM deliveries WHERE due IS NOT NULL`, func(r row) error {
		next = r.time(0)
		return nil
	})
	return next, err
}

// Backlog implements store.Outbox.
func (s *Store) Backlog(ctx context.Context, limit int) (backlog []store.Backlog, err error) {
	err = each(ctx, s.readers, `SELECT dialect, count(*), min(due) FROM
			(SELECT dialect, due FROM deliveries WHERE due IS NOT NULL ORDER BY due LIMIT $1) d GROUP BY dialect ORDER BY dialect`,
		func(r row) error {
			backlog = append(backlog, store.Backlog{Dialect: r.text(0), Deliveries: int(r.int(1)), Due: r.time(2)})
			return nil
		}, limit)
	return backlog, err
}

// selectNotices selects notices with their deliveries, a row for each, or one
// for a notice that has none.
const selectNotices = `SELECT ` + noticeColumns + `, ` + deliveryColumns + ` FROM notices n
	LEFT JOIN deliveries d ON d.tenant = n.tenant AND d.payment = n.payment AND d.version = n.version AND d.dialect = n.dialect AND d.number = n.number `

// whole reads rows of selectNotices, in which those of one notice are side by
// side, and calls fn with each notice.
func whole(rows func(fn func(row) error) error, fn func(n outbox.Notice, told int) error) error {
	const columns = 11 // of the notice
	var n *outbox.Notice
	var told int
	flush := func() error {
		if n == nil {
			return nil
		}
		return fn(*n, told)
	}
	err := rows(func(r row) error {
		next, count := noticeOf(r)
		if n == nil || n.NoticeID != next.NoticeID || n.Tenant != next.Tenant {
			if err := flush(); err != nil {
				return err
			}
			n, told = &next, count
		}
		if r[columns] != nil {
			n.Deliveries = append(n.Deliveries, deliveryOf(r[columns:]))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// Notice implements store.Outbox.
func (s *Store) Notice(ctx context.Context, tenant int64, id outbox.NoticeID) (found *outbox.Notice, err error) {
	err = whole(func(fn func(row) error) error {
		return each(ctx, s.readers, selectNotices+`WHERE n.tenant = $1 AND n.payment = $2 AND n.version = $3 AND n.dialect = $4 AND n.number = $5 ORDER BY d.endpoint`,
			fn, tenant, int64(id.Payment), id.Version, id.Dialect, id.Number)
	}, func(n outbox.Notice, _ int) error {
		found = &n
		return nil
	})
	return found, err
}

// Notices implements store.Outbox.
func (s *Store) Notices(ctx context.Context, q store.NoticeQuery) (found []outbox.Notice, err error) {
	arguments := []any{q.Tenant, q.Merchant}
	where := []string{`tenant = $1`, `merchant = $2`}
	add := func(condition string, values ...any) {
		for _, v := range values {
			arguments = append(arguments, v)
			condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(arguments)), 1)
		}
		where = append(where, condition)
	}
	if q.Dialect != "" {
		add(`dialect = ?`, q.Dialect)
	}
	if q.Payment != 0 {
		add(`payment = ?`, int64(q.Payment))
	}
	if !q.From.IsZero() {
		add(`at >= ?`, q.From.UnixMilli())
	}
	if !q.Until.IsZero() {
		add(`at < ?`, q.Until.UnixMilli())
	}
	if b := q.Before; b != nil {
		add(`(at, payment, version, dialect, number) < (?, ?, ?, ?, ?)`, b.At.UnixMilli(), int64(b.Payment), b.Version, b.Dialect, b.Number)
	}
	limit := ``
	if q.Limit > 0 {
		limit = ` LIMIT ` + strconv.Itoa(q.Limit)
	}
	const latestFirst = ` ORDER BY at DESC, payment DESC, version DESC, dialect DESC, number DESC`
	query := strings.Replace(selectNotices, `FROM notices n`, `FROM (SELECT * FROM notices WHERE `+strings.Join(where, " AND ")+latestFirst+limit+`) n`, 1) +
		` ORDER BY n.at DESC, n.payment DESC, n.version DESC, n.dialect DESC, n.number DESC, d.endpoint`
	err = whole(func(fn func(row) error) error {
		return each(ctx, s.readers, query, fn, arguments...)
	}, func(n outbox.Notice, _ int) error {
		found = append(found, n)
		return nil
	})
	return found, err
}

// Attempts implements store.Outbox.
func (s *Store) Attempts(ctx context.Context, tenant int64, id outbox.NoticeID) (found []outbox.Attempt, err error) {
	err = each(ctx, s.readers, selectAttempt+` WHERE tenant = $1 AND payment = $2 AND dialect = $3 AND version = $4 AND number = $5 ORDER BY endpoint, attempt`,
		func(r row) error {
			found = append(found, attemptOf(r))
			return nil
		}, tenant, int64(id.Payment), id.Dialect, id.Version, id.Number)
	return found, err
}

// Notices implements store.Audit.
func (a *audit) Notices(fn func(outbox.Notice, int) error) error {
	return whole(func(read func(row) error) error {
		return a.each(selectNotices+`ORDER BY n.payment, n.version, n.dialect, n.number, n.tenant, d.endpoint`, read)
	}, fn)
}

// Deliveries implements store.Audit.
func (a *audit) Deliveries(fn func(outbox.Delivery) error) error {
	return a.each(`SELECT `+deliveryColumns+` FROM deliveries d ORDER BY payment, dialect, endpoint, version, number, tenant`, func(r row) error {
		return fn(deliveryOf(r))
	})
}

// Attempts implements store.Audit.
func (a *audit) Attempts(fn func(outbox.Attempt) error) error {
	return a.each(selectAttempt+` ORDER BY payment, dialect, endpoint, version, number, attempt, tenant`, func(r row) error { return fn(attemptOf(r)) })
}

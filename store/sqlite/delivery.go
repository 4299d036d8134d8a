package sqlite

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// claims are the deliveries that were given away, and until when. They are not
// written: a store has one process, and its claims end with it.
type claims struct {
	mu    sync.Mutex
	until map[outbox.DeliveryID]time.Time
}

// ClaimDeliveries implements store.Outbox.
func (s *Store) ClaimDeliveries(ctx context.Context, c outbox.Claim) (given []outbox.Delivery, err error) {
	if s.writer == nil {
		return nil, ErrReadOnly
	}
	s.claims.mu.Lock()
	defer s.claims.mu.Unlock()
	if s.claims.until == nil {
		s.claims.until = map[outbox.DeliveryID]time.Time{}
	}
	maps.DeleteFunc(s.claims.until, func(_ outbox.DeliveryID, until time.Time) bool { return !until.After(c.Now) })
	err = s.read(ctx, func(r *reader) error {
		lane, wrapped := c.After, false
		for len(given) < c.Limit {
			next, found, err := nextLane(r.conn, lane)
			switch {
			case err != nil:
				return err
			case !found && wrapped, wrapped && next > c.After:
				return nil
			case !found:
				lane, wrapped = math.MinInt64, true
				continue
			}
			lane = next
			if last, full := c.Passed(lane); full {
				lane = last
				continue
			}
			more, err := s.fromLane(r.conn, c, lane, min(c.RoomIn(lane), c.Limit-len(given)))
			if err != nil {
				return err
			}
			given = append(given, more...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, d := range given {
		s.claims.until[d.DeliveryID] = c.Now.Add(c.Lease)
	}
	slices.SortFunc(given, func(a, b outbox.Delivery) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Payment, b.Payment), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Number, b.Number),
			cmp.Compare(a.Dialect, b.Dialect), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return given, nil
}

// nextLane returns the lowest lane above another in which something is due at
// some time.
func nextLane(conn *sqlite.Conn, above outbox.Lane) (lane outbox.Lane, found bool, err error) {
	stmt := conn.Prep(`SELECT lane FROM deliveries WHERE due IS NOT NULL AND lane > ? ORDER BY lane LIMIT 1`)
	stmt.BindInt64(1, int64(above))
	err = each(stmt, func(row *sqlite.Stmt) error {
		lane, found = outbox.Lane(row.ColumnInt64(0)), true
		return nil
	})
	return lane, found, err
}

// fromLane returns up to room deliveries of a lane that are due and were not
// given away. It passes over no more than were.
func (s *Store) fromLane(conn *sqlite.Conn, c outbox.Claim, lane outbox.Lane, room int) (free []outbox.Delivery, err error) {
	if room <= 0 {
		return nil, nil
	}
	stmt := conn.Prep(selectDelivery + ` WHERE due IS NOT NULL AND lane = ? AND due <= ? ORDER BY due, payment, version, number`)
	stmt.BindInt64(1, int64(lane))
	stmt.BindInt64(2, c.Due.UnixMilli())
	err = some(stmt, func(row *sqlite.Stmt) (more bool, err error) {
		d := deliveryOf(row)
		if _, claimed := s.claims.until[d.DeliveryID]; !claimed {
			free = append(free, d)
		}
		return len(free) < room, nil
	})
	return free, err
}

// ReleaseDeliveries implements store.Outbox.
func (s *Store) ReleaseDeliveries(_ context.Context, deliveries []outbox.Delivery) error {
	s.claims.mu.Lock()
	defer s.claims.mu.Unlock()
	for _, d := range deliveries {
		delete(s.claims.until, d.DeliveryID)
	}
	return nil
}

// Attempted implements store.Outbox.
func (s *Store) Attempted(ctx context.Context, attempts []outbox.Attempt) error {
	var ended []outbox.DeliveryID
	err := s.change(ctx, func(conn *sqlite.Conn) error {
		for i := range attempts {
			made, err := attempted(conn, &attempts[i])
			if err != nil {
				return err
			}
			if made {
				ended = append(ended, attempts[i].DeliveryID)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.claims.mu.Lock()
	defer s.claims.mu.Unlock()
	for _, id := range ended {
		delete(s.claims.until, id)
	}
	return nil
}

// attempted writes one attempt, and tells whether it was its delivery's next.
func attempted(conn *sqlite.Conn, a *outbox.Attempt) (bool, error) {
	move := conn.Prep(`UPDATE deliveries SET attempts = ?6, state = ?7, due = ?8
		WHERE payment = ?1 AND dialect = ?2 AND endpoint = ?3 AND version = ?4 AND number = ?5
		AND tenant = ?9 AND state = 1 AND ifnull(attempts, 0) = ?6 - 1 RETURNING ordered`)
	bindDelivery(move, a.DeliveryID)
	move.BindInt64(6, int64(a.Number))
	move.BindInt64(7, int64(a.State))
	bindTime(move, 8, a.Due)
	move.BindInt64(9, a.Tenant)
	made, ordered := false, false
	err := each(move, func(row *sqlite.Stmt) error {
		made, ordered = true, row.ColumnBool(0)
		return nil
	})
	if err != nil || !made {
		return false, err
	}
	if err := stampDelivery(conn, a.DeliveryID); err != nil {
		return false, err
	}
	if err := addAttempt(conn, a); err != nil || !ordered || a.State == outbox.Waiting {
		return true, err
	}
	next, err := firstWaiting(conn.Prep(selectFirstWaiting), a.DeliveryID)
	if err != nil || next == nil || !next.Due.IsZero() {
		return true, err
	}
	return true, setDue(conn, next.DeliveryID, outbox.Waiting, a.At)
}

func addAttempt(conn *sqlite.Conn, a *outbox.Attempt) error {
	add := conn.Prep(adding(`INSERT`, "attempts"))
	bindDelivery(add, a.DeliveryID)
	add.BindInt64(6, int64(a.Number))
	add.BindInt64(7, a.Tenant)
	add.BindInt64(8, a.At.UnixMilli())
	add.BindInt64(9, a.Took.Milliseconds())
	bind(add, 10, int64(a.Status))
	if a.Fault == "" {
		add.BindNull(11)
	} else {
		add.BindText(11, a.Fault)
	}
	bindBytes(add, 12, a.Sealed)
	add.BindInt64(13, int64(a.State))
	bindTime(add, 14, a.Due)
	return run(add)
}

// setDue makes a delivery due, not before what it tells of happened.
func setDue(conn *sqlite.Conn, id outbox.DeliveryID, state outbox.State, due time.Time) error {
	stmt := conn.Prep(`UPDATE deliveries SET state = ?6,
		due = max(?7, (SELECT at FROM notices WHERE payment = ?1 AND dialect = ?2 AND version = ?4 AND number = ?5))
		WHERE payment = ?1 AND dialect = ?2 AND endpoint = ?3 AND version = ?4 AND number = ?5`)
	bindDelivery(stmt, id)
	stmt.BindInt64(6, int64(state))
	stmt.BindInt64(7, due.UnixMilli())
	if err := run(stmt); err != nil {
		return err
	}
	return stampDelivery(conn, id)
}

func stampDelivery(conn *sqlite.Conn, id outbox.DeliveryID) error {
	return stamp(conn, "deliveries", `payment = ? AND dialect = ? AND endpoint = ? AND version = ? AND number = ?`,
		int64(id.Payment), id.Dialect, id.Endpoint, int64(id.Version), int64(id.Number))
}

// NextDelivery implements store.Outbox.
func (s *Store) NextDelivery(ctx context.Context) (next time.Time, err error) {
	err = s.read(ctx, func(r *reader) error {
		return each(r.conn.Prep(`SELECT min(due) FROM deliveries WHERE due IS NOT NULL`), func(row *sqlite.Stmt) error {
			next = columnTime(row, 0)
			return nil
		})
	})
	return next, err
}

// Backlog implements store.Outbox.
func (s *Store) Backlog(ctx context.Context, limit int) (backlog []store.Backlog, err error) {
	err = s.view(ctx, func(r *reader) error {
		stmt := r.conn.Prep(`SELECT dialect, count(*), min(due) FROM
			(SELECT dialect, due FROM deliveries WHERE due IS NOT NULL ORDER BY due LIMIT ?) GROUP BY dialect ORDER BY dialect`)
		stmt.BindInt64(1, int64(limit))
		return each(stmt, func(row *sqlite.Stmt) error {
			backlog = append(backlog, store.Backlog{Dialect: row.ColumnText(0), Deliveries: row.ColumnInt(1), Due: columnTime(row, 2)})
			return nil
		})
	})
	return backlog, err
}

// Notice implements store.Outbox.
func (s *Store) Notice(ctx context.Context, tenant int64, id outbox.NoticeID) (found *outbox.Notice, err error) {
	err = s.view(ctx, func(r *reader) error {
		stmt := r.conn.Prep(selectNotice + ` WHERE payment = ? AND version = ? AND dialect = ? AND number = ? AND tenant = ?`)
		stmt.BindInt64(1, int64(id.Payment))
		stmt.BindInt64(2, int64(id.Version))
		stmt.BindText(3, id.Dialect)
		stmt.BindInt64(4, int64(id.Number))
		stmt.BindInt64(5, tenant)
		err := each(stmt, func(row *sqlite.Stmt) error {
			n, _ := noticeOf(row)
			found = &n
			return nil
		})
		if err != nil || found == nil {
			return err
		}
		return deliveriesOf(r.conn, found)
	})
	return found, err
}

// Notices implements store.Outbox.
func (s *Store) Notices(ctx context.Context, q store.NoticeQuery) (found []outbox.Notice, err error) {
	where := []string{`merchant = $merchant`, `tenant = $tenant`}
	add := func(condition string, counts bool) {
		if counts {
			where = append(where, condition)
		}
	}
	add(`dialect = $dialect`, q.Dialect != "")
	add(`payment = $payment`, q.Payment != 0)
	add(`at >= $from`, !q.From.IsZero())
	add(`at < $until`, !q.Until.IsZero())
	add(`(at, payment, version, dialect, number) < ($at, $b_payment, $b_version, $b_dialect, $b_number)`, q.Before != nil)
	add(`at <= $at`, q.Before != nil)
	query := selectNotice + ` WHERE ` + strings.Join(where, " AND ") +
		` ORDER BY at DESC, payment DESC, version DESC, dialect DESC, number DESC LIMIT $limit`
	err = s.view(ctx, func(r *reader) error {
		stmt := r.conn.Prep(query)
		stmt.SetInt64("$merchant", q.Merchant)
		stmt.SetInt64("$tenant", q.Tenant)
		if q.Dialect != "" {
			stmt.SetText("$dialect", q.Dialect)
		}
		if q.Payment != 0 {
			stmt.SetInt64("$payment", int64(q.Payment))
		}
		if !q.From.IsZero() {
			stmt.SetInt64("$from", q.From.UnixMilli())
		}
		if !q.Until.IsZero() {
			stmt.SetInt64("$until", q.Until.UnixMilli())
		}
		if b := q.Before; b != nil {
			stmt.SetInt64("$at", b.At.UnixMilli())
			stmt.SetInt64("$b_payment", int64(b.Payment))
			stmt.SetInt64("$b_version", int64(b.Version))
			stmt.SetText("$b_dialect", b.Dialect)
			stmt.SetInt64("$b_number", int64(b.Number))
		}
		stmt.SetInt64("$limit", int64(cmp.Or(q.Limit, -1)))
		err := each(stmt, func(row *sqlite.Stmt) error {
			n, _ := noticeOf(row)
			found = append(found, n)
			return nil
		})
		for i := 0; i < len(found) && err == nil; i++ {
			err = deliveriesOf(r.conn, &found[i])
		}
		return err
	})
	return found, err
}

// Attempts implements store.Outbox.
func (s *Store) Attempts(ctx context.Context, tenant int64, id outbox.NoticeID) (found []outbox.Attempt, err error) {
	err = s.read(ctx, func(r *reader) error {
		stmt := r.conn.Prep(selectAttempt + ` WHERE payment = ? AND dialect = ? AND version = ? AND number = ? AND tenant = ? ORDER BY endpoint, attempt`)
		stmt.BindInt64(1, int64(id.Payment))
		stmt.BindText(2, id.Dialect)
		stmt.BindInt64(3, int64(id.Version))
		stmt.BindInt64(4, int64(id.Number))
		stmt.BindInt64(5, tenant)
		return each(stmt, func(row *sqlite.Stmt) error {
			found = append(found, attemptOf(row))
			return nil
		})
	})
	return found, err
}

// Redeliver implements store.Outbox.
func (s *Store) Redeliver(ctx context.Context, tenant int64, id outbox.DeliveryID, at time.Time) (there bool, err error) {
	err = s.change(ctx, func(conn *sqlite.Conn) error {
		stmt := conn.Prep(`SELECT count(*) FROM deliveries WHERE payment = ? AND dialect = ? AND endpoint = ? AND version = ? AND number = ? AND tenant = ?`)
		bindDelivery(stmt, id)
		stmt.BindInt64(6, tenant)
		if err := each(stmt, func(row *sqlite.Stmt) error { there = row.ColumnInt(0) > 0; return nil }); err != nil || !there {
			return err
		}
		return setDue(conn, id, outbox.Waiting, at)
	})
	return there, err
}

// sweepNotices deletes notices of what happened long ago, if nothing waits of
// them. Of payments that are younger there are none.
func (s *Store) sweepNotices(ctx context.Context, before time.Time, limit int, done *store.Swept) error {
	limit -= done.Rows()
	found := 0
	err := s.read(ctx, func(r *reader) error {
		ids, err := noticesOver(r.conn, before, 1)
		found = len(ids)
		return err
	})
	if err != nil || found == 0 {
		return err
	}
	var ids []outbox.NoticeID
	err = s.change(ctx, func(conn *sqlite.Conn) error {
		ids, err = noticesOver(conn, before, limit)
		if err != nil {
			return err
		}
		for _, id := range ids {
			for _, table := range []string{"attempts", "deliveries", "notices"} {
				stmt := conn.Prep(`DELETE FROM ` + table + ` WHERE payment = ? AND version = ? AND dialect = ? AND number = ?`)
				bindNotice(stmt, id)
				if err := run(stmt); err != nil {
					return err
				}
			}
		}
		return markSwept(conn, metaNoticesSwept, before.UnixMilli())
	})
	if err == nil {
		done.Notices, done.More = len(ids), done.More || len(ids) == limit
	}
	return err
}

// noticesOver returns notices that happened by then and of which nothing waits.
func noticesOver(conn *sqlite.Conn, before time.Time, limit int) (ids []outbox.NoticeID, err error) {
	stmt := conn.Prep(`SELECT payment, version, dialect, number FROM notices n WHERE payment < ? AND at <= ? AND NOT EXISTS
		(SELECT 1 FROM deliveries d WHERE d.payment = n.payment AND d.version = n.version AND d.dialect = n.dialect AND d.number = n.number AND d.state = 1) LIMIT ?`)
	stmt.BindInt64(1, int64(payment.FirstID(before.Add(time.Millisecond))))
	stmt.BindInt64(2, before.UnixMilli())
	stmt.BindInt64(3, int64(limit))
	err = each(stmt, func(row *sqlite.Stmt) error {
		ids = append(ids, outbox.NoticeID{Payment: payment.ID(row.ColumnInt64(0)), Version: row.ColumnInt(1), Dialect: row.ColumnText(2), Number: row.ColumnInt(3)})
		return nil
	})
	return ids, err
}

func bindNotice(stmt *sqlite.Stmt, id outbox.NoticeID) {
	stmt.BindInt64(1, int64(id.Payment))
	stmt.BindInt64(2, int64(id.Version))
	stmt.BindText(3, id.Dialect)
	stmt.BindInt64(4, int64(id.Number))
}

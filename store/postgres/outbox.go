package postgres

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

const (
	noticeColumns   = `n.payment, n.version, n.dialect, n.number, n.tenant, n.merchant, n.topic, n.at, n.context, n.ordered, n.told`
	deliveryColumns = `d.payment, d.dialect, d.endpoint, d.version, d.number, d.tenant, d.merchant, d.lane, d.ordered, d.state, d.attempts, d.due`
	selectAttempt   = `SELECT payment, dialect, endpoint, version, number, attempt, tenant, at, took, status, fault, sealed, state, due FROM attempts`
	deliveryNamed   = ` d.tenant = $1 AND d.payment = $2 AND d.dialect = $3 AND d.endpoint = $4 AND d.version = $5 AND d.number = $6`
)

// nameOf are the arguments of deliveryNamed.
func nameOf(tenant int64, id outbox.DeliveryID) []any {
	return []any{tenant, int64(id.Payment), id.Dialect, id.Endpoint, id.Version, id.Number}
}

func deliveryID(r row) outbox.DeliveryID {
	return outbox.DeliveryID{
		NoticeID: outbox.NoticeID{Payment: payment.ID(r.int(0)), Dialect: r.text(1), Version: int(r.int(3)), Number: int(r.int(4))},
		Endpoint: r.text(2),
	}
}

func deliveryOf(r row) outbox.Delivery {
	return outbox.Delivery{
		DeliveryID: deliveryID(r), Tenant: r.int(5), Merchant: r.int(6), Lane: outbox.Lane(r.int(7)),
		Ordered: r.bool(8), State: outbox.State(r.int(9)), Attempts: int(r.int(10)), Due: r.time(11),
	}
}

func noticeOf(r row) (n outbox.Notice, told int) {
	return outbox.Notice{
		NoticeID: outbox.NoticeID{Payment: payment.ID(r.int(0)), Version: int(r.int(1)), Dialect: r.text(2), Number: int(r.int(3))},
		Tenant:   r.int(4), Merchant: r.int(5), Topic: r.text(6), At: r.time(7), Context: r.bytes(8), Ordered: r.bool(9),
	}, int(r.int(10))
}

func attemptOf(r row) outbox.Attempt {
	return outbox.Attempt{
		DeliveryID: deliveryID(r), Number: int(r.int(5)), Tenant: r.int(6), At: r.time(7), Took: time.Duration(r.int(8)) * time.Millisecond,
		Status: int(r.int(9)), Fault: r.text(10), Sealed: r.bytes(11), State: outbox.State(r.int(12)), Due: r.time(13),
	}
}

// queue is what ordered deliveries wait in.
type queue struct {
	tenant            int64
	payment           payment.ID
	dialect, endpoint string
}

func queueOf(d *outbox.Delivery) queue { return queue{d.Tenant, d.Payment, d.Dialect, d.Endpoint} }

// place is where in its queue a delivery is.
type place struct{ version, number int }

func (p place) before(q place) bool {
	return p.version < q.version || p.version == q.version && p.number < q.number
}

// lineUp finds the first delivery that waits in each queue to which changes
// add. It marks those that wait, so that whoever ends one of them meanwhile
// waits for this batch, and sees what it has put behind them.
func (w *writing) lineUp(ctx context.Context, changes []store.Change) error {
	for i := range changes {
		for j := range changes[i].Notices {
			for k := range changes[i].Notices[j].Deliveries {
				if d := &changes[i].Notices[j].Deliveries[k]; d.Ordered {
					if w.queues == nil {
						w.queues = map[queue]place{}
					}
					w.queues[queueOf(d)] = place{}
				}
			}
		}
	}
	if w.queues == nil {
		return nil
	}
	order := slices.SortedFunc(maps.Keys(w.queues), func(a, b queue) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.payment, b.payment), cmp.Compare(a.dialect, b.dialect), cmp.Compare(a.endpoint, b.endpoint))
	})
	var those rows
	those.reset(joinQueues)
	for _, q := range order {
		c := those.next()
		c[0].int8(q.tenant)
		c[1].int8(int64(q.payment))
		c[2].text(q.dialect)
		c[3].text(q.endpoint)
	}
	t := travel(ctx, w.b.conn.Conn())
	t.send(&those, func(r row) error {
		d := deliveryOf(r)
		w.waits(&d)
		return nil
	})
	if _, err := t.home(); err != nil {
		return fmt.Errorf("postgres: look up deliveries that wait: %w", err)
	}
	return nil
}

// waits notes that an ordered delivery waits in its queue.
func (w *writing) waits(d *outbox.Delivery) {
	q, p := queueOf(d), place{d.Version, d.Number}
	if first := w.queues[q]; first == (place{}) || p.before(first) {
		w.queues[q] = p
	}
}

// notices writes the notices of a change with their deliveries.
func (w *writing) notices(c *store.Change) error {
	for i := range c.Notices {
		n, r := &c.Notices[i], w.addNotices.next()
		r[0].int8(n.Tenant)
		r[1].int8(int64(n.Payment))
		r[2].int8(n.Merchant)
		r[3].int8(n.At.UnixMilli())
		r[4].int4(n.Version)
		r[5].int2(n.Number)
		r[6].int4(len(n.Deliveries))
		r[7].bool(n.Ordered)
		r[8].text(n.Dialect)
		r[9].text(n.Topic)
		r[10].bytes(n.Context)
		for j := range n.Deliveries {
			w.delivery(&n.Deliveries[j])
		}
	}
	return nil
}

func (w *writing) delivery(d *outbox.Delivery) {
	due := d.Due
	if d.Ordered {
		if first := w.queues[queueOf(d)]; first != (place{}) && first.before(place{d.Version, d.Number}) {
			due = time.Time{}
		}
		w.waits(d)
	}
	r := w.addDeliveries.next()
	r[0].int8(d.Tenant)
	r[1].int8(int64(d.Payment))
	r[2].int8(d.Merchant)
	r[3].int8(int64(d.Lane))
	r[4].timeOrNull(due)
	r[5].int4(d.Version)
	r[6].int4(d.Attempts)
	r[7].int2(d.Number)
	r[8].int2(int(d.State))
	r[9].bool(d.Ordered)
	r[10].text(d.Dialect)
	r[11].text(d.Endpoint)
}

// Attempted implements store.Outbox.
func (s *Store) Attempted(ctx context.Context, attempts []outbox.Attempt) error {
	return s.change(ctx, func(tx pgx.Tx) error {
		for i := range attempts {
			if err := s.attempted(ctx, tx, &attempts[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// happened is when what delivery d tells of did.
const happened = `(SELECT n.at FROM notices n WHERE n.tenant = d.tenant AND n.payment = d.payment AND n.version = d.version AND n.dialect = d.dialect AND n.number = d.number)`

// attempted writes one attempt, if it is its delivery's next and the delivery
// was not taken over by another instance.
func (s *Store) attempted(ctx context.Context, tx pgx.Tx, a *outbox.Attempt) error {
	made, ordered := false, false
	err := each(ctx, tx, `UPDATE deliveries d SET attempts = $7, state = $8, due = $9, claim = NULL, claimed_until = NULL
		WHERE`+deliveryNamed+` AND d.state = 1 AND d.attempts = $7 - 1 AND (d.claim IS NULL OR d.claim = $10) RETURNING d.ordered`,
		func(r row) error {
			made, ordered = true, r.bool(0)
			return nil
		}, append(nameOf(a.Tenant, a.DeliveryID), a.Number, int16(a.State), milliOrNull(a.Due), s.epoch.Load())...)
	if err != nil || !made {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO attempts (tenant, payment, dialect, endpoint, version, number, attempt, at, took, status, fault, sealed, state, due)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		append(nameOf(a.Tenant, a.DeliveryID), a.Number, a.At.UnixMilli(), a.Took.Milliseconds(), a.Status, a.Fault, nonEmpty(a.Sealed), int16(a.State), milliOrNull(a.Due))...)
	if err != nil || !ordered || a.State == outbox.Waiting {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE deliveries d SET due = greatest($5, `+happened+`) FROM (
			SELECT version, number FROM deliveries WHERE tenant = $1 AND payment = $2 AND dialect = $3 AND endpoint = $4 AND ordered AND state = 1
			ORDER BY version, number LIMIT 1) first
		WHERE d.tenant = $1 AND d.payment = $2 AND d.dialect = $3 AND d.endpoint = $4
			AND d.version = first.version AND d.number = first.number AND d.due IS NULL`,
		a.Tenant, int64(a.Payment), a.Dialect, a.Endpoint, a.At.UnixMilli())
	return err
}

// Redeliver implements store.Outbox.
func (s *Store) Redeliver(ctx context.Context, tenant int64, id outbox.DeliveryID, at time.Time) (there bool, err error) {
	err = s.change(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE deliveries d SET state = $7, due = greatest($8, `+happened+`) WHERE`+deliveryNamed, append(nameOf(tenant, id), int16(outbox.Waiting), at.UnixMilli())...)
		there = err == nil && tag.RowsAffected() > 0
		return err
	})
	return there && err == nil, err
}

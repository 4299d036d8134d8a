package sqlite

import (
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

const (
	selectNotice   = `SELECT payment, version, dialect, number, tenant, merchant, topic, at, context, ordered, told FROM notices`
	selectDelivery = `SELECT payment, dialect, endpoint, version, number, tenant, merchant, lane, ordered, state, attempts, due FROM deliveries`
	selectAttempt  = `SELECT payment, dialect, endpoint, version, number, attempt, tenant, at, took, status, fault, sealed, state, due FROM attempts`

	// selectFirstWaiting finds the first ordered delivery that waits in the
	// queue of a payment, dialect and endpoint.
	selectFirstWaiting = selectDelivery + ` WHERE payment = ? AND dialect = ? AND endpoint = ? AND ordered = 1 AND state = 1
		ORDER BY version, number LIMIT 1`
)

// writeNotices writes the notices of a change with their deliveries. One whose
// name is taken is somebody else's.
func (b *batch) writeNotices(c *store.Change) error {
	for i := range c.Notices {
		n := &c.Notices[i]
		if err := b.addNotice(n, len(n.Deliveries)); err != nil {
			return err
		}
		for j := range n.Deliveries {
			if err := b.writeDelivery(&n.Deliveries[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

// addNotice inserts a notice, which had so many deliveries when it was written.
func (b *batch) addNotice(n *outbox.Notice, told int) error {
	stmt := b.w.stmt.addNotice
	stmt.BindInt64(1, int64(n.Payment))
	stmt.BindInt64(2, int64(n.Version))
	stmt.BindText(3, n.Dialect)
	stmt.BindInt64(4, int64(n.Number))
	stmt.BindInt64(5, n.Tenant)
	stmt.BindInt64(6, n.Merchant)
	stmt.BindText(7, n.Topic)
	stmt.BindInt64(8, n.At.UnixMilli())
	bindBytes(stmt, 9, n.Context)
	bindFlag(stmt, 10, n.Ordered)
	stmt.BindInt64(11, int64(told))
	return runNew(stmt)
}

func (b *batch) writeDelivery(d *outbox.Delivery) error {
	due := d.Due
	if d.Ordered {
		first, err := firstWaiting(b.w.stmt.firstWaiting, d.DeliveryID)
		if err != nil {
			return err
		}
		if first != nil && (first.Version < d.Version || first.Version == d.Version && first.Number < d.Number) {
			due = time.Time{}
		}
	}
	return b.addDelivery(d, due)
}

// addDelivery inserts a delivery that is due then.
func (b *batch) addDelivery(d *outbox.Delivery, due time.Time) error {
	stmt := b.w.stmt.addDelivery
	bindDelivery(stmt, d.DeliveryID)
	stmt.BindInt64(6, d.Tenant)
	stmt.BindInt64(7, d.Merchant)
	stmt.BindInt64(8, int64(d.Lane))
	bindFlag(stmt, 9, d.Ordered)
	stmt.BindInt64(10, int64(d.State))
	bind(stmt, 11, int64(d.Attempts))
	bindTime(stmt, 12, due)
	return runNew(stmt)
}

// runNew runs the insertion of a row whose key must be free.
func runNew(stmt *sqlite.Stmt) error {
	err := run(stmt)
	if sqlite.ErrCode(err) == sqlite.ResultConstraintPrimaryKey {
		return store.ErrConflict
	}
	return err
}

func firstWaiting(stmt *sqlite.Stmt, of outbox.DeliveryID) (first *outbox.Delivery, err error) {
	stmt.BindInt64(1, int64(of.Payment))
	stmt.BindText(2, of.Dialect)
	stmt.BindText(3, of.Endpoint)
	err = each(stmt, func(row *sqlite.Stmt) error {
		d := deliveryOf(row)
		first = &d
		return nil
	})
	return first, err
}

// bindFlag binds 1, or NULL for false.
func bindFlag(stmt *sqlite.Stmt, param int, on bool) {
	if on {
		stmt.BindInt64(param, 1)
	} else {
		stmt.BindNull(param)
	}
}

// bindDelivery binds a delivery's name to the first five parameters.
func bindDelivery(stmt *sqlite.Stmt, id outbox.DeliveryID) {
	stmt.BindInt64(1, int64(id.Payment))
	stmt.BindText(2, id.Dialect)
	stmt.BindText(3, id.Endpoint)
	stmt.BindInt64(4, int64(id.Version))
	stmt.BindInt64(5, int64(id.Number))
}

// columnDelivery is a delivery's name from the first five columns.
func columnDelivery(row *sqlite.Stmt) outbox.DeliveryID {
	return outbox.DeliveryID{
		NoticeID: outbox.NoticeID{Payment: payment.ID(row.ColumnInt64(0)), Dialect: row.ColumnText(1), Version: row.ColumnInt(3), Number: row.ColumnInt(4)},
		Endpoint: row.ColumnText(2),
	}
}

func deliveryOf(row *sqlite.Stmt) outbox.Delivery {
	return outbox.Delivery{
		DeliveryID: columnDelivery(row), Tenant: row.ColumnInt64(5), Merchant: row.ColumnInt64(6), Lane: outbox.Lane(row.ColumnInt64(7)),
		Ordered: row.ColumnBool(8), State: outbox.State(row.ColumnInt64(9)), Attempts: row.ColumnInt(10), Due: columnTime(row, 11),
	}
}

func noticeOf(row *sqlite.Stmt) (n outbox.Notice, told int) {
	return outbox.Notice{
		NoticeID: outbox.NoticeID{Payment: payment.ID(row.ColumnInt64(0)), Version: row.ColumnInt(1), Dialect: row.ColumnText(2), Number: row.ColumnInt(3)},
		Tenant:   row.ColumnInt64(4), Merchant: row.ColumnInt64(5), Topic: row.ColumnText(6), At: columnTime(row, 7),
		Context: columnBytes(row, 8), Ordered: row.ColumnBool(9),
	}, row.ColumnInt(10)
}

func attemptOf(row *sqlite.Stmt) outbox.Attempt {
	return outbox.Attempt{
		DeliveryID: columnDelivery(row), Number: row.ColumnInt(5), Tenant: row.ColumnInt64(6), At: columnTime(row, 7),
		Took: time.Duration(row.ColumnInt64(8)) * time.Millisecond, Status: row.ColumnInt(9), Fault: row.ColumnText(10),
		Sealed: columnBytes(row, 11), State: outbox.State(row.ColumnInt64(12)), Due: columnTime(row, 13),
	}
}

// deliveriesOf appends the deliveries of a notice, by endpoint.
func deliveriesOf(conn *sqlite.Conn, n *outbox.Notice) error {
	stmt, err := conn.Prepare(selectDelivery + ` WHERE payment = ? AND dialect = ? AND version = ? AND number = ? ORDER BY endpoint`)
	if err != nil {
		return err
	}
	stmt.BindInt64(1, int64(n.Payment))
	stmt.BindText(2, n.Dialect)
	stmt.BindInt64(3, int64(n.Version))
	stmt.BindInt64(4, int64(n.Number))
	return each(stmt, func(row *sqlite.Stmt) error {
		n.Deliveries = append(n.Deliveries, deliveryOf(row))
		return nil
	})
}

// Notices implements store.Audit.
func (a *audit) Notices(fn func(outbox.Notice, int) error) error {
	return a.each(selectNotice+` ORDER BY payment, version, dialect, number`, func(row *sqlite.Stmt) error {
		n, told := noticeOf(row)
		if err := deliveriesOf(a.conn, &n); err != nil {
			return err
		}
		return fn(n, told)
	})
}

// Deliveries implements store.Audit.
func (a *audit) Deliveries(fn func(outbox.Delivery) error) error {
	return a.each(selectDelivery+` ORDER BY payment, dialect, endpoint, version, number`, func(row *sqlite.Stmt) error { return fn(deliveryOf(row)) })
}

// Attempts implements store.Audit.
func (a *audit) Attempts(fn func(outbox.Attempt) error) error {
	return a.each(selectAttempt+` ORDER BY payment, dialect, endpoint, version, number, attempt`, func(row *sqlite.Stmt) error { return fn(attemptOf(row)) })
}

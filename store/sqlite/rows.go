package sqlite

import (
	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// runState writes the state row of a payment: a new one, or what has changed.
func runState(stmt *sqlite.Stmt, p *payment.Payment, isNew bool, lastEvent int64) error {
	stmt.BindInt64(1, int64(p.Version))
	stmt.BindInt64(2, lastEvent)
	stmt.BindInt64(3, int64(p.Status))
	stmt.BindInt64(4, p.UpdatedAt.UnixMilli())
	stmt.BindInt64(5, p.Authorized)
	stmt.BindInt64(6, p.Extended)
	stmt.BindInt64(7, p.Captured)
	stmt.BindInt64(8, p.Voided)
	stmt.BindInt64(9, p.Released)
	stmt.BindInt64(10, p.Refunded)
	stmt.BindInt64(11, int64(p.ID))
	if isNew {
		stmt.BindInt64(12, p.Tenant)
		stmt.BindInt64(13, p.Merchant)
	}
	return run(stmt)
}

// record returns what is kept under a key, nil if nothing is.
func (b *batch) record(key payment.Key) (*store.Record, error) {
	if r, known := b.records[key]; known {
		return r, nil
	}
	return b.lookUp(key)
}

func (b *batch) lookUp(key payment.Key) (*store.Record, error) {
	r, err := loadRecord(b.w.stmt.record, key)
	if err == nil {
		b.records[key] = r
	}
	return r, err
}

// loadRecord returns what is kept under a key, nil if nothing is.
func loadRecord(stmt *sqlite.Stmt, key payment.Key) (*store.Record, error) {
	var r *store.Record
	stmt.BindBytes(1, key[:])
	err := each(stmt, func(row *sqlite.Stmt) error {
		r = new(store.Record)
		return readRecord(row, r)
	})
	return r, err
}

func readRecord(row *sqlite.Stmt, r *store.Record) (err error) {
	row.ColumnBytes(0, r.Key[:])
	r.Tenant = row.ColumnInt64(1)
	row.ColumnBytes(2, r.Fingerprint[:])
	r.Payment = payment.ID(row.ColumnInt64(3))
	r.Version = row.ColumnInt(4)
	r.Operation = row.ColumnInt(5)
	r.Refusal, err = store.DecodeRefusal(row.ColumnText(6))
	r.Pending = row.ColumnBool(7)
	r.At = columnTime(row, 8)
	r.Expires = columnTime(row, 9)
	r.Context = columnBytes(row, 10)
	return err
}

func runRecord(stmt *sqlite.Stmt, r *store.Record) error {
	stmt.BindBytes(1, r.Key[:])
	stmt.BindInt64(2, r.Tenant)
	if r.Fingerprint == (payment.Fingerprint{}) {
		stmt.BindNull(3)
	} else {
		stmt.BindBytes(3, r.Fingerprint[:])
	}
	bind(stmt, 4, int64(r.Payment))
	bind(stmt, 5, int64(r.Version))
	bind(stmt, 6, int64(r.Operation))
	if r.Refusal == nil {
		stmt.BindNull(7)
	} else {
		stmt.BindText(7, store.EncodeRefusal(r.Refusal))
	}
	if r.Pending {
		stmt.BindInt64(8, 1)
	} else {
		stmt.BindNull(8)
	}
	stmt.BindInt64(9, r.At.UnixMilli())
	bindTime(stmt, 10, r.Expires)
	bindBytes(stmt, 11, r.Context)
	return run(stmt)
}

func timerOf(row *sqlite.Stmt) payment.Timer {
	return payment.Timer{
		Due: columnTime(row, 0), Payment: payment.ID(row.ColumnInt64(1)), Kind: payment.TimerKind(row.ColumnInt64(2)), Operation: row.ColumnInt(3),
		Tenant: row.ColumnInt64(4), Merchant: row.ColumnInt64(5), Attempt: row.ColumnInt(6),
	}
}

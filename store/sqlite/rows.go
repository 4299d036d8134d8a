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

func runRecord(row *summed, r *store.Record) error {
	row.bytes(r.Key[:])
	row.integer(r.Tenant)
	if r.Fingerprint == (payment.Fingerprint{}) {
		row.null()
	} else {
		row.bytes(r.Fingerprint[:])
	}
	row.orNull(int64(r.Payment))
	row.orNull(int64(r.Version))
	row.orNull(int64(r.Operation))
	if r.Refusal == nil {
		row.null()
	} else {
		row.string(store.EncodeRefusal(r.Refusal))
	}
	if r.Pending {
		row.integer(1)
	} else {
		row.null()
	}
	row.integer(r.At.UnixMilli())
	if r.Expires.IsZero() {
		row.null()
	} else {
		row.integer(r.Expires.UnixMilli())
	}
	row.bytes(r.Context)
	return row.run()
}

func timerOf(row *sqlite.Stmt) payment.Timer {
	return payment.Timer{
		Due: columnTime(row, 0), Payment: payment.ID(row.ColumnInt64(1)), Kind: payment.TimerKind(row.ColumnInt64(2)), Operation: row.ColumnInt(3),
		Tenant: row.ColumnInt64(4), Merchant: row.ColumnInt64(5), Attempt: row.ColumnInt(6),
	}
}

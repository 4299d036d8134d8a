package wepay

import (
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// A transaction record says how a capture, or a refund, that has settled
// changed the balance of the merchant or that of the platform. It is
// nothing that is kept of its own: it follows from the event whose ledger entry
// it tells of. What goes out is negative, so that the net amounts of all records
// sum to the balances.
type record struct {
	payment   *payment.Payment
	operation *payment.Operation
	part      int
}

// The transaction records of one operation.
const (
	merchantRecord = iota // what the merchant gets
	appFeeRecord          // what the platform gets
	recordParts
)

// exists tells whether there is such a record: yet, or ever.
func (r record) exists() bool {
	op := r.operation
	if op == nil || r.part < 0 || r.part >= recordParts || r.part == appFeeRecord && op.Fee == 0 {
		return false
	}
	return op.Settled && (op.Kind == payment.OpCapture || op.Kind == payment.OpRefund)
}

// recordTypes are the types of the records of an operation, by their parts.
var recordTypes = map[payment.OperationKind][recordParts]string{
	payment.OpCapture: {"merchant_payment", "app_fee"},
	payment.OpRefund:  {"merchant_payment_refund", "app_fee_refund"},
}

// amounts are the gross amount and the fee of a record; the net amount is what
// remains of it.
func (r record) amounts() (gross, fee int64) {
	gross, fee = r.operation.Amount, r.operation.Fee
	if r.part == appFeeRecord {
		gross, fee = fee, 0
	}
	if r.operation.Kind == payment.OpRefund {
		gross, fee = -gross, -fee
	}
	return gross, fee
}

// at is when the money was to be there: it is in transit for a while.
func (r record) at() time.Time {
	transit := r.payment.Policy.SettleAfter
	if r.operation.Kind == payment.OpRefund {
		transit = r.payment.Policy.RefundSettleAfter
	}
	return r.operation.DoneAt.Add(transit)
}

func recordName(id payment.ID, operation, part int) wireid.Name {
	return wireid.Name{Kind: wireid.Record, Payment: id, Operation: operation, Part: part}
}

// queryRecord is GET /transaction_records/{id}.
func (d *Dialect) queryRecord(c *call) ([]byte, *problem) {
	if wrong := c.checkID(); wrong != nil {
		return nil, invalid(wrong...)
	}
	name, ok := d.IDs.ParseUUID(c.id)
	if !ok || name.Kind != wireid.Record {
		name = wireid.Name{Payment: nobody}
	}
	p, err := c.find(name.Payment)
	if err != nil {
		return nil, c.failed(err)
	}
	if p == nil {
		return nil, notAccessible(inPath, "id")
	}
	r := record{p, p.Op(name.Operation), name.Part}
	if !r.exists() {
		return nil, notAccessible(inPath, "id")
	}
	return c.appendRecordObject(nil, r), nil
}

// listRecords is GET /transaction_records: the records of the newest payment
// first, and of each payment its latest first. There is no way back to the
// previous page.
func (d *Dialect) listRecords(c *call) ([]byte, *problem) {
	at, wrong := c.readPage("transaction_records", func(q *params, f *filter) {
		f.Owner, f.Payout = q.text("account_id"), q.text("payout_id")
	})
	switch {
	case wrong != nil:
		return nil, invalid(wrong...)
	case at.Filter.Owner != "" && at.Filter.Owner != c.accountID:
		return nil, notAccessible(inQuery, "account_id")
	case at.Filter.Payout != "": // nothing is paid out by us
		return nil, notAccessible(inQuery, "payout_id")
	}
	page, more, err := c.records(at)
	if err != nil {
		return nil, c.failed(err)
	}
	var next *cursor
	if more {
		last := page[len(page)-1]
		next = at.beside(payment.Place{At: last.payment.CreatedAt, Payment: last.payment.ID, Operation: last.operation.Number}, false)
		next.Last.Part = last.part
	}
	return appendResults(c.appendPage(nil, next, nil), page, c.appendRecordObject), nil
}

// records returns a page, and whether there is more. A page begins with what
// is left of the payment that the one before ended with.
func (c *call) records(at cursor) (page []record, more bool, err error) {
	l := c.listing(at)
	if at.Later {
		p, err := c.find(at.Last.Payment)
		if err != nil {
			return nil, false, err
		}
		if p != nil {
			l.After = p.Place()
			page = recordsOf(page, p, at.Filter, record{p, p.Op(at.Last.Operation), at.Last.Part})
		}
	}
	l.Limit = at.Size
	for len(page) <= at.Size {
		found, further, err := c.Page(c.r.Context(), l, func(f dialect.Found) bool { return sees(f.Payment) && f.Payment.Settled > 0 })
		if err != nil {
			return nil, false, err
		}
		for _, f := range found {
			page = recordsOf(page, f.Payment, at.Filter, record{})
			l.After = f.Place
		}
		if !further {
			break
		}
	}
	if len(page) > at.Size {
		return page[:at.Size], true, nil
	}
	return page, false, nil
}

// recordsOf appends the records of a payment, the latest first, those that
// come after one of them if that is not the zero record. Of an account there
// are only the merchant's.
func recordsOf(to []record, p *payment.Payment, f filter, after record) []record {
	for n := len(p.Operations); n > 0; n-- {
		for part := range recordParts {
			r := record{p, p.Op(n), part}
			passed := after.operation != nil && (n > after.operation.Number || n == after.operation.Number && part <= after.part)
			if r.exists() && !passed && (f.Owner == "" || part == merchantRecord) {
				to = append(to, r)
			}
		}
	}
	return to
}

// appendRecordObject appends the TransactionRecord object: the members and the
// order of section 5 of the dialect's document.
func (c *call) appendRecordObject(b []byte, r record) []byte {
	id := c.IDs.UUID(recordName(r.payment.ID, r.operation.Number, r.part))
	gross, fee := r.amounts()
	b = dialect.AppendInt(append(b, `{"create_time":`...), r.at().Unix())
	b = dialect.AppendString(append(b, `,"currency":`...), string(r.payment.Currency))
	b = dialect.AppendInt(append(b, `,"fee_amount":`...), fee)
	b = dialect.AppendInt(append(b, `,"gross_amount":`...), gross)
	b = dialect.AppendString(append(b, `,"id":`...), id)
	b = dialect.AppendInt(append(b, `,"net_amount":`...), gross-fee)
	if r.part == appFeeRecord {
		b = dialect.AppendString(append(b, `,"owner":{"id":`...), c.app.id)
		b = append(b, `,"path":null,"resource":"applications"`...)
	} else {
		b = dialect.AppendString(append(b, `,"owner":{"id":`...), c.accountID)
		b = dialect.AppendString(append(b, `,"path":`...), "/accounts/"+c.accountID)
		b = append(b, `,"resource":"accounts"`...)
	}
	b = append(b, `,"custom_data":null},"path":`...)
	b = dialect.AppendString(b, "/transaction_records/"+id)
	b = append(b, `,"resource":"transaction_records","type":"`...)
	b = append(append(b, recordTypes[r.operation.Kind][r.part]...), `","api_version":`...)
	b = dialect.AppendString(b, c.version)
	return append(b, '}')
}

package wepay

import (
	"math"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// queryNotification is GET /notifications/{id}: what was sent, or is to be.
func (d *Dialect) queryNotification(c *call) ([]byte, *problem) {
	if wrong := c.checkID(); wrong != nil {
		return nil, invalid(wrong...)
	}
	name, ok := d.IDs.ParseUUID(c.id)
	if !ok || name.Kind != wireid.Notice {
		name = wireid.Name{Payment: nobody}
	}
	told, err := d.Outbox.Told(c.r.Context(), &c.access.Merchant, noticeID(name.Payment, name.Operation, name.Part))
	switch {
	case err != nil:
		return nil, c.failed(err)
	case told == nil:
		return nil, notAccessible(inPath, "id")
	}
	return d.appendNotification(nil, *told, c.access.ID, c.version), nil
}

func noticeID(id payment.ID, version, number int) outbox.NoticeID {
	return outbox.NoticeID{Payment: id, Version: version, Dialect: Name, Number: number}
}

// objectTypes are what notifications may be about.
var objectTypes = []string{"payments", "refunds"}

// listNotifications is GET /notifications: what the application was told, the
// latest first. There is no way back to the previous page.
func (d *Dialect) listNotifications(c *call) ([]byte, *problem) {
	at, wrong := c.readPage("notifications", func(q *params, f *filter) {
		f.Object, f.ObjectID = q.oneOf(objectTypes, "object_type"), q.text("object_id")
		f.From, f.Until = q.integer(0, math.MaxInt64, "event_time_start"), q.integer(0, math.MaxInt64, "event_time_end")
	})
	if wrong != nil {
		return nil, invalid(wrong...)
	}
	page, more, problem := c.notifications(at)
	if problem != nil {
		return nil, problem
	}
	var next *cursor
	if more {
		last := &page[len(page)-1].Notice
		next = at.beside(payment.Place{At: last.At, Payment: last.Payment, Operation: last.Version}, false)
		next.Last.Part = last.Number
	}
	return appendResults(c.appendPage(nil, next, nil), page, func(b []byte, t dialect.Told) []byte {
		return d.appendNotification(b, t, c.access.ID, c.version)
	}), nil
}

// noticesAhead is how many notices are looked at at a time.
const noticesAhead = 100

// notifications returns a page, and whether there is more of it.
func (c *call) notifications(at cursor) (page []dialect.Told, more bool, wrong *problem) {
	query := dialect.NoticeQuery{Dialect: Name, Limit: noticesAhead}
	query.From, query.Until = at.Filter.period()
	operation, known := 0, true
	if id := at.Filter.ObjectID; id != "" {
		if query.Payment, operation, known = c.object(at.Filter); !known {
			query.Payment = nobody
		}
	}
	if at.Later {
		query.Before = &outbox.Notice{
			NoticeID: noticeID(at.Last.Payment, at.Last.Operation, at.Last.Part), At: time.UnixMilli(at.At).UTC(),
		}
	}
	for {
		told, err := c.Outbox.List(c.r.Context(), &c.access.Merchant, query)
		if err != nil {
			return nil, false, c.failed(err)
		}
		for i := range told {
			of := told[i].Of.Op(contextOf(told[i].Notice))
			switch about := isRefund(of); {
			case at.Filter.Object == "payments" && about, at.Filter.Object == "refunds" && !about:
			case operation != 0 && (of == nil || of.Number != operation):
			case at.Filter.ObjectID != "" && operation == 0 && about:
			case len(page) == at.Size:
				return page, true, nil
			default:
				page = append(page, told[i])
			}
		}
		if len(told) < query.Limit {
			return page, false, nil
		}
		query.Before = &told[len(told)-1].Notice
	}
}

// object is the payment, and the refund of it, that object_id names.
func (c *call) object(f filter) (id payment.ID, operation int, ok bool) {
	if f.Object != "refunds" {
		if id, ok = c.ParsePaymentID(f.ObjectID); ok {
			return id, 0, true
		}
	}
	if f.Object != "payments" {
		if name, ok := c.parseRefund(f.ObjectID); ok {
			return name.Payment, name.Operation, true
		}
	}
	return 0, 0, false
}

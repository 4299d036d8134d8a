package wepay

import (
	"math"
	"slices"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// referenceLabel is the label of payments that were given a reference_id.
const referenceLabel = Name + ".reference_id"

// The values that two parameters may have.
var (
	statuses    = []string{"canceled", "completed", "failed", "pending"}
	methodTypes = []string{byCard, "payment_bank_us", "payment_bank_ca"}
)

// listPayments is GET /payments: the account's payments, the newest first.
func (d *Dialect) listPayments(c *call) ([]byte, *problem) {
	at, wrong := c.readPage("payments", func(q *params, f *filter) {
		q.created(f)
		f.Least, f.Most = q.integer(0, math.MaxInt64, "minimum_amount"), q.integer(0, math.MaxInt64, "maximum_amount")
		f.Owner = q.text("owner_id")
		f.MethodType, f.Method = q.oneOf(methodTypes, "payment_method_type"), q.text("payment_method_id")
		f.Status = q.oneOf(statuses, "status")
		f.Reference = q.text("reference_id")
		f.Expand = c.expands("payment_method")
	})
	if wrong != nil {
		return nil, invalid(wrong...)
	}
	if f := at.Filter; f.Owner != "" && f.Owner != c.accountID {
		return nil, notAccessible(inQuery, "owner_id")
	}
	l := c.listing(at)
	if ref := at.Filter.Reference; ref != "" {
		l.Label = payment.Label{Kind: referenceLabel, Value: ref}
	}
	page, more, err := d.Page(c.r.Context(), l, func(f dialect.Found) bool { return d.fits(f.Payment, at.Filter) })
	if err != nil {
		return nil, c.failed(err)
	}
	return c.renderFound(at, page, more, func(b []byte, f dialect.Found) []byte {
		return c.appendPayment(b, f.Payment, view{apiVersion: c.version, accountID: c.accountID, expand: at.Filter.Expand})
	}), nil
}

// created reads the bounds of when something was created.
func (p *params) created(f *filter) {
	f.From = p.integer(0, math.MaxInt64, "create_time_start")
	f.Until = p.integer(0, math.MaxInt64, "create_time_end")
}

// fits tells whether a payment is what a listing is narrowed to.
func (d *Dialect) fits(p *payment.Payment, f filter) bool {
	if !sees(p) {
		return false
	}
	sum := amount(p)
	status, _ := statusOf(p, false)
	switch {
	case f.Least != nil && sum < *f.Least, f.Most != nil && sum > *f.Most:
	case f.Status != "" && status != f.Status:
	case f.MethodType != "" && f.MethodType != byCard:
	case f.Method != "" && d.methodID(p) != f.Method:
	case f.Reference != "" && p.Reference != f.Reference:
	default:
		return true
	}
	return false
}

// methodID is the id of a payment's method.
func (d *Dialect) methodID(p *payment.Payment) string {
	if stored := readDetails(p).method; stored != "" {
		return stored
	}
	return d.IDs.UUID(wireid.Name{Kind: wireid.PaymentMethod, Payment: p.ID})
}

// renderFound renders a page of payments or operations, the newest first.
func (c *call) renderFound(at cursor, page []dialect.Found, more bool, render func([]byte, dialect.Found) []byte) []byte {
	if at.Back {
		slices.Reverse(page)
	}
	var next, previous *cursor
	if len(page) > 0 {
		next, previous = at.around(page[0].Place, page[len(page)-1].Place, more)
	}
	return appendResults(c.appendPage(nil, next, previous), page, render)
}

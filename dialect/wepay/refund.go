package wepay

import (
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// refundLabel is the label of refunds that were asked for here.
const refundLabel = Name + ".refund"

// refundDraft is a refund that is asked for.
type refundDraft struct {
	payment  string
	amount   int64 // 0 is all that is left
	currency money.Currency
	fee      *int64
	ref      string
	details  refundDetails
}

// refund is POST /refunds: it gives money of a completed payment back.
func (d *Dialect) refund(c *call) ([]byte, *problem) {
	asked, wrong := c.readRefund()
	if wrong != nil {
		return nil, invalid(wrong...)
	}
	request := c.request(nil)
	if id, ok := d.ParsePaymentID(asked.payment); ok {
		request.Payment = id
	} else {
		request.Payment = nobody
	}
	p, err := c.find(request.Payment)
	switch {
	case err != nil:
		return nil, c.failed(err)
	case p == nil:
		return nil, notAccessible(inBody, "payment_id")
	}
	// What makes a payment refundable ends only by refunds and by time, so it
	// can be looked at before the command. A repeat is not held against it.
	if status, _ := statusOf(p, false); status != "completed" || !d.Clock.Now().Before(p.CreatedAt.Add(c.refundFor)) {
		request.Payment = nobody
		request.Command = payment.Expire{}
		return c.doRefund(request, notRefundable)
	}
	if asked.fee != nil && asked.amount == amount(p) && *asked.fee <= fee(p) {
		asked.fee = nil // with the whole payment the whole fee goes back
	}
	request.Command = payment.Refund{
		Amount: asked.amount, Currency: asked.currency, Fee: asked.fee, SettledOnly: true,
		Asked: payment.Asked{
			Dialect: Name, Reference: asked.ref, Labels: []payment.Label{{Kind: refundLabel}}, Details: asked.details.append(nil),
		},
	}
	return c.doRefund(request, nil)
}

// doRefund carries a refund out, or answers its repeat. Unlike other operations
// one whose processor has not answered is an answer: it is pending. With
// otherwise nothing is carried out, and that is the answer where nothing is
// kept under the key.
func (c *call) doRefund(r payment.Request, otherwise *problem) ([]byte, *problem) {
	out, err := c.Engine.Do(c.r.Context(), r)
	switch {
	case err != nil:
		return nil, c.failed(err)
	case otherwise != nil && out.Refusal.Has(payment.NotFound):
		return nil, otherwise
	case out.Refusal != nil:
		problem := answer(refundRefusals, out.Refusal)
		if problem == unexpected && !out.Refusal.Has(payment.Busy) {
			return nil, c.failed(out.Refusal)
		}
		return nil, problem
	case !out.Replayed:
		return c.renderRefund(out.Payment, out.Op(), true), nil
	}
	p, err := c.find(out.Payment.ID)
	if err != nil || p == nil {
		return nil, c.failed(err)
	}
	return c.renderRefund(p, p.Op(out.Operation), false), nil
}

// readRefund reads the body of POST /refunds; details say what is wrong with it.
func (c *call) readRefund() (refundDraft, []detail) {
	var f fields
	var asked refundDraft
	if f.must(&c.body, "payment_id") {
		asked.payment, _ = f.text(&c.body, 1, maxID, "payment_id")
	}
	if f.must(&c.body, "refund_reason") {
		asked.details.why, _ = f.text(&c.body, 1, maxReason, "refund_reason")
	}
	if in := f.object(&c.body, atAmounts...); in != nil {
		asked.currency = f.currency(in, atCurrency...)
		asked.amount = f.amount(in, minAmount, "amounts", "total_amount")
		if fee, given := f.integer(in, 0, maxAmount, "amounts", "fee_refund_amount"); given {
			asked.fee = &fee
		}
	}
	if custom := f.object(&c.body, atCustomData...); custom != nil {
		asked.details.customData = custom.compact(nil)
	}
	asked.details.order, _ = f.text(&c.body, 1, maxID, "order_id")
	if facts := f.array(&c.body, "rbits"); facts != nil {
		asked.details.rbits = facts.compact(nil)
	}
	asked.ref, _ = f.text(&c.body, 1, maxID, "reference_id")
	if f.flag(&c.body, false, "is_unreferenced_refund") {
		f.report(isInvalid, "A refund has to be of a payment.", "is_unreferenced_refund")
	}
	return asked, f.wrong
}

// queryRefund is GET /refunds/{id}: the refund as it is now.
func (d *Dialect) queryRefund(c *call) ([]byte, *problem) {
	if wrong := c.checkID(); wrong != nil {
		return nil, invalid(wrong...)
	}
	name, ok := d.parseRefund(c.id)
	if !ok {
		name = wireid.Name{Payment: nobody}
	}
	p, err := c.find(name.Payment)
	switch {
	case err != nil:
		return nil, c.failed(err)
	case p == nil || !isRefund(p.Op(name.Operation)):
		return nil, notAccessible(inPath, "id")
	}
	return c.renderRefund(p, p.Op(name.Operation), false), nil
}

// refundName is what the id of a refund names.
func refundName(p *payment.Payment, op *payment.Operation) wireid.Name {
	return wireid.Name{Kind: wireid.Refund, Payment: p.ID, Operation: op.Number}
}

func (d *Dialect) parseRefund(id string) (wireid.Name, bool) {
	name, ok := d.IDs.ParseUUID(id)
	return name, ok && name == wireid.Name{Kind: wireid.Refund, Payment: name.Payment, Operation: name.Operation}
}

func isRefund(op *payment.Operation) bool { return op != nil && op.Kind == payment.OpRefund }

// listRefunds is GET /refunds: those of one payment, or all that were asked for
// here, the newest first.
func (d *Dialect) listRefunds(c *call) ([]byte, *problem) {
	at, wrong := c.readPage("refunds", func(q *params, f *filter) {
		q.created(f)
		f.Owner, f.Payment = q.text("owner_id"), q.text("payment_id")
		f.Status = q.oneOf(refundStatuses, "status")
		f.Reference = q.text("reference_id")
	})
	if wrong != nil {
		return nil, invalid(wrong...)
	}
	f := at.Filter
	if f.Owner != "" && f.Owner != c.accountID {
		return nil, notAccessible(inQuery, "owner_id")
	}
	l := c.listing(at)
	wanted := func(found dialect.Found) bool {
		op := found.Operation()
		if !sees(found.Payment) || !isRefund(op) {
			return false
		}
		status, _ := refundStatus(op, false)
		return (f.Status == "" || status == f.Status) && (f.Reference == "" || op.Reference == f.Reference)
	}
	var page []dialect.Found
	var more bool
	if f.Payment != "" {
		id, ok := d.ParsePaymentID(f.Payment)
		if !ok {
			id = nobody
		}
		p, err := c.find(id)
		switch {
		case err != nil:
			return nil, c.failed(err)
		case p == nil:
			return nil, notAccessible(inQuery, "payment_id")
		}
		page, more = refundsOf(p, l, wanted)
	} else {
		l.Label = payment.Label{Kind: refundLabel}
		var err error
		if page, more, err = d.Page(c.r.Context(), l, wanted); err != nil {
			return nil, c.failed(err)
		}
	}
	return c.renderFound(at, page, more, func(b []byte, found dialect.Found) []byte {
		return c.appendRefund(b, found.Payment, found.Operation(), refundView{c.version, c.accountID, false})
	}), nil
}

// refundsOf returns a page of the refunds of one payment.
func refundsOf(p *payment.Payment, l payment.Listing, wanted func(dialect.Found) bool) (page []dialect.Found, more bool) {
	low, high := l.Bounds()
	for i := range p.Operations {
		op := &p.Operations[i]
		if !l.OldestFirst {
			op = &p.Operations[len(p.Operations)-1-i]
		}
		found := dialect.Found{Payment: p, Place: payment.Place{At: op.At, Payment: p.ID, Operation: op.Number}}
		if found.Place.Compare(low) <= 0 || high != (payment.Place{}) && found.Place.Compare(high) >= 0 || !wanted(found) {
			continue
		}
		if len(page) == l.Limit {
			return page, true
		}
		page = append(page, found)
	}
	return page, false
}

package begateway

import (
	"unicode/utf8"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// query answers GET /transactions/{uid} for a transaction of any type, as it
// is now (section 7). A body is ignored.
func (d *Dialect) query(c *call, uid string) answered {
	t, ok := d.parseUID(uid)
	if !ok {
		return answered{problem: notFound}
	}
	p, err := d.Engine.Payment(c.Context(), c.shop.merchant.Tenant, c.shop.merchant.ID, t.payment)
	if err != nil {
		return answered{err: err}
	}
	if !shown(p, t) {
		return answered{problem: notFound}
	}
	return d.show(c, p, t, formOfQuery)
}

// show answers with a transaction, in the shape that the caller asks for.
func (d *Dialect) show(c *call, p *payment.Payment, t transaction, f form) answered {
	render := d.appendTransaction
	if c.flat {
		render = d.appendFlat
	}
	body, err := render(make([]byte, 0, replySize), c.shop, p, t, f)
	a := answered{body: body, err: err}
	if err == nil && isPending(p, t) {
		waits := t // so that t itself stays on the stack
		a.pending = &waits
	}
	return a
}

// isPending tells whether what became of a transaction is its processor's to
// say.
func isPending(p *payment.Payment, t transaction) bool {
	op := p.Op(t.operation)
	if op == nil {
		op = viewOf(p).last
	}
	return op != nil && op.Status == payment.OpPending
}

// queryTracking answers GET /v2/transactions/tracking_id/{id}: the newest
// transactions that carry that id, which may be none.
func (d *Dialect) queryTracking(c *call, id string) answered {
	found, err := d.tracked(c, id, trackedLimit)
	if err != nil {
		return answered{err: err}
	}
	body := append(make([]byte, 0, replySize), `{"transactions":[`...)
	for i, f := range found {
		if i > 0 {
			body = append(body, ',')
		}
		t := transaction{f.Place.Payment, f.Place.Operation}
		if c.flat {
			body, err = d.appendFlat(body, c.shop, f.Payment, t, formOfQuery)
		} else {
			body, err = d.appendObject(body, c.shop, f.Payment, t, formOfQuery)
		}
		if err != nil {
			return answered{err: err}
		}
	}
	return answered{body: append(body, ']', '}')}
}

// queryTrackingOne answers GET /transactions/tracking_id/{id}, the older form of
// the same: the newest of them alone.
func (d *Dialect) queryTrackingOne(c *call, id string) answered {
	found, err := d.tracked(c, id, 1)
	switch {
	case err != nil:
		return answered{err: err}
	case len(found) == 0:
		return answered{problem: notFound}
	}
	return d.show(c, found[0].Payment, transaction{found[0].Place.Payment, found[0].Place.Operation}, formOfQuery)
}

// trackedLimit is how many transactions a look-up by tracking id shows.
const trackedLimit = 10

func (d *Dialect) tracked(c *call, id string, limit int) ([]dialect.Found, error) {
	if id == "" || utf8.RuneCountInString(id) > textLimit {
		return nil, nil
	}
	found, _, err := d.Page(c.Context(), payment.Listing{
		Tenant: c.shop.merchant.Tenant, Merchant: c.shop.merchant.ID, Label: tracking(id)[0], Limit: limit,
	}, func(f dialect.Found) bool { return shown(f.Payment, transaction{f.Place.Payment, f.Place.Operation}) })
	return found, err
}

// tracking is the label of transactions with a tracking id, none if it is empty.
func tracking(id string) []payment.Label {
	if id == "" {
		return nil
	}
	return []payment.Label{{Kind: Name + ".tracking_id", Value: id}}
}

// shown tells whether there is such a transaction.
func shown(p *payment.Payment, t transaction) bool {
	return p != nil && expressible(p) && (t.operation == 0 || isTransaction(p, t.operation))
}

// isTransaction tells whether an operation of a payment is a transaction of
// its own. The capture that makes an authorization a sale is not.
func isTransaction(p *payment.Payment, number int) bool {
	op := p.Op(number)
	if op == nil {
		return false
	}
	switch op.Kind {
	case payment.OpCapture:
		return !p.Policy.AutoCapture
	case payment.OpVoid, payment.OpCancel, payment.OpRefund:
		return true
	}
	return false
}

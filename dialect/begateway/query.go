package begateway

import "github.com/capstan-pay/capstan/payment"

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
	body, err := d.appendTransaction(nil, c.shop, p, t)
	if body == nil && err == nil {
		return answered{problem: notFound}
	}
	return answered{body: body, err: err}
}

// appendTransaction appends a transaction as a query shows it, nothing if
// there is none under that name.
func (d *Dialect) appendTransaction(b []byte, s *shop, p *payment.Payment, t transaction) ([]byte, error) {
	switch {
	case p == nil || !expressible(p):
		return b, nil
	case t.operation == 0:
		return d.appendAuthorization(b, s, p)
	case isTransaction(p, t.operation):
		return d.appendChild(b, s, p, p.Op(t.operation), formOfQuery)
	}
	return b, nil
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

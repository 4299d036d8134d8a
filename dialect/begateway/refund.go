package begateway

import "github.com/capstan-pay/capstan/payment"

// refund answers POST /transactions/refunds (section 6.3). The parent is a
// payment or a capture.
func (d *Dialect) refund(c *call) answered {
	in, problem, err := d.readChild(c, refundOperation)
	if problem != nil || err != nil {
		return answered{problem: problem, err: err}
	}
	return d.do(c, refundOperation, in.parent, payment.Refund{
		Amount: in.amount, DuplicateWithin: in.duplicates,
		Asked: payment.Asked{Dialect: Name, Reference: in.tracking, Labels: tracking(in.tracking), Details: in.details.encode(), Parent: in.parent.operation},
	})
}

// refundable tells whether a transaction is of a type that can be refunded: a
// payment or a capture. Whether there is anything to give back is the
// engine's to say.
func refundable(p *payment.Payment, operation int) bool {
	if operation == 0 {
		return p.Policy.AutoCapture
	}
	return p.Op(operation).Kind == payment.OpCapture
}

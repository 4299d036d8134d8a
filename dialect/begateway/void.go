package begateway

import "github.com/capstan-pay/capstan/payment"

// void answers POST /transactions/voids (section 6.2).
func (d *Dialect) void(c *call) answered {
	in, problem, err := d.readChild(c, voidOperation)
	if problem != nil || err != nil {
		return answered{problem: problem, err: err}
	}
	return d.do(c, voidOperation, in.parent, payment.Void{
		Amount: in.amount, DuplicateWithin: in.duplicates, Alongside: true,
		Asked: payment.Asked{Dialect: Name, Reference: in.tracking, Labels: tracking(in.tracking), Details: in.details.encode()},
	})
}

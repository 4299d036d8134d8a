package begateway

import "github.com/capstan-pay/capstan/payment"

// capture answers POST /transactions/captures (section 4). Several captures of
// one authorization may be under way at a time: each reserves its amount.
func (d *Dialect) capture(c *call) answered {
	in, problem, err := d.readChild(c, captureOperation)
	if problem != nil || err != nil {
		return answered{problem: problem, err: err}
	}
	return d.do(c, captureOperation, in.parent, payment.Capture{
		Amount: in.amount, NoOverCapture: true, Final: !c.shop.multiCapture, DuplicateWithin: in.duplicates, Alongside: true,
		Dialect: Name, Reference: in.tracking, Labels: tracking(in.tracking), Details: in.details.encode(),
	})
}

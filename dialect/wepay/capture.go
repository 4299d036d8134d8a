package wepay

import "github.com/capstan-pay/capstan/payment"

// capture is POST /payments/{id}/capture: it takes the whole authorization, or
// what amounts says, and releases the rest. The money is the merchant's when
// it has settled, so the answer is pending.
func (d *Dialect) capture(c *call) ([]byte, *problem) {
	command, wrong := c.readCapture()
	if wrong != nil {
		return nil, invalid(wrong...)
	}
	request := c.request(command)
	request.Payment = c.payment()
	res, problem := c.do(request, captureRefusals)
	switch {
	case problem != nil:
		return nil, problem
	case res.operation.Status == payment.OpFailed && res.payment.Status == payment.Authorized:
		// Declined, but whoever authorized it lets it be tried again: a
		// payment that is pending would look as if it had been captured.
		return nil, notCapturable
	}
	return c.render(res.payment, view{fresh: res.fresh}), nil
}

// readCapture reads the body of a capture; details say what is wrong with it.
func (c *call) readCapture() (payment.Capture, []detail) {
	command := payment.Capture{
		Final: true, PresentOverCapture: true, FeePercent: c.feePercent, Dialect: Name,
	}
	f := fields{wrong: c.checkID()}
	if amounts := f.object(&c.body, "amounts"); amounts != nil {
		command.Amount = f.amount(amounts, minAmount, "amounts", "amount")
		command.Currency = f.currency(amounts, "amounts", "currency")
		if fee, given := f.integer(amounts, 0, maxAmount, "amounts", "fee_amount"); given {
			command.Fee = &fee
		}
	}
	if custom := f.object(&c.body, "custom_data"); custom != nil {
		command.Details = captureDetails(custom.compact(nil))
	}
	return command, f.wrong
}

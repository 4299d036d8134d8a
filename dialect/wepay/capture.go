package wepay

import (
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

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
		return nil, c.settled(problem)
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
	if amounts := f.object(&c.body, atAmounts...); amounts != nil {
		command.Amount, command.Currency, command.Fee = f.amounts(amounts)
	}
	if custom := f.object(&c.body, atCustomData...); custom != nil {
		command.Details = captureDetails(custom.compact(nil))
	}
	return command, f.wrong
}

// amounts reads what amounts says of a capture; the fee is nil if it says
// nothing of it.
func (f *fields) amounts(in *value) (amount int64, currency money.Currency, fee *int64) {
	amount = f.amount(in, minAmount, atAmount...)
	currency = f.currency(in, atCurrency...)
	if n, given := f.integer(in, 0, maxAmount, atFee...); given {
		fee = &n
	}
	return amount, currency, fee
}

// The members of a capture's body. They are made once: a path that is made for
// each request costs more than all else that is read of it.
var (
	atAmounts    = []string{"amounts"}
	atAmount     = []string{"amounts", "amount"}
	atCurrency   = []string{"amounts", "currency"}
	atFee        = []string{"amounts", "fee_amount"}
	atCustomData = []string{"custom_data"}
)

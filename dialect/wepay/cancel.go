package wepay

import (
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// maxReason is the longest reason that may be given, in characters.
const maxReason = 65535

// cancel is POST /payments/{id}/cancel: it gives back the whole authorization.
func (d *Dialect) cancel(c *call) ([]byte, *problem) {
	command, wrong := c.readCancel()
	if wrong != nil {
		return nil, invalid(wrong...)
	}
	request := c.request(command)
	request.Payment = c.payment()
	res, problem := c.do(request, cancelRefusals)
	switch {
	case problem != nil:
		return nil, c.settled(problem)
	case res.operation.Status == payment.OpFailed:
		return nil, notCancelable // the acquirer would not give it back
	}
	return c.render(res.payment, view{fresh: res.fresh}), nil
}

// readCancel reads the body of a cancellation; details say what is wrong with
// it.
func (c *call) readCancel() (payment.Cancel, []detail) {
	f := fields{wrong: c.checkID()}
	var reason string
	if f.must(&c.body, "cancel_reason") {
		reason, _ = f.text(&c.body, 1, maxReason, "cancel_reason")
	}
	facts := f.array(&c.body, "rbits")
	b := dialect.AppendInt([]byte(`{"v":`), detailsVersion)
	b = dialect.AppendString(append(b, `,"cancel_reason":`...), reason)
	if facts != nil {
		b = facts.compact(append(b, `,"rbits":`...))
	}
	return payment.Cancel{Asked: payment.Asked{Dialect: Name, Details: append(b, '}')}}, f.wrong
}

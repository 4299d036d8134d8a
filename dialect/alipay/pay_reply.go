package alipay

import (
	"encoding/json"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// renderPay makes the answer of an outcome.
func (d *Dialect) renderPay(to route, r payRequest, out payment.Outcome) []byte {
	first, err := contextOf(out, r.context)
	if err != nil {
		d.Logger.Error("alipay: pay", "error", err)
		return r.refused(unknownException, r.context)
	}
	if out.Refusal != nil {
		return r.refused(refused(payRefusals, out.Refusal).result, first)
	}
	p := out.Payment
	if p == nil || out.Op() == nil {
		d.Logger.Error("alipay: pay without an operation", "payment", p)
		return r.refused(unknownException, first)
	}
	what := payResult(p, out.Op(), first.grant).after(out)
	b := newReply(what, first.zone)
	id := d.PaymentID(p)
	b.text("paymentId", id)
	switch what {
	case success:
		b.time("paymentTime", p.AuthorizedAt)
	case accept:
		if to.v1 && !to.ams {
			b.name("actionForm")
			b.b = dialect.AppendString(append(b.b, `{"actionFormType":"REDIRECTION","redirectionUrl":`...), first.cashier+id)
			b.b = append(b.b, '}')
		}
		b.name("redirectActionForm")
		b.b = dialect.AppendString(append(b.b, `{"method":"POST","redirectUrl":`...), first.cashier+id)
		b.b = dialect.AppendString(append(b.b, `,"redirectionUrl":`...), first.cashier+id)
		b.b = append(b.b, '}')
	}
	if what == success && !p.Policy.AutoCapture {
		b.time("authExpiryTime", p.ExpiresAt)
	}
	b.text("paymentRequestId", r.requestID)
	b.amount("paymentAmount", p.Amount, p.Currency)
	b.time("paymentCreateTime", p.CreatedAt)
	b.raw("extendInfo", first.extend)
	return b.done()
}

// payResult is what an authorization or a charge has come to. An order that was
// closed before anybody confirmed it is no order any more.
func payResult(p *payment.Payment, op *payment.Operation, grant grantState) result {
	closed := (p.Status == payment.Voided || p.Status == payment.Expired) && p.AuthorizedAt.IsZero()
	switch op.Status {
	case payment.OpPending:
		return paymentInProcess
	case payment.OpAwaiting:
		if closed {
			return orderStatusInvalid
		}
		return accept
	case payment.OpFailed:
		if closed {
			return orderStatusInvalid
		}
		if what, wrong := grant.result(); wrong && op.Answer.Reason == payment.GrantOver {
			return what
		}
		return declinedPay(op.Answer.Reason)
	}
	charge := automaticCapture(p)
	switch {
	case charge == nil || charge.Status == payment.OpApproved:
		return success
	case charge.Status == payment.OpFailed:
		return declinedPay(charge.Answer.Reason)
	}
	return paymentInProcess
}

// ReturnURL is where a payer goes who was at the cashier, as the merchant said
// in the pay request; empty if he did not.
func ReturnURL(p *payment.Payment) string {
	var made payDetails
	if p.Dialect != Name || json.Unmarshal(p.Details, &made) != nil {
		return ""
	}
	return made.RedirectURL
}

// automaticCapture is the capture that followed the authorization by itself,
// nil if the payment is one that is captured later.
func automaticCapture(p *payment.Payment) *payment.Operation {
	if !p.Policy.AutoCapture {
		return nil
	}
	for i := range p.Operations {
		if p.Operations[i].Kind == payment.OpCapture {
			return &p.Operations[i]
		}
	}
	return nil
}

// refused is the answer where there is no payment to speak of.
func (r payRequest) refused(what result, c replyContext) []byte {
	b := newReply(what, c.zone)
	b.text("paymentRequestId", r.requestID)
	b.raw("extendInfo", c.extend)
	return b.done()
}

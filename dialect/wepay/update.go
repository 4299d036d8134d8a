package wepay

import (
	"time"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

// change is what an update asks for. What is nil stays as it is.
type change struct {
	amounts    bool
	amount     int64
	currency   money.Currency
	fee        *int64
	captureAt  *int64
	reference  *string
	customData []byte
	rbits      []byte
	feePercent int64
}

// update is POST /payments/{id}: it changes what is to be captured and when,
// while that is still to come, and what describes the payment at any time. It
// captures nothing.
func (d *Dialect) update(c *call) ([]byte, *problem) {
	asked, wrong := c.readChange()
	if wrong != nil {
		return nil, invalid(wrong...)
	}
	request := c.request(nil)
	request.Payment = c.payment()
	if asked.captureAt != nil && *asked.captureAt < d.Clock.Now().Unix() {
		res, problem, known := c.repeated(request, updateRefusals)
		switch {
		case !known:
			if p, err := c.find(request.Payment); err != nil {
				return nil, c.failed(err)
			} else if p == nil {
				return nil, notAccessible(inPath, "id")
			}
			return nil, bodyDetail(isTooSmall, inThePast, "capture_at")
		case problem != nil:
			return nil, problem
		}
		return c.render(res.payment, view{}), nil
	}
	request.Command = payment.Revise{Edit: asked.edit, OfHold: true}
	res, problem := c.do(request, updateRefusals)
	if problem != nil {
		return nil, problem
	}
	return c.render(res.payment, view{fresh: res.fresh}), nil
}

// readChange reads the body of an update; details say what is wrong with it.
func (c *call) readChange() (change, []detail) {
	f, asked := fields{wrong: c.checkID()}, change{feePercent: c.feePercent}
	if in := f.object(&c.body, atAmounts...); in != nil {
		asked.amounts = true
		asked.amount, asked.currency, asked.fee = f.amounts(in)
	}
	if at, given := f.integer(&c.body, 0, maxAmount, "capture_at"); given {
		asked.captureAt = &at
		f.passing(func() {
			if at < c.Clock.Now().Unix() {
				f.report(isTooSmall, inThePast, "capture_at")
			}
		})
	}
	if custom := f.object(&c.body, atCustomData...); custom != nil {
		asked.customData = custom.compact(nil)
	}
	if facts := f.array(&c.body, "rbits"); facts != nil {
		asked.rbits = facts.compact(nil)
	}
	if reference, given := f.text(&c.body, 1, maxID, "reference_id"); given {
		asked.reference = &reference
	}
	return asked, f.lasting()
}

// edit makes the new intake of a payment.
func (a change) edit(p *payment.Payment) (payment.Intake, *payment.Refusal) {
	now := p.Intake
	waits := p.Status == payment.Authorized && p.Captures() == 0 && p.Pending() == nil && !p.HeldUp()
	if p.Dialect != Name || (a.amounts || a.captureAt != nil) && !waits {
		return now, payment.Refuse(payment.NotCreated)
	}
	known := readDetails(p)
	if a.customData != nil {
		known.customData, known.customAfter = a.customData, len(p.Operations)
	}
	if a.rbits != nil {
		known.rbits = a.rbits
	}
	if a.reference != nil {
		now.Reference = *a.reference
		now.Labels = referenceLabels(now.Reference)
	}
	if a.captureAt != nil {
		known.captureAt, now.Policy.CaptureAt = *a.captureAt, time.Unix(*a.captureAt, 0).UTC()
		if now.Policy.CaptureAt.After(p.ExpiresAt) {
			return now, payment.Refuse(payment.ScheduledCapture)
		}
		if last := p.ExpiresAt.Add(-time.Second); now.Policy.CaptureAt.After(last) {
			now.Policy.CaptureAt = last // the hold is over then, and something is left of its last second
		}
	}
	if a.amounts {
		if a.currency != p.Currency {
			return now, payment.Refuse(payment.CurrencyMismatch)
		}
		now.Amount = a.amount
		if a.fee != nil {
			now.Fee = *a.fee
		}
		if a.feePercent > 0 && money.ExceedsPercent(now.Fee, now.Amount, a.feePercent) {
			return now, payment.Refuse(payment.FeeTooLarge)
		}
	}
	now.Details = known.append(nil)
	return now, nil
}

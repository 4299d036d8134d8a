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
	asked, wrong, passed := c.readChange()
	switch {
	case wrong != nil:
		return nil, invalid(wrong...)
	case passed != nil:
		return c.unlessRepeated(invalid(passed...), true)
	}
	request := c.request(nil)
	request.Payment = c.payment()
	request.Command = payment.Revise{Edit: asked.edit, OfHold: true}
	res, problem := c.do(request, updateRefusals)
	if problem != nil {
		return nil, c.settled(problem)
	}
	return c.render(res.payment, view{}), nil
}

// readChange reads the body of an update. Wrong says what is wrong with it;
// where that is only what may have been right in its time, passed says it
// instead.
func (c *call) readChange() (asked change, wrong, passed []detail) {
	f := fields{wrong: c.checkID()}
	asked.feePercent = c.feePercent
	if in := f.object(&c.body, atAmounts...); in != nil {
		asked.amounts = true
		asked.amount, asked.currency, asked.fee = f.amounts(in)
	}
	if at, given := f.integer(&c.body, 0, maxAmount, "capture_at"); given {
		asked.captureAt = &at
		f.passing(func() { f.ahead(at, c.Clock.Now(), holdFor) })
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
	wrong, passed = f.told()
	return asked, wrong, passed
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
	var failed []payment.Guard
	when := func(wrong bool, g payment.Guard) {
		if wrong {
			failed = append(failed, g)
		}
	}
	if a.captureAt != nil {
		known.captureAt, now.Policy.CaptureAt = *a.captureAt, time.Unix(*a.captureAt, 0).UTC()
		when(now.Policy.CaptureAt.After(p.ExpiresAt), payment.ScheduledCapture)
		if last := p.ExpiresAt.Add(-time.Second); now.Policy.CaptureAt.After(last) {
			now.Policy.CaptureAt = last // the hold is over then, and something is left of its last second
		}
	}
	if a.amounts {
		now.Amount = a.amount
		if a.fee != nil {
			now.Fee = *a.fee
		}
		when(a.currency != p.Currency, payment.CurrencyMismatch)
		when(a.amount != p.Amount && a.amount > p.Capturable(), payment.AmountTooLarge)
		when(a.feePercent > 0 && money.ExceedsPercent(now.Fee, now.Amount, a.feePercent), payment.FeeTooLarge)
	}
	if failed != nil {
		return now, payment.Refuse(failed...)
	}
	now.Details = known.append(nil)
	return now, nil
}

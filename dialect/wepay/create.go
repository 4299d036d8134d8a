package wepay

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

// draft is a payment that is asked for.
type draft struct {
	account     string
	amount      int64
	currency    money.Currency
	fee         int64
	method      method
	autoCapture bool
	scheduled   bool  // captureAt was given
	captureAt   int64 // seconds
	reference   string
	details     details
}

// create is POST /payments: it authorizes a payment and, unless its capture is
// delayed, captures it. A decline is an answer too: the payment has failed.
func (d *Dialect) create(c *call) ([]byte, *problem) {
	draft, wrong, passed := c.readDraft()
	if wrong != nil {
		return nil, invalid(wrong...)
	}
	early, late := c.lookUp(&draft, passed)
	switch {
	case early != nil:
		return c.unlessRepeated(early, true)
	case late != nil:
		return c.unlessRepeated(late, false)
	}
	request := c.request(nil)
	now := d.Clock.Now()
	if wrong := c.checkDraft(draft, now); wrong != nil {
		return c.unlessRepeated(invalid(wrong...), false)
	}
	request.Documents = draft.method.spends
	request.Command = payment.Create{
		Intake: c.intake(draft, now),
		Attempt: &payment.Attempt{
			Secret:      draft.method.secret,
			PayerAbsent: true, // nothing in this API could send him to his issuer
			Asked:       payment.Asked{Dialect: Name},
		},
	}
	res, problem := c.do(request, createRefusals)
	switch {
	case problem == moved:
		return nil, notAccessible(inBody, draft.method.stored...) // somebody else's payment had it first
	case problem != nil:
		return nil, problem
	}
	return c.render(res.payment, view{fresh: res.fresh}), nil
}

// lookUp finds what a draft names and whether its account may be paid into. It
// returns what is wrong with that, by whether it is told before a key that was
// used for something else, or after it.
func (c *call) lookUp(d *draft, passed []detail) (early, late *problem) {
	switch {
	case passed != nil:
		return invalid(passed...), nil
	case d.account != c.accountID:
		return notAccessible(inBody, "account_id"), nil
	case d.method.stored != nil:
		if late = c.open(&d.method); late != nil && late.status == http.StatusForbidden {
			return late, nil
		}
		if d.method.shape == byID {
			d.details.method = d.method.storedID
		}
	}
	if !c.accountUsable && late != unexpected {
		return cannotAccept, nil
	}
	return nil, late
}

// readDraft reads the body of POST /payments. Wrong says what is wrong with it,
// as far as that can be said without looking anything up; where that is only
// what may have been right in its time, passed says it instead. Afterwards the
// body holds no card number and no security code.
func (c *call) readDraft() (d draft, wrong, passed []detail) {
	var f fields
	now := c.Clock.Now()
	d.details.apiVersion = c.version
	if f.must(&c.body, "account_id") {
		d.account, _ = f.text(&c.body, 1, maxID, "account_id")
	}
	d.amount = f.amount(&c.body, minAmount, "amount")
	d.currency = f.currency(&c.body, "currency")
	if f.must(&c.body, "payment_method") {
		if m := f.object(&c.body, "payment_method"); m != nil {
			r := methodReader{call: c, f: &f, in: m, at: atMethod, shapes: []string{byID, byToken, byReading, byCard}}
			d.method = r.read()
			f.passing(func() { d.checkExpiry(&f, now) })
		}
	}
	d.autoCapture = f.flag(&c.body, true, "auto_capture")
	d.captureAt, d.scheduled = f.integer(&c.body, 0, maxAmount, "capture_at")
	f.passing(func() { c.checkSchedule(&f, d, now) })
	d.fee, _ = f.integer(&c.body, 0, maxAmount, "fee_amount")
	d.details.initiatedBy = f.oneOf(&c.body, initiators, "initiated_by")
	d.reference, _ = f.text(&c.body, 1, maxID, "reference_id")
	if custom := f.object(&c.body, "custom_data"); custom != nil {
		d.details.customData = custom.compact(nil)
	}
	if facts := f.array(&c.body, "rbits"); facts != nil {
		d.details.rbits = facts.compact(nil)
	}
	if order := f.object(&c.body, "order"); order != nil && f.must(order, "order", "id") {
		d.details.order, _ = f.text(order, 1, maxID, "order", "id")
	}
	wrong, passed = f.told()
	return d, wrong, passed
}

var atMethod = []string{"payment_method"}

// initiators are who may have initiated a payment, the default first.
var initiators = []string{"none", "customer", "merchant"}

// checkDraft says what is wrong with a payment by its account, by the card that
// was stored and by its amounts. A repeat is not held against it: it was right
// in its time.
func (c *call) checkDraft(d draft, now time.Time) []detail {
	var f fields
	if c.currency != "" && d.currency != c.currency {
		f.report(isInvalid, "The currency is not that of the account.", "currency")
	}
	d.checkExpiry(&f, now)
	if c.feePercent > 0 && money.ExceedsPercent(d.fee, d.amount, c.feePercent) {
		f.report(feeTooLarge, feeHint, "fee_amount")
	}
	return f.wrong
}

// checkExpiry says whether the card has expired.
func (d *draft) checkExpiry(f *fields, now time.Time) {
	switch {
	case !d.method.expired(now):
	case d.method.stored != nil:
		f.report(isInvalid, "The card has expired.", d.method.stored...)
	default:
		f.report(isInvalid, "The card has expired.", "payment_method", byCard, "expiration_year")
	}
}

// checkSchedule says whether the capture is planned for a time that may be.
func (c *call) checkSchedule(f *fields, d draft, now time.Time) {
	if d.scheduled {
		f.ahead(d.captureAt, now, c.captureFor)
	}
}

// ahead says whether a capture may be planned for a time, in UNIX seconds.
func (f *fields) ahead(at int64, now time.Time, most time.Duration) {
	switch today := now.Unix(); {
	case at < today:
		f.report(isTooSmall, inThePast, "capture_at")
	case at > today+int64(most/time.Second):
		f.report(isTooLarge, "This is more than 7 days in the future, or than payments of this account may wait.", "capture_at")
	}
}

const inThePast = "This is in the past."

// intake is the payment as the core knows it, with what its hold permits.
func (c *call) intake(d draft, now time.Time) payment.Intake {
	policy := payment.Policy{
		HoldFor: c.captureFor, FromCreation: true, MaxCaptures: 1, MinCapture: minAmount, FeePercent: c.feePercent,
		SettleAfter: c.settleAfter, RefundSettleAfter: c.settleAfter, DeclinedCaptureEnds: true, ReviewsHold: true,
		AutoCapture: d.autoCapture && !d.scheduled, ScheduledOnly: d.autoCapture && d.scheduled,
	}
	if d.method.kept.Present {
		policy.OverCapture, policy.CancelFor = c.presentPercent, c.cancelFor
	}
	if d.scheduled {
		policy.CaptureAt = time.Unix(d.captureAt, 0).UTC()
		if last := now.Add(c.captureFor - time.Second); policy.CaptureAt.After(last) {
			policy.CaptureAt = last // the hold is over at the very end
		}
		d.details.captureAt = d.captureAt
	}
	if risk := c.r.Header.Get("WePay-Risk-Token"); len(risk) <= maxID {
		d.details.riskToken = risk
	}
	return payment.Intake{
		Labels: referenceLabels(d.reference), Dialect: Name, Currency: d.currency, Amount: d.amount, Fee: d.fee, Method: d.method.kept, Policy: policy,
		Reference: d.reference, Email: d.method.holder.Email, IP: clientIP(c.r.Header.Get("Client-IP")), Test: c.Sandbox,
		Details: d.details.append(nil),
	}
}

// referenceLabels are the labels by which a payment with a reference is found.
func referenceLabels(reference string) []payment.Label {
	if reference == "" {
		return nil
	}
	return []payment.Label{{Kind: referenceLabel, Value: reference}}
}

// clientIP is the payer's address, empty if it is none.
func clientIP(header string) string {
	address, err := netip.ParseAddr(header)
	if err != nil {
		return ""
	}
	return address.String()
}

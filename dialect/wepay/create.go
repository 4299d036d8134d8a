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
	draft, wrong := c.readDraft()
	if wrong != nil {
		return nil, invalid(wrong...)
	}
	switch {
	case draft.account != c.accountID:
		return nil, notAccessible(inBody, "account_id")
	case draft.method.stored != nil:
		if problem := c.open(&draft.method); problem != nil {
			return c.createdBefore(problem)
		}
		if draft.method.shape == byID {
			draft.details.method = draft.method.storedID
		}
	}
	if !c.accountUsable {
		return nil, cannotAccept
	}
	request := c.request(nil)
	now := d.Clock.Now()
	if wrong := c.checkDraft(draft, now); wrong != nil {
		return c.createdBefore(invalid(wrong...))
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

// createdBefore answers a repeat of a request that was right in its time, and
// anything else with what is wrong with it now.
func (c *call) createdBefore(otherwise *problem) ([]byte, *problem) {
	if otherwise == unexpected {
		return nil, otherwise
	}
	res, problem, known := c.repeated(c.request(nil), createRefusals)
	switch {
	case !known, problem == keyReused && otherwise.status == http.StatusForbidden: // a resource is looked up before a key
		return nil, otherwise
	case problem != nil:
		return nil, problem
	}
	return c.render(res.payment, view{}), nil
}

// readDraft reads the body of POST /payments; details say what is wrong with
// it, as far as that can be said without looking anything up. Afterwards the
// body holds no card number and no security code.
func (c *call) readDraft() (draft, []detail) {
	var f fields
	d, now := draft{details: details{apiVersion: c.version}}, c.Clock.Now()
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
	return d, f.lasting()
}

var atMethod = []string{"payment_method"}

// initiators are who may have initiated a payment, the default first.
var initiators = []string{"none", "customer", "merchant"}

// checkDraft says what is wrong with a payment by the account, by its amounts
// and by the clock. A repeat is not held against it: it was right in its time.
func (c *call) checkDraft(d draft, now time.Time) []detail {
	var f fields
	if c.currency != "" && d.currency != c.currency {
		f.report(isInvalid, "The currency is not that of the account.", "currency")
	}
	d.checkExpiry(&f, now)
	c.checkSchedule(&f, d, now)
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
	if !d.scheduled {
		return
	}
	switch today := now.Unix(); {
	case d.captureAt < today:
		f.report(isTooSmall, inThePast, "capture_at")
	case d.captureAt > today+int64(c.captureFor/time.Second):
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

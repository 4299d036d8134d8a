package begateway

import (
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// The types of a payment of the core: one that is captured at once is a
// payment here too, any other an authorization.
const (
	typeAuthorization = "authorization"
	typePayment       = "payment"
	typeCredit        = "credit" // money that goes to the card
)

// view is a payment of the core as this API sees it.
type view struct {
	*payment.Payment
	kind   string
	status string
	last   *payment.Operation // the one that decided the status; nil if nothing was asked of a processor
}

func viewOf(p *payment.Payment) view {
	if isCredit(p) {
		v := view{Payment: p, kind: typeCredit, status: statusIncomplete, last: p.Op(1)}
		if v.last != nil {
			v.status = operationStatus(v.last)
		}
		return v
	}
	v := view{Payment: p, kind: typeAuthorization, last: p.Authorization()}
	v.status = authorizationStatus(p, v.last)
	if !p.Policy.AutoCapture {
		return v
	}
	v.kind = typePayment
	if v.status != statusSuccessful {
		return v
	}
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Kind == payment.OpCapture {
			v.last = op // the first capture is the one that belongs to the sale
			v.status = operationStatus(op)
			return v
		}
	}
	v.status = uncaptured[p.Status] // it waited for an operator to look at it
	return v
}

// uncaptured is the status of a sale that was authorized and never captured.
var uncaptured = map[payment.Status]string{
	payment.Authorized: statusIncomplete, payment.Expired: statusExpired, payment.Voided: statusFailed,
}

func authorizationStatus(p *payment.Payment, last *payment.Operation) string {
	switch {
	case !p.AuthorizedAt.IsZero():
		return statusSuccessful
	case p.Status == payment.Expired:
		return statusExpired
	case p.Status == payment.Declined, p.Status == payment.Voided, last != nil && last.Status == payment.OpFailed:
		return statusFailed
	}
	return statusIncomplete
}

// message of a transaction; null, which is "", while it is incomplete.
func (v view) message(checked *verification) string {
	switch v.status {
	case statusSuccessful:
		return messageSuccessful
	case statusExpired:
		return messageExpired
	case statusFailed:
		if checked.stopped() {
			return checked.message
		}
		return v.declined()
	}
	return ""
}

// titles are what sentences call the types.
var titles = map[string]string{typeAuthorization: "Authorization", typePayment: "Payment", typeCredit: "Credit"}

func (v view) declined() string { return titles[v.kind] + " was declined" }

// appendAuthorization appends an authorization or payment in the one form it
// has (section 6.1).
func (d *Dialect) appendAuthorization(b []byte, s *shop, p *payment.Payment) ([]byte, error) {
	kept, err := decodeIntakeDetails(p)
	if err != nil {
		return nil, err
	}
	v := viewOf(p)
	checked, err := v.verification()
	if err != nil {
		return nil, err
	}
	uid := d.uid(transaction{payment: p.ID})

	b = dialect.AppendString(append(b, `{"uid":`...), uid)
	b = dialect.AppendString(append(b, `,"status":`...), v.status)
	b = dialect.AppendInt(append(b, `,"amount":`...), p.Amount)
	b = dialect.AppendString(append(b, `,"currency":`...), p.Currency)
	b = dialect.AppendStringOrNull(append(b, `,"description":`...), p.Description)
	b = dialect.AppendString(append(b, `,"type":`...), v.kind)
	b = append(b, `,"payment_method_type":"credit_card"`...)
	b = dialect.AppendStringOrNull(append(b, `,"tracking_id":`...), p.Reference)
	b = dialect.AppendStringOrNull(append(b, `,"message":`...), v.message(checked))
	b = dialect.AppendBool(append(b, `,"test":`...), p.Test)
	b = v.times(kept).append(b)
	b = dialect.AppendString(append(b, `,"language":`...), kept.language())
	b = append(b, `,"redirect_url":`...)
	if d.awaitsPayer(p) {
		b = dialect.AppendString(b, d.processURL(uid))
	} else {
		b = append(b, "null"...)
	}
	b = append(d.appendCardMembers(append(b, `,"credit_card":{`...), p), '}')
	b = dialect.AppendString(append(b, `,"receipt_url":`...), d.receiptURL(s, uid))
	b = dialect.AppendString(append(b, `,"id":`...), uid)
	b = append(b, `,"additional_data":`...)
	if len(kept.AdditionalData) > 0 {
		b = append(b, kept.AdditionalData...)
	} else {
		b = append(b, "null"...)
	}
	if checked != nil {
		b = checked.append(append(b, `,"be_protected_verification":`...))
	}
	b = d.appendThreeDS(b, p, uid)
	if (v.status == statusSuccessful || v.status == statusFailed) && v.last != nil && !checked.stopped() {
		b = dialect.AppendString(append(b, ','), v.kind)
		b = v.appendSection(append(b, ':'), s, kept)
	}
	b = appendChecks(b, kept)
	b = append(appendCustomerMembers(append(b, `,"customer":{`...), p, kept), '}')
	b = append(appendBillingMembers(append(b, `,"billing_address":{`...), kept), '}')
	return append(b, '}'), nil
}

// times are when things happened to the transaction.
func (v view) times(kept intakeDetails) times {
	t := times{created: v.CreatedAt, updated: v.UpdatedAt, closed: v.ClosedAt}
	if v.status == statusSuccessful {
		t.paid = v.last.DoneAt
	}
	if v.kind == typePayment && v.last != nil && v.last.Settled {
		t.settled = v.last.DoneAt.Add(v.Policy.SettleAfter)
	}
	if kept.ExpiredAt != 0 {
		t.expired = time.UnixMilli(kept.ExpiredAt)
	}
	return t
}

// appendSection appends what the processor said of the authorization, or of
// the sale.
func (v view) appendSection(b []byte, s *shop, kept intakeDetails) []byte {
	message := v.declined()
	if v.status == statusSuccessful {
		message = titles[v.kind] + " was approved"
	}
	code := v.last.Answer.AuthCode
	if auth := v.Authorization(); code == "" && auth != nil && v.status == statusSuccessful {
		code = auth.Answer.AuthCode
	}
	b = dialect.AppendStringOrNull(append(b, `{"auth_code":`...), code)
	b = append(b, `,"bank_code":null,"rrn":null`...) // no processor tells them
	b = dialect.AppendStringOrNull(append(b, `,"ref_id":`...), v.last.Answer.Reference)
	b = dialect.AppendString(append(b, `,"message":`...), message)
	b = dialect.AppendInt(append(b, `,"amount":`...), v.Amount)
	b = dialect.AppendString(append(b, `,"currency":`...), v.Currency)
	b = dialect.AppendStringOrNull(append(b, `,"billing_descriptor":`...), kept.Descriptor)
	b = dialect.AppendInt(append(b, `,"gateway_id":`...), s.gatewayID)
	b = dialect.AppendString(append(b, `,"status":`...), v.status)
	return append(b, '}')
}

// appendCardMembers appends what may be shown of a card. Of one that was present at a
// terminal there is nothing but its token.
func (d *Dialect) appendCardMembers(b []byte, p *payment.Payment) []byte {
	m := p.Method
	b = dialect.AppendStringOrNull(append(b, `"holder":`...), m.Holder)
	b = dialect.AppendStringOrNull(append(b, `,"stamp":`...), m.Fingerprint)
	b = dialect.AppendStringOrNull(append(b, `,"brand":`...), brand(m))
	b = dialect.AppendStringOrNull(append(b, `,"last_4":`...), m.Last4)
	b = dialect.AppendStringOrNull(append(b, `,"first_1":`...), m.First6[:min(1, len(m.First6))])
	b = dialect.AppendStringOrNull(append(b, `,"bin":`...), m.First6)
	b = dialect.AppendStringOrNull(append(b, `,"issuer_country":`...), m.Country)
	b = append(b, `,"issuer_name":null`...)
	b = dialect.AppendStringOrNull(append(b, `,"product":`...), m.Funding)
	b = appendIntOrNull(append(b, `,"exp_month":`...), m.ExpMonth)
	b = appendIntOrNull(append(b, `,"exp_year":`...), m.ExpYear)
	b = append(b, `,"token_provider":null`...)
	return dialect.AppendString(append(b, `,"token":`...), d.cardToken(p.Merchant, m))
}

func appendIntOrNull(b []byte, n int) []byte {
	if n == 0 {
		return append(b, "null"...)
	}
	return dialect.AppendInt(b, int64(n))
}

func appendChecks(b []byte, kept intakeDetails) []byte {
	b = append(b, `,"avs_cvc_verification":{"avs_verification":{"result_code":`...)
	b = dialect.AppendString(b, orNoResult(kept.AVS))
	b = append(b, `},"cvc_verification":{"result_code":`...)
	b = dialect.AppendString(b, orNoResult(kept.CVC))
	return append(b, '}', '}')
}

func appendCustomerMembers(b []byte, p *payment.Payment, kept intakeDetails) []byte {
	b = dialect.AppendStringOrNull(append(b, `"ip":`...), p.IP)
	b = dialect.AppendStringOrNull(append(b, `,"email":`...), p.Email)
	b = dialect.AppendStringOrNull(append(b, `,"device_id":`...), kept.DeviceID)
	return dialect.AppendStringOrNull(append(b, `,"birth_date":`...), kept.BirthDate)
}

func appendBillingMembers(b []byte, kept intakeDetails) []byte {
	var a billing
	if kept.Billing != nil {
		a = *kept.Billing
	}
	b = dialect.AppendStringOrNull(append(b, `"first_name":`...), a.FirstName)
	b = dialect.AppendStringOrNull(append(b, `,"last_name":`...), a.LastName)
	b = dialect.AppendStringOrNull(append(b, `,"address":`...), a.Address)
	b = dialect.AppendStringOrNull(append(b, `,"country":`...), a.Country)
	b = dialect.AppendStringOrNull(append(b, `,"city":`...), a.City)
	b = dialect.AppendStringOrNull(append(b, `,"zip":`...), a.Zip)
	b = dialect.AppendStringOrNull(append(b, `,"state":`...), a.State)
	return dialect.AppendStringOrNull(append(b, `,"phone":`...), a.Phone)
}

package intents

import (
	"encoding/json"
	"strconv"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// method is one payment method that an intent has, or had for an attempt that
// failed.
type method struct {
	number   int // within the intent, from 1
	card     payment.Method
	billing  []byte // billing_details as shown; nil for none
	stored   string // its id, where it is a stored one; else it has one of the intent's
	customer string // that it belongs to
}

// past is a method of an attempt that failed, as it is kept in the details
// when another takes its place.
type past struct {
	Number      int             `json:"n"`
	Attempt     int             `json:"op"`
	Brand       string          `json:"brand,omitempty"`
	First6      string          `json:"first6,omitempty"`
	Last4       string          `json:"last4,omitempty"`
	ExpMonth    int             `json:"month,omitempty"`
	ExpYear     int             `json:"year,omitempty"`
	Holder      string          `json:"holder,omitempty"`
	Fingerprint string          `json:"fingerprint,omitempty"`
	Country     string          `json:"country,omitempty"`
	Funding     string          `json:"funding,omitempty"`
	Billing     json.RawMessage `json:"billing,omitempty"`
	Stored      string          `json:"stored,omitempty"`
	Customer    string          `json:"customer,omitempty"`
}

// method is the payment method that the intent has now.
func (v *view) method() method {
	m := method{
		number: v.details.number(fieldMethod, 1), card: v.p.Method, billing: v.details[fieldBilling],
		stored: v.details.text(fieldStored), customer: v.details.text(fieldStoredOf),
	}
	if m.stored != "" && v.attaches() {
		m.customer = v.details.text(fieldCustomer)
	}
	return m
}

// attaches tells whether the intent has given its payment method to its
// customer: it was to, and it was authorized (section 5, member 32).
func (v *view) attaches() bool {
	return !v.p.AuthorizedAt.IsZero() && v.details[fieldCustomer] != nil && v.setsUp()
}

// setsUp tells whether the payment method is to be used again.
func (v *view) setsUp() bool { return v.details.setsUp() }

func (d *details) setsUp() bool {
	if d[fieldFutureUsage] != nil {
		return true
	}
	wish := option(readOptions(d[fieldOptions]), "card[setup_future_usage]")
	return wish == "off_session" || wish == "on_session"
}

// methodOf is the payment method of an attempt.
func (v *view) methodOf(attempt *payment.Operation) method {
	for _, it := range v.pasts() {
		if it.Attempt == attempt.Number {
			return it.method()
		}
	}
	return v.method()
}

// methodNumbered finds a payment method of the intent, also one that was
// declined.
func (v *view) methodNumbered(number int) (method, bool) {
	if m := v.method(); m.number == number && m.card.Kind == payment.CardMethod {
		return m, true
	}
	for _, it := range v.pasts() {
		if it.Number == number {
			return it.method(), true
		}
	}
	return method{}, false
}

func (it past) method() method {
	return method{number: it.Number, billing: it.Billing, stored: it.Stored, customer: it.Customer, card: payment.Method{
		Kind: payment.CardMethod, Brand: it.Brand, First6: it.First6, Last4: it.Last4, ExpMonth: it.ExpMonth, ExpYear: it.ExpYear,
		Holder: it.Holder, Fingerprint: it.Fingerprint, Country: it.Country, Funding: it.Funding,
	}}
}

func (v *view) pasts() (all []past) {
	if raw := v.details[fieldMethods]; raw != nil {
		_ = json.Unmarshal(raw, &all) // written by retire; one that cannot be read is none
	}
	return all
}

// retire keeps the method of the latest attempt where another takes its place.
func (v *view) retire(to *details) {
	if v.failed == nil || v.p.Method.Kind != payment.CardMethod {
		return
	}
	m := v.method()
	text, err := json.Marshal(append(v.pasts(), past{
		Number: m.number, Attempt: v.failed.Number, Brand: m.card.Brand, First6: m.card.First6, Last4: m.card.Last4,
		ExpMonth: m.card.ExpMonth, ExpYear: m.card.ExpYear, Holder: m.card.Holder, Fingerprint: m.card.Fingerprint,
		Country: m.card.Country, Funding: m.card.Funding, Billing: m.billing, Stored: m.stored, Customer: m.customer,
	}))
	if err != nil {
		panic(err) // strings, numbers, and JSON that we wrote
	}
	to[fieldMethods] = text
}

const noBilling = `{
    "address": {
      "city": null,
      "country": null,
      "line1": null,
      "line2": null,
      "postal_code": null,
      "state": null
    },
    "email": null,
    "name": null,
    "phone": null,
    "tax_id": null
  }`

func appendBilling(b []byte, m method) []byte {
	if m.billing == nil {
		return append(b, noBilling...)
	}
	return appendPretty(b, m.billing, 1)
}

// fingerprintLength is how much of the keyed hash is shown.
const fingerprintLength = 16

func fingerprint(m payment.Method) string {
	return m.Fingerprint[:min(fingerprintLength, len(m.Fingerprint))]
}

// appendMethodRef appends the id of a payment method of the intent.
func (d *Dialect) appendMethodRef(b []byte, v *view, m method) []byte {
	if m.stored != "" {
		return append(b, m.stored...)
	}
	return d.appendMethodID(b, v.p.ID, m.number)
}

// appendMethod appends the PaymentMethod object (section 10) of a method that
// an intent has or had.
func (d *Dialect) appendMethod(b []byte, v *view, m method) []byte {
	return d.appendMethodObject(b, m, d.appendMethodRef(nil, v, m), v.p.CreatedAt.Unix(), d.live(v.p), nil)
}

func (d *Dialect) appendMethodObject(b []byte, m method, id []byte, created int64, live bool, metadata []byte) []byte {
	c := m.card
	b = append(append(b, "{\n  \"id\": \""...), id...)
	b = append(b, "\",\n  \"object\": \"payment_method\",\n  \"allow_redisplay\": \"unspecified\",\n  \"billing_details\": "...)
	b = appendBilling(b, m)
	b = dialect.AppendString(append(b, ",\n  \"card\": {\n    \"brand\": "...), c.Brand)
	b = append(b, `,
    "checks": {
      "address_line1_check": null,
      "address_postal_code_check": null,
      "cvc_check": null
    },
    "country": `...)
	b = dialect.AppendStringOrNull(b, c.Country)
	b = dialect.AppendString(append(b, ",\n    \"display_brand\": "...), displayBrand(c.Brand))
	b = strconv.AppendInt(append(b, ",\n    \"exp_month\": "...), int64(c.ExpMonth), 10)
	b = strconv.AppendInt(append(b, ",\n    \"exp_year\": "...), int64(c.ExpYear), 10)
	b = dialect.AppendStringOrNull(append(b, ",\n    \"fingerprint\": "...), fingerprint(c))
	b = dialect.AppendStringOrNull(append(b, ",\n    \"funding\": "...), c.Funding)
	b = dialect.AppendStringOrNull(append(b, ",\n    \"generated_from\": null,\n    \"last4\": "...), c.Last4)
	b = dialect.AppendString(append(b, ",\n    \"networks\": {\n      \"available\": [\n        "...), c.Brand)
	b = append(b, "\n      ],\n      \"preferred\": null\n    },\n    \"regulated_status\": null,\n    \"three_d_secure_usage\": {\n      \"supported\": true\n    },\n    \"wallet\": null\n  },\n  \"created\": "...)
	b = strconv.AppendInt(b, created, 10)
	b = dialect.AppendStringOrNull(appendMember(b, "customer"), m.customer)
	b = append(b, ",\n  \"customer_account\": null,\n  \"livemode\": "...)
	b = appendMember(dialect.AppendBool(b, live), "metadata")
	if metadata != nil {
		b = appendPretty(b, metadata, 1)
	} else {
		b = append(b, "{}"...)
	}
	return append(b, ",\n  \"type\": \"card\"\n}"...)
}

func displayBrand(brand string) string {
	if brand == "amex" {
		return "american_express"
	}
	return brand
}

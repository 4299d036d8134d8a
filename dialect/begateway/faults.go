package begateway

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/capstan-pay/capstan/dialect"
)

// attribute is a place in the tree of errors. The order of the constants is
// the order in which a reply shows them (section 3.2).
type attribute uint8

const (
	billingFirstName attribute = iota
	billingLastName
	billingAddress
	billingCountry
	billingCity
	billingZip
	billingState
	billingPhone
	customerIP
	customerEmail
	customerDevice
	customerBirthDate
	cardToken
	cardVerificationValue
	cardHolder
	cardDate
	cardNumber
	currency
	name
	description
	parentUID
	amount
	reason
	trackingID
	duplicateCheck
	expiredAt
	notificationURL
	returnURL
	verificationURL
	additionalData
	paResponse
	merchantData
	base // of no attribute
	attributeCount
)

// places gives each attribute its section, if it has one, and its name.
var places = [attributeCount]struct{ section, name string }{
	billingFirstName:      {"billing_address", "first_name"},
	billingLastName:       {"billing_address", "last_name"},
	billingAddress:        {"billing_address", "address"},
	billingCountry:        {"billing_address", "country"},
	billingCity:           {"billing_address", "city"},
	billingZip:            {"billing_address", "zip"},
	billingState:          {"billing_address", "state"},
	billingPhone:          {"billing_address", "phone"},
	customerIP:            {"customer", "ip"},
	customerEmail:         {"customer", "email"},
	customerDevice:        {"customer", "device_id"},
	customerBirthDate:     {"customer", "birth_date"},
	cardToken:             {"credit_card", "token"},
	cardVerificationValue: {"credit_card", "verification_value"},
	cardHolder:            {"credit_card", "holder"},
	cardDate:              {"credit_card", "date"},
	cardNumber:            {"credit_card", "number"},
	currency:              {"", "currency"},
	name:                  {"", "name"},
	description:           {"", "description"},
	parentUID:             {"", "parent_uid"},
	amount:                {"", "amount"},
	reason:                {"", "reason"},
	trackingID:            {"", "tracking_id"},
	duplicateCheck:        {"", "duplicate_check"},
	expiredAt:             {"", "expired_at"},
	notificationURL:       {"", "notification_url"},
	returnURL:             {"", "return_url"},
	verificationURL:       {"", "verification_url"},
	additionalData:        {"", "additional_data"},
	paResponse:            {"", "pa_res"},
	merchantData:          {"", "md"},
	base:                  {"", "base"},
}

// fault is one thing that is wrong with a request.
type fault struct {
	at   attribute
	text string // ends the sentence that the attribute's name begins
}

// faults are all that is wrong with a request, in any order.
type faults []fault

func (f *faults) add(at attribute, text string) { *f = append(*f, fault{at, text}) }

func (f faults) has(at attribute) bool {
	return slices.ContainsFunc(f, func(fault fault) bool { return fault.at == at })
}

// bounded adds a fault when a text has more characters than it may.
func (f *faults) bounded(at attribute, text string, limit int) {
	if len(text) > limit && utf8.RuneCountInString(text) > limit {
		f.add(at, textTooLong(limit))
	}
}

// required is bounded, and adds a fault when there is no text.
func (f *faults) required(at attribute, text string, limit int) {
	if text == "" {
		f.add(at, textBlank)
	}
	f.bounded(at, text, limit)
}

// sorted is f in the order of a reply. Faults of one attribute stay in the
// order they were found.
func (f faults) sorted() faults {
	sorted := slices.Clone(f)
	slices.SortStableFunc(sorted, func(a, b fault) int { return int(a.at) - int(b.at) })
	return sorted
}

// message is the sentences of f, which is sorted: "Parent uid can't be blank.
// Amount must be greater than 0." Where all faults are of no attribute there
// is no dot at the end (the documented refund example has none).
func (f faults) message() string {
	var b strings.Builder
	bare := true
	for i, fault := range f {
		if i > 0 {
			b.WriteString(". ")
		}
		if fault.at != base {
			bare = false
			b.WriteString(humanized(places[fault.at].name))
			b.WriteByte(' ')
		}
		b.WriteString(fault.text)
	}
	if !bare {
		b.WriteByte('.')
	}
	return b.String()
}

// humanized is an attribute's name as a sentence begins with it. Its section
// is not named.
func humanized(name string) string {
	name = strings.ReplaceAll(strings.TrimSuffix(name, "_id"), "_", " ")
	return strings.ToUpper(name[:1]) + name[1:]
}

// appendTree appends f, which is sorted, as a JSON object: attributes with
// their texts, those of a section in an object of their own.
func (f faults) appendTree(b []byte) []byte {
	b = append(b, '{')
	section := ""
	for i, fault := range f {
		place := places[fault.at]
		if i > 0 && f[i-1].at == fault.at {
			b = append(b[:len(b)-1], ',')
			b = append(dialect.AppendString(b, fault.text), ']')
			continue
		}
		if place.section != section && section != "" {
			b = append(b, '}')
		}
		if i > 0 {
			b = append(b, ',')
		}
		if place.section != section && place.section != "" {
			b = append(dialect.AppendString(b, place.section), ":{"...)
		}
		section = place.section
		b = append(dialect.AppendString(b, place.name), ":["...)
		b = append(dialect.AppendString(b, fault.text), ']')
	}
	if section != "" {
		b = append(b, '}')
	}
	return append(b, '}')
}

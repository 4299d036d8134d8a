package wepay

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

// method is the payment method of a draft.
type method struct {
	kept      payment.Method
	secret    payment.Secret // goes to the processor and nowhere else
	email     string
	goodUntil time.Time // the card has expired then; zero if that is not known

	// stored is the member that names a token or a payment method of the
	// vault; nil if the card itself was sent.
	stored []string
}

// The shapes that a payment method may have. Which one it is follows from its
// members: real clients leave the type out.
const (
	byID      = "payment_method_id"
	byToken   = "token"
	byCard    = "credit_card"
	byReading = "encoded_payment_method"
)

// typesOf lists the types that may be given with a shape.
var typesOf = map[string][]string{
	byID: {byID}, byToken: {byToken, byCard}, byCard: {byCard}, byReading: {byReading, byCard},
}

const maxReading = 2048

// readMethod reads the payment method.
func (c *call) readMethod(f *fields, in *value) (m method) {
	shape, ok := shapeOf(f, in)
	if !ok {
		return m
	}
	card := f.object(in, "payment_method", byCard)
	switch shape {
	case byID:
		if _, ok := f.text(in, 1, maxID, "payment_method", byID); ok {
			m.stored = []string{"payment_method", byID}
		}
	case byToken:
		if token := f.object(in, "payment_method", byToken); token != nil && f.must(token, "payment_method", byToken, "id") {
			if _, ok := f.text(token, 1, maxID, "payment_method", byToken, "id"); ok {
				m.stored = []string{"payment_method", byToken, "id"}
			}
		}
	case byReading:
		if reading, ok := f.text(in, 1, maxReading, "payment_method", byReading); ok {
			m.kept, m.secret.Encoded = c.reading(reading), reading
		}
	case byCard:
		if card != nil {
			c.readCard(f, card, &m)
		}
	}
	if card != nil {
		readHolder(f, card, &m)
	}
	return m
}

// shapeOf says which one of the shapes a payment method has; it reports false
// after it has reported what is wrong. A credit_card without a number may come
// with another shape: it names the card holder.
func shapeOf(f *fields, in *value) (string, bool) {
	var shapes []string
	for _, s := range []string{byID, byToken, byReading} {
		if in.get(s) != nil {
			shapes = append(shapes, s)
		}
	}
	if card := in.get(byCard); card != nil && (len(shapes) == 0 || card.get("card_number") != nil) {
		shapes = append(shapes, byCard)
	}
	kind, typed := f.text(in, 0, 0, "payment_method", "type")
	switch {
	case in.get("type") != nil && !typed:
		return "", false
	case strings.HasPrefix(kind, "payment_bank_"):
		f.report(isInvalid, "Bank payments are not enabled.", "payment_method", "type")
	case in.get("payment_bank_us") != nil || in.get("payment_bank_ca") != nil:
		f.report(isInvalid, "Bank payments are not enabled.", "payment_method")
	case len(shapes) > 1:
		f.report(isInvalid, "This must be one payment method, not "+strings.Join(shapes, " and ")+".", "payment_method")
	case len(shapes) == 0 && (kind == byID || kind == byCard || kind == byReading || kind == byToken):
		f.report(isMissing, "This is required for the type.", "payment_method", kind)
	case len(shapes) == 0:
		f.report(isMissing, "A payment method must be given.", "payment_method")
	case typed && !slices.Contains(typesOf[shapes[0]], kind):
		f.report(isInvalid, "This is not the type of the payment method that is given.", "payment_method", "type")
	default:
		return shapes[0], true
	}
	return "", false
}

// The years in which a card may expire.
const (
	firstYear = 2000
	lastYear  = 2099
)

// readCard reads a card that was sent in clear, and takes what is secret of it
// out of the body: the number leaves its keyed hash, the code nothing.
func (c *call) readCard(f *fields, card *value, m *method) {
	at := func(name string) []string { return []string{"payment_method", byCard, name} }
	if f.must(card, at("card_number")...) {
		if number, ok := f.text(card, 0, 0, at("card_number")...); ok {
			kept, err := c.Cards.Inspect(number)
			if err != nil {
				f.report(isInvalid, "This is not a card number.", at("card_number")...)
			}
			m.kept, m.secret.Number = kept, number
			*card.get("card_number") = value{kind: text, raw: []byte(`"` + kept.Fingerprint + `"`)}
		}
	}
	var month, year int64
	if f.must(card, at("expiration_month")...) {
		month, _ = f.integer(card, 1, 12, at("expiration_month")...)
	}
	if f.must(card, at("expiration_year")...) {
		year, _ = f.integer(card, firstYear, lastYear, at("expiration_year")...)
	}
	m.kept.ExpMonth, m.kept.ExpYear = int(month), int(year)
	if month != 0 && year != 0 {
		m.goodUntil = time.Date(int(year), time.Month(month)+1, 1, 0, 0, 0, 0, time.UTC)
	}
	if code, ok := f.text(card, 0, 0, at("cvv")...); ok {
		if !isCode(code) {
			f.report(isInvalid, "A security code has 3 or 4 digits.", at("cvv")...)
		}
		m.secret.CVC = code
	}
	card.drop("cvv")
}

func isCode(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) == 3 || len(s) == 4
}

// readHolder reads who holds the card.
func readHolder(f *fields, card *value, m *method) {
	holder := f.object(card, "payment_method", byCard, "card_holder")
	if holder == nil {
		return
	}
	m.kept.Holder, _ = f.text(holder, 0, maxID, "payment_method", byCard, "card_holder", "holder_name")
	m.email, _ = f.text(holder, 0, maxID, "payment_method", byCard, "card_holder", "email")
}

// reading is what may be kept of what a terminal read. Only the processor can
// decode it; but in the sandbox a test card number, in base64 or as it is,
// stands for a reading of that card.
func (c *call) reading(encoded string) payment.Method {
	unknown := payment.Method{Kind: payment.CardMethod, Present: true}
	if !c.Sandbox {
		return unknown
	}
	number := encoded
	if decoded, err := base64.StdEncoding.DecodeString(encoded); err == nil {
		number = string(decoded)
	}
	for _, candidate := range []string{encoded, number} {
		if kept, err := c.Cards.Inspect(candidate); err == nil {
			kept.Present = true
			return kept
		}
	}
	return unknown
}

package wepay

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
)

// method is a payment method as a request gives it.
type method struct {
	shape     string
	kept      payment.Method
	secret    payment.Secret // goes to the processor and nowhere else
	holder    holder
	goodUntil time.Time // the card has expired then; zero if that is not known

	// What was made of the card before: the member that names it, and the id in
	// it. The member is nil if the card itself was sent.
	stored   []string
	storedID string

	spends []document.Document // what may be used once, and is used up with this
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

// methodReader reads a payment method, which is where at says in the body.
type methodReader struct {
	*call
	f      *fields
	in     *value
	at     []string
	shapes []string // that may be given
}

func (r *methodReader) path(names ...string) []string { return append(slices.Clip(r.at), names...) }

// read reads the payment method.
func (r *methodReader) read() (m method) {
	shape, ok := r.shape()
	if !ok {
		return m
	}
	m.shape = shape
	card := r.f.object(r.in, r.path(byCard)...)
	switch shape {
	case byID:
		r.name(r.in, &m, byID)
	case byToken:
		if token := r.f.object(r.in, r.path(byToken)...); token != nil && r.f.must(token, r.path(byToken, "id")...) {
			r.name(token, &m, byToken, "id")
		}
	case byReading:
		if reading, ok := r.f.text(r.in, 1, maxReading, r.path(byReading)...); ok {
			m.kept, m.secret.Encoded = r.reading(reading), reading
		}
	case byCard:
		if card != nil {
			r.readCard(card, &m)
		}
	}
	if card != nil {
		r.readHolder(card, &m)
	}
	return m
}

// name reads the id of what was stored.
func (r *methodReader) name(in *value, m *method, path ...string) {
	if id, ok := r.f.text(in, 1, maxID, r.path(path...)...); ok {
		m.stored, m.storedID = r.path(path...), id
	}
}

// shape says which one of the shapes a payment method has; it reports false
// after it has reported what is wrong. A credit_card without a number may come
// with another shape: it names the card holder.
func (r *methodReader) shape() (string, bool) {
	var shapes []string
	for _, s := range r.shapes {
		if given := r.in.get(s); given != nil && s != byCard {
			shapes = append(shapes, s)
		}
	}
	if card := r.in.get(byCard); card != nil && (len(shapes) == 0 || card.get("card_number") != nil) {
		shapes = append(shapes, byCard)
	}
	whole := r.at
	if len(whole) == 0 {
		whole = []string{"type"}
	}
	kind, typed := r.f.text(r.in, 0, 0, r.path("type")...)
	switch {
	case r.in.get("type") != nil && !typed:
		return "", false
	case strings.HasPrefix(kind, "payment_bank_"):
		r.f.report(isInvalid, "Bank payments are not enabled.", r.path("type")...)
	case r.in.get("payment_bank_us") != nil || r.in.get("payment_bank_ca") != nil:
		r.f.report(isInvalid, "Bank payments are not enabled.", whole...)
	case len(shapes) > 1:
		r.f.report(isInvalid, "This must be one payment method, not "+strings.Join(shapes, " and ")+".", whole...)
	case len(shapes) == 0 && slices.Contains(r.shapes, kind):
		r.f.report(isMissing, "This is required for the type.", r.path(kind)...)
	case len(shapes) == 0 && typed:
		r.f.report(isInvalid, "This is none of the types it may have.", r.path("type")...)
	case len(shapes) == 0:
		r.f.report(isMissing, "A payment method must be given.", whole...)
	case typed && !slices.Contains(typesOf[shapes[0]], kind):
		r.f.report(isInvalid, "This is not the type of the payment method that is given.", r.path("type")...)
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
func (r *methodReader) readCard(card *value, m *method) {
	f, at := r.f, func(name string) []string { return r.path(byCard, name) }
	if f.must(card, at("card_number")...) {
		if number, ok := f.text(card, 0, 0, at("card_number")...); ok {
			kept, err := r.Cards.Inspect(number)
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
	m.goodUntil = endOf(m.kept)
	if code, ok := f.text(card, 0, 0, at("cvv")...); ok {
		if !isCode(code) {
			f.report(isInvalid, "A security code has 3 or 4 digits.", at("cvv")...)
		}
		m.secret.CVC = code
	}
	card.drop("cvv")
}

// endOf is when a card expires; zero if that is not known.
func endOf(card payment.Method) time.Time {
	if card.ExpMonth == 0 || card.ExpYear == 0 {
		return time.Time{}
	}
	return time.Date(card.ExpYear, time.Month(card.ExpMonth)+1, 1, 0, 0, 0, 0, time.UTC)
}

// expired tells whether the card is good no more.
func (m *method) expired(now time.Time) bool {
	return !m.goodUntil.IsZero() && !now.Before(m.goodUntil)
}

func isCode(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) == 3 || len(s) == 4
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

package wepay

import (
	"strings"

	"github.com/capstan-pay/capstan/dialect"
)

// holder is who holds a card.
type holder struct {
	Name    string            `json:"holder_name,omitempty"`
	Email   string            `json:"email,omitempty"`
	Address map[string]string `json:"address,omitempty"`
}

// addressParts are the members that an address may have, in the order in which
// they are shown. Others are ignored.
var addressParts = []string{"line1", "line2", "city", "region", "postal_code", "country"}

// readHolder reads who holds the card. None of it may be the card's number: that
// is kept nowhere in clear.
func (r *methodReader) readHolder(card *value, m *method) {
	in := r.f.object(card, r.path(byCard, "card_holder")...)
	if in == nil {
		return
	}
	at := func(names ...string) []string { return append(r.path(byCard, "card_holder"), names...) }
	read := func(in *value, path []string) string {
		s, _ := r.f.text(in, 0, maxID, path...)
		if m.secret.Number != "" && strings.Contains(s, m.secret.Number) {
			r.f.report(isInvalid, "This must not have the card number in it.", path...)
		}
		return s
	}
	m.holder.Name, m.holder.Email = read(in, at("holder_name")), read(in, at("email"))
	if address := r.f.object(in, at("address")...); address != nil {
		m.holder.Address = map[string]string{}
		for _, part := range addressParts {
			if s := read(address, at("address", part)); s != "" {
				m.holder.Address[part] = s
			}
		}
	}
	m.kept.Holder = m.holder.Name
}

// mentions tells whether something of the holder has a text in it.
func (h holder) mentions(text string) bool {
	found := strings.Contains(h.Name, text) || strings.Contains(h.Email, text)
	for _, part := range h.Address {
		found = found || strings.Contains(part, text)
	}
	return found
}

// append appends the object that says who holds the card.
func (h holder) append(b []byte) []byte {
	b = dialect.AppendStringOrNull(append(b, `{"holder_name":`...), h.Name)
	b = dialect.AppendStringOrNull(append(b, `,"email":`...), h.Email)
	b = append(b, `,"address":`...)
	if len(h.Address) == 0 {
		return append(b, "null}"...)
	}
	for i, part := range addressParts {
		if i == 0 {
			b = append(b, '{')
		} else {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), part...), `":`...)
		b = dialect.AppendStringOrNull(b, h.Address[part])
	}
	return append(b, "}}"...)
}

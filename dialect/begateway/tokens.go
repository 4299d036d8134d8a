package begateway

import (
	"errors"

	"github.com/capstan-pay/capstan/card"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/vault"
)

// tokenRequest is what a card is kept, or changed, with.
type tokenRequest struct {
	number, token       string
	holder, month, year value
}

func decodeToken(request value, token string) tokenRequest {
	in := tokenRequest{token: token}
	request.members(func(name string, v value) {
		switch name {
		case "number":
			in.number = optional(v)
		case "token":
			if token == "" {
				in.token = optional(v)
			}
		case "holder":
			in.holder = v
		case "exp_month":
			in.month = v
		case "exp_year":
			in.year = v
		}
	})
	return in
}

// tokenize answers POST /credit_cards (section 8.1): it keeps a card and names
// it by a token. The same number has the same token. With a token in the path,
// or in the request without a number, it changes holder and expiry of the card
// that the token stands for.
func (d *Dialect) tokenize(c *call, token string) answered {
	doc, ok := readDocument(c.body)
	if !ok {
		return answered{problem: fails(base, textBadJSON)}
	}
	in := decodeToken(doc.member("request"), token)
	if in.token != "" && in.number == "" {
		return d.reviseCard(c, in)
	}
	var wrong faults
	m, err := d.Cards.Inspect(in.number)
	if err != nil {
		wrong.add(cardNumber, textInvalid)
	}
	if m.Holder = optional(in.holder); c.shop.requireHolder {
		wrong.required(cardHolder, m.Holder, holderLimit)
	} else {
		wrong.bounded(cardHolder, m.Holder, holderLimit)
	}
	m.ExpMonth, m.ExpYear = readExpiry(in.month, in.year, d.Clock.Now(), &wrong)
	own := d.cardToken(c.shop.merchant.ID, m)
	if in.token != "" && in.token != own && err == nil {
		wrong.add(cardToken, textUnknownToken) // it stands for another number, or for none
	}
	if len(wrong) > 0 {
		return answered{problem: invalid(wrong)}
	}
	kept, err := d.Vault.Keep(c.Context(), vault.Card{Tenant: c.shop.merchant.Tenant, Merchant: c.shop.merchant.ID, Token: own, Method: m}, in.number)
	switch {
	case errors.Is(err, card.ErrNumber): // it stands in another member too
		return answered{problem: fails(base, textNotProcessable)}
	case err != nil:
		return answered{err: err}
	}
	return answered{body: appendStoredCard(nil, kept)}
}

// reviseCard changes what may change of a kept card: who sends neither a month
// nor a year leaves the expiry as it is, and so with the holder.
func (d *Dialect) reviseCard(c *call, in tokenRequest) answered {
	var wrong faults
	holder, month, year := optional(in.holder), 0, 0
	wrong.bounded(cardHolder, holder, holderLimit)
	if !in.month.blank() || !in.year.blank() {
		month, year = readExpiry(in.month, in.year, d.Clock.Now(), &wrong)
	}
	tenant, merchant := c.shop.merchant.Tenant, c.shop.merchant.ID
	found, err := d.Vault.Find(c.Context(), tenant, merchant, in.token)
	switch {
	case errors.Is(err, vault.ErrNoCard):
		wrong.add(cardToken, textUnknownToken)
	case err != nil:
		return answered{err: err}
	}
	if len(wrong) > 0 {
		return answered{problem: invalid(wrong)}
	}
	found, err = d.Vault.Revise(c.Context(), tenant, merchant, found.Token, func(m *payment.Method) {
		if holder != "" {
			m.Holder = holder
		}
		if year != 0 {
			m.ExpMonth, m.ExpYear = month, year
		}
	})
	switch {
	case errors.Is(err, vault.ErrNoCard):
		return answered{problem: fails(cardToken, textUnknownToken)}
	case err != nil:
		return answered{err: err}
	}
	return answered{body: appendStoredCard(nil, found)}
}

// appendStoredCard appends what a shop is told of a card that it keeps, without
// an envelope.
func appendStoredCard(b []byte, c vault.Card) []byte {
	m := c.Method
	b = dialect.AppendStringOrNull(append(b, `{"holder":`...), m.Holder)
	b = dialect.AppendString(append(b, `,"stamp":`...), m.Fingerprint)
	b = dialect.AppendString(append(b, `,"brand":`...), brand(m))
	b = dialect.AppendString(append(b, `,"last_4":`...), m.Last4)
	b = dialect.AppendString(append(b, `,"first_1":`...), m.First6[:1])
	b = dialect.AppendString(append(b, `,"token":`...), c.Token)
	b = dialect.AppendStringOrNull(append(b, `,"product":`...), m.Funding)
	b = dialect.AppendString(append(b, `,"bin":`...), m.First6)
	b = dialect.AppendStringOrNull(append(b, `,"issuer_country":`...), m.Country)
	b = append(b, `,"issuer_name":null`...)
	b = appendIntOrNull(append(b, `,"exp_month":`...), m.ExpMonth)
	b = appendIntOrNull(append(b, `,"exp_year":`...), m.ExpYear)
	return append(b, '}')
}

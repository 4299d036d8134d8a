package wepay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/vault"
	"github.com/capstan-pay/capstan/wireid"
)

// storedMethod is what is kept of a payment method, beside its card in the
// vault. What a terminal read is sealed beside it, until it was used.
type storedMethod struct {
	Card    shownCard `json:"card"`
	Holder  holder    `json:"holder"`
	Reading bool      `json:"reading,omitempty"`
	OnFile  bool      `json:"on_file,omitempty"`
	Custom  string    `json:"custom_data,omitempty"` // compact JSON; empty is null
	Deleted bool      `json:"deleted,omitempty"`

	created time.Time
}

// shownCard is what is shown of a card.
type shownCard struct {
	Brand    string `json:"brand,omitempty"`
	Last4    string `json:"last4,omitempty"`
	ExpMonth int    `json:"exp_month,omitempty"`
	ExpYear  int    `json:"exp_year,omitempty"`
}

func shownOf(m payment.Method) shownCard { return shownCard{m.Brand, m.Last4, m.ExpMonth, m.ExpYear} }

// methodKind is what payment methods are kept as.
const methodKind = "payment_method"

func (c *call) methodName(id string) document.Name {
	return document.Name{Tenant: c.access.Tenant, Merchant: c.access.ID, Dialect: Name, Kind: methodKind, ID: id}
}

// methodCard is what the vault calls the card of a payment method.
func methodCard(id string) string { return "wepay payment method " + id }

// open puts what a token or a payment method stands for in its place. What is
// good once is used up together with what it is used for.
func (c *call) open(m *method) *problem {
	ctx := c.r.Context()
	if m.shape == byToken {
		return c.openCard(ctx, m, c.tokenCard(m.storedID), true)
	}
	doc, known, problem := c.methodAt(m.storedID, inBody, m.stored...)
	switch {
	case problem != nil:
		return problem
	case doc == nil || known.Deleted || known.Reading && doc.Sealed == nil:
		return bodyDetail(isInvalid, "This payment method cannot pay: it was deleted, or was good for one payment.", m.stored...)
	case known.Reading:
		reading, err := c.Keys.Open(doc.Purpose(), doc.Sealed)
		if err != nil {
			return c.failed(err)
		}
		m.kept, m.secret = c.reading(string(reading)), payment.Secret{Encoded: string(reading)}
		m.kept.Holder = known.Holder.Name
		spent := *doc
		spent.Sealed = nil
		m.spends = append(m.spends, spent)
		return nil
	}
	if m.holder.Name == "" {
		m.holder = known.Holder
	}
	return c.openCard(ctx, m, methodCard(m.storedID), false)
}

func (c *call) openCard(ctx context.Context, m *method, token string, once bool) *problem {
	found, secret, err := c.Vault.Open(ctx, c.access.Tenant, c.access.ID, token)
	switch {
	case errors.Is(err, vault.ErrNoCard):
		return notAccessible(inBody, m.stored...)
	case err != nil:
		return c.failed(err)
	case m.holder.mentions(secret.Number):
		return bodyDetail(isInvalid, "The card holder must not have the card number in it.", m.stored...)
	}
	m.kept, m.secret, m.goodUntil = found.Method, secret, endOf(found.Method)
	if m.holder.Name != "" {
		m.kept.Holder = m.holder.Name
	}
	if once {
		m.spends = append(m.spends, found.Spent())
	}
	return nil
}

// methodAt returns a payment method of the caller's: its document, or nil for
// one that is a payment's own, which is then returned as if it were kept.
func (c *call) methodAt(id, in string, target ...string) (*document.Document, storedMethod, *problem) {
	doc, err := c.Documents.Document(c.r.Context(), c.methodName(id))
	if err != nil {
		return nil, storedMethod{}, c.failed(err)
	}
	// A payment's own is looked for in any case: an id that is nobody's takes
	// the time of somebody else's.
	name, ok := c.IDs.ParseUUID(id)
	if !ok || name != (wireid.Name{Kind: wireid.PaymentMethod, Payment: name.Payment}) {
		name.Payment = nobody
	}
	p, err := c.find(name.Payment)
	switch {
	case err != nil:
		return nil, storedMethod{}, c.failed(err)
	case doc != nil:
		known := storedMethod{created: doc.CreatedAt}
		if err := json.Unmarshal(doc.Body, &known); err != nil {
			return nil, storedMethod{}, c.failed(fmt.Errorf("read a payment method: %w", err))
		}
		return doc, known, nil
	case p == nil || c.methodID(p) != id:
		return nil, storedMethod{}, notAccessible(in, target...)
	}
	return nil, storedMethod{Card: shownOf(p.Method), Holder: holder{Name: p.Method.Holder, Email: p.Email}, created: p.CreatedAt}, nil
}

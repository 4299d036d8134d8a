package wepay

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/capstan-pay/capstan/card"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/vault"
)

// methodDraft is a payment method that is asked for.
type methodDraft struct {
	method
	stored storedMethod
}

// createMethod is POST /payment_methods: it keeps a card so that it can be
// charged again, or what a terminal read so that it can be charged once.
func (d *Dialect) createMethod(c *call) ([]byte, *problem) {
	draft, wrong := c.readMethodDraft()
	if wrong != nil {
		return nil, invalid(wrong...)
	}
	m := &draft.method
	if m.stored != nil {
		if problem := c.open(m); problem != nil {
			return c.methodMadeBefore(problem)
		}
	}
	now := d.Clock.Now()
	if m.expired(now) {
		return c.methodMadeBefore(bodyDetail(isInvalid, "The card has expired.", byCard, "expiration_year"))
	}
	doc := document.Document{Name: c.methodName(d.uuid()), CreatedAt: now, UpdatedAt: now}
	with := m.spends
	draft.stored.Card, draft.stored.Holder = shownOf(m.kept), m.holder
	if m.shape == byReading {
		var err error
		if doc.Sealed, err = d.Keys.Seal(doc.Purpose(), []byte(m.secret.Encoded)); err != nil {
			return nil, c.failed(err)
		}
		draft.stored.Reading = true
	} else {
		kept := vault.Card{Tenant: c.access.Tenant, Merchant: c.access.ID, Token: methodCard(doc.ID), Method: m.kept}
		paper, err := d.Vault.Paper(c.r.Context(), kept, m.secret.Number)
		switch {
		case errors.Is(err, card.ErrNumber):
			return nil, bodyDetail(isInvalid, "This is not a card number.", byCard, "card_number")
		case err != nil:
			return nil, c.failed(err)
		}
		with = append(with, paper)
	}
	var err error
	if doc.Body, err = json.Marshal(draft.stored); err != nil {
		return nil, c.failed(err)
	}
	id, problem := c.make(doc, with...)
	switch {
	case problem == moved:
		return nil, notAccessible(inBody, m.stored...) // the token was used meanwhile
	case problem != nil:
		return nil, problem
	}
	return c.showMethod(id)
}

// methodMadeBefore answers a repeat of a request that would not be right any
// more, and anything else with what is wrong with it.
func (c *call) methodMadeBefore(otherwise *problem) ([]byte, *problem) {
	id, wrong := c.madeBefore(otherwise, true)
	if wrong != nil {
		return nil, wrong
	}
	return c.showMethod(id)
}

// readMethodDraft reads the body of POST /payment_methods; details say what is
// wrong with it.
func (c *call) readMethodDraft() (draft methodDraft, wrong []detail) {
	var f fields
	r := methodReader{call: c, f: &f, in: &c.body, shapes: []string{byToken, byReading, byCard}}
	draft.method = r.read()
	if card := c.body.get(byCard); card != nil && card.kind == object {
		draft.stored.OnFile = f.flag(card, false, byCard, "card_on_file")
	}
	if custom := f.object(&c.body, atCustomData...); custom != nil {
		draft.stored.Custom = string(custom.compact(nil))
	}
	return draft, f.wrong
}

// queryMethod is GET /payment_methods/{id}.
func (d *Dialect) queryMethod(c *call) ([]byte, *problem) {
	if wrong := c.checkID(); wrong != nil {
		return nil, invalid(wrong...)
	}
	return c.showMethod(c.id)
}

func (c *call) showMethod(id string) ([]byte, *problem) {
	_, known, problem := c.methodAt(id, inPath, "id")
	if problem != nil {
		return nil, problem
	}
	return c.appendStoredMethod(nil, id, known), nil
}

// deleteMethod is DELETE /payment_methods/{id}: the card's number is forgotten,
// and the method stays to be read, as deleted.
func (d *Dialect) deleteMethod(c *call) ([]byte, *problem) {
	if wrong := c.checkID(); wrong != nil {
		return nil, invalid(wrong...)
	}
	for {
		doc, known, problem := c.methodAt(c.id, inPath, "id")
		switch {
		case problem != nil:
			return nil, problem
		case doc == nil:
			return nil, notDeletable
		case known.Deleted:
			return c.appendStoredMethod(nil, c.id, known), nil
		}
		if err := c.forget(doc, known); err != nil && !errors.Is(err, document.ErrMoved) {
			return nil, c.failed(err)
		}
	}
}

// notDeletable is ours.
var notDeletable = &problem{
	http.StatusBadRequest, "PAYMENT_METHOD_CANNOT_BE_DELETED", "The payment method cannot be deleted.",
	[]detail{{[]string{"id"}, inPath, "PAYMENT_METHOD_CANNOT_BE_DELETED", "It is part of the payment that was made with it, and nothing else can be paid by it."}}, "",
}

// forget marks a payment method as deleted, and destroys what could be charged.
func (c *call) forget(doc *document.Document, known storedMethod) (err error) {
	known.Deleted, doc.Sealed = true, nil
	if doc.Body, err = json.Marshal(known); err != nil {
		return err
	}
	doc.UpdatedAt = c.Clock.Now()
	r := payment.Request{Tenant: c.access.Tenant, Merchant: c.access.ID, Command: payment.Nothing{}, Retain: time.Hour, Documents: []document.Document{*doc}}
	switch found, err := c.Vault.Find(c.r.Context(), c.access.Tenant, c.access.ID, methodCard(doc.ID)); {
	case err == nil:
		r.Documents = append(r.Documents, found.Spent())
	case !errors.Is(err, vault.ErrNoCard):
		return err
	}
	_, err = c.Engine.Do(c.r.Context(), r)
	return err
}

// appendStoredMethod appends the PaymentMethod object: every member that
// section 5 of the dialect's document names, in its order.
func (c *call) appendStoredMethod(b []byte, id string, m storedMethod) []byte {
	status := "unverified" // nothing asks about a card before it is to pay
	if m.Deleted {
		status = "deleted"
	}
	b = appendNamed(b, id, "payment_methods")
	b = dialect.AppendString(append(b, `,"owner":{"id":`...), c.app.id)
	b = append(b, `,"resource":"applications","path":null},"create_time":`...)
	b = dialect.AppendInt(b, m.created.Unix())
	b = append(append(b, `,"type":"credit_card","status":"`...), status...)
	b = append(b, `","credit_card":{"card_brand":`...)
	b = dialect.AppendStringOrNull(b, m.Card.Brand)
	b = dialect.AppendStringOrNull(append(b, `,"last_four":`...), m.Card.Last4)
	b = appendCount(append(b, `,"expiration_month":`...), m.Card.ExpMonth)
	b = appendCount(append(b, `,"expiration_year":`...), m.Card.ExpYear)
	b = dialect.AppendBool(append(b, `,"card_on_file":`...), m.OnFile)
	b = m.Holder.append(append(b, `,"card_holder":`...))
	b = append(b, '}')
	var custom []byte
	if m.Custom != "" {
		custom = []byte(m.Custom)
	}
	b = appendCustomData(b, custom)
	b = dialect.AppendString(append(b, `,"api_version":`...), c.version)
	return append(b, '}')
}

// appendCount appends a number, or null for none.
func appendCount(b []byte, n int) []byte {
	if n == 0 {
		return append(b, "null"...)
	}
	return dialect.AppendInt(b, int64(n))
}

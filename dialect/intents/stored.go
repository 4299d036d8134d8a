package intents

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/capstan-pay/capstan/card"
	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/vault"
)

// storedMethod is what is kept of a payment method that can be used again; its
// card is in the vault, under the method's id. Its names are in databases and
// are never changed.
type storedMethod struct {
	Version  int             `json:"v"`
	Customer string          `json:"customer,omitempty"` // that it was attached to by hand
	Freed    int64           `json:"freed,omitempty"`    // when it was last detached, Unix milliseconds
	Billing  json.RawMessage `json:"billing,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
}

const methodKind = "payment_method"

// setupLabel is the label of intents that give a payment method to their
// customer when they are authorized.
func setupLabel(id string) payment.Label { return payment.Label{Kind: Name + ".setup", Value: id} }

// keptMethod is a stored payment method as it is now.
type keptMethod struct {
	doc  *document.Document
	card vault.Card
	storedMethod
	owner string // the customer it belongs to, in whatever way it came to him
}

// loadMethod finds a stored payment method of the account; nil if there is none.
func (x *exchange) loadMethod(ctx context.Context, id string) (*keptMethod, *problem) {
	k := &keptMethod{}
	var problem *problem
	if k.doc, problem = x.find(ctx, methodKind, id, &k.storedMethod); problem != nil || k.doc == nil {
		return nil, problem
	}
	return k, x.completeMethod(ctx, k)
}

// completeMethod adds what a method's document does not say: its card, and the
// customer that an intent has given it to.
func (x *exchange) completeMethod(ctx context.Context, k *keptMethod) *problem {
	var err error
	if k.card, err = x.d.Vault.Find(ctx, x.account.Tenant, x.account.ID, k.doc.ID); err != nil {
		return x.fault(err)
	}
	if k.owner = k.Customer; k.owner != "" {
		return nil
	}
	owner, problem := x.setUpFor(ctx, k)
	k.owner = owner
	return problem
}

// setUpFor is the customer to whom an intent has given a payment method since it
// was last detached; empty for none.
func (x *exchange) setUpFor(ctx context.Context, k *keptMethod) (string, *problem) {
	after := time.UnixMilli(k.Freed)
	page, _, problem := x.pagePayments(ctx, listing{limit: 1}, setupLabel(k.doc.ID), nil, func(f *found) bool {
		return f.attaches() && f.details.text(fieldStored) == k.doc.ID && f.p.AuthorizedAt.After(after)
	})
	if problem != nil || len(page) == 0 {
		return "", problem
	}
	return page[0].details.text(fieldCustomer), nil
}

// settleSetUp changes how the simulator treats a test card that asks its payer
// until it was set up for a customer (section 9).
func (x *exchange) settleSetUp(ctx context.Context, k *keptMethod) *problem {
	m, behaviour := &k.card.Method, x.d.Cards.Behaviour
	if m.Simulate == "" || behaviour == nil || m.Simulate != behaviour(tokens[untilSetUp]) {
		return nil
	}
	owner, problem := x.setUpFor(ctx, k)
	if owner != "" {
		m.Simulate = behaviour(tokenPrefix + untilSetUp + "/set_up")
	}
	return problem
}

// untilSetUp is the test card that asks its payer until it was set up.
const untilSetUp = "authenticationRequiredOnSetup"

func (x *exchange) appendKept(b []byte, k *keptMethod) []byte {
	m := method{card: k.card.Method, billing: k.Billing, customer: k.owner}
	return x.d.appendMethodObject(b, m, []byte(k.doc.ID), k.doc.CreatedAt.Unix(), k.doc.Owner == modeLive, k.Metadata)
}

// readStored makes the payment method of an attempt out of a stored one; nil if
// there is none with that id.
func (x *exchange) readStored(id string) *newCard {
	k, problem := x.loadMethod(x.r.Context(), id)
	if problem != nil {
		x.params.fail(problem)
		return nil
	}
	if k == nil {
		return nil
	}
	if problem := x.settleSetUp(x.r.Context(), k); problem != nil {
		x.params.fail(problem)
		return nil
	}
	secret, problem := x.openStored(method{stored: id})
	if problem != nil {
		x.params.fail(problem)
		return nil
	}
	return &newCard{method: k.card.Method, secret: secret, billing: k.Billing, stored: id, customer: k.owner}
}

// openStored takes the number of a stored card out of the vault for one
// attempt. Of any other there is none.
func (x *exchange) openStored(m method) (payment.Secret, *problem) {
	if m.stored == "" {
		return payment.Secret{}, nil
	}
	_, secret, err := x.d.Vault.Open(x.r.Context(), x.account.Tenant, x.account.ID, m.stored)
	if err != nil && !errors.Is(err, vault.ErrNoCard) {
		return secret, x.fault(err)
	}
	return secret, nil
}

// storeCard makes a stored payment method of a card that came with a request,
// if it is to be: where it is used again, or is not used yet. What stores it is
// put with the command.
func (x *exchange) storeCard(c *changes, wanted bool) *problem {
	if c.card == nil || c.card.stored != "" || !wanted {
		return nil
	}
	var problem *problem
	c.card.papers, c.card.stored, problem = x.methodPapers(c.card, storedMethod{Version: 1, Billing: c.card.billing})
	return problem
}

// methodPapers are the documents of a new stored payment method, and its id.
func (x *exchange) methodPapers(c *newCard, body storedMethod) ([]document.Document, string, *problem) {
	id, err := x.d.newID(methodPrefix)
	if err != nil {
		return nil, "", x.fault(err)
	}
	paper, err := x.d.Vault.Paper(x.r.Context(), vault.Card{
		Tenant: x.account.Tenant, Merchant: x.account.ID, Token: id, Method: c.method,
	}, c.secret.Number)
	if errors.Is(err, card.ErrNumber) {
		return nil, "", cardProblem("incorrect_number", "", "Your card number is incorrect.")
	}
	if err != nil {
		return nil, "", x.fault(err)
	}
	now := x.d.Clock.Now()
	doc := document.Document{Name: x.resource(methodKind, id), Owner: x.account.mode(), CreatedAt: now, UpdatedAt: now}
	var problem *problem
	doc.Body, problem = x.encode(body)
	return []document.Document{paper, doc}, id, problem
}

// papers are the documents that the changes bring along.
func (c *changes) papers() []document.Document {
	if c.card == nil {
		return nil
	}
	return c.card.papers
}

// setsUp tells whether the payment method is to be used again, after the
// changes to an intent; nil is a new one.
func (c *changes) setsUp(v *view) bool {
	var after details
	if v != nil {
		after = v.details
	}
	if c.set[fieldFutureUsage] {
		after[fieldFutureUsage] = c.fields[fieldFutureUsage]
	}
	if wish := option(c.options, "card[setup_future_usage]"); wish == "off_session" || wish == "on_session" {
		return true
	}
	return after.setsUp()
}

func noMethod(status int, id string) *problem {
	return missing(status, "payment_method", "PaymentMethod", id)
}

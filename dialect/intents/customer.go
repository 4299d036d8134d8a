package intents

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/capstan-pay/capstan/document"
)

// customerBody is what is kept of a customer. Its names are in databases and
// are never changed.
type customerBody struct {
	Version     int             `json:"v"`
	Name        string          `json:"name,omitempty"`
	Email       string          `json:"email,omitempty"`
	Phone       string          `json:"phone,omitempty"`
	Description string          `json:"description,omitempty"`
	Address     json.RawMessage `json:"address,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
	Clock       string          `json:"test_clock,omitempty"`
}

const (
	customerKind   = "customer"
	customerPrefix = "cus_"
)

var customerPaths = []expansion{{"test_clock", 0}, {"default_source", 0}, {"discount", 0}, {"invoice_settings.default_payment_method", 0}}

// loadCustomer finds a customer of the account; nil if there is none.
func (x *exchange) loadCustomer(ctx context.Context, id string) (*customerBody, *problem) {
	var body customerBody
	doc, problem := x.find(ctx, customerKind, id, &body)
	if problem != nil || doc == nil {
		return nil, problem
	}
	return &body, nil
}

// readCustomer reads whose an intent is to be. It returns the id of a customer
// that there is not.
func (c *changes) readCustomer(x *exchange) (unknown string) {
	id, sent := x.params.text("customer", 255)
	if !sent {
		return ""
	}
	c.putText(fieldCustomer, id)
	if id == "" || x.params.bad != nil {
		return ""
	}
	ctx := x.r.Context()
	body, problem := x.loadCustomer(ctx, id)
	switch {
	case problem != nil:
		x.params.fail(problem)
		return ""
	case body == nil:
		return id
	}
	if body.Clock != "" && x.route == createRoute {
		x.params.fail(c.readClock(x, body.Clock))
	}
	return ""
}

// customer reads what create and update have in common.
func (p *params) customer(c *customerBody) *problem {
	for _, it := range []struct {
		name  string
		limit int
		to    *string
	}{{"name", 256, &c.Name}, {"email", 512, &c.Email}, {"phone", 50, &c.Phone}, {"description", maxText, &c.Description}} {
		if text, sent := p.text(it.name, it.limit); sent {
			*it.to = text
		}
	}
	if p.has("address") {
		if c.Address = nil; !p.cleared("address") {
			c.Address = p.address("address")
		}
	}
	var full *problem
	c.Metadata, full = addMetadata(c.Metadata, p.metadata())
	return or(p.problem(), full)
}

// createCustomer answers POST /v1/customers.
func (x *exchange) createCustomer(ctx context.Context) *problem {
	c := customerBody{Version: 1}
	c.Clock, _ = x.params.text("test_clock", 255)
	_, _ = x.expand(customerPaths)
	if bad := x.params.customer(&c); bad != nil {
		return bad
	}
	n := x.note(0)
	if c.Clock != "" {
		clock, problem := x.loadClock(ctx, c.Clock)
		if problem != nil {
			return problem
		}
		if clock == nil {
			return x.settle(ctx, &n, missing(http.StatusBadRequest, "test_clock", "test_clock", c.Clock))
		}
	}
	id, err := x.d.newID(customerPrefix)
	if err != nil {
		return x.fault(err)
	}
	now := x.d.Clock.Now()
	doc := document.Document{Name: x.resource(customerKind, id), Owner: x.account.mode(), CreatedAt: now, UpdatedAt: now}
	var problem *problem
	if doc.Body, problem = x.encode(c); problem != nil {
		return problem
	}
	object, err := appendCustomer(nil, &doc, &c)
	if err != nil {
		return x.fault(err)
	}
	_, problem = x.keep(ctx, &n, append(object, '\n'), doc)
	return problem
}

func noCustomer(id string) *problem { return missing(http.StatusNotFound, "id", "customer", id) }

// retrieveCustomer answers GET /v1/customers/{id}.
func (x *exchange) retrieveCustomer(ctx context.Context) *problem {
	_, _ = x.expand(customerPaths)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	var c customerBody
	doc, problem := x.find(ctx, customerKind, x.id, &c)
	if problem != nil || doc == nil {
		return or(problem, noCustomer(x.id))
	}
	object, err := appendCustomer(x.out(), doc, &c)
	if err != nil {
		return x.fault(err)
	}
	x.reply(http.StatusOK, append(object, '\n'))
	return nil
}

// updateCustomer answers POST /v1/customers/{id}.
func (x *exchange) updateCustomer(ctx context.Context) *problem {
	_, _ = x.expand(customerPaths)
	if bad := x.params.customer(&customerBody{}); bad != nil {
		return bad
	}
	n := x.note(0)
	return revise(ctx, x, &n, customerKind, noCustomer(x.id), func(doc *document.Document, c *customerBody) ([]byte, *problem) {
		if bad := x.params.customer(c); bad != nil {
			return nil, bad
		}
		object, err := appendCustomer(nil, doc, c)
		if err != nil {
			return nil, x.fault(err)
		}
		return append(object, '\n'), nil
	})
}

// deleteCustomer answers DELETE /v1/customers/{id}. His payment methods are
// nobody's then; his payments stay.
func (x *exchange) deleteCustomer(ctx context.Context) *problem {
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	owner, problem := x.loadCustomer(ctx, x.id)
	if problem != nil || owner == nil {
		return or(problem, noCustomer(x.id))
	}
	if problem := x.freeMethods(ctx, x.id); problem != nil {
		return problem
	}
	return x.remove(ctx, customerKind, "customer", noCustomer(x.id))
}

// listCustomers answers GET /v1/customers.
func (x *exchange) listCustomers(ctx context.Context) *problem {
	p := &x.params
	l := p.listing()
	email, hasEmail := p.text("email", 512)
	clock, hasClock := p.text("test_clock", 255)
	_, _ = x.expand(below(customerPaths))
	if bad := p.problem(); bad != nil {
		return bad
	}
	bodies := map[string]*customerBody{}
	var wrong *problem
	page, more, problem := x.page(ctx, customerKind, "customer", l, func(doc *document.Document) bool {
		c := &customerBody{}
		if wrong = or(wrong, x.decode(doc, c)); wrong != nil || hasEmail && c.Email != email || hasClock && c.Clock != clock {
			return false
		}
		bodies[doc.ID] = c
		return true
	})
	if problem = or(wrong, problem); problem != nil {
		return problem
	}
	var fault error
	b := appendList(x.out(), "/v1/customers", more, len(page), func(b []byte, i int) []byte {
		b, err := appendCustomer(b, &page[i], bodies[page[i].ID])
		if err != nil {
			fault = err
		}
		return b
	})
	if fault != nil {
		return x.fault(fault)
	}
	x.reply(http.StatusOK, b)
	return nil
}

// appendCustomer appends the customer object. What only invoices need has the
// values of a customer without any.
func appendCustomer(b []byte, doc *document.Document, c *customerBody) ([]byte, error) {
	type settings struct {
		CustomFields *string `json:"custom_fields"`
		Method       *string `json:"default_payment_method"`
		Footer       *string `json:"footer"`
		Rendering    *string `json:"rendering_options"`
	}
	metadata, address := c.Metadata, c.Address
	if metadata == nil {
		metadata = json.RawMessage("{}")
	}
	if address == nil {
		address = json.RawMessage("null")
	}
	return pretty(b, struct {
		ID          string          `json:"id"`
		Object      string          `json:"object"`
		Address     json.RawMessage `json:"address"`
		Balance     int64           `json:"balance"`
		Created     int64           `json:"created"`
		Currency    *string         `json:"currency"`
		Account     *string         `json:"customer_account"`
		Source      *string         `json:"default_source"`
		Delinquent  bool            `json:"delinquent"`
		Description *string         `json:"description"`
		Discount    *string         `json:"discount"`
		Email       *string         `json:"email"`
		Invoices    settings        `json:"invoice_settings"`
		Live        bool            `json:"livemode"`
		Metadata    json.RawMessage `json:"metadata"`
		Name        *string         `json:"name"`
		Phone       *string         `json:"phone"`
		Locales     []string        `json:"preferred_locales"`
		Shipping    *string         `json:"shipping"`
		Tax         string          `json:"tax_exempt"`
		Clock       *string         `json:"test_clock"`
	}{
		ID: doc.ID, Object: "customer", Address: address, Created: doc.CreatedAt.Unix(), Description: orNull(c.Description), Email: orNull(c.Email),
		Live: doc.Owner == modeLive, Metadata: metadata, Name: orNull(c.Name), Phone: orNull(c.Phone), Locales: []string{}, Tax: "none",
		Clock: orNull(c.Clock),
	})
}

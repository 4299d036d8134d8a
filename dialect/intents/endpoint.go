package intents

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/document"
)

// webhookEndpoint is what is kept of an endpoint (section 11). Its names are in
// databases and are never changed.
type webhookEndpoint struct {
	Version     int             `json:"v"`
	URL         string          `json:"url"`
	Events      []string        `json:"events"` // types; "*" is all
	Description string          `json:"description,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
	API         string          `json:"api_version,omitempty"` // as it was asked for
	Asked       string          `json:"asked_version"`         // Stripe-Version of the request that made it
	Disabled    bool            `json:"disabled,omitempty"`
}

const (
	endpointKind   = "webhook_endpoint"
	endpointPrefix = "we_"
	secretPrefix   = "whsec_"

	secretCharacters = 32 // after the prefix
	secretsMost      = 4  // that are valid at a time
	endpointLimit    = 16 // endpoints of an account in one mode
)

// createEndpoint answers POST /v1/webhook_endpoints.
func (x *exchange) createEndpoint(ctx context.Context) *problem {
	p := &x.params
	e := webhookEndpoint{Version: 1, Asked: x.w.Header()["Stripe-Version"][0]}
	full := p.endpoint(x, &e)
	e.API, _ = p.text("api_version", 40)
	p.ignore("connect")
	_, _ = x.expand(nil)
	n := x.note(0)
	if bad := or(p.problem(), full); bad != nil {
		return bad
	}
	switch {
	case e.URL == "":
		return missingParam("url")
	case e.Events == nil:
		return missingParam("enabled_events")
	}
	switch full, problem := x.endpointsFull(ctx); {
	case problem != nil:
		return problem
	case full:
		return x.settle(ctx, &n, invalid("url", fmt.Sprintf("You have reached the maximum of %d webhook endpoints.", endpointLimit)))
	}
	now := x.d.Clock.Now()
	id, err := x.d.newID(endpointPrefix)
	if err != nil {
		return x.fault(err)
	}
	doc := document.Document{Name: x.resource(endpointKind, id), Owner: x.account.mode(), CreatedAt: now, UpdatedAt: now}
	fresh, problem := x.sealSecrets(&doc, nil, time.Time{})
	if problem != nil {
		return problem
	}
	if doc.Body, problem = x.encode(e); problem != nil {
		return problem
	}
	object, err := x.d.appendEndpoint(nil, &doc, &e, fresh)
	if err != nil {
		return x.fault(err)
	}
	n.secret = true
	_, problem = x.keep(ctx, &n, append(object, '\n'), doc)
	x.d.Outbox.Changed(x.account.ID)
	return problem
}

// endpointsFull tells whether the account may have no further endpoint.
func (x *exchange) endpointsFull(ctx context.Context) (bool, *problem) {
	has, err := x.d.endpointsOf(ctx, x.account.Tenant, x.account.ID, x.account.mode())
	if err != nil {
		return false, x.fault(err)
	}
	return len(has) >= endpointLimit, nil
}

// endpointsOf lists an account's endpoints in a mode; "" is both.
func (d *Dialect) endpointsOf(ctx context.Context, tenant, merchant int64, mode string) ([]document.Document, error) {
	return d.Documents.Documents(ctx, document.Listing{
		Tenant: tenant, Merchant: merchant, Dialect: Name, Kind: endpointKind, Owner: mode, OldestFirst: true, Limit: 2 * endpointLimit,
	})
}

// endpoint reads what create and update have in common. It returns what only
// the endpoint as it was shows to be wrong.
func (p *params) endpoint(x *exchange, e *webhookEndpoint) (full *problem) {
	if target, sent := p.text("url", maxText); sent {
		if err := x.d.Outbox.CheckTarget(target); err != nil || target == "" {
			p.fail(&problem{status: 400, code: "url_invalid", param: "url", message: "Not a valid URL, or one that nothing may be sent to."})
		}
		e.URL = target
	}
	if words, sent := p.words("enabled_events", 500); sent {
		for i, word := range words {
			if !eventType(word) {
				p.fail(invalid(fmt.Sprintf("enabled_events[%d]", i), "Invalid enabled_events: must be * or types of events, such as payment_intent.succeeded"))
			}
		}
		if e.Events = words; len(words) == 0 {
			p.fail(invalid("enabled_events", "You must enable at least one event."))
		}
	}
	if text, sent := p.text("description", maxText); sent {
		e.Description = text
	}
	e.Metadata, full = addMetadata(e.Metadata, p.metadata())
	return full
}

// eventType tells whether a word may be a type of event. The list of them is
// not closed: a client may ask for types that never happen here.
func eventType(word string) bool {
	if word == "*" {
		return true
	}
	first, rest, dotted := strings.Cut(word, ".")
	return dotted && first != "" && rest != "" && strings.Trim(first+rest, "abcdefghijklmnopqrstuvwxyz0123456789_.") == ""
}

func noEndpoint(id string) *problem {
	return missing(http.StatusNotFound, "webhook_endpoint", "webhook endpoint", id)
}

// updateEndpoint answers POST /v1/webhook_endpoints/{id}.
func (x *exchange) updateEndpoint(ctx context.Context) *problem {
	p := &x.params
	off, switched := p.boolean("disabled")
	_, _ = x.expand(nil)
	full := p.endpoint(x, &webhookEndpoint{})
	if bad := or(p.problem(), full); bad != nil {
		return bad
	}
	n := x.note(0)
	return x.reviseEndpoint(ctx, &n, func(_ *document.Document, e *webhookEndpoint) (string, *problem) {
		if switched {
			e.Disabled = off
		}
		return "", p.endpoint(x, e)
	})
}

// rollEndpoint answers POST /v1/webhook_endpoints/{id}/roll_secret: the
// endpoint gets a fresh secret, and those it has are valid for overlap_seconds
// more, a day by default (ours: at Stripe it is done in the dashboard).
func (x *exchange) rollEndpoint(ctx context.Context) *problem {
	overlap := int64(24 * 3600)
	if n, sent := x.params.integer("overlap_seconds"); sent {
		if overlap = n; n < 0 || n > 7*24*3600 {
			x.params.fail(invalid("overlap_seconds", "Invalid overlap_seconds: must be from 0 to 604800."))
		}
	}
	_, _ = x.expand(nil)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	n := x.note(0)
	n.secret = true
	return x.reviseEndpoint(ctx, &n, func(doc *document.Document, _ *webhookEndpoint) (string, *problem) {
		has, err := x.d.openSecrets(doc)
		if err != nil {
			return "", x.fault(err)
		}
		return x.sealSecrets(doc, has, x.d.Clock.Now().Add(time.Duration(overlap)*time.Second))
	})
}

// reviseEndpoint changes an endpoint and replies with it, and with the secret
// that change returns.
func (x *exchange) reviseEndpoint(ctx context.Context, n *note, change func(*document.Document, *webhookEndpoint) (string, *problem)) *problem {
	defer x.d.Outbox.Changed(x.account.ID)
	return revise(ctx, x, n, endpointKind, noEndpoint(x.id), func(doc *document.Document, e *webhookEndpoint) ([]byte, *problem) {
		secret, problem := change(doc, e)
		if problem != nil {
			return nil, problem
		}
		object, err := x.d.appendEndpoint(nil, doc, e, secret)
		if err != nil {
			return nil, x.fault(err)
		}
		return append(object, '\n'), nil
	})
}

// retrieveEndpoint answers GET /v1/webhook_endpoints/{id}.
func (x *exchange) retrieveEndpoint(ctx context.Context) *problem {
	var e webhookEndpoint
	_, _ = x.expand(nil)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	doc, problem := x.find(ctx, endpointKind, x.id, &e)
	if problem != nil || doc == nil {
		return or(problem, noEndpoint(x.id))
	}
	object, err := x.d.appendEndpoint(x.out(), doc, &e, "")
	if err != nil {
		return x.fault(err)
	}
	x.reply(http.StatusOK, append(object, '\n'))
	return nil
}

// deleteEndpoint answers DELETE /v1/webhook_endpoints/{id}.
func (x *exchange) deleteEndpoint(ctx context.Context) *problem {
	defer x.d.Outbox.Changed(x.account.ID)
	return x.remove(ctx, endpointKind, "webhook_endpoint", noEndpoint(x.id))
}

// listEndpoints answers GET /v1/webhook_endpoints.
func (x *exchange) listEndpoints(ctx context.Context) *problem {
	l := x.params.paging()
	_, _ = x.expand(nil)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	page, more, problem := x.page(ctx, endpointKind, "webhook endpoint", l, nil)
	if problem != nil {
		return problem
	}
	var fault error
	b := appendList(x.out(), "/v1/webhook_endpoints", more, len(page), func(b []byte, i int) []byte {
		var e webhookEndpoint
		if err := json.Unmarshal(page[i].Body, &e); err != nil {
			fault = err
			return b
		}
		b, err := x.d.appendEndpoint(b, &page[i], &e, "")
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

// appendEndpoint appends the endpoint object, with a secret that is shown once.
func (d *Dialect) appendEndpoint(b []byte, doc *document.Document, e *webhookEndpoint, secret string) ([]byte, error) {
	status := "enabled"
	if e.Disabled {
		status = "disabled"
	}
	metadata := e.Metadata
	if metadata == nil {
		metadata = json.RawMessage("{}")
	}
	return pretty(b, struct {
		ID          string          `json:"id"`
		Object      string          `json:"object"`
		API         *string         `json:"api_version"`
		Application *string         `json:"application"`
		Created     int64           `json:"created"`
		Description *string         `json:"description"`
		Events      []string        `json:"enabled_events"`
		Live        bool            `json:"livemode"`
		Metadata    json.RawMessage `json:"metadata"`
		Secret      string          `json:"secret,omitempty"`
		Status      string          `json:"status"`
		URL         string          `json:"url"`
	}{
		doc.ID, "webhook_endpoint", orNull(e.API), nil, doc.CreatedAt.Unix(), orNull(e.Description), e.Events, doc.Owner == modeLive, metadata,
		secret, status, e.URL,
	})
}

// orNull is a text as JSON shows it: null where there is none.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// wants tells whether an endpoint is to be told of a type of event.
func (e *webhookEndpoint) wants(topic string) bool {
	return slices.Contains(e.Events, topic) || slices.Contains(e.Events, "*")
}

package wepay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
)

// preferenceKind is what notification preferences are kept as.
const preferenceKind = "notification_preference"

// The states of a preference.
const (
	active   = "active"
	inactive = "inactive"
)

// preference is what is kept of a notification preference.
type preference struct {
	Topic       string `json:"topic"`
	CallbackURI string `json:"callback_uri"`
	Status      string `json:"status"`
	APIVersion  string `json:"api_version"` // of the request that made it: what is sent has it
}

// mostPreferences is how many an application may have: each is asked at every
// event.
const mostPreferences = 200

// families are the first words of topics that may be subscribed to although
// nothing is ever told of them: clients subscribe to mixed lists, and give up
// at the first error.
var families = map[string]bool{
	"payments": true, "refunds": true, "disputes": true, "payouts": true, "accounts": true, "legal_entities": true,
	"adjustments": true, "recoveries": true, "payment_methods": true,
}

// isTopic tells whether a topic may be subscribed to.
func isTopic(topic string) bool {
	family, event, ok := strings.Cut(topic, ".")
	if !ok || !families[family] || event == "" || len(topic) > maxID {
		return false
	}
	for i := range len(event) {
		if c := event[i]; (c < 'a' || c > 'z') && c != '_' && c != '.' {
			return false
		}
	}
	return family != "payments" && family != "refunds" || fired[topic]
}

func preferenceName(m *merchant.Merchant, id string) document.Name {
	return document.Name{Tenant: m.Tenant, Merchant: m.ID, Dialect: Name, Kind: preferenceKind, ID: id}
}

// preference returns a merchant's preference; the document is nil if there is
// none.
func (d *Dialect) preference(ctx context.Context, m *merchant.Merchant, id string) (*document.Document, preference, error) {
	doc, err := d.Documents.Document(ctx, preferenceName(m, id))
	if err != nil || doc == nil {
		return nil, preference{}, err
	}
	p, err := readPreference(doc)
	return doc, p, err
}

// preferences returns all of a merchant's.
func (d *Dialect) preferences(ctx context.Context, m *merchant.Merchant) ([]document.Document, error) {
	return d.Documents.Documents(ctx, document.Listing{
		Tenant: m.Tenant, Merchant: m.ID, Dialect: Name, Kind: preferenceKind, OldestFirst: true, Limit: mostPreferences,
	})
}

func readPreference(doc *document.Document) (p preference, err error) {
	if err = json.Unmarshal(doc.Body, &p); err != nil {
		return p, fmt.Errorf("wepay: notification preference: %w", err)
	}
	return p, nil
}

// putPreference stores a preference that was changed. From then on events are
// told by it as it is.
func (d *Dialect) putPreference(ctx context.Context, doc *document.Document, p preference) (err error) {
	if doc.Body, err = json.Marshal(p); err != nil {
		return err
	}
	doc.UpdatedAt = d.Clock.Now()
	if err := d.Documents.PutDocument(ctx, doc); err != nil {
		return fmt.Errorf("wepay: put a notification preference: %w", err)
	}
	d.Outbox.Changed(doc.Merchant)
	return nil
}

// createPreference is POST /notification_preferences: it subscribes to a topic.
func (d *Dialect) createPreference(c *call) ([]byte, *problem) {
	var f fields
	p := preference{Status: active, APIVersion: c.version}
	f.must(&c.body, "callback_uri")
	f.must(&c.body, "topic")
	c.readPreference(&f, &p)
	if f.wrong != nil {
		return nil, invalid(f.wrong...)
	}
	all, err := d.preferences(c.r.Context(), &c.access.Merchant)
	switch {
	case err != nil:
		return nil, c.failed(err)
	case len(all) >= mostPreferences:
		id, problem := c.madeBefore(tooManyPreferences, false)
		if problem != nil {
			return nil, problem
		}
		return c.showPreference(id)
	}
	now := d.Clock.Now()
	doc := document.Document{Name: preferenceName(&c.access.Merchant, d.uuid()), CreatedAt: now, UpdatedAt: now}
	if doc.Body, err = json.Marshal(p); err != nil {
		return nil, c.failed(err)
	}
	id, problem := c.make(doc)
	if problem != nil {
		return nil, problem
	}
	d.Outbox.Changed(c.access.ID)
	return c.showPreference(id)
}

func (c *call) showPreference(id string) ([]byte, *problem) {
	c.id = id
	return c.queryPreference(c)
}

// tooManyPreferences is ours.
var tooManyPreferences = &problem{
	http.StatusBadRequest, "NOTIFICATION_PREFERENCE_CANNOT_BE_CREATED", "There are too many notification preferences.",
	[]detail{{nil, inBody, "NOTIFICATION_PREFERENCE_CANNOT_BE_CREATED", "An application may have 200 notification preferences."}}, "",
}

// readPreference reads what may be said of a preference; details say what is
// wrong with it.
func (c *call) readPreference(f *fields, p *preference) {
	if uri, given := f.text(&c.body, 1, maxURI, "callback_uri"); given {
		if p.CallbackURI = uri; c.Outbox.CheckTarget(uri) != nil || !c.Sandbox && !strings.HasPrefix(strings.ToLower(uri), "https://") {
			f.report(isInvalid, "Nothing can be sent to this address. It must be a public https one.", "callback_uri")
		}
	}
	if topic, given := f.text(&c.body, 1, maxID, "topic"); given {
		if p.Topic = topic; !isTopic(topic) {
			f.report(isInvalid, "There is no such topic.", "topic")
		}
	}
}

// maxURI is the longest callback_uri, in characters.
const maxURI = 2048

// queryPreference is GET /notification_preferences/{id}.
func (d *Dialect) queryPreference(c *call) ([]byte, *problem) {
	doc, p, problem := c.knownPreference()
	if problem != nil {
		return nil, problem
	}
	return c.appendPreference(nil, doc, p), nil
}

// updatePreference is POST /notification_preferences/{id}: it changes where to
// and of what, or makes a preference active or inactive.
func (d *Dialect) updatePreference(c *call) ([]byte, *problem) {
	f, asked := fields{wrong: c.checkID()}, preference{}
	c.readPreference(&f, &asked)
	if c.body.get("status") != nil {
		asked.Status = f.oneOf(&c.body, []string{active, inactive}, "status")
	}
	if f.wrong != nil {
		return nil, invalid(f.wrong...)
	}
	for {
		doc, p, problem := c.knownPreference()
		if problem != nil {
			return nil, problem
		}
		if asked.CallbackURI != "" {
			p.CallbackURI = asked.CallbackURI
		}
		if asked.Topic != "" {
			p.Topic = asked.Topic
		}
		if asked.Status != "" {
			p.Status = asked.Status
		}
		var err error
		if doc.Body, err = json.Marshal(p); err != nil {
			return nil, c.failed(err)
		}
		doc.UpdatedAt = d.Clock.Now()
		switch _, problem = c.make(*doc); problem {
		case nil:
			d.Outbox.Changed(c.access.ID)
			return d.queryPreference(c) // of a repeat as it is now
		case moved:
		default:
			return nil, problem
		}
	}
}

// deletePreference is DELETE /notification_preferences/{id}. What is still to
// be delivered by it is not.
func (d *Dialect) deletePreference(c *call) ([]byte, *problem) {
	for {
		doc, p, problem := c.knownPreference()
		if problem != nil {
			return nil, problem
		}
		switch err := d.Documents.DeleteDocument(c.r.Context(), doc.Name, doc.Version); {
		case err == nil:
			d.Outbox.Changed(c.access.ID)
			p.Status = "deleted"
			return c.appendPreference(nil, doc, p), nil
		case !errors.Is(err, document.ErrMoved):
			return nil, c.failed(err)
		}
	}
}

// knownPreference is the one that the path names.
func (c *call) knownPreference() (*document.Document, preference, *problem) {
	if wrong := c.checkID(); wrong != nil {
		return nil, preference{}, invalid(wrong...)
	}
	doc, p, err := c.preference(c.r.Context(), &c.access.Merchant, c.id)
	switch {
	case err != nil:
		return nil, p, c.failed(err)
	case doc == nil:
		return nil, p, notAccessible(inPath, "id")
	}
	return doc, p, nil
}

// listPreferences is GET /notification_preferences, the newest first. There is
// no way back to the previous page.
func (d *Dialect) listPreferences(c *call) ([]byte, *problem) {
	at, wrong := c.readPage("notification_preferences", func(q *params, f *filter) {
		f.Status = q.oneOf([]string{active, inactive}, "status")
		f.Object = q.text("topic")
	})
	if wrong != nil {
		return nil, invalid(wrong...)
	}
	all, err := d.Documents.Documents(c.r.Context(), document.Listing{
		Tenant: c.access.Tenant, Merchant: c.access.ID, Dialect: Name, Kind: preferenceKind, After: int64(at.Last.Payment), Limit: mostPreferences,
	})
	if err != nil {
		return nil, c.failed(err)
	}
	var page []document.Document
	var next *cursor
	for i := range all {
		p, err := readPreference(&all[i])
		switch {
		case err != nil:
			return nil, c.failed(err)
		case at.Filter.Status != "" && p.Status != at.Filter.Status, at.Filter.Object != "" && p.Topic != at.Filter.Object:
		case len(page) == at.Size:
			next = at.beside(payment.Place{Payment: payment.ID(page[at.Size-1].Serial)}, false)
		default:
			page = append(page, all[i])
		}
		if next != nil {
			break
		}
	}
	return appendResults(c.appendPage(nil, next, nil), page, func(b []byte, doc document.Document) []byte {
		p, _ := readPreference(&doc) // was read before
		return c.appendPreference(b, &doc, p)
	}), nil
}

// appendPreference appends the object of a preference.
func (c *call) appendPreference(b []byte, doc *document.Document, p preference) []byte {
	b = appendNamed(b, doc.ID, "notification_preferences")
	b = dialect.AppendString(append(b, `,"owner":{"id":`...), c.app.id)
	b = append(b, `,"resource":"applications","path":null},"create_time":`...)
	b = dialect.AppendInt(b, doc.CreatedAt.Unix())
	b = dialect.AppendString(append(b, `,"callback_uri":`...), p.CallbackURI)
	b = dialect.AppendString(append(b, `,"topic":`...), p.Topic)
	b = dialect.AppendString(append(b, `,"status":`...), p.Status)
	b = dialect.AppendString(append(b, `,"api_version":`...), c.version)
	return append(b, '}')
}

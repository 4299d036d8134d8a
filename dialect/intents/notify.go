package intents

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/signature"
)

var _ dialect.Notifier = (*Dialect)(nil)

// retries are 17 in 72 hours (section 11): after 10 seconds, each time twice as
// long up to the twelfth, and then every 43,650 seconds.
var retries = func() outbox.Schedule {
	var waits []time.Duration
	for n := range 12 {
		waits = append(waits, 10*time.Second<<n)
	}
	for range 5 {
		waits = append(waits, 43_650*time.Second)
	}
	return outbox.Waits(waits...)
}()

// Schedule implements dialect.Notifier.
func (d *Dialect) Schedule(*merchant.Merchant) outbox.Schedule { return retries }

// Acknowledges implements dialect.Notifier: any 2xx does.
func (d *Dialect) Acknowledges(r dialect.Response) bool { return r.Status/100 == 2 }

// GaveUp implements dialect.Notifier. The endpoint stays as it is.
func (d *Dialect) GaveUp(context.Context, *merchant.Merchant, outbox.Delivery) error { return nil }

// Subscriber implements dialect.Notifier: whoever has endpoints is told.
func (d *Dialect) Subscriber(ctx context.Context, m *merchant.Merchant) (outbox.Subscriber, error) {
	documents, err := d.endpointsOf(ctx, m.Tenant, m.ID, "")
	if err != nil {
		return nil, err
	}
	s := &subscriber{d: d}
	for i := range documents {
		l := listener{id: documents[i].ID, test: documents[i].Owner == modeTest}
		if err := json.Unmarshal(documents[i].Body, &l.webhookEndpoint); err != nil {
			return nil, err
		}
		if !l.Disabled {
			s.to = append(s.to, l)
		}
	}
	if len(s.to) == 0 {
		return nil, nil
	}
	return s, nil
}

// contentTypeEvent is the type of what is sent to endpoints.
var contentTypeEvent = []string{"application/json; charset=utf-8"}

// Message implements dialect.Notifier: the event, signed for this attempt with
// every secret that is valid, under both names of the header.
func (d *Dialect) Message(ctx context.Context, about dialect.Dispatch) (dialect.Message, error) {
	m := about.Merchant
	doc, err := d.Documents.Document(ctx, document.Name{Tenant: m.Tenant, Merchant: m.ID, Dialect: Name, Kind: endpointKind, ID: about.Endpoint})
	if err != nil {
		return dialect.Message{}, err
	}
	if doc == nil {
		return dialect.Message{}, dialect.ErrStopped
	}
	var e webhookEndpoint
	if err := json.Unmarshal(doc.Body, &e); err != nil {
		return dialect.Message{}, err
	}
	if e.Disabled {
		return dialect.Message{}, dialect.ErrStopped
	}
	has, err := d.openSecrets(doc)
	if err != nil {
		return dialect.Message{}, err
	}
	var secrets []string
	for _, s := range has {
		if s.Until == 0 || s.Until > about.At.UnixMilli() {
			secrets = append(secrets, s.Secret)
		}
	}
	version := e.API
	if version == "" {
		version = e.Asked
	}
	it, err := d.eventOf(about.Notice, about.Payment)
	if err != nil {
		return dialect.Message{}, err
	}
	body := d.appendEvent(nil, it, version, it.Endpoints)
	signed := []string{signature.Timestamped(about.At, body, secrets...)}
	return dialect.Message{URL: e.URL, Body: body, Header: http.Header{
		"Content-Type": contentTypeEvent, "Stripe-Signature": signed, "Wooshpay-Signature": signed,
	}}, nil
}

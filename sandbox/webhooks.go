package sandbox

import (
	"net/http"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/store"
)

// delivery is one attempt at a delivery as the controls show it, or one that
// is still to be made: then attempt is 0.
type delivery struct {
	ID       string         `json:"id"` // of the message; the same at every attempt and endpoint
	Target   string         `json:"target"`
	Dialect  string         `json:"dialect"`
	Type     string         `json:"type"`
	Attempt  int            `json:"attempt"`
	Status   int            `json:"status"` // of the answer; 0 is none
	State    string         `json:"state"`  // of the delivery after the attempt
	Error    string         `json:"error,omitempty"`
	At       *time.Time     `json:"at,omitempty"`
	Next     *time.Time     `json:"next_attempt_at,omitempty"`
	Headers  http.Header    `json:"headers"`
	Body     string         `json:"body"`
	Response *endpointReply `json:"response,omitempty"`
}

type endpointReply struct {
	Headers http.Header `json:"headers"`
	Body    string      `json:"body"`
}

// webhookLimit is how many notices are looked at, the latest.
const webhookLimit = 1000

// getWebhooks lists the attempts at a merchant's deliveries, oldest notice
// first, then by endpoint and attempt.
func (s *Sandbox) getWebhooks(r *http.Request) (any, error) {
	m, err := s.merchantOf(r.Context(), r.URL.Query().Get("merchant"))
	if err != nil {
		return nil, err
	}
	notices, err := s.Store.Notices(r.Context(), store.NoticeQuery{Tenant: m.Tenant, Merchant: m.ID, Limit: webhookLimit})
	if err != nil {
		return nil, err
	}
	shown := []delivery{}
	for _, n := range slices.Backward(notices) {
		attempts, err := s.Store.Attempts(r.Context(), n.Tenant, n.NoticeID)
		if err != nil {
			return nil, err
		}
		for _, d := range n.Deliveries {
			made := shown
			for _, a := range attempts {
				if a.Endpoint != d.Endpoint {
					continue
				}
				one, err := s.attempt(n, a)
				if err != nil {
					return nil, err
				}
				made = append(made, one)
			}
			if len(made) == len(shown) {
				made = append(made, delivery{
					ID: s.Deliverer.ID(n.NoticeID), Target: d.Endpoint, Dialect: d.Dialect, Type: n.Topic, State: d.State.String(), Headers: http.Header{}, Next: moment(d.Due),
				})
			}
			shown = made
		}
	}
	return map[string]any{"webhooks": shown}, nil
}

func (s *Sandbox) attempt(n outbox.Notice, a outbox.Attempt) (delivery, error) {
	one := delivery{
		ID: s.Deliverer.ID(n.NoticeID), Target: a.Endpoint, Dialect: a.Dialect, Type: n.Topic, Attempt: a.Number, Status: a.Status, State: a.State.String(), Error: a.Fault,
		At: moment(a.At), Next: moment(a.Due), Headers: http.Header{},
	}
	e, err := s.Deliverer.Open(a)
	if err != nil || e == nil {
		return one, err
	}
	one.Target, one.Headers, one.Body = e.URL, e.Header, string(e.Body)
	if e.Answer != nil {
		one.Response = &endpointReply{e.Answer.Header, string(e.Answer.Body)}
	}
	return one, nil
}

// moment is a time as JSON shows it, absent where there is none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// postWebhookKeys gives a merchant fresh keys by which its messages are signed
// beside what its dialects do. Earlier ones are valid for a day more.
func (s *Sandbox) postWebhookKeys(r *http.Request) (any, error) {
	var in struct {
		Merchant string `json:"merchant"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	m, err := s.merchantOf(r.Context(), in.Merchant)
	if err != nil {
		return nil, err
	}
	return s.Deliverer.Signing.Rotate(r.Context(), *m)
}

// postWebhookRedeliver has a message delivered again to all that it went to,
// or to one endpoint.
func (s *Sandbox) postWebhookRedeliver(r *http.Request) (any, error) {
	var in struct {
		Merchant string `json:"merchant"`
		ID       string `json:"id"`
		Target   string `json:"target"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	m, err := s.merchantOf(r.Context(), in.Merchant)
	if err != nil {
		return nil, err
	}
	notices, err := s.Store.Notices(r.Context(), store.NoticeQuery{Tenant: m.Tenant, Merchant: m.ID, Limit: webhookLimit})
	if err != nil {
		return nil, err
	}
	count := 0
	for _, n := range notices {
		for _, d := range n.Deliveries {
			if s.Deliverer.ID(n.NoticeID) != in.ID || in.Target != "" && in.Target != d.Endpoint {
				continue
			}
			if _, err := s.Deliverer.Redeliver(r.Context(), m.Tenant, d.DeliveryID); err != nil {
				return nil, err
			}
			count++
		}
	}
	if count == 0 {
		return nil, errUnknown
	}
	return map[string]int{"redelivered": count}, nil
}

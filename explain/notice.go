package explain

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// Notice is what a dialect tells the merchant of an event.
type Notice struct {
	At         time.Time  `json:"at"`
	Event      int        `json:"event"` // its number
	Dialect    string     `json:"dialect"`
	Topic      string     `json:"topic"`
	Deliveries []Delivery `json:"deliveries"`
}

// Delivery is a notice on its way to an endpoint.
type Delivery struct {
	Endpoint string     `json:"endpoint"` // without what a URL's query may hide
	State    string     `json:"state"`
	Due      *time.Time `json:"due,omitempty"` // of the next attempt
	Attempts []Attempt  `json:"attempts"`
}

// Attempt is one attempt at a delivery.
type Attempt struct {
	Number int       `json:"number"`
	At     time.Time `json:"at"`
	TookMS int64     `json:"took_ms"`
	Status int       `json:"status,omitempty"` // of the answer
	Fault  string    `json:"fault,omitempty"`  // why there was none
}

// mostNotices is how many notices of a payment are told of.
const mostNotices = 1000

// notices adds what the merchant is told. Deliveries go on by themselves, so
// they may be younger than the rest of the story.
func (s *Story) notices(ctx context.Context, r Reader, p *payment.Payment) error {
	all, err := r.Notices(ctx, store.NoticeQuery{Tenant: p.Tenant, Merchant: p.Merchant, Payment: p.ID, Limit: mostNotices})
	if err != nil {
		return err
	}
	for _, n := range slices.Backward(all) {
		attempts, err := r.Attempts(ctx, p.Tenant, n.NoticeID)
		if err != nil {
			return err
		}
		told := Notice{At: n.At, Event: n.Version, Dialect: n.Dialect, Topic: n.Topic}
		for _, d := range n.Deliveries {
			shown := Delivery{Endpoint: Public(d.Endpoint), State: d.State.String(), Due: moment(d.Due), Attempts: []Attempt{}}
			for _, a := range attempts {
				if a.Endpoint == d.Endpoint {
					shown.Attempts = append(shown.Attempts, attempt(a))
				}
			}
			told.Deliveries = append(told.Deliveries, shown)
		}
		s.Notices = append(s.Notices, told)
	}
	return nil
}

func attempt(a outbox.Attempt) Attempt {
	return Attempt{a.Number, a.At, a.Took.Milliseconds(), a.Status, a.Fault}
}

// Public is an endpoint without user, password and query, where tokens may be.
func Public(endpoint string) string {
	scheme, rest, isURL := strings.Cut(endpoint, "://")
	if !isURL {
		return endpoint
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i] + "?..."
	}
	host, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = "...@" + host[i+1:]
	}
	if slash {
		host += "/" + path
	}
	return scheme + "://" + host
}

package admin

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/explain"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/store"
)

// Delivery is a message to a merchant on its way to one endpoint.
type Delivery struct {
	Message  string     `json:"message"` // its id, as the endpoint knows it where messages are signed by Standard Webhooks
	At       time.Time  `json:"at"`      // when it happened, what it tells of
	Payment  string     `json:"payment"` // the number by which reports call it; explain takes it
	Dialect  string     `json:"dialect"`
	Topic    string     `json:"topic"`
	Endpoint string     `json:"endpoint"` // without what a URL's query may hide
	State    string     `json:"state"`    // waiting, delivered, given_up or stopped
	Attempts int        `json:"attempts"`
	Due      *time.Time `json:"due,omitempty"`    // of the next attempt
	Status   int        `json:"status,omitempty"` // of the answer to the last attempt
	Fault    string     `json:"fault,omitempty"`  // of the last attempt
}

// DeliveryQuery asks for deliveries of a merchant. What is zero does not count.
type DeliveryQuery struct {
	Payment string // any id of it
	Message string
	State   string
	Since   time.Time // what they tell of happened then or later
	Before  time.Time // and earlier than that
	Limit   int       // how many; 0 is 100, at most 1000
}

// Redelivery is what is to be delivered again: what the members name, as in
// DeliveryQuery. They name a payment or a message, or a time since when and one
// of the states given_up and stopped.
type Redelivery struct {
	Payment string    `json:"payment,omitempty"`
	Message string    `json:"message,omitempty"`
	State   string    `json:"state,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Before  time.Time `json:"before,omitzero"`
}

// Redelivered is how many deliveries are made again, and whether there are more
// of those that were meant: the same call again is for these.
type Redelivered struct {
	Redelivered int  `json:"redelivered"`
	More        bool `json:"more"`
}

// noticesAtATime is how many are read of the store at once.
const noticesAtATime = 200

var states = []outbox.State{outbox.Waiting, outbox.Delivered, outbox.GivenUp, outbox.Stopped}

// wanted is a query that was read.
type wanted struct {
	store.NoticeQuery
	message string
	state   outbox.State // 0 is any
}

func (d *Desk) want(m *merchant.Merchant, q DeliveryQuery) (wanted, error) {
	w := wanted{message: q.Message, NoticeQuery: store.NoticeQuery{Tenant: m.Tenant, Merchant: m.ID, From: q.Since, Until: q.Before, Limit: noticesAtATime}}
	if q.Payment != "" {
		number, _, err := explain.Find(d.IDs, q.Payment)
		if err != nil {
			return w, missing("%v", err)
		}
		w.Payment = number
	}
	if q.State != "" {
		i := slices.IndexFunc(states, func(s outbox.State) bool { return s.String() == q.State })
		if i < 0 {
			return w, invalid("state is waiting, delivered, given_up or stopped")
		}
		w.state = states[i]
	}
	return w, nil
}

// each calls fn with the deliveries that are wanted, the latest first, until it
// returns false.
func (d *Desk) each(ctx context.Context, w wanted, fn func(outbox.Notice, outbox.Delivery) (bool, error)) error {
	for {
		page, err := d.Store.Notices(ctx, w.NoticeQuery)
		if err != nil {
			return err
		}
		for _, n := range page {
			if w.message != "" && d.MessageID(n.NoticeID) != w.message {
				continue
			}
			for _, one := range n.Deliveries {
				if w.state != 0 && one.State != w.state {
					continue
				}
				if more, err := fn(n, one); err != nil || !more {
					return err
				}
			}
			if w.message != "" { // there is one of that name
				return nil
			}
		}
		if len(page) < w.Limit {
			return nil
		}
		w.NoticeQuery.Before = &page[len(page)-1]
	}
}

// Deliveries implements Administrator.
func (d *Desk) Deliveries(ctx context.Context, id string, q DeliveryQuery) ([]Delivery, error) {
	if err := bound(&q.Limit); err != nil {
		return nil, err
	}
	m, err := d.find(ctx, id)
	if err != nil {
		return nil, err
	}
	w, err := d.want(m, q)
	if err != nil {
		return nil, err
	}
	shown := []Delivery{}
	err = d.each(ctx, w, func(n outbox.Notice, one outbox.Delivery) (bool, error) {
		made, err := d.Store.Attempts(ctx, n.Tenant, n.NoticeID)
		if err != nil {
			return false, err
		}
		shown = append(shown, d.showDelivery(n, one, made))
		return len(shown) < q.Limit, nil
	})
	return shown, err
}

func (d *Desk) showDelivery(n outbox.Notice, one outbox.Delivery, made []outbox.Attempt) Delivery {
	shown := Delivery{
		Message: d.MessageID(n.NoticeID), At: n.At, Payment: n.Payment.String(), Dialect: n.Dialect, Topic: n.Topic,
		Endpoint: explain.Public(one.Endpoint), State: one.State.String(), Attempts: one.Attempts, Due: moment(one.Due),
	}
	for _, a := range made { // as they were made
		if a.Endpoint == one.Endpoint {
			shown.Status, shown.Fault = a.Status, a.Fault
		}
	}
	return shown
}

// Redeliver implements Administrator. The act is kept first: should anything
// come in between, the call is made again.
func (d *Desk) Redeliver(ctx context.Context, id string, r Redelivery) (Redelivered, error) {
	if r.Payment == "" && r.Message == "" && (r.State != outbox.GivenUp.String() && r.State != outbox.Stopped.String() || r.Since.IsZero()) {
		return Redelivered{}, invalid("say which message or of which payment, or since when and in which state: given_up or stopped")
	}
	m, err := d.find(ctx, id)
	if err != nil {
		return Redelivered{}, err
	}
	w, err := d.want(m, DeliveryQuery{Payment: r.Payment, Message: r.Message, State: r.State, Since: r.Since, Before: r.Before})
	if err != nil {
		return Redelivered{}, err
	}
	var chosen []outbox.Delivery
	var done Redelivered
	err = d.each(ctx, w, func(_ outbox.Notice, one outbox.Delivery) (bool, error) {
		if len(chosen) == mostShown {
			done.More = true
			return false, nil
		}
		chosen = append(chosen, one)
		return true, nil
	})
	if err != nil {
		return Redelivered{}, err
	}
	if len(chosen) == 0 {
		return Redelivered{}, missing("there is nothing like that to deliver again")
	}
	act := store.Act{Action: "delivery.repeat", Merchant: m.ID, Subject: r.Payment}
	err = d.administer(ctx, act, func(a *store.Administration) error {
		asked, err := json.Marshal(r)
		if err != nil {
			return err
		}
		return detail(&a.Act, map[string]any{"deliveries": len(chosen), "asked": json.RawMessage(asked)})
	})
	if err != nil {
		return Redelivered{}, err
	}
	slices.Reverse(chosen) // as they happened
	for _, one := range chosen {
		there, err := d.Config.Redeliver(ctx, m.Tenant, one.DeliveryID)
		if err != nil {
			return done, err
		}
		if there {
			done.Redelivered++
		}
	}
	return done, nil
}

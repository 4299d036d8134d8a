// Package outbox says what merchants are told of what happens to their
// payments: notices, the deliveries that bring them to endpoints, and the
// schedules by which a delivery is tried again.
//
// It is pure. Notices and their deliveries are written in the transaction of
// the event they tell of; package webhook sends them.
package outbox

import (
	"time"

	"github.com/capstan-pay/capstan/payment"
)

// NoticeID names a notice within its tenant, for ever.
type NoticeID struct {
	Payment payment.ID
	Version int    // of the payment right after the event that it tells of
	Dialect string // that tells it
	Number  int    // among the dialect's notices of that version, from 0; below 256
}

// Notice is what a dialect tells a merchant of an event. What is sent follows
// from the notice and from the payment as it was at its version, so that it is
// the same at every attempt without being stored.
type Notice struct {
	NoticeID
	Tenant, Merchant int64

	Topic   string    // the dialect's own word for what happened
	At      time.Time // when it happened
	Context []byte    // the dialect's own small document, not read here

	// Ordered: at an endpoint it waits for the dialect's earlier ordered
	// notices of the same payment, until they are delivered or given up.
	Ordered bool

	// Deliveries are to whom it goes, at least one.
	Deliveries []Delivery
}

// Deliver returns the deliveries of a notice to endpoints.
func Deliver(endpoints ...string) []Delivery {
	deliveries := make([]Delivery, len(endpoints))
	for i, e := range endpoints {
		deliveries[i].Endpoint = e
	}
	return deliveries
}

// State says where a delivery stands.
type State uint8

// The states of a delivery. All but Waiting are final, until somebody asks for
// it to be delivered again.
const (
	Waiting   State = iota + 1 // for its next attempt, or for an earlier delivery
	Delivered                  // acknowledged
	GivenUp                    // the schedule is used up
	Stopped                    // the endpoint is gone, or disabled
)

// String is the name of the state in APIs and reports, such as "given_up".
func (s State) String() string {
	if s < Waiting || s > Stopped {
		return "unknown"
	}
	return [...]string{Waiting: "waiting", Delivered: "delivered", GivenUp: "given_up", Stopped: "stopped"}[s]
}

// DeliveryID names a delivery within its tenant.
type DeliveryID struct {
	NoticeID
	Endpoint string // the dialect's own name for it, or a URL
}

// Delivery is a notice on its way to one endpoint.
type Delivery struct {
	DeliveryID
	Tenant, Merchant int64

	Lane     Lane
	Ordered  bool // as its notice
	State    State
	Attempts int // that were made

	// Due is when the next attempt is to be made; zero when the delivery is
	// final, or waits for an earlier one.
	Due time.Time
}

// Attempt is one attempt at a delivery, and what follows from it.
type Attempt struct {
	DeliveryID
	Tenant int64
	Number int // from 1

	At     time.Time     // when it was sent
	Took   time.Duration // until it was answered, or not
	Status int           // of the answer; 0 is none
	Fault  string        // why there was no answer, in a few words; not what was sent

	// Sealed is what was sent and answered, for whoever may open it.
	Sealed []byte

	// State is how the delivery stands after it, and Due when the next one is
	// to be made, if any is.
	State State
	Due   time.Time
}

// Claim asks for deliveries to attempt. Nobody else is given them until the
// lease is over, or the attempt was recorded.
type Claim struct {
	Due   time.Time     // of which the attempts are due, at or before
	Now   time.Time     // by the machine's clock, from which leases count
	Lease time.Duration //
	Limit int           // how many in all

	// PerLane is how many of one lane, Room how many of a lane for which it is
	// another number. Lanes take turns, beginning after After.
	PerLane int
	Room    map[Lane]int
	After   Lane

	Full []Lanes // of which none is asked for
}

// RoomIn is how many deliveries of a lane are asked for.
func (c Claim) RoomIn(l Lane) int {
	if room, ok := c.Room[l]; ok {
		return room
	}
	return c.PerLane
}

// Occasion is what a command did to a payment.
type Occasion struct {
	Before *payment.Payment // nil for a new one. Not to be changed, like all that follows
	After  *payment.Payment
	Events []payment.Event // at least one; the last one's version is After.Version

	// Aside is payment.Request.Aside of the command; nil for one of our own.
	Aside any
}

// Version is the payment's version right after Events[i].
func (o Occasion) Version(i int) int { return o.After.Version - len(o.Events) + i + 1 }

// Subscriber says what is to be told of an occasion, and to whom. It is asked
// while a batch of commands is decided, so it has to be quick and must ask
// nobody. Of a notice it sets Version, Topic, Context, Ordered and Deliveries,
// the rest follows. A notice without deliveries is not kept.
type Subscriber interface {
	Notices(Occasion) []Notice
}

package dialect

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
)

// Notifier is a dialect that tells merchants what happens to their payments. It
// says what is told, to whom and how; when an attempt is made and what becomes
// of it is not its business.
type Notifier interface {
	// Subscriber returns who says what is told of a merchant's payments, nil if
	// nobody does. It may look things up: what it returned is remembered until
	// Outbox.Changed is called, or for a few seconds where that was called on
	// another instance.
	Subscriber(ctx context.Context, m *merchant.Merchant) (outbox.Subscriber, error)

	// Message is what an attempt sends. The body must be the same at every
	// attempt; what is fresh, such as the time it is signed at, follows from
	// Dispatch.At. ErrStopped says that the endpoint is gone or disabled: the
	// delivery ends.
	Message(context.Context, Dispatch) (Message, error)

	// Acknowledges tells whether an answer ends the delivery.
	Acknowledges(Response) bool

	// Schedule is when a merchant's deliveries are attempted again.
	Schedule(*merchant.Merchant) outbox.Schedule

	// GaveUp is called when the schedule of a delivery is used up. After a
	// crash it may be called again. On an error the last attempt is repeated.
	GaveUp(context.Context, *merchant.Merchant, outbox.Delivery) error
}

// ErrStopped is returned by Message when nothing is to be sent any more.
var ErrStopped = errors.New("dialect: the endpoint is gone or disabled")

// Dispatch is one attempt at a delivery.
type Dispatch struct {
	Notice   outbox.Notice
	Payment  *payment.Payment // as it was at the notice's version
	Merchant *merchant.Merchant
	Endpoint string    // of the delivery
	Attempt  int       // from 1
	At       time.Time // of the attempt
}

// Message is a POST to an endpoint. Header has everything but Host and
// Content-Length, and is sent with its names as they are. The headers of
// Standard Webhooks are added where the merchant has keys for them.
type Message struct {
	URL    string
	Header http.Header
	Body   []byte
}

// Response is an endpoint's answer. Of a long body it is the beginning.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Outbox is what a dialect needs to know of its notices.
type Outbox interface {
	// Changed makes what was remembered of a merchant's subscribers be looked
	// up again: his endpoints are other ones now.
	Changed(merchant int64)

	// CheckTarget says what is wrong with a URL that deliveries are to be sent
	// to: its form, its port, or an address in it that is not public. Names are
	// not resolved here but at each attempt.
	CheckTarget(url string) error

	// Told returns a notice of the dialect with its deliveries, and the payment
	// as it was then; nil if the merchant has none with that name.
	Told(ctx context.Context, m *merchant.Merchant, id outbox.NoticeID) (*Told, error)

	// List returns a merchant's notices of a dialect, the latest first.
	List(ctx context.Context, m *merchant.Merchant, q NoticeQuery) ([]Told, error)

	// Redeliver has a notice delivered again to an endpoint to which it was
	// addressed, whatever became of it. It tells whether there is such a delivery.
	Redeliver(ctx context.Context, m *merchant.Merchant, id outbox.DeliveryID) (bool, error)
}

// Told is a notice and the payment that it tells of, as it was at its version.
type Told struct {
	outbox.Notice
	Of *payment.Payment
}

// NoticeQuery says which notices of a dialect are asked for. What is zero does
// not count.
type NoticeQuery struct {
	Dialect     string
	Payment     payment.ID
	Before      *outbox.Notice // those that come after it in the list
	From, Until time.Time      // they happened not before From, and before Until
	Limit       int
}

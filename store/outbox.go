package store

import (
	"context"
	"time"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
)

// Outbox keeps deliveries on their way. They come into it by Batch.Commit,
// with the events that they tell of.
type Outbox interface {
	// ClaimDeliveries gives deliveries that are due, lane by lane and of each
	// lane the earliest first, to be attempted by the caller and nobody else
	// until Now+Lease. Claims may be forgotten when the process ends, and not
	// before. It returns them by due time, payment, version and number.
	ClaimDeliveries(context.Context, outbox.Claim) ([]outbox.Delivery, error)

	// ReleaseDeliveries gives claimed deliveries back, not attempted.
	ReleaseDeliveries(context.Context, []outbox.Delivery) error

	// Attempted keeps attempts and brings their deliveries to the state that
	// they say; the claim is over then. One that is not its delivery's next, by
	// its number, or whose delivery is final or gone, leaves nothing: somebody
	// else has made it. When an ordered delivery becomes final the next one
	// that waited for it is due, at the attempt's At, and not before what it tells
	// of happened. It writes all or nothing.
	Attempted(context.Context, []outbox.Attempt) error

	// NextDelivery returns when the next attempt falls due, claimed or not;
	// zero is never.
	NextDelivery(context.Context) (time.Time, error)

	// Backlog counts the deliveries that have a next attempt, due or not, by
	// dialect in the order of its name; of more than limit in all, those that
	// fall due first.
	Backlog(ctx context.Context, limit int) ([]Backlog, error)

	// Notice returns a notice with its deliveries, nil if there is none.
	Notice(ctx context.Context, tenant int64, id outbox.NoticeID) (*outbox.Notice, error)

	// Notices returns a merchant's notices with their deliveries, the latest
	// first: by At, then by payment, version, dialect and number.
	Notices(context.Context, NoticeQuery) ([]outbox.Notice, error)

	// Attempts returns the attempts at the deliveries of a notice, by endpoint
	// and then as they were made.
	Attempts(ctx context.Context, tenant int64, id outbox.NoticeID) ([]outbox.Attempt, error)

	// Redeliver makes a delivery due at the given time, and not before what it
	// tells of happened, whatever its state, and tells whether it is there.
	Redeliver(ctx context.Context, tenant int64, id outbox.DeliveryID, at time.Time) (bool, error)
}

// Backlog is what is to be delivered for a dialect.
type Backlog struct {
	Dialect    string
	Deliveries int
	Due        time.Time // when the earliest of them falls due, or fell
}

// NoticeQuery says which notices are asked for. What is zero does not count.
type NoticeQuery struct {
	Tenant, Merchant int64 // always count
	Dialect          string
	Payment          payment.ID
	Before           *outbox.Notice // those that come after it in the list
	From, Until      time.Time      // At is not before From, and before Until
	Limit            int
}

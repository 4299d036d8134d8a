package webhook

import (
	"errors"
	"time"

	"github.com/capstan-pay/capstan/internal/failpoint"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/store"
)

// report is an attempt on its way into the store.
type report struct {
	outbox.Attempt
	done chan struct{}
}

// recordLimit is how many attempts are recorded in one transaction.
const recordLimit = 256

// keep returns when an attempt is recorded, or never will be: then somebody
// else makes it again.
func (d *Deliverer) keep(one outbox.Delivery, a outbox.Attempt) {
	r := report{a, make(chan struct{})}
	select {
	case d.record <- r:
		<-r.done
	case <-d.base.Done():
	}
	if d.base.Err() != nil {
		d.release(one)
	}
}

// recordLoop records attempts, as many at a time as have come meanwhile.
func (d *Deliverer) recordLoop() {
	for {
		var batch []report
		select {
		case r := <-d.record:
			batch = append(batch, r)
		case <-d.base.Done():
			return
		}
	gather:
		for len(batch) < recordLimit {
			select {
			case r := <-d.record:
				batch = append(batch, r)
			default:
				break gather
			}
		}
		d.write(batch)
		for _, r := range batch {
			close(r.done)
		}
	}
}

// write tries until the attempts are recorded, or nothing will be any more.
// Writing them twice does no harm: the second time they are not the next.
func (d *Deliverer) write(batch []report) {
	attempts := make([]outbox.Attempt, len(batch))
	for i, r := range batch {
		attempts[i] = r.Attempt
	}
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		failpoint.Reach("webhook.sent")
		err := d.Store.Attempted(d.base, attempts)
		failpoint.Reach("webhook.recorded")
		if err == nil {
			return
		}
		if d.base.Err() != nil || errors.Is(err, store.ErrBroken) {
			return
		}
		d.Logger.Error("attempts at deliveries could not be recorded", "count", len(batch), "error", err)
		select {
		case <-time.After(wait):
		case <-d.base.Done():
			return
		}
	}
}

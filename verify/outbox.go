package verify

import (
	"time"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
)

// mail is what is known of the notices and deliveries of a payment.
type mail struct {
	promised map[int]*told // by version
	notices  map[outbox.NoticeID]*noticed
	sent     map[outbox.DeliveryID]*sent
	queue    outbox.DeliveryID // of the delivery before: payment, dialect and endpoint
	waits    bool              // an ordered delivery of that queue waits
}

// told is what an event says of the deliveries that were written with it.
type told struct {
	at    time.Time
	count int
}

// noticed is a notice; left is how many of its deliveries were not seen yet.
type noticed struct {
	outbox.Notice
	left int
}

// sent is a delivery, and the last attempt at it that was seen.
type sent struct {
	outbox.Delivery
	last outbox.Attempt
}

// promise keeps what an event says of its deliveries.
func (m *mail) promise(version int, e *payment.Event) {
	if e.Told == 0 {
		return
	}
	if m.promised == nil {
		m.promised = map[int]*told{}
	}
	m.promised[version] = &told{e.At, e.Told}
}

// concludeMail looks at what is missing, once all of a payment was seen. What
// happened by swept may be told no more.
func (acc *account) concludeMail(swept time.Time) {
	for version, p := range acc.mail.promised {
		if p.count != 0 && p.at.After(swept) {
			acc.add("event %d says of %d deliveries that are not there", version, p.count)
		}
	}
	for id, n := range acc.mail.notices {
		if n.left != 0 {
			acc.add("%d deliveries of notice %s of version %d are not there", n.left, n.Topic, id.Version)
		}
	}
	for id, s := range acc.mail.sent {
		acc.ended(id, s)
	}
}

// notice holds a notice against the event that it tells of.
func (acc *account) notice(n noticed) {
	if acc.mail.notices == nil {
		acc.mail.notices, acc.mail.sent = map[outbox.NoticeID]*noticed{}, map[outbox.DeliveryID]*sent{}
	}
	acc.mail.notices[n.NoticeID] = &n
	p, count := acc.mail.promised[n.Version], n.left
	switch {
	case n.Version < 1 || n.Version > acc.version:
		acc.add("notice %s tells of version %d of %d", n.Topic, n.Version, acc.version)
	case n.Tenant != acc.tenant || n.Merchant != acc.merchant:
		acc.add("notice %s is of merchant %d of tenant %d, not %d of %d", n.Topic, n.Merchant, n.Tenant, acc.merchant, acc.tenant)
	case p == nil || p.count < count:
		acc.add("event %d says of fewer deliveries than there are", n.Version)
	case !p.at.Equal(n.At):
		acc.add("notice %s is of another time than event %d", n.Topic, n.Version)
	}
	if p != nil {
		p.count -= count
	}
	if count < 1 {
		acc.add("notice %s of version %d goes to nobody", n.Topic, n.Version)
	}
}

// delivery holds a delivery against its notice and those before it in its
// queue.
func (acc *account) delivery(d outbox.Delivery) {
	m, n := &acc.mail, acc.mail.notices[d.NoticeID]
	if m.sent != nil {
		m.sent[d.DeliveryID] = &sent{Delivery: d}
	}
	if n == nil {
		acc.add("a delivery of version %d to %q belongs to no notice", d.Version, d.Endpoint)
		return
	}
	n.left--
	queue := outbox.DeliveryID{NoticeID: outbox.NoticeID{Payment: d.Payment, Dialect: d.Dialect}, Endpoint: d.Endpoint}
	if queue != m.queue {
		m.queue, m.waits = queue, false
	}
	waiting := d.State == outbox.Waiting
	switch {
	case n.Tenant != d.Tenant || n.Merchant != d.Merchant || n.Ordered != d.Ordered:
		acc.add("a delivery of version %d to %q is not of the merchant or the order of its notice", d.Version, d.Endpoint)
	case d.Lane != outbox.LaneOf(d.Merchant, d.Dialect, d.Endpoint):
		acc.add("a delivery of version %d to %q is in another endpoint's lane", d.Version, d.Endpoint)
	case d.State < outbox.Waiting || d.State > outbox.Stopped:
		acc.add("a delivery of version %d to %q is in state %d", d.Version, d.Endpoint, d.State)
	case !waiting && !d.Due.IsZero():
		acc.add("a delivery of version %d to %q is %s and due", d.Version, d.Endpoint, d.State)
	case waiting && d.Due.IsZero() && !(d.Ordered && m.waits):
		acc.add("a delivery of version %d to %q waits for nothing", d.Version, d.Endpoint)
	case waiting && !d.Due.IsZero() && d.Due.Before(n.At):
		acc.add("a delivery of version %d to %q is due before its event", d.Version, d.Endpoint)
	}
	m.waits = m.waits || waiting && d.Ordered
}

// attempt holds an attempt against its delivery and the one before it.
func (acc *account) attempt(one outbox.Attempt) {
	s := acc.mail.sent[one.DeliveryID]
	switch {
	case s == nil:
		acc.add("an attempt at version %d to %q belongs to no delivery", one.Version, one.Endpoint)
		return
	case one.Number != s.last.Number+1:
		acc.add("attempt %d at version %d to %q follows attempt %d", one.Number, one.Version, one.Endpoint, s.last.Number)
	case one.Tenant != s.Tenant:
		acc.add("attempt %d at version %d to %q is of tenant %d", one.Number, one.Version, one.Endpoint, one.Tenant)
	case one.State < outbox.Waiting || one.State > outbox.Stopped || (one.State == outbox.Waiting) == one.Due.IsZero():
		acc.add("attempt %d at version %d to %q leaves a delivery that is %s and due at %s", one.Number, one.Version, one.Endpoint, one.State, one.Due)
	case one.State == outbox.Delivered && (one.Status == 0 || one.Fault != ""):
		acc.add("attempt %d at version %d to %q was acknowledged with %d %q", one.Number, one.Version, one.Endpoint, one.Status, one.Fault)
	case one.State == outbox.Waiting && one.Fault == "":
		acc.add("attempt %d at version %d to %q did not fail, and another is due", one.Number, one.Version, one.Endpoint)
	}
	s.last = one
}

// ended holds a delivery against the last attempt at it. One that is to be made
// again on request waits, and is due when that was.
func (acc *account) ended(id outbox.DeliveryID, s *sent) {
	if s.Attempts != s.last.Number {
		acc.add("a delivery of version %d to %q has had %d attempts, %d are there", id.Version, id.Endpoint, s.Attempts, s.last.Number)
	}
	if s.State != outbox.Waiting && s.State != s.last.State {
		acc.add("a delivery of version %d to %q is %s, its last attempt left it %s", id.Version, id.Endpoint, s.State, s.last.State)
	}
	if s.State == outbox.Waiting && s.last.State == outbox.Waiting && s.Due.After(s.last.Due) {
		acc.add("a delivery of version %d to %q is due later than its last attempt said", id.Version, id.Endpoint)
	}
}

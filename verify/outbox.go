package verify

import (
	"time"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// mail is what is known of notices and deliveries.
type mail struct {
	promised map[moment]*promise
	notices  map[outbox.NoticeID]*noticed
	sent     map[outbox.DeliveryID]*sent
	queue    outbox.DeliveryID // of the delivery before: payment, dialect and endpoint
	waits    bool              // an ordered delivery of that queue waits
}

// moment is a version of a payment.
type moment struct {
	payment payment.ID
	version int
}

// promise is what an event says of the deliveries that were written with it.
type promise struct {
	at   time.Time
	told int
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
func (m *mail) promise(id payment.ID, version int, e payment.Event) {
	if e.Told == 0 {
		return
	}
	if m.promised == nil {
		m.promised = map[moment]*promise{}
	}
	m.promised[moment{id, version}] = &promise{e.At, e.Told}
}

// outbox holds notices, deliveries and attempts against the history and
// against each other.
func (a *audit) outbox(view store.Audit) error {
	m := &a.mail
	m.notices, m.sent = map[outbox.NoticeID]*noticed{}, map[outbox.DeliveryID]*sent{}
	err := view.Notices(a.notice)
	if err == nil {
		err = view.Deliveries(a.delivery)
	}
	if err == nil {
		err = view.Attempts(a.attempt)
	}
	if err != nil {
		return err
	}
	for of, p := range m.promised {
		if p.told != 0 {
			a.report.add(of.payment, "event %d says of %d deliveries that are not there", of.version, p.told)
		}
	}
	for id, n := range m.notices {
		if n.left != 0 {
			a.report.add(id.Payment, "%d deliveries of notice %s of version %d are not there", n.left, n.Topic, id.Version)
		}
	}
	for id, s := range m.sent {
		a.ended(id, s)
	}
	return nil
}

// notice holds a notice against the event that it tells of.
func (a *audit) notice(n outbox.Notice, told int) error {
	a.report.Notices++
	a.mail.notices[n.NoticeID] = &noticed{n, told}
	acc, p := a.accounts[n.Payment], a.mail.promised[moment{n.Payment, n.Version}]
	switch {
	case acc == nil:
		a.report.add(n.Payment, "there is a notice of it, but it has no events")
	case n.Version < 1 || n.Version > acc.version:
		a.report.add(n.Payment, "notice %s tells of version %d of %d", n.Topic, n.Version, acc.version)
	case n.Tenant != acc.tenant || n.Merchant != acc.merchant:
		a.report.add(n.Payment, "notice %s is of merchant %d of tenant %d, not %d of %d", n.Topic, n.Merchant, n.Tenant, acc.merchant, acc.tenant)
	case p == nil || p.told < told:
		a.report.add(n.Payment, "event %d says of fewer deliveries than there are", n.Version)
	case !p.at.Equal(n.At):
		a.report.add(n.Payment, "notice %s is of another time than event %d", n.Topic, n.Version)
	}
	if p != nil {
		p.told -= told
	}
	if told < 1 {
		a.report.add(n.Payment, "notice %s of version %d goes to nobody", n.Topic, n.Version)
	}
	return nil
}

// delivery holds a delivery against its notice and those before it in its
// queue.
func (a *audit) delivery(d outbox.Delivery) error {
	a.report.Sent++
	m := &a.mail
	m.sent[d.DeliveryID] = &sent{Delivery: d}
	n := m.notices[d.NoticeID]
	if n == nil {
		a.report.add(d.Payment, "a delivery of version %d to %q belongs to no notice", d.Version, d.Endpoint)
		return nil
	}
	n.left--
	queue := outbox.DeliveryID{NoticeID: outbox.NoticeID{Payment: d.Payment, Dialect: d.Dialect}, Endpoint: d.Endpoint}
	if queue != m.queue {
		m.queue, m.waits = queue, false
	}
	waiting := d.State == outbox.Waiting
	switch {
	case n.Tenant != d.Tenant || n.Merchant != d.Merchant || n.Ordered != d.Ordered:
		a.report.add(d.Payment, "a delivery of version %d to %q is not of the merchant or the order of its notice", d.Version, d.Endpoint)
	case d.Lane != outbox.LaneOf(d.Merchant, d.Dialect, d.Endpoint):
		a.report.add(d.Payment, "a delivery of version %d to %q is in another endpoint's lane", d.Version, d.Endpoint)
	case d.State < outbox.Waiting || d.State > outbox.Stopped:
		a.report.add(d.Payment, "a delivery of version %d to %q is in state %d", d.Version, d.Endpoint, d.State)
	case !waiting && !d.Due.IsZero():
		a.report.add(d.Payment, "a delivery of version %d to %q is %s and due", d.Version, d.Endpoint, d.State)
	case waiting && d.Due.IsZero() && !(d.Ordered && m.waits):
		a.report.add(d.Payment, "a delivery of version %d to %q waits for nothing", d.Version, d.Endpoint)
	case waiting && !d.Due.IsZero() && d.Due.Before(n.At):
		a.report.add(d.Payment, "a delivery of version %d to %q is due before its event", d.Version, d.Endpoint)
	}
	m.waits = m.waits || waiting && d.Ordered
	return nil
}

// attempt holds an attempt against its delivery and the one before it.
func (a *audit) attempt(one outbox.Attempt) error {
	s := a.mail.sent[one.DeliveryID]
	switch {
	case s == nil:
		a.report.add(one.Payment, "an attempt at version %d to %q belongs to no delivery", one.Version, one.Endpoint)
		return nil
	case one.Number != s.last.Number+1:
		a.report.add(one.Payment, "attempt %d at version %d to %q follows attempt %d", one.Number, one.Version, one.Endpoint, s.last.Number)
	case one.Tenant != s.Tenant:
		a.report.add(one.Payment, "attempt %d at version %d to %q is of tenant %d", one.Number, one.Version, one.Endpoint, one.Tenant)
	case one.State < outbox.Waiting || one.State > outbox.Stopped || (one.State == outbox.Waiting) == one.Due.IsZero():
		a.report.add(one.Payment, "attempt %d at version %d to %q leaves a delivery that is %s and due at %s", one.Number, one.Version, one.Endpoint, one.State, one.Due)
	case one.State == outbox.Delivered && (one.Status == 0 || one.Fault != ""):
		a.report.add(one.Payment, "attempt %d at version %d to %q was acknowledged with %d %q", one.Number, one.Version, one.Endpoint, one.Status, one.Fault)
	case one.State == outbox.Waiting && one.Fault == "":
		a.report.add(one.Payment, "attempt %d at version %d to %q did not fail, and another is due", one.Number, one.Version, one.Endpoint)
	}
	s.last = one
	return nil
}

// ended holds a delivery against the last attempt at it. One that is to be made
// again on request waits, and is due when that was.
func (a *audit) ended(id outbox.DeliveryID, s *sent) {
	if s.Attempts != s.last.Number {
		a.report.add(id.Payment, "a delivery of version %d to %q has had %d attempts, %d are there", id.Version, id.Endpoint, s.Attempts, s.last.Number)
	}
	if s.State != outbox.Waiting && s.State != s.last.State {
		a.report.add(id.Payment, "a delivery of version %d to %q is %s, its last attempt left it %s", id.Version, id.Endpoint, s.State, s.last.State)
	}
	if s.State == outbox.Waiting && s.last.State == outbox.Waiting && s.Due.After(s.last.Due) {
		a.report.add(id.Payment, "a delivery of version %d to %q is due later than its last attempt said", id.Version, id.Endpoint)
	}
}

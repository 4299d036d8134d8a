package webhook

import (
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/internal/failpoint"
	"github.com/capstan-pay/capstan/outbox"
)

// How many attempts there may be at a time, besides what Config says of all and
// of an endpoint: what is slow at one place must not take the slots of others.
const (
	// merchantShare is what part of the slots one merchant may have, hostShare
	// what part his endpoints at one host, suspectShare what part those endpoints
	// together that have just failed.
	merchantShare, hostShare, suspectShare = 4, 8, 2

	// silentHost is for a host that did not answer in time.
	silentHost = 4
)

// lane is what is known of an endpoint.
type lane struct {
	inFlight int
	failing  bool // the last attempt has failed
	silences int  // attempts in a row that were not answered in time
}

// place is what is known of lanes that have something in common: a host, or a
// merchant.
type place struct {
	inFlight int
	silences int // attempts in a row, at any of its lanes, that were not answered in time
	host     bool
}

// errand is a delivery that was claimed.
type errand struct {
	outbox.Delivery
	claimed time.Duration // when, by the process's ticks
	suspect bool          // its endpoint had just failed
}

// claim claims as much as there is room for, and tells whether it was anything.
func (d *Deliverer) claim(after *outbox.Lane) (bool, error) {
	c := d.asks(*after)
	if c.Limit <= 0 {
		return false, nil
	}
	claimed := clock.Ticks()
	deliveries, err := d.Store.ClaimDeliveries(d.base, c)
	if len(deliveries) > 0 {
		failpoint.Reach("webhook.claimed")
	}
	if len(deliveries) == 0 {
		return false, err
	}
	var over []outbox.Delivery // beyond the room of a host or a merchant: they were not known to be one's
	last := deliveries[0].Lane
	for _, one := range deliveries {
		if passed(one.Lane, c.After) > passed(last, c.After) {
			last = one.Lane
		}
		if !d.set(one, claimed) {
			over = append(over, one)
		}
	}
	*after = last
	if len(over) > 0 {
		if released := d.Store.ReleaseDeliveries(d.base, over); err == nil {
			err = released
		}
	}
	return len(over) < len(deliveries), err
}

// passed is how far a lane is after another, where the first follows the last.
func passed(l, after outbox.Lane) uint64 { return uint64(l) - uint64(after) - 1 }

// asks is what is asked for.
func (d *Deliverer) asks(after outbox.Lane) outbox.Claim {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := outbox.Claim{
		Due: d.Clock.Now(), Now: clock.System{}.Now(), Lease: d.lease(), Limit: d.Slots - d.inFlight, PerLane: d.PerLane,
		Room: map[outbox.Lane]int{}, After: after,
	}
	if d.rushes > 0 {
		c.PerLane *= rushedLane
	}
	for id, l := range d.lanes {
		room := c.PerLane
		if l.failing && d.rushes == 0 {
			room = 1
			if d.suspects >= d.Slots/suspectShare {
				room = 0
			}
		}
		c.Room[id] = room - l.inFlight
	}
	for lanes, p := range d.places {
		if p.inFlight >= d.room(p) {
			c.Full = append(c.Full, lanes)
		}
	}
	return c
}

// room is how many attempts a host or a merchant may have at a time.
func (d *Deliverer) room(p *place) int {
	switch {
	case d.rushes > 0:
		return d.Slots
	case !p.host:
		return max(d.Slots/merchantShare, 1)
	case p.silences == 0:
		return max(d.Slots/hostShare, 1)
	case d.suspects >= d.Slots/suspectShare:
		return 0
	}
	return silentHost
}

// lease is how long a claim lasts: a run may have several attempts in it.
func (d *Deliverer) lease() time.Duration { return time.Duration(d.PerLane)*d.Timeout + leaseMargin }

// at returns what is known of the host and the merchant of a lane.
func (d *Deliverer) at(id outbox.Lane) (host, merchant *place) {
	find := func(lanes outbox.Lanes, host bool) *place {
		p := d.places[lanes]
		if p == nil {
			p = &place{host: host}
			d.places[lanes] = p
		}
		return p
	}
	return find(id.Host(), true), find(id.Merchant(), false)
}

// set sets off with a delivery, behind those of its run, unless there is no
// room for it.
func (d *Deliverer) set(one outbox.Delivery, claimed time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	host, merchant := d.at(one.Lane)
	if host.inFlight >= d.room(host) || merchant.inFlight >= d.room(merchant) {
		d.forget(one.Lane)
		return false
	}
	l := d.lanes[one.Lane]
	if l == nil {
		l = &lane{}
		d.lanes[one.Lane] = l
	}
	e := errand{one, claimed, l.failing || host.silences > 0}
	if e.suspect {
		d.suspects++
	}
	l.inFlight++
	host.inFlight++
	merchant.inFlight++
	d.inFlight++
	name := run{one.Lane, one.Payment}
	if q := d.runs[name]; q != nil {
		q.waiting = append(q.waiting, e)
		return true
	}
	q := &queue{waiting: []errand{e}}
	d.runs[name] = q
	d.work.Add(1)
	go d.follow(name, q)
	return true
}

// result is what an attempt says of its endpoint.
type result struct {
	none   bool // nothing: it was not made
	failed bool
	silent bool // no answer came in time
}

// done makes room for others.
func (d *Deliverer) done(e errand, r result) {
	d.mu.Lock()
	l := d.lanes[e.Lane]
	host, merchant := d.at(e.Lane)
	l.inFlight--
	host.inFlight--
	merchant.inFlight--
	d.inFlight--
	if e.suspect {
		d.suspects--
	}
	switch {
	case r.none:
	case r.silent:
		l.failing = r.failed
		l.silences++
		host.silences++
	default:
		l.failing = r.failed
		l.silences, host.silences = 0, 0
	}
	if l.inFlight == 0 && (!l.failing || len(d.lanes) > lanesKept) {
		delete(d.lanes, e.Lane)
	}
	d.forget(e.Lane)
	close(d.moved)
	d.moved = make(chan struct{})
	d.mu.Unlock()
	d.Wake()
}

// forget drops what need not be known of the host and the merchant of a lane.
func (d *Deliverer) forget(id outbox.Lane) {
	host, merchant := d.at(id)
	if host.inFlight == 0 && (host.silences == 0 || len(d.places) > lanesKept) {
		delete(d.places, id.Host())
	}
	if merchant.inFlight == 0 {
		delete(d.places, id.Merchant())
	}
}

// patience is how long an endpoint may take.
func (d *Deliverer) patience(id outbox.Lane) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rushes == 0 {
		return d.Timeout
	}
	host, _ := d.at(id)
	return min(d.Timeout, max(rushed>>min(max(d.lanes[id].silences, host.silences), 30), leastRushed))
}

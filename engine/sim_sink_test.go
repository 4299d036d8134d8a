package engine

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/webhook"
)

// simSink is a merchant who is told of things, by the real deliverer. What
// is sent to him and what he answers may be lost, late or doubled, and he may be
// out of order.
type simSink struct {
	w      *world
	heard  map[payment.ID]map[int]int // how often, by the payment's version
	strays map[string]*simLetter      // on their way, and nobody waits for them any more
}

// simLetter is a message on its way.
type simLetter struct {
	payment payment.ID
	version int
	ordered bool
}

func (l *simLetter) String() string {
	return fmt.Sprintf("version %d of payment %s", l.version, l.payment)
}

func newSimSink(w *world) *simSink {
	return &simSink{w: w, heard: map[payment.ID]map[int]int{}, strays: map[string]*simLetter{}}
}

// tells tells whether the merchant wants to hear of a payment. To hear of all
// would leave little time for anything else.
func (s *simSink) tells(id payment.ID) bool { return s.w.chance("tells"+id.String()) < 40 }

// ordered tells whether what happens to a payment is to be told in order.
func (s *simSink) ordered(id payment.ID) bool { return s.w.chance("ordered"+id.String()) < 50 }

// Notices implements outbox.Subscriber: of some payments everything is told.
func (s *simSink) Notices(o outbox.Occasion) (all []outbox.Notice) {
	if !s.tells(o.After.ID) {
		return nil
	}
	for i, e := range o.Events {
		all = append(all, outbox.Notice{
			NoticeID: outbox.NoticeID{Version: o.Version(i), Dialect: "sim"}, Topic: e.Kind.String(), Ordered: s.ordered(o.After.ID), Deliveries: outbox.Deliver("http://merchant.sim/"),
		})
	}
	return all
}

// deliverer starts one for an engine.
func (s *simSink) deliverer(i *instance) *webhook.Deliverer {
	return webhook.New(webhook.Config{
		Store: simPost{counting{s.w.store, s.w}, i}, Clock: s.w.clock, Merchants: merchant.NewDirectory(s.w.store, clock.System{}.Now), Keys: keyring.Fixed("sim"),
		Notifier: func(string) dialect.Notifier { return s }, Random: func(int) int { return 0 }, Transport: simRoad{s, i},
	})
}

// simPost is the store, as a deliverer sees it: what it writes there may fail,
// or its answer may be lost.
type simPost struct {
	counting
	i *instance
}

// ClaimDeliveries does not wait: how often a deliverer looks decides nothing.
// Of two only the elder gets any, or it would be chance who does.
func (p simPost) ClaimDeliveries(ctx context.Context, c outbox.Claim) ([]outbox.Delivery, error) {
	p.w.mu.Lock()
	fails, live := p.w.lookFails || p.i.dead, p.w.live()
	p.w.mu.Unlock()
	switch {
	case fails:
		return nil, context.DeadlineExceeded
	case live[0] != p.i:
		return nil, nil
	}
	return p.Store.ClaimDeliveries(ctx, c)
}

func (p simPost) Attempted(ctx context.Context, attempts []outbox.Attempt) error {
	got, _ := p.i.wait(&gate{name: "record attempts", commit: true}, nil)
	if got.fault.Err != nil && got.fault.Fate != faulty.Written {
		return got.fault.Err
	}
	err := p.Store.Attempted(ctx, attempts)
	if got.fault.Err != nil {
		err = got.fault.Err
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.written++
	p.i.reporting = err != nil // it is tried again
	return err
}

func (p simPost) ReleaseDeliveries(ctx context.Context, all []outbox.Delivery) error {
	select {
	case <-p.i.gone: // what the dead had claimed is left to its lease
		return store.ErrBroken
	default:
		return p.Store.ReleaseDeliveries(ctx, all)
	}
}

// simRoad is how one deliverer reaches the merchant.
type simRoad struct {
	sink *simSink
	i    *instance
}

// RoundTrip implements http.RoundTripper.
func (r simRoad) RoundTrip(request *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	l := &simLetter{}
	if _, err := fmt.Sscanf(string(text), "%d %d %t", &l.payment, &l.version, &l.ordered); err != nil {
		return nil, err
	}
	p, waited := r.i.wait(&gate{name: "tell " + l.String(), letter: l}, request.Context().Done())
	if !waited { // it may be on its way still; of several that give up one goes on at a time
		r.sink.w.mu.Lock()
		r.sink.strays[l.String()] = l
		r.sink.w.mu.Unlock()
		r.i.wait(&gate{name: "give up " + l.String(), letter: &simLetter{}}, r.i.gone)
		return nil, request.Context().Err()
	}
	if p.err != nil {
		return nil, p.err
	}
	status := http.StatusOK
	if p.refused {
		status = http.StatusInternalServerError
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// carry decides what becomes of a message and of its answer.
func (s *simSink) carry(l *simLetter) (p passage) {
	if l.payment == 0 {
		return p
	}
	w := s.w
	n := w.lot()
	w.seen.told++
	switch {
	case n < 50:
		w.say("the merchant is told of %s", l)
		s.arrive(l)
	case n < 55:
		w.say("the merchant is told twice of %s", l)
		s.arrive(l)
		s.arrive(l)
	case n < 70:
		w.say("the merchant is out of order when he is told of %s", l)
		p.refused = true
	case n < 80:
		w.say("the merchant is told of %s, his answer is lost", l)
		s.arrive(l)
		p.err = errSilence
	case n < 90:
		w.say("what tells of %s is lost", l)
		p.err = errSilence
	default:
		w.say("what tells of %s is late", l)
		w.mu.Lock()
		s.strays[l.String()] = l
		w.mu.Unlock()
		p.err = errSilence
	}
	return p
}

// arrive is a message that the merchant has heard. What it tells is written,
// and where there is an order nothing before it is untold.
func (s *simSink) arrive(l *simLetter) {
	p, err := s.w.store.Payment(context.Background(), 1, l.payment, 0)
	if err != nil || p == nil || p.Version < l.version {
		s.w.fail("the merchant is told of %s, which is not written: %v", l, err)
	}
	heard := s.heard[l.payment]
	if heard == nil {
		heard = map[int]int{}
		s.heard[l.payment] = heard
	}
	if heard[l.version]++; heard[l.version] > 1 {
		s.w.seen.retold++
	}
	for before := 1; l.ordered && before < l.version; before++ {
		if heard[before] == 0 {
			s.w.fail("the merchant is told of %s before version %d", l, before)
		}
	}
}

// late lets one message arrive that is late, or loses it.
func (s *simSink) late() {
	l := takeStray(s.w, s.strays)
	if l == nil {
		return
	}
	if s.w.random.IntN(3) > 0 {
		s.w.say("the merchant is told late of %s", l)
		s.arrive(l)
	}
}

// told looks whether the merchant has heard of everything that he wants to.
func (s *simSink) told(all []*payment.Payment) {
	for _, p := range all {
		for version := 1; version <= p.Version; version++ {
			if s.tells(p.ID) && s.heard[p.ID][version] == 0 {
				s.w.fail("the merchant was never told of version %d of payment %s", version, p.ID)
			}
		}
	}
}

// Subscriber implements dialect.Notifier.
func (s *simSink) Subscriber(context.Context, *merchant.Merchant) (outbox.Subscriber, error) {
	return s, nil
}

// Message implements dialect.Notifier.
func (s *simSink) Message(_ context.Context, d dialect.Dispatch) (dialect.Message, error) {
	return dialect.Message{
		URL: d.Endpoint, Header: http.Header{}, Body: fmt.Appendf(nil, "%d %d %t", d.Payment.ID, d.Notice.Version, d.Notice.Ordered),
	}, nil
}

// Acknowledges implements dialect.Notifier.
func (s *simSink) Acknowledges(r dialect.Response) bool { return r.Status == http.StatusOK }

// Schedule implements dialect.Notifier. It is never used up.
func (s *simSink) Schedule(*merchant.Merchant) outbox.Schedule {
	return outbox.Waits(slices.Repeat([]time.Duration{10 * time.Second, time.Minute, 10 * time.Minute}, 100)...)
}

// GaveUp implements dialect.Notifier.
func (s *simSink) GaveUp(_ context.Context, _ *merchant.Merchant, d outbox.Delivery) error {
	s.w.fail("what was to tell of version %d of payment %s is given up", d.Version, d.Payment)
	return nil
}

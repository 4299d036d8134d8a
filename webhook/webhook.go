// Package webhook brings deliveries from the outbox to their endpoints: each at
// its time, none waiting for an endpoint that is not its own, and again until
// it is acknowledged or its schedule is used up. An endpoint may get a message
// more than once; after a crash at most the attempts that were under way are
// repeated.
//
// What is sent is the dialect's business. Where it may be sent is the guard's.
package webhook

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// Store is what a deliverer needs of a store.
type Store interface {
	store.Outbox
	Payment(ctx context.Context, tenant int64, id payment.ID, version int) (*payment.Payment, error)
}

// Config is what a deliverer is made of.
type Config struct {
	Store     Store
	Clock     clock.Clock // of the business: schedules and signatures go by it
	Merchants *merchant.Directory
	Keys      *keyring.Keyring
	Signing   *SigningKeys // nil signs nothing beside what dialects do
	Guard     *Guard
	Logger    *slog.Logger

	// Notifier returns a dialect that notifies, nil if there is none of that
	// name.
	Notifier func(dialect string) dialect.Notifier

	Observer Observer // nil if nobody watches

	// Transport carries requests; nil is the network, as far as the guard lets
	// them. Any other is for simulations.
	Transport http.RoundTripper

	// KeepBodies keeps what was sent with each attempt, not only its headers.
	KeepBodies bool

	Timeout time.Duration   // of an attempt, from the look-up of the name to the end of the answer; 0 is 10 s
	Slots   int             // attempts at a time; 0 is 512
	PerLane int             // of these to one endpoint; 0 is 8. To one that has just failed it is one
	Random  func(n int) int // for schedules, in [0, n); nil is the machine's
}

const (
	// idle is the longest sleep: another instance may have left something.
	idle = 5 * time.Second

	// leaseMargin is by how much a claim outlives the attempts it is for.
	leaseMargin = 20 * time.Second

	// fresh is for how long after it was claimed a delivery is certainly nobody
	// else's: less than the lease of an instance. What has waited longer, for the
	// one before it or because the process stood still, is claimed again.
	fresh = 8 * time.Second

	// rushedLane is how many times as many attempts a lane may have while
	// somebody moves the clock: they do not take as long then.
	rushedLane = 4

	// lanesKept bounds how many endpoints are known to have failed.
	lanesKept = 100_000
)

// Observer is told of attempts, for metrics and traces. Many call it at a time.
type Observer interface {
	// Attempting is called before an attempt at a delivery, and what it returns
	// when the attempt was made: with what became of the delivery, and with
	// what the attempt failed. The attempt is made with the context.
	Attempting(context.Context, outbox.Delivery) (_ context.Context, made func(outbox.State, time.Duration, error))
}

// Deliverer makes deliveries. It is safe for concurrent use.
type Deliverer struct {
	Config
	client *http.Client
	poke   chan struct{}
	base   context.Context // ends when attempts are to be broken off
	stop   context.CancelFunc
	quit   chan struct{} // closed when nothing more is to be begun
	ended  chan struct{} // closed when the loop has ended
	record chan report

	mu       sync.Mutex
	lanes    map[outbox.Lane]*lane
	runs     map[run]*queue
	attempts map[underWay]bool // those being made: whether the delivery is to be made again afterwards
	places   map[outbox.Lanes]*place
	inFlight int
	suspects int           // of these, at endpoints that had just failed
	rushes   int           // how many wait for all that is due
	fault    error         // that the loop has met last
	moved    chan struct{} // closed and made anew when something was recorded
	work     sync.WaitGroup
	closing  sync.Once
}

// run names deliveries that are made one after the other, for the endpoint's
// convenience: those to one endpoint that tell of one payment.
type run struct {
	lane    outbox.Lane
	payment payment.ID
}

// underWay names an attempt that is being made.
type underWay struct {
	tenant int64
	id     outbox.DeliveryID
}

// queue is what is left of a run.
type queue struct{ waiting []errand }

// New starts a deliverer. It resumes what an earlier one left.
func New(c Config) *Deliverer {
	c.Timeout, c.Slots, c.PerLane = cmp.Or(c.Timeout, 10*time.Second), cmp.Or(c.Slots, 512), cmp.Or(c.PerLane, 8)
	if c.Random == nil {
		c.Random = rand.IntN
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Deliverer{
		Config: c, poke: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}), record: make(chan report),
		lanes: map[outbox.Lane]*lane{}, places: map[outbox.Lanes]*place{}, runs: map[run]*queue{}, attempts: map[underWay]bool{}, moved: make(chan struct{}),
	}
	d.client = newClient(c.Guard)
	if c.Transport != nil {
		d.client.Transport = c.Transport
	}
	d.base, d.stop = context.WithCancel(context.Background())
	go d.recordLoop()
	go d.loop()
	return d
}

// Wake makes the deliverer look for what is due. It does not block.
func (d *Deliverer) Wake() {
	select {
	case d.poke <- struct{}{}:
	default:
	}
}

// loop claims what is due and sets off with it.
func (d *Deliverer) loop() {
	defer close(d.ended)
	var after outbox.Lane
	for {
		wait := idle
		claimed, err := d.claim(&after)
		if err == nil && !claimed {
			wait, err = d.untilNext()
		} else if err == nil {
			wait = 0 // there may be more
		}
		d.met(err)
		sleep := time.NewTimer(wait)
		select {
		case <-sleep.C:
		case <-d.poke:
		case <-d.quit:
			sleep.Stop()
			return
		}
		sleep.Stop()
	}
}

// met keeps an error of the store for those who wait.
func (d *Deliverer) met(err error) {
	d.mu.Lock()
	first := err != nil && d.fault == nil
	d.fault = err
	d.mu.Unlock()
	if first {
		d.Logger.Error("deliveries cannot be read", "error", err)
	}
}

// untilNext is how long nothing falls due. What is due already waits for its
// lane or for another instance: whoever is done wakes the loop.
func (d *Deliverer) untilNext() (time.Duration, error) {
	next, err := d.Store.NextDelivery(d.base)
	if err != nil || next.IsZero() {
		return idle, err
	}
	if ahead := next.Sub(d.Clock.Now()); ahead > 0 {
		return min(ahead, idle), nil
	}
	return time.Second, nil
}

// follow makes the deliveries of a run.
func (d *Deliverer) follow(name run, q *queue) {
	defer d.work.Done()
	for {
		d.mu.Lock()
		if len(q.waiting) == 0 {
			delete(d.runs, name)
			d.mu.Unlock()
			return
		}
		e := q.waiting[0]
		one := e.Delivery
		q.waiting = q.waiting[1:]
		attempt := underWay{one.Tenant, one.DeliveryID}
		d.attempts[attempt] = false
		d.mu.Unlock()
		result := d.deliver(e)
		d.mu.Lock()
		again := d.attempts[attempt]
		delete(d.attempts, attempt)
		d.mu.Unlock()
		if again {
			d.afresh(one)
		}
		d.done(e, result)
	}
}

// afresh makes a delivery due that somebody asked for again while an attempt at
// it was under way: what was recorded of that attempt has ended it, or put it
// off.
func (d *Deliverer) afresh(one outbox.Delivery) {
	if _, err := d.Store.Redeliver(d.base, one.Tenant, one.DeliveryID, d.Clock.Now()); err != nil && d.base.Err() == nil {
		d.Logger.Error("a delivery could not be made again", "dialect", one.Dialect, "payment", one.Payment, "error", err)
	}
}

// Redeliver has a delivery made again at once, whatever became of it, and tells
// whether it is there. Should that fail it goes on by the schedule, if that is
// not used up. An attempt that is under way does not do: there is another after
// it.
func (d *Deliverer) Redeliver(ctx context.Context, tenant int64, id outbox.DeliveryID) (bool, error) {
	d.mu.Lock()
	name := underWay{tenant, id}
	if _, busy := d.attempts[name]; busy {
		d.attempts[name] = true
	}
	d.mu.Unlock()
	there, err := d.Store.Redeliver(ctx, tenant, id, d.Clock.Now())
	if there {
		d.Wake()
	}
	return there, err
}

// ID is how whoever gets a notice may know it, the same at every attempt.
func (d *Deliverer) ID(n outbox.NoticeID) string { return MessageID(d.Keys, n) }

// NextDue returns when the next attempt falls due; zero is never.
func (d *Deliverer) NextDue(ctx context.Context) (time.Time, error) { return d.Store.NextDelivery(ctx) }

// DoDue makes all attempts that are due, and returns when they are recorded.
// Meanwhile no lane is bounded, and an endpoint that hangs is not waited for as
// long as usual: whoever moves the clock is waiting.
func (d *Deliverer) DoDue(ctx context.Context) error {
	d.mu.Lock()
	d.rushes++
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.rushes--
		d.mu.Unlock()
	}()
	for {
		d.mu.Lock()
		moved, busy, fault := d.moved, d.inFlight, d.fault
		d.mu.Unlock()
		next, err := d.Store.NextDelivery(ctx)
		switch {
		case err != nil:
			return err
		case next.IsZero(), next.After(d.Clock.Now()):
			if busy == 0 {
				return nil
			}
		case fault != nil:
			return fault
		default:
			d.Wake()
		}
		again := time.NewTimer(50 * time.Millisecond)
		select {
		case <-moved:
		case <-again.C:
		case <-d.quit:
			return context.Canceled
		case <-ctx.Done():
			return ctx.Err()
		}
		again.Stop()
	}
}

// Close begins nothing more, waits for what is under way until ctx ends, and
// then breaks it off: the next start makes those attempts again.
func (d *Deliverer) Close(ctx context.Context) {
	d.closing.Do(func() { close(d.quit) })
	<-d.ended
	done := make(chan struct{})
	go func() { d.work.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	d.stop()
	<-done
}

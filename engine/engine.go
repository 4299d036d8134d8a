// Package engine is the only writer. Commands from all connections queue; a
// committer takes whatever is waiting as one batch, decides it in order and
// commits once. Only then does anybody get an answer.
//
// There is no clock below it but the one it is given, and no remote call
// inside a transaction: an operation of a remote processor is committed as
// pending first, and its outcome comes back as another command.
package engine

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/risk"
	"github.com/capstan-pay/capstan/store"
)

// Config is what an engine is made of.
type Config struct {
	Store  store.Store
	Clock  clock.Clock
	IDs    *payment.IDs
	Logger *slog.Logger

	// Processor returns who moves the money for a method of a merchant, nil
	// if nobody does.
	Processor func(merchant int64, m payment.Method) processor.Processor

	// Checks returns the risk checks of a merchant, nil if none are
	// configured, unless always asks for such as check nothing. It is called for every command that asks a processor for
	// something, by many at a time: it has to be quick. A nil func is no
	// checks at all.
	Checks func(ctx context.Context, merchant int64, always bool) (*risk.Checks, error)

	// Subscriber returns who says what is to be told of a merchant's payments,
	// nil if nobody does. It is called for every command, by many at a time, and
	// has to be as quick as Checks. A nil func is nobody.
	Subscriber func(ctx context.Context, merchant int64) (outbox.Subscriber, error)

	// Noticed is called after a commit with deliveries in it. It must not
	// block. Nil is nobody.
	Noticed func()

	Observer Observer // nil if nobody watches
	Tracer   Tracer   // nil if nobody traces

	// Held tells whether a payment may not be moved on before it is reconciled
	// with its processor: whatever would take from its hold, end it or give money
	// back is refused with Busy and OperationPending, and timers wait. It is called for
	// every such command and must be quick. A nil func is never.
	Held func(payment.ID) bool

	// Fatal is called once when the storage failed under a commit. The engine
	// answers nothing any more; the process has to end.
	Fatal func(error)

	// Step is told how far ahead Advance is about to put the clock, each time
	// before it does. A nil func is nobody.
	Step func(ctx context.Context, ahead time.Duration) error

	QueueLength int // commands that may wait; 0 is 4096
	BatchLimit  int // commands in one commit; 0 is 256

	gathering func() // called before a batch takes what waits: a simulation holds it up there
}

// What Do returns besides refusals.
var (
	// ErrUnavailable: the store cannot write at the moment, nothing was done.
	ErrUnavailable = errors.New("engine: store unavailable")
	// ErrUnknown: it is not known whether the command was carried out. The
	// same request under the same key finds out.
	ErrUnknown = errors.New("engine: outcome unknown")
	// ErrClosed: the engine takes no more commands.
	ErrClosed = errors.New("engine: closed")
)

// Engine carries out commands, each once. It is safe for concurrent use.
type Engine struct {
	Config
	queue   chan *item
	stopped chan struct{} // closed when the committer has ended
	failed  chan struct{} // closed when the storage failed
	hurried chan struct{} // closed when nobody may wait for a processor any more
	poke    chan struct{} // wakes the timer loop
	waking  atomic.Int64  // when the timer loop looks again by itself, Unix milliseconds

	awaiting atomic.Int64 // callers that wait for a processor

	shared bool // with other instances

	base context.Context // ends when the engine closes
	stop context.CancelFunc

	mu       sync.Mutex
	inFlight map[payment.Key]struct{}
	closed   bool
	waiting  map[operation][]chan payment.Outcome // callers that wait for a processor
	calling  map[operation]struct{}               // operations whose processor is being called
	silent   map[operation]struct{}               // pending operations whose last call ended without an answer

	work    sync.WaitGroup // commands, calls and the timer loop
	closing sync.Once
	hurry   sync.Once

	advancing chan struct{} // holds a token while timers are fired

	settling chan struct{} // holds a token while a batch is on its way, and while records are swept

	commitTook time.Duration // by the batch that is being processed; the committer's own
}

// operation names an operation within the engine.
type operation struct {
	payment payment.ID
	number  int
}

// New starts an engine. It resumes what an earlier one left: timers that fell
// due and operations whose processor has not answered.
func New(c Config) *Engine {
	if c.QueueLength == 0 {
		c.QueueLength = 4096
	}
	if c.BatchLimit == 0 {
		c.BatchLimit = 256
	}
	if c.Fatal == nil {
		c.Fatal = func(error) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Engine{
		Config: c, queue: make(chan *item, c.QueueLength), stopped: make(chan struct{}),
		failed: make(chan struct{}), hurried: make(chan struct{}), poke: make(chan struct{}, 1), inFlight: map[payment.Key]struct{}{},
		waiting: map[operation][]chan payment.Outcome{}, calling: map[operation]struct{}{}, silent: map[operation]struct{}{},
		advancing: make(chan struct{}, 1), settling: make(chan struct{}, 1),
	}
	_, e.shared = c.Store.(store.Shared)
	e.base, e.stop = context.WithCancel(context.Background())
	go e.commitLoop()
	e.work.Add(2)
	go e.timerLoop()
	go e.sweepLoop()
	return e
}

// item is a command in the queue.
type item struct {
	payment.Request
	secret   payment.Secret  // of an authorization, for the first call of its processor
	timers   []payment.Timer // done with, when the command is
	resolves payment.Key     // of the record that the command's outcome completes
	nameless bool            // the request brought no key
	err      error
	checks   *risk.Checks // that the command is held against
	told     outbox.Subscriber
	since    time.Time // the earliest moment at which it was decided
	done     chan struct{}
	trace    context.Context // of the command's span; nil if there is none

	decided
}

// decided is what came of an item when it was decided last. It counts once the
// batch is committed.
type decided struct {
	outcome payment.Outcome
	record  *store.Record // outcome is a repeat of this one
	left    store.Record  // kept under the item's key, or the one that it resolves; zero is none
	calls   []call        // to processors
	due     time.Time     // of the earliest timer it sets; zero is none
	notices int           // that tell of it
}

// fail ends an item of which nothing was written, or nobody knows.
func (it *item) fail(err error) { it.err, it.decided = err, decided{} }

// Do carries out a request once and returns what became of it, which is
// durable then. A request under a key that is being worked on is refused with
// InProcess at once; one under a key that was used gets the first outcome, or
// KeyReused when the fingerprint differs. With a full queue it is refused with
// Busy.
//
// When ctx ends the command is carried out all the same. Errors wrap
// ErrUnavailable, ErrUnknown, ErrClosed or ctx.Err(), or are faults of ours.
func (e *Engine) Do(ctx context.Context, r payment.Request) (payment.Outcome, error) {
	if e.Tracer == nil {
		return e.do(ctx, &item{Request: r, done: make(chan struct{})})
	}
	ctx, end := e.traced(ctx, "engine.", payment.CommandName(r.Command))
	out, err := e.do(ctx, &item{Request: r, done: make(chan struct{}), trace: ctx})
	end(err)
	return out, err
}

func (e *Engine) do(ctx context.Context, it *item) (payment.Outcome, error) {
	r := &it.Request
	if it.Key == (payment.Key{}) {
		it.Key, it.Retain, it.nameless = e.newKey(), keylessKept, true
	}
	switch c := r.Command.(type) {
	case payment.Create:
		if c.Attempt != nil {
			it.secret = c.Attempt.Secret
		}
	case payment.Authorize:
		it.secret = c.Secret
	}
	checks, err := e.checks(ctx, r)
	if err != nil {
		return payment.Outcome{}, err
	}
	it.checks = checks
	if it.told, err = e.subscriber(ctx, r.Merchant); err != nil {
		return payment.Outcome{}, err
	}
	if refusal, err := e.enter(it); err != nil || refusal != nil {
		e.turnedAway(it, refusal, err)
		return payment.Outcome{Refusal: refusal, At: e.Clock.Now()}, err
	}
	select {
	case <-it.done:
	case <-ctx.Done():
		return payment.Outcome{}, ctx.Err()
	case <-e.failed:
		return payment.Outcome{}, ErrUnknown
	}
	if it.err != nil {
		return payment.Outcome{}, it.err
	}
	if it.record != nil {
		return e.repeat(ctx, it)
	}
	if it.outcome.Pending && r.Patience > 0 {
		return e.await(ctx, it)
	}
	return it.outcome, nil
}

// enter puts an item in the queue, or refuses it. An item in the queue belongs
// to the committer until it is done.
func (e *Engine) enter(it *item) (*payment.Refusal, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	if _, busy := e.inFlight[it.Key]; busy {
		return payment.Refuse(payment.InProcess), nil
	}
	select {
	case e.queue <- it:
		e.inFlight[it.Key] = struct{}{}
		e.work.Add(1)
		return nil, nil
	default:
		return payment.Refuse(payment.Busy), nil
	}
}

// leave answers items: from here on their keys may be asked about again.
func (e *Engine) leave(items []*item) {
	e.mu.Lock()
	for _, it := range items {
		delete(e.inFlight, it.Key)
	}
	e.mu.Unlock()
	for _, it := range items {
		close(it.done)
		e.work.Done()
	}
}

// repeat builds the outcome of a request that was decided earlier.
func (e *Engine) repeat(ctx context.Context, it *item) (payment.Outcome, error) {
	r := it.record
	out := payment.Outcome{
		Operation: r.Operation, Refusal: r.Refusal, At: r.At, Pending: r.Pending, Replayed: true, Context: r.Context,
	}
	if it.outcome.Refusal != nil { // the key was used for something else
		out.Refusal = it.outcome.Refusal
	}
	if r.Payment == 0 {
		return out, nil
	}
	version := r.Version
	if r.Pending {
		version = 0
	}
	p, err := e.Store.Payment(ctx, r.Tenant, r.Payment, version)
	if err != nil {
		return payment.Outcome{}, err
	}
	out.Payment = p
	return out, nil
}

// await waits for the processor's answer: up to the caller's patience, or until
// the call has ended without one.
func (e *Engine) await(ctx context.Context, it *item) (payment.Outcome, error) {
	op := operation{it.outcome.Payment.ID, it.outcome.Operation}
	answered := make(chan payment.Outcome, 1)
	e.mu.Lock()
	e.waiting[op] = append(e.waiting[op], answered)
	_, silent := e.silent[op]
	e.mu.Unlock()
	defer e.forget(op, answered)

	// The answer may have come between the commit and the registration.
	if out, ok := e.resolved(ctx, it); ok {
		return out, nil
	}
	unanswered := it.outcome
	unanswered.Silent = true
	if silent {
		return unanswered, nil
	}
	e.awaiting.Add(1)
	defer e.awaiting.Add(-1)
	patience := time.NewTimer(it.Patience)
	defer patience.Stop()
	select {
	case out := <-answered:
		if out.Pending { // the call has ended, nobody knows
			return unanswered, nil
		}
		out.At, out.Context = it.outcome.At, it.Context // as a repeat will have it
		return out, nil
	case <-patience.C:
	case <-e.hurried:
	case <-e.failed:
	case <-ctx.Done():
	}
	return it.outcome, nil
}

// resolved returns the outcome of an item that was committed as pending, and
// whether it is final by now.
func (e *Engine) resolved(ctx context.Context, it *item) (payment.Outcome, bool) {
	record, ok, err := e.Store.Record(ctx, it.Tenant, it.Key)
	if err != nil || !ok || record.Pending {
		return payment.Outcome{}, false
	}
	out, err := e.repeat(ctx, &item{decided: decided{record: &record}})
	out.Replayed = false
	return out, err == nil
}

func (e *Engine) forget(op operation, answered chan payment.Outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	left := e.waiting[op][:0]
	for _, ch := range e.waiting[op] {
		if ch != answered {
			left = append(left, ch)
		}
	}
	if len(left) == 0 {
		delete(e.waiting, op)
	} else {
		e.waiting[op] = left
	}
}

// Payment returns a merchant's payment as it is now, nil if he has none with
// that ID. A hold that is over is closed before it is shown.
func (e *Engine) Payment(ctx context.Context, tenant, merchant int64, id payment.ID) (*payment.Payment, error) {
	p, err := e.Store.Payment(ctx, tenant, id, 0)
	if err != nil || p == nil || p.Merchant != merchant {
		return nil, err
	}
	if !p.Over(e.Clock.Now()) {
		return p, nil
	}
	out, err := e.Do(ctx, payment.Request{Tenant: tenant, Merchant: merchant, Payment: id, Command: payment.Expire{}})
	if err == nil && out.Refusal.Has(payment.Busy) {
		err = fmt.Errorf("%w: the queue is full", ErrUnavailable)
	}
	return out.Payment, err
}

// Recorded returns the outcome that is kept under a key, and whether there is
// one. The payment in it is as it was right after the request, or as it is now
// while the request is pending.
func (e *Engine) Recorded(ctx context.Context, tenant int64, key payment.Key) (payment.Outcome, bool, error) {
	r, ok, err := e.Store.Record(ctx, tenant, key)
	if err != nil || !ok || r.Free(e.Clock.Now()) {
		return payment.Outcome{}, false, err
	}
	out, err := e.repeat(ctx, &item{decided: decided{record: &r}})
	return out, err == nil, err
}

// newKey makes a key for a request that brought none. It grows with time, so
// that the index on keys is appended to.
func (e *Engine) newKey() payment.Key {
	var k payment.Key
	rand.Read(k[:])
	binary.BigEndian.PutUint64(k[:8], uint64(e.Clock.Now().UnixMicro()))
	return k
}

// Hurry ends all waiting for processors: from here on a command whose processor
// has not answered is answered at once, as pending. A server that is told to
// stop begins with it.
func (e *Engine) Hurry() { e.hurry.Do(func() { close(e.hurried) }) }

// Close takes no more commands, waits until all that were taken are answered,
// and stops. Calls to processors that are under way are left to the next start
// when ctx ends first.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.Hurry()
	e.stop()
	e.closing.Do(func() {
		go func() {
			e.work.Wait()
			close(e.queue)
		}()
	})
	select {
	case <-e.stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/processor/book"
	"github.com/capstan-pay/capstan/risk"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/wallet"
	"github.com/capstan-pay/capstan/webhook"
)

// world is a simulation. Whatever may take time waits at a gate, and one gate
// is opened at a time, when nothing else moves: so one random number after the
// other decides everything, and the order in which goroutines run decides
// nothing.
type world struct {
	seed   uint64
	random *rand.Rand
	step   int
	err    error // the first thing that must not be
	ended  int   // how far the tale had come then
	trace  []string
	seen   sightings

	clock   *simClock
	store   *memory.Store
	engines []*instance // all there ever were
	bank    *simBank
	sink    *simSink
	users   []int64
	clients []*simClient
	asked   []*simRequest // all there ever were
	closing sync.WaitGroup

	checked int // commits, when it was checked last

	mu        sync.Mutex
	gates     map[string]*gate
	calmed    bool
	lookFails bool
	written   int                    // commits
	agenda    map[payment.Timer]bool // timers that are set
}

// gate is where a goroutine waits until the simulation lets it go on.
type gate struct {
	name   string
	of     *instance
	call   *simCall   // of a processor
	letter *simLetter // to the merchant
	commit bool
	open   chan passage
}

// outside tells whether it is not the store that is waited for.
func (g *gate) outside() bool { return g.call != nil || g.letter != nil }

// passage is what whoever waited at a gate meets behind it.
type passage struct {
	fault   faulty.Fault
	answer  payment.Answer
	err     error
	refused bool // by the merchant
}

// simClock is the machine's clock, some years later; it can be set.
type simClock struct {
	mu     sync.Mutex
	offset time.Duration
	latest time.Time // it has shown
}

func (c *simClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := clock.System{}.Now().Add(c.offset)
	if now.After(c.latest) {
		c.latest = now
	}
	return now
}

func (c *simClock) jump(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += by
}

// instance is an engine, from its start until it dies.
type instance struct {
	w    *world
	n    int
	e    *Engine
	post *webhook.Deliverer
	gone chan struct{} // closed when it dies
	dead bool

	reporting bool // what became of a message is being recorded: of two at once it would be chance which comes first
}

func newWorld(seed uint64) *world {
	w := &world{
		seed: seed, random: rand.New(rand.NewPCG(seed, 0)), clock: &simClock{offset: 26 * 365 * 24 * time.Hour},
		store: memory.Open(), gates: map[string]*gate{}, agenda: map[payment.Timer]bool{},
	}
	if err := w.store.CreateMerchant(context.Background(), &merchant.Merchant{Name: "sim"}, nil); err != nil {
		w.fail("%v", err)
	}
	w.sink = newSimSink(w)
	w.bank = &simBank{w: w, known: map[string]*simOperation{}, strays: map[string]*simCall{}}
	for range 2 {
		u := wallet.User{Tenant: 1}
		if err := w.store.CreateUser(context.Background(), 1, &u, []wallet.Balance{{Currency: "USD", Available: 1500}}, w.clock.Now()); err != nil {
			w.fail("%v", err)
		}
		w.users = append(w.users, u.ID)
	}
	for n := range 4 {
		w.clients = append(w.clients, &simClient{n: n, answer: make(chan simAnswer, 1)})
	}
	w.start()
	return w
}

func (w *world) say(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%4d  ", w.step)+fmt.Sprintf(format, args...))
}

// fail notes what must not be; the first counts. The world's mutex is not held.
func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err, w.ended = fmt.Errorf(format, args...), len(w.trace)
	}
}

// tale is what happened last.
func (w *world) tale() string {
	return strings.Join(w.trace[max(0, w.ended-80):min(w.ended+1, len(w.trace))], "\n")
}

func (w *world) live() []*instance {
	return slices.DeleteFunc(slices.Clone(w.engines), func(i *instance) bool { return i.dead })
}

// start starts an engine, unless there are as many as this world has.
func (w *world) start() {
	if len(w.live()) > int(w.seed%4)/3 {
		return
	}
	i := &instance{w: w, n: len(w.engines), gone: make(chan struct{})}
	w.mu.Lock()
	w.engines = append(w.engines, i)
	w.mu.Unlock()
	w.say("engine %d starts", i.n)
	i.post = w.sink.deliverer(i)
	i.e = New(Config{
		Store: faulty.New(counting{w.store, w}, i.strike), Clock: w.clock, IDs: payment.NewIDs(i.n % 1024), Logger: slog.New(simLog{w}),
		Processor: func(_ int64, m payment.Method) processor.Processor {
			if m.Kind == payment.WalletMethod {
				return book.Processor{}
			}
			return simLine{w.bank, i}
		},
		Subscriber: func(context.Context, int64) (outbox.Subscriber, error) { return w.sink, nil },
		Noticed:    i.post.Wake,
		Checks:     func(context.Context, int64, bool) (*risk.Checks, error) { return lookAtAll, nil },
		gathering:  func() { i.wait(&gate{name: "gather"}, nil) },
	})
	synctest.Wait() // until it has taken up what it finds
}

// simLog reads what an engine complains of. That a rule of ours is broken is
// told to nobody else where it was not a client who asked.
type simLog struct{ w *world }

func (simLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

func (l simLog) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		err, _ := a.Value.Any().(error)
		if _, broken := errors.AsType[undecided](err); broken {
			l.w.fail("%s: %v", r.Message, err)
		}
		return true
	})
	return nil
}

func (l simLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l simLog) WithGroup(string) slog.Handler      { return l }

// lookAtAll wants an operator to look at every authorization. Only some policies
// hold them up for that.
var lookAtAll = func() *risk.Checks {
	config, err := risk.Parse([]byte(`{"rules":[{"level":"shop","alias":"all","action":"review","cel":"operation.type == 'authorization' || operation.type == 'payment'"}]}`))
	if err != nil {
		panic(err)
	}
	checks, err := config.Compile(risk.Setup{Names: risk.Levels{Shop: "shop", Merchant: "merchant", PSP: "psp"}})
	if err != nil {
		panic(err)
	}
	return checks
}()

// crash ends an engine at once: what was being written is there or not, and
// nobody hears anything more of it.
func (w *world) crash() {
	live := w.live()
	if len(live) == 0 {
		return
	}
	i := live[w.random.IntN(len(live))]
	w.say("engine %d dies", i.n)
	w.seen.crashes++
	w.end(i)
}

func (w *world) end(i *instance) {
	fate := faulty.Fate(w.random.IntN(2))
	w.mu.Lock()
	i.dead = true
	close(i.gone)
	for _, name := range slices.Sorted(maps.Keys(w.gates)) {
		if g := w.gates[name]; g.of == i && !g.outside() {
			delete(w.gates, name)
			g.open <- passage{fault: faulty.Fault{Err: store.ErrBroken, Fate: fate}}
		}
	}
	w.mu.Unlock()
	w.closing.Go(func() {
		_, _ = i.e.Do(context.Background(), payment.Request{Tenant: 1, Merchant: 1, Payment: 1, Command: payment.Expire{}})
		_ = i.e.Close(context.Background())
	})
	w.closing.Go(func() {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		i.post.Close(over)
	})
}

// shut ends everything, so that no goroutine is left.
func (w *world) shut() {
	w.calm()
	for _, i := range w.live() {
		w.end(i)
	}
	w.closing.Wait()
	synctest.Wait()
}

// calm makes everything work from here on.
func (w *world) calm() {
	w.mu.Lock()
	w.calmed, w.lookFails = true, false
	w.mu.Unlock()
	w.settle()
	for len(w.bank.strays) > 0 {
		w.stray()
	}
	for len(w.sink.strays) > 0 {
		w.sink.late()
	}
}

// settle lets everything go on until nothing more happens by itself.
func (w *world) settle() {
	for synctest.Wait(); w.letGo(); synctest.Wait() {
	}
}

// wait waits at a gate, or until done is closed; it reports false then.
func (i *instance) wait(g *gate, done <-chan struct{}) (passage, bool) {
	w := i.w
	g.of, g.open = i, make(chan passage, 1)
	g.name = fmt.Sprintf("engine %d: %s", i.n, g.name)
	w.mu.Lock()
	if i.dead && !g.outside() {
		w.mu.Unlock()
		return passage{fault: faulty.Fault{Err: store.ErrBroken}}, true
	}
	if w.gates[g.name] != nil {
		w.mu.Unlock()
		w.fail("%s: two at a time", g.name)
		return passage{}, true
	}
	w.gates[g.name] = g
	w.mu.Unlock()
	select {
	case p := <-g.open:
		return p, true
	case <-done:
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.gates, g.name)
		return passage{}, false
	}
}

// strike is what happens to a call of the store.
func (i *instance) strike(c faulty.Call) faulty.Fault {
	if c == faulty.Look {
		i.w.mu.Lock()
		defer i.w.mu.Unlock()
		if i.dead || i.w.lookFails {
			return faulty.Fault{Err: context.DeadlineExceeded}
		}
		return faulty.Fault{}
	}
	p, _ := i.wait(&gate{name: c.String(), commit: c == faulty.Commit}, nil)
	return p.fault
}

// letGo opens one gate, and reports whether there was one.
func (w *world) letGo() bool {
	w.mu.Lock()
	names := slices.Sorted(maps.Keys(w.gates))
	names = slices.DeleteFunc(names, func(name string) bool { return w.gates[name].letter != nil && w.gates[name].of.reporting })
	if len(names) == 0 {
		w.mu.Unlock()
		return false
	}
	g := w.gates[names[w.random.IntN(len(names))]]
	delete(w.gates, g.name)
	g.of.reporting = g.of.reporting || g.letter != nil
	calmed := w.calmed
	w.mu.Unlock()
	var p passage
	switch {
	case g.call != nil:
		p = w.bank.carry(g.call)
	case g.letter != nil:
		p = w.sink.carry(g.letter)
	case !calmed:
		p.fault = w.fault(g)
	}
	if !g.outside() {
		w.say("%s: %v %v", g.name, p.fault.Err, p.fault.Fate)
	}
	g.open <- p
	return true
}

// fault decides what happens to the store.
func (w *world) fault(g *gate) faulty.Fault {
	if w.random.IntN(100) < 90 || strings.HasSuffix(g.name, "gather") {
		return faulty.Fault{}
	}
	w.seen.faults++
	f := faulty.Fault{Err: []error{store.ErrConflict, store.ErrFull, store.ErrUnknown, store.ErrUnknown, context.DeadlineExceeded}[w.random.IntN(5)]}
	if g.commit && f.Err == store.ErrUnknown {
		f.Fate = faulty.Fate(w.random.IntN(3))
	}
	return f
}

// counting counts the commits of a store.
type counting struct {
	*memory.Store
	w *world
}

func (c counting) Begin(ctx context.Context, touched store.Touched) (store.Batch, error) {
	b, err := c.Store.Begin(ctx, touched)
	if err != nil {
		return nil, err
	}
	return countingBatch{b, c.w}, nil
}

type countingBatch struct {
	store.Batch
	w *world
}

func (b countingBatch) Commit(ctx context.Context, changes []store.Change) error {
	err := b.Batch.Commit(ctx, changes)
	if err == nil {
		b.w.fired(changes)
	}
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	b.w.written++
	b.w.seen.commits++
	return err
}

// fired looks whether each timer was done once.
func (w *world) fired(changes []store.Change) {
	twice := ""
	w.mu.Lock()
	for i := range changes {
		for _, t := range changes[i].Done {
			if !w.agenda[t] {
				twice = fmt.Sprintf("the %s timer of payment %s, due %s, is done, and was done before", t.Kind, t.Payment, t.Due)
			}
			delete(w.agenda, t)
		}
		for _, t := range changes[i].Timers {
			w.agenda[t] = true
		}
	}
	w.mu.Unlock()
	if twice != "" {
		w.fail("%s", twice)
	}
}

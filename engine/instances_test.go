package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/store/postgres"
	"github.com/capstan-pay/capstan/verify"
)

// TestScenariosOfInstances plays the simulation's scenarios with three engines
// on one PostgreSQL, by the machine's own time and therefore not twice the
// same: commits fail or their answers are lost, requests to the processor are
// lost or doubled and so are its answers, the clock jumps, engines die in the
// middle of a commit and others take over. Clients repeat what was not
// answered. In the end nothing was done twice, by us or by the processor, and
// what clients were told is so.
func TestScenariosOfInstances(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	for range 3 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) { newTroupe(t, seed).play() })
	}
}

// troupe are the engines, their store and their processor.
type troupe struct {
	t       *testing.T
	address string
	clock   *clock.Shifted
	far     *farBank

	mu     sync.Mutex
	random *rand.Rand
	calm   bool
	live   [3]*actor
	deaths int
}

// actor is an engine with its connections, until it dies.
type actor struct {
	*engine.Engine
	store *postgres.Store
	dying bool
	fate  faulty.Fate
}

func newTroupe(t *testing.T, seed uint64) *troupe {
	random := rand.New(rand.NewPCG(seed, 0))
	w := &troupe{t: t, address: pgtest.StoreURL(t), clock: clock.NewShifted(clock.System{}, 0), random: random}
	w.far = &farBank{w: w, known: map[string]*farOperation{}}
	for i := range w.live {
		w.live[i] = w.start(i)
	}
	return w
}

func (w *troupe) start(number int) *actor {
	a := &actor{store: pgtest.OpenAt(w.t, w.address)}
	a.Engine = engine.New(engine.Config{
		Store: faulty.New(a.store, func(c faulty.Call) faulty.Fault { return w.strike(a, c) }), Clock: w.clock,
		IDs: payment.NewIDs(a.store.Instance()), Processor: func(int64, payment.Method) processor.Processor { return w.far },
	})
	return a
}

func (w *troupe) strike(a *actor, c faulty.Call) faulty.Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case a.dying && c == faulty.Look:
		return faulty.Fault{Err: context.DeadlineExceeded}
	case a.dying:
		return faulty.Fault{Err: store.ErrBroken, Fate: a.fate}
	case w.calm || w.random.IntN(100) < 85 || c == faulty.Look:
		return none
	}
	f := faulty.Fault{Err: []error{store.ErrConflict, store.ErrFull, store.ErrUnknown, store.ErrUnknown}[w.random.IntN(4)]}
	if c == faulty.Commit && f.Err == store.ErrUnknown {
		f.Fate = faulty.Fate(w.random.IntN(2))
	}
	return f
}

func (w *troupe) draw(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n)
}

func (w *troupe) any() *actor {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.live[w.random.IntN(len(w.live))]
}

// die ends an engine in the middle of what it does, and starts another.
func (w *troupe) die(place int) {
	w.mu.Lock()
	old := w.live[place]
	old.dying, old.fate = true, faulty.Fate(w.random.IntN(2))
	w.deaths++
	w.mu.Unlock()
	_, _ = old.Do(ctx, payment.Request{Tenant: 1, Merchant: 1, Payment: 1, Command: payment.Expire{}}) // meets the broken store, if nothing else does
	_ = old.Close(ctx)
	_ = old.store.Close()
	next := w.start(place)
	w.mu.Lock()
	w.live[place] = next
	w.mu.Unlock()
}

// insist sends a request to one engine after the other until it is answered.
func (w *troupe) insist(r payment.Request) payment.Outcome {
	for {
		waiting, cancel := context.WithTimeout(ctx, 2*time.Second)
		out, err := w.any().Do(waiting, r)
		cancel()
		if err == nil && !out.Refusal.Has(payment.InProcess) {
			return out
		}
		time.Sleep(time.Duration(w.draw(20)) * time.Millisecond)
	}
}

func (w *troupe) play() {
	var clients sync.WaitGroup
	var mu sync.Mutex
	told := map[string]payment.Outcome{}
	twoDied := make(chan struct{}) // clients have that much left to do, however fast the machine is
	const each = 30
	for c := range 6 {
		clients.Go(func() {
			for n := range each {
				if n == each/2 {
					<-twoDied
				}
				name := fmt.Sprintf("%d-%d", c, n)
				held := w.insist(payment.Request{
					Tenant: 1, Merchant: 1, Key: payment.NewKey(1, "test", "hold "+name),
					Command: payment.Create{Intake: intake(400), Attempt: &payment.Attempt{Asked: payment.Asked{Reference: "hold " + name}}},
				})
				if held.Payment == nil {
					continue
				}
				for part := range 2 {
					what := fmt.Sprintf("capture %s-%d", name, part)
					out := w.insist(payment.Request{
						Tenant: 1, Merchant: 1, Payment: held.Payment.ID, Key: payment.NewKey(1, "test", what),
						Command: payment.Capture{Amount: int64(100 + n), Reference: what},
						Keeps:   func(*payment.Refusal) bool { return true },
					})
					mu.Lock()
					told[what] = out
					mu.Unlock()
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() { clients.Wait(); close(ended) }()
	patience := time.After(3 * time.Minute)
	for over := false; !over; {
		select {
		case <-ended:
			over = true
		case <-patience:
			w.t.Fatal("the clients are not served")
		case <-time.After(50 * time.Millisecond):
			w.clock.Advance(w.clock.Offset() + time.Duration(w.draw(20))*time.Second)
			if w.deaths < 2 || w.draw(4) == 0 {
				if w.die(w.draw(len(w.live))); w.deaths == 2 {
					close(twoDied)
				}
			}
		}
	}
	w.rest()
	w.hold(told)
}

// rest makes everything work, and lets time pass until no processor has to be
// asked any more.
func (w *troupe) rest() {
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		open := 0
		for _, p := range allPayments(w.t, w.any().store) {
			for _, op := range p.Operations {
				if op.Status == payment.OpPending {
					open++
				}
			}
		}
		if open == 0 {
			break
		}
		if time.Since(start) > 2*time.Minute {
			w.t.Fatalf("%d operations never end", open)
		}
		w.clock.Advance(w.clock.Offset() + time.Minute)
	}
	for _, a := range w.live {
		if err := a.Close(ctx); err != nil {
			w.t.Error(err)
		}
	}
}

// hold holds what there is against what clients were told and the processor did.
func (w *troupe) hold(told map[string]payment.Outcome) {
	w.t.Helper()
	st := w.live[0].store
	report, err := verify.Audit(ctx, st)
	if err != nil || !report.Clean() {
		w.t.Errorf("audit: %v, %v", report.Findings, err)
	}
	made := map[string]*payment.Operation{}
	captured := 0
	for _, p := range allPayments(w.t, st) {
		for i := range p.Operations {
			op := &p.Operations[i]
			if op.Reference == "" {
				continue
			}
			if made[op.Reference] != nil {
				w.t.Errorf("%s is there twice", op.Reference)
			}
			made[op.Reference] = op
			effect := w.far.effects(payment.OperationID(p.ID, op.Number))
			switch op.Status {
			case payment.OpApproved:
				if captured++; effect != 1 {
					w.t.Errorf("%s succeeded, and the processor performed it %d times", op.Reference, effect)
				}
			default:
				if effect != 0 {
					w.t.Errorf("%s is %v, and the processor performed it", op.Reference, op.Status)
				}
			}
		}
	}
	for what, out := range told {
		switch op := made[what]; {
		case out.Refusal != nil:
			if op != nil {
				w.t.Errorf("%s was refused, and done", what)
			}
		case op == nil:
			w.t.Errorf("%s was acknowledged, and is lost", what)
		case out.Payment == nil || out.Payment.Op(out.Operation) == nil:
			w.t.Errorf("%s was answered with nothing", what)
		case out.Payment.Op(out.Operation).Status != payment.OpPending && out.Payment.Op(out.Operation).Status != op.Status:
			w.t.Errorf("%s is %v, its client was told %v", what, op.Status, out.Payment.Op(out.Operation).Status)
		}
	}
	w.t.Logf("%d captures told, %d operations succeeded, %d deaths, %d requests or answers of the processor lost", len(told), captured, w.deaths, w.far.lost)
	if w.deaths < 2 || w.far.lost == 0 || captured == 0 {
		w.t.Error("that was not much of a play")
	}
}

// farBank is a processor behind a line that loses and doubles.
type farBank struct {
	w     *troupe
	mu    sync.Mutex
	known map[string]*farOperation
	lost  int
}

type farOperation struct {
	effects int
	sealed  bool
}

var errNoAnswer = errors.New("no answer")

func (b *farBank) effects(id string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if op := b.known[id]; op != nil {
		return op.effects
	}
	return 0
}

// over carries a request over the line, or loses it or its answer.
func (b *farBank) over(deliver func() (payment.Answer, error)) (payment.Answer, error) {
	n := b.w.draw(100)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.w.mu.Lock()
	if b.w.calm {
		n = 0
	}
	b.w.mu.Unlock()
	switch {
	case n < 60:
		return deliver()
	case n < 70: // it arrives twice
		_, _ = deliver()
		return deliver()
	case n < 85:
		b.lost++
		return payment.Answer{}, errNoAnswer
	}
	b.lost++
	_, _ = deliver()
	return payment.Answer{}, errNoAnswer
}

func (b *farBank) of(o processor.Order) *farOperation {
	if b.known[o.ID] == nil {
		b.known[o.ID] = &farOperation{}
	}
	return b.known[o.ID]
}

func (*farBank) Decide(payment.Instruction, *payment.Payer) payment.Answer {
	return payment.Answer{Result: payment.Pending}
}

func (b *farBank) Perform(_ context.Context, o processor.Order) (payment.Answer, error) {
	return b.over(func() (payment.Answer, error) {
		op := b.of(o)
		switch {
		case op.sealed:
			return payment.Answer{Result: payment.Refused, Reason: payment.ProcessingError}, nil
		case op.effects == 0: // under its name it is performed once
			op.effects++
		}
		return payment.Answer{Result: payment.Approved, Reference: o.ID}, nil
	})
}

func (b *farBank) Lookup(_ context.Context, o processor.Order) (payment.Answer, error) {
	return b.over(func() (payment.Answer, error) {
		switch op := b.of(o); {
		case op.sealed:
			return payment.Answer{Result: payment.Refused, Reason: payment.ProcessingError}, nil
		case op.effects == 0:
			return payment.Answer{}, processor.ErrNoTrace
		}
		return payment.Answer{Result: payment.Approved, Reference: o.ID}, nil
	})
}

func (b *farBank) Seal(_ context.Context, o processor.Order) (payment.Answer, error) {
	return b.over(func() (payment.Answer, error) {
		op := b.of(o)
		if op.effects > 0 {
			return payment.Answer{Result: payment.Approved, Reference: o.ID}, nil
		}
		op.sealed = true
		return payment.Answer{}, processor.ErrSealed
	})
}

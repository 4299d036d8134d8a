package engine_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/verify"
)

var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// rig is an engine on a memory store with a processor that tests control.
type rig struct {
	*engine.Engine
	store store.Store
	clock *clock.Shifted
	proc  *acquirer
	keys  atomic.Int64
}

// openStore opens an empty store: the plainest one, or with
// CAPSTAN_TEST_STORE=postgres one of that kind.
func openStore(t pgtest.T) store.Store {
	if pgtest.Wanted() {
		return pgtest.Open(t)
	}
	return memory.Open()
}

func newRig(t *testing.T, change ...func(*engine.Config)) *rig {
	t.Helper()
	return newRigOn(t, openStore(t), change...)
}

// newVirtualRig is newRig for tests whose time is virtual: no database may be
// waited for in them.
func newVirtualRig(t *testing.T, change ...func(*engine.Config)) *rig {
	t.Helper()
	return newRigOn(t, memory.Open(), change...)
}

func newRigOn(t *testing.T, st store.Store, change ...func(*engine.Config)) *rig {
	t.Helper()
	r := &rig{store: st, clock: clock.NewShifted(clock.Fixed(noon), 0), proc: &acquirer{}}
	c := engine.Config{
		Store: r.store, Clock: r.clock, IDs: payment.NewIDs(0),
		Processor: func(int64, payment.Method) processor.Processor { return r.proc },
	}
	for _, f := range change {
		f(&c)
	}
	if _, faulty := c.Store.(*faulty.Store); !faulty { // else what lies beneath is looked at
		r.store = c.Store
	}
	r.Engine = engine.New(c)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
		report, err := verify.Audit(context.Background(), r.store)
		if err != nil {
			t.Error(err)
		}
		for _, f := range report.Findings {
			t.Error("audit:", f)
		}
	})
	return r
}

// acquirer approves everything, unless it is told to leave it pending.
type acquirer struct {
	mu          sync.Mutex
	remote      bool // all but authorizations are pending at first
	far         bool // those too
	performed   map[string]int
	perform     func(processor.Order) (payment.Answer, error)
	performWith func(context.Context, processor.Order) (payment.Answer, error)
	lookup      func(processor.Order) (payment.Answer, error)
	seal        func(processor.Order) (payment.Answer, error)
	sealed      map[string]int
	declined    payment.Reason
	puzzling    atomic.Int64 // the amount that gets an answer which is none
}

func (a *acquirer) Decide(i payment.Instruction, _ *payment.Payer) payment.Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.puzzling.Load(); p != 0 && i.Amount == p {
		return payment.Answer{Result: 99}
	}
	if a.remote && i.Kind != payment.OpAuthorize || a.far {
		return payment.Answer{Result: payment.Pending}
	}
	if a.declined != "" && i.Kind == payment.OpAuthorize {
		return payment.Answer{Result: payment.Refused, Reason: a.declined}
	}
	return payment.Answer{Result: payment.Approved, Reference: i.ID()}
}

func (a *acquirer) Perform(ctx context.Context, o processor.Order) (payment.Answer, error) {
	a.mu.Lock()
	if a.performed == nil {
		a.performed = map[string]int{}
	}
	a.performed[o.ID]++
	perform, performWith := a.perform, a.performWith
	a.mu.Unlock()
	switch {
	case perform != nil:
		return perform(o)
	case performWith != nil:
		return performWith(ctx, o)
	}
	return payment.Answer{Result: payment.Approved, Reference: o.ID}, nil
}

func (a *acquirer) Lookup(_ context.Context, o processor.Order) (payment.Answer, error) {
	a.mu.Lock()
	lookup := a.lookup
	a.mu.Unlock()
	if lookup != nil {
		return lookup(o)
	}
	return payment.Answer{}, processor.ErrNoTrace
}

func (a *acquirer) Seal(_ context.Context, o processor.Order) (payment.Answer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sealed == nil {
		a.sealed = map[string]int{}
	}
	a.sealed[o.ID]++
	if a.seal != nil {
		return a.seal(o)
	}
	return payment.Answer{}, processor.ErrSealed
}

func intake(amount int64) payment.Intake {
	return payment.Intake{
		Dialect: "test", Currency: "USD", Amount: amount, Method: payment.Method{Kind: payment.CardMethod, Brand: "visa"},
		Policy: payment.Policy{HoldFor: 7 * 24 * time.Hour},
	}
}

func (r *rig) authorize(t *testing.T, amount int64) *payment.Payment {
	t.Helper()
	out, err := r.Do(t.Context(), payment.Request{
		Tenant: 1, Merchant: 1, Command: payment.Create{Intake: intake(amount), Attempt: &payment.Attempt{}},
	})
	if err != nil || out.Refusal != nil || out.Payment.Status != payment.Authorized {
		t.Fatalf("authorize %d: %+v, %v", amount, out, err)
	}
	return out.Payment
}

func (r *rig) capture(id payment.ID, amount int64, key string) payment.Request {
	request := payment.Request{Tenant: 1, Merchant: 1, Payment: id, Command: payment.Capture{Amount: amount}}
	if key != "" {
		request.Key = payment.NewKey(1, "test", key)
		request.Fingerprint = payment.Fingerprint{byte(amount), byte(amount >> 8)}
	}
	return request
}

func TestRepeatGetsTheFirstOutcome(t *testing.T) {
	r := newRig(t)
	p := r.authorize(t, 1000)
	first, err := r.Do(t.Context(), r.capture(p.ID, 400, "k"))
	if err != nil || first.Refusal != nil || first.Payment.Captured != 400 {
		t.Fatalf("first: %+v, %v", first, err)
	}
	if _, err := r.Do(t.Context(), r.capture(p.ID, 100, "other")); err != nil {
		t.Fatal(err)
	}
	again, err := r.Do(t.Context(), r.capture(p.ID, 400, "k"))
	if err != nil || !again.Replayed || again.Payment.Captured != 400 || again.Operation != first.Operation || !again.At.Equal(first.At) {
		t.Fatalf("repeat: %+v, %v", again, err)
	}
	different, err := r.Do(t.Context(), r.capture(p.ID, 401, "k"))
	if err != nil || !different.Refusal.Has(payment.KeyReused) {
		t.Fatalf("other request under the key: %+v, %v", different, err)
	}
	if now, _ := r.Payment(t.Context(), 1, 1, p.ID); now.Captured != 500 {
		t.Fatalf("captured %d, want 500", now.Captured)
	}
}

func TestRefusalsAreKeptWhereTheDialectSaysSo(t *testing.T) {
	r := newRig(t)
	p := r.authorize(t, 1000)
	tooMuch := r.capture(p.ID, 1001, "burnt")
	tooMuch.Keeps = func(refusal *payment.Refusal) bool { return refusal.Has(payment.AmountTooLarge) }
	for range 2 {
		out, err := r.Do(t.Context(), tooMuch)
		if err != nil || !out.Refusal.Has(payment.AmountTooLarge) || out.Refusal.Limit != 1000 {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	corrected := r.capture(p.ID, 1000, "burnt")
	if out, _ := r.Do(t.Context(), corrected); !out.Refusal.Has(payment.KeyReused) {
		t.Fatalf("a burnt key was taken again: %+v", out)
	}
	free := r.capture(p.ID, 1001, "free")
	free.Keeps = func(*payment.Refusal) bool { return false }
	if out, _ := r.Do(t.Context(), free); !out.Refusal.Has(payment.AmountTooLarge) {
		t.Fatalf("%+v", out)
	}
	if out, _ := r.Do(t.Context(), r.capture(p.ID, 1000, "free")); out.Refusal != nil {
		t.Fatalf("a key that was not kept is used up: %+v", out)
	}
}

func TestParallelIdenticalRequestsCaptureOnce(t *testing.T) {
	r := newRig(t)
	p := r.authorize(t, 1000)
	var done, busy, replayed atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			out, err := r.Do(t.Context(), r.capture(p.ID, 1000, "same"))
			switch {
			case err != nil:
				t.Error(err)
			case out.Refusal.Has(payment.InProcess):
				busy.Add(1)
			case out.Replayed:
				replayed.Add(1)
			case out.Refusal == nil:
				done.Add(1)
			default:
				t.Errorf("unexpected: %+v", out.Refusal)
			}
		})
	}
	wg.Wait()
	if done.Load() != 1 || busy.Load()+replayed.Load() != 63 {
		t.Fatalf("%d done, %d in process, %d replayed", done.Load(), busy.Load(), replayed.Load())
	}
}

func TestParallelCapturesNeverExceedTheHold(t *testing.T) {
	r := newRig(t)
	p := r.authorize(t, 1000)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			if _, err := r.Do(t.Context(), r.capture(p.ID, int64(i+1), "")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	now, err := r.Payment(t.Context(), 1, 1, p.ID)
	if err != nil || now.Captured > 1000 || now.Captured == 0 {
		t.Fatalf("captured %d of 1000, %v", now.Captured, err)
	}
}

func TestForeignPaymentsAreUnknown(t *testing.T) {
	r := newRig(t)
	p := r.authorize(t, 1000)
	request := r.capture(p.ID, 1, "")
	request.Merchant = 2
	if out, err := r.Do(t.Context(), request); err != nil || !out.Refusal.Has(payment.NotFound) || out.Payment != nil {
		t.Fatalf("%+v, %v", out, err)
	}
	if got, err := r.Payment(t.Context(), 1, 2, p.ID); got != nil || err != nil {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestHoldExpiresAtItsDeadlineAndNeverBefore(t *testing.T) {
	r := newRig(t)
	p := r.authorize(t, 1000)
	week := 7 * 24 * time.Hour
	if err := r.Advance(t.Context(), r.clock, week-time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if now, _ := r.Payment(t.Context(), 1, 1, p.ID); now.Status != payment.Authorized {
		t.Fatalf("is %s before its deadline", now.Status)
	}
	if err := r.Advance(t.Context(), r.clock, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	now, _ := r.store.Payment(t.Context(), 1, p.ID, 0)
	if now.Status != payment.Expired || now.Released != 1000 || !now.ClosedAt.Equal(noon.Add(week)) {
		t.Fatalf("is %s with %d released at %s", now.Status, now.Released, now.ClosedAt)
	}
}

func TestAnswerOfAPatientCallerIsTheProcessors(t *testing.T) {
	r := newRig(t)
	p := r.authorize(t, 1000)
	r.proc.remote = true
	request := r.capture(p.ID, 400, "k")
	request.Patience = 5 * time.Second
	out, err := r.Do(t.Context(), request)
	if err != nil || out.Pending || out.Payment.Captured != 400 || out.Op().Status != payment.OpApproved {
		t.Fatalf("%+v, %v", out, err)
	}
	again, err := r.Do(t.Context(), request)
	if err != nil || !again.Replayed || again.Pending || again.Payment.Captured != 400 {
		t.Fatalf("%+v, %v", again, err)
	}
}

// A timer is served though the clock is set back between its firing and the
// decision: it would not fire again.
func TestTimerSurvivesAClockThatIsSetBack(t *testing.T) {
	c := &unsteady{now: noon}
	s := &setsBack{Store: openStore(t), clock: c, by: time.Second}
	e := engine.New(engine.Config{
		Store: s.Store, Clock: c, IDs: payment.NewIDs(0),
		Processor: func(int64, payment.Method) processor.Processor { return &acquirer{} },
	})
	out, err := e.Do(t.Context(), payment.Request{
		Tenant: 1, Merchant: 1, Command: payment.Create{Intake: intake(1000), Attempt: &payment.Attempt{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.set(out.Payment.ExpiresAt)
	e = engine.New(engine.Config{Store: s, Clock: c, IDs: payment.NewIDs(0)})
	for range 5000 {
		if s.fired.Load() {
			if due, _ := s.Store.Due(t.Context(), out.Payment.ExpiresAt, 1); len(due) == 0 {
				break
			}
		}
		time.Sleep(time.Millisecond)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, err := s.Payment(t.Context(), 1, out.Payment.ID, 0)
	if err != nil || p.Status != payment.Expired {
		t.Fatalf("the timer is gone and the payment is %s, %v", p.Status, err)
	}
}

// unsteady is a clock that can be set back.
type unsteady struct {
	mu  sync.Mutex
	now time.Time
}

func (c *unsteady) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *unsteady) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// setsBack is a store that sets the clock back whenever it has told of a timer
// that is due.
type setsBack struct {
	store.Store
	clock *unsteady
	by    time.Duration
	fired atomic.Bool
}

func (s *setsBack) Claim(ctx context.Context, now time.Time, limit int) ([]payment.Timer, error) {
	due, err := s.Store.Claim(ctx, now, limit)
	if len(due) > 0 {
		s.clock.set(now.Add(-s.by))
		s.fired.Store(true)
	}
	return due, err
}

// A sale is answered when its capture is, not when its authorization is.
func TestPatientCallerOfASaleGetsTheCapture(t *testing.T) {
	for name, answer := range map[string]payment.Answer{
		"approved": {Result: payment.Approved}, "declined": {Result: payment.Refused, Reason: payment.DoNotHonor},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.proc.remote = true
			r.proc.perform = func(processor.Order) (payment.Answer, error) {
				time.Sleep(time.Millisecond)
				return answer, nil
			}
			sale := intake(1000)
			sale.Policy.AutoCapture, sale.Policy.DeclinedCaptureEnds = true, true
			request := payment.Request{
				Tenant: 1, Merchant: 1, Key: payment.NewKey(1, "test", "sale"), Patience: 5 * time.Second,
				Command: payment.Create{Intake: sale, Attempt: &payment.Attempt{}},
			}
			want := payment.Captured
			if answer.Result == payment.Refused {
				want = payment.Declined
			}
			for _, replayed := range []bool{false, true} {
				out, err := r.Do(t.Context(), request)
				if err != nil || out.Pending || out.Replayed != replayed || out.Operation != 1 || out.Payment.Status != want {
					t.Fatalf("%v: %+v, the payment is %s", err, out, out.Payment.Status)
				}
			}
		})
	}
}

func TestUnknownOutcomeStaysUnknownUntilTheProcessorTells(t *testing.T) {
	r := newRig(t)
	p := r.authorize(t, 1000)
	r.proc.remote = true
	r.proc.perform = func(processor.Order) (payment.Answer, error) { return payment.Answer{}, errors.New("connection lost") }
	r.proc.lookup = func(processor.Order) (payment.Answer, error) { return payment.Answer{}, errors.New("still down") }
	out, err := r.Do(t.Context(), r.capture(p.ID, 400, "k"))
	if err != nil || !out.Pending {
		t.Fatalf("%+v, %v", out, err)
	}
	if err := r.Advance(t.Context(), r.clock, time.Hour); err != nil {
		t.Fatal(err)
	}
	again, err := r.Do(t.Context(), r.capture(p.ID, 400, "k"))
	if err != nil || !again.Pending || !again.Replayed {
		t.Fatalf("after an hour of silence: %+v, %v", again, err)
	}
	if r.proc.performed[payment.OperationID(p.ID, 2)] != 1 {
		t.Fatalf("sent %d times although it may have arrived", r.proc.performed[payment.OperationID(p.ID, 2)])
	}
	r.proc.lookup = func(o processor.Order) (payment.Answer, error) {
		return payment.Answer{Result: payment.Approved, Reference: "late"}, nil
	}
	if err := r.Advance(t.Context(), r.clock, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	final, err := r.Do(t.Context(), r.capture(p.ID, 400, "k"))
	if err != nil || final.Pending || final.Payment.Captured != 400 || final.Op().Answer.Reference != "late" {
		t.Fatalf("%+v, %v", final, err)
	}
}

// A clock that is moved right after a caller was answered still finds the call
// that this answer left behind: the inquiries come at their times, not later.
func TestAdvanceWaitsForCallsUnderWay(t *testing.T) {
	r := newRig(t)
	r.proc.remote = true
	r.proc.perform = func(processor.Order) (payment.Answer, error) {
		time.Sleep(10 * time.Millisecond)
		return payment.Answer{}, errors.New("connection lost")
	}
	r.proc.lookup = func(o processor.Order) (payment.Answer, error) {
		return payment.Answer{Result: payment.Approved, Reference: o.ID}, nil
	}
	for range 20 {
		p, before := r.authorize(t, 1000), r.clock.Now()
		out, err := r.Do(t.Context(), r.capture(p.ID, 400, ""))
		if err != nil || !out.Pending {
			t.Fatalf("%+v, %v", out, err)
		}
		if err := r.Advance(t.Context(), r.clock, 2*time.Second); err != nil {
			t.Fatal(err)
		}
		now, err := r.Payment(t.Context(), 1, 1, p.ID)
		if err != nil || now.Captured != 400 || !now.Op(out.Operation).DoneAt.Equal(before.Add(time.Second)) {
			t.Fatalf("captured %d, answered at %s, asked at %s, %v", now.Captured, now.Op(out.Operation).DoneAt, before, err)
		}
	}
}

func TestPendingOperationIsTakenUpAfterARestart(t *testing.T) {
	r := newRig(t)
	p := r.authorize(t, 1000)
	r.proc.remote = true
	r.proc.perform = func(processor.Order) (payment.Answer, error) { return payment.Answer{}, errors.New("lost") }
	if out, err := r.Do(t.Context(), r.capture(p.ID, 400, "k")); err != nil || !out.Pending {
		t.Fatalf("%+v, %v", out, err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.proc.perform = nil
	r.Engine = engine.New(engine.Config{
		Store: r.store, Clock: r.clock, IDs: payment.NewIDs(0),
		Processor: func(int64, payment.Method) processor.Processor { return r.proc },
	})
	if err := r.Advance(t.Context(), r.clock, time.Minute); err != nil {
		t.Fatal(err)
	}
	out, err := r.Do(t.Context(), r.capture(p.ID, 400, "k"))
	if err != nil || out.Pending || !out.Replayed || out.Payment.Captured != 400 {
		t.Fatalf("%+v, %v", out, err)
	}
}

func TestFullQueueRefusesAtOnce(t *testing.T) {
	gate := make(chan struct{})
	slow := &gated{Store: openStore(t), gate: gate}
	e := engine.New(engine.Config{
		Store: slow, Clock: clock.Fixed(noon), IDs: payment.NewIDs(0), QueueLength: 4, BatchLimit: 1,
		Processor: func(int64, payment.Method) processor.Processor { return &acquirer{} },
	})
	request := payment.Request{Tenant: 1, Merchant: 1, Command: payment.Create{Intake: intake(1), Attempt: &payment.Attempt{}}}
	var busy, done atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			out, err := e.Do(context.Background(), request)
			switch {
			case err != nil:
				t.Error(err)
			case out.Refusal.Has(payment.Busy):
				busy.Add(1)
			default:
				done.Add(1)
			}
		})
	}
	for busy.Load() < 27 { // one is being committed, four wait
		time.Sleep(time.Millisecond)
	}
	close(gate)
	wg.Wait()
	if done.Load() != 5 || busy.Load() != 27 {
		t.Fatalf("%d done, %d refused", done.Load(), busy.Load())
	}
	if err := e.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Do(context.Background(), request); !errors.Is(err, engine.ErrClosed) {
		t.Fatalf("after closing: %v", err)
	}
}

// gated is a store whose batches begin only once the gate is open.
type gated struct {
	store.Store
	gate chan struct{}
}

func (g *gated) Begin(ctx context.Context, t store.Touched) (store.Batch, error) {
	<-g.gate
	return g.Store.Begin(ctx, t)
}

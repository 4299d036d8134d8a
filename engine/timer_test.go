package engine_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/store/faulty"
)

const week = 7 * 24 * time.Hour

// another returns a second engine on the rig's store.
func (r *rig) another(t *testing.T, change ...func(*engine.Config)) *engine.Engine {
	t.Helper()
	c := engine.Config{
		Store: r.store, Clock: r.clock, IDs: payment.NewIDs(1),
		Processor: func(int64, payment.Method) processor.Processor { return r.proc },
	}
	for _, f := range change {
		f(&c)
	}
	e := engine.New(c)
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// TestManyTimersAtOnce: more timers fall due in the same instant than are
// taken at a time.
func TestManyTimersAtOnce(t *testing.T) {
	r := newRig(t)
	var requests sync.WaitGroup
	for range 600 {
		requests.Go(func() { r.authorize(t, 10) })
	}
	requests.Wait()
	if err := r.Advance(t.Context(), r.clock, week); err != nil {
		t.Fatal(err)
	}
	for _, p := range allPayments(t, r.store) {
		if p.Status != payment.Expired || p.Released != 10 {
			t.Errorf("payment %s is %s", p.ID, p.Status)
		}
	}
}

// TestTwoEnginesOnOneStore: both fire the same timers and take captures of the
// same holds; each thing happens once.
func TestTwoEnginesOnOneStore(t *testing.T) {
	r := newRig(t)
	other := r.another(t)
	var holds []payment.ID
	for range 20 {
		holds = append(holds, r.authorize(t, 1000).ID)
	}
	var work sync.WaitGroup
	for i, id := range holds {
		for _, e := range []*engine.Engine{r.Engine, other} {
			work.Go(func() {
				for _, key := range []string{"x", "y"} {
					request := r.capture(id, 300, id.String()+key)
					out, err := e.Do(t.Context(), request)
					if errors.Is(err, engine.ErrUnavailable) { // lost against the other engine ten times
						out, err = e.Do(t.Context(), request)
					}
					if err != nil || out.Refusal != nil {
						t.Errorf("hold %d: %v", i, result{out, err})
					}
				}
			})
		}
	}
	work.Wait()
	for _, e := range []*engine.Engine{r.Engine, other} {
		work.Go(func() {
			if err := e.Advance(t.Context(), r.clock, week); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	for _, p := range allPayments(t, r.store) {
		if p.Status != payment.Captured || p.Captured != 600 || p.Released != 400 {
			t.Errorf("payment %s is %s: captured %d, released %d", p.ID, p.Status, p.Captured, p.Released)
		}
	}
}

// TestTimersUnderFaults: whatever a commit answers, a hold expires once, and
// what settles settles once.
func TestTimersUnderFaults(t *testing.T) {
	for _, faults := range [][]faulty.Fault{
		{conflict}, {refused}, {full}, {unknownLost}, {unknownWritten}, {unknownLate},
		{unknownWritten, unknownWritten, unknownWritten, unknownWritten},
		{refused, unknownWritten, conflict, unknownLost, unknownWritten, refused, unknownLate},
		{conflict, unknownLate, unknownLate, unknownLate},
	} {
		script := newScript()
		r := newRig(t, scripted(script))
		open := r.authorize(t, 1000)
		i := intake(500)
		i.Policy.SettleAfter, i.Policy.RefundSettleAfter, i.Policy.HoldFor = week, week, time.Hour
		out, err := r.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Command: payment.Create{Intake: i, Attempt: &payment.Attempt{}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Do(t.Context(), r.capture(out.Payment.ID, 500, "")); err != nil {
			t.Fatal(err)
		}
		refund := payment.Request{Tenant: 1, Merchant: 1, Payment: out.Payment.ID, Command: payment.Refund{Amount: 100}}
		if out, err := r.Do(t.Context(), refund); err != nil || out.Refusal != nil {
			t.Fatalf("%v", result{out, err})
		}
		script.expect(faulty.Commit, faults...)
		for range len(faults) {
			if err = r.Advance(t.Context(), r.clock, week-r.clock.Offset()); err == nil {
				break
			}
		}
		if err != nil {
			t.Errorf("%v: %v", faults, err)
		}
		if p := allPayments(t, r.store)[open.ID]; p.Status != payment.Expired || p.Released != 1000 {
			t.Errorf("%v: the hold is %s", faults, p.Status)
		}
		if p := allPayments(t, r.store)[out.Payment.ID]; p.Settled != 500 || p.RefundsSettled != 100 {
			t.Errorf("%v: settled %d, and of the refund %d", faults, p.Settled, p.RefundsSettled)
		}
		if next, err := r.store.NextDue(t.Context()); err != nil || !next.IsZero() {
			t.Errorf("%v: something is on the agenda for %s, %v", faults, next, err)
		}
	}
}

// TestAdvanceTellsWhatStoppedIt instead of trying for ever.
func TestAdvanceTellsWhatStoppedIt(t *testing.T) {
	script := newScript()
	r := newRig(t, scripted(script))
	p := r.authorize(t, 1000)
	script.from(faulty.Commit, full)
	if err := r.Advance(t.Context(), r.clock, 2*week); !errors.Is(err, engine.ErrUnavailable) {
		t.Fatalf("with a full store: %v", err)
	}
	if at := r.clock.Now(); !at.Equal(noon.Add(week)) {
		t.Errorf("the clock stands at %s", at)
	}
	script.from(faulty.Commit, none)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Advance(ctx, r.clock, week); !errors.Is(err, context.Canceled) {
		t.Fatalf("for somebody who has gone: %v", err)
	}
	if err := r.Advance(t.Context(), r.clock, week); err != nil {
		t.Fatal(err)
	}
	if now := allPayments(t, r.store)[p.ID]; now.Status != payment.Expired {
		t.Errorf("is %s", now.Status)
	}
	r.authorize(t, 1000)
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Advance(t.Context(), r.clock, week); !errors.Is(err, engine.ErrClosed) {
		t.Fatalf("after closing: %v", err)
	}
}

// TestTimersThatCannotBeFiredWait: a store that cannot write is not tried
// again and again.
func TestTimersThatCannotBeFiredWait(t *testing.T) {
	for _, fault := range []faulty.Fault{full, refused, conflict, unknownLost} {
		synctest.Test(t, func(t *testing.T) {
			r := newVirtualRig(t)
			for range 10 {
				r.authorize(t, 1000)
			}
			if err := r.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.clock.Advance(week)
			script := newScript()
			script.from(faulty.Commit, fault)
			e := r.another(t, scripted(script))
			time.Sleep(100 * time.Millisecond)
			if n := script.count(faulty.Commit); n == 0 || n > 10*(3*5+10) { // ten rounds, each of five batches tried three times at most, and of every timer alone
				t.Errorf("%v: %d commits in a tenth of a second", fault, n)
			}
			script.from(faulty.Commit, none)
			if err := e.Advance(t.Context(), r.clock, 0); err != nil {
				t.Error(err)
			}
			for _, p := range allPayments(t, r.store) {
				if p.Status != payment.Expired {
					t.Errorf("%v: payment %s is %s", fault, p.ID, p.Status)
				}
			}
		})
	}
}

// TestTimerThatBreaksARule does not keep the others from being fired.
func TestTimerThatBreaksARule(t *testing.T) {
	r := newRig(t)
	r.proc.puzzling.Store(nonsense)
	for _, amount := range []int64{10, nonsense, 20} {
		i := intake(amount)
		i.Policy.CaptureAt = noon.Add(time.Hour)
		r.proc.puzzling.Store(0)
		out, err := r.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Command: payment.Create{Intake: i, Attempt: &payment.Attempt{}}})
		if err != nil || out.Payment.Status != payment.Authorized {
			t.Fatalf("%v", result{out, err})
		}
	}
	r.proc.puzzling.Store(nonsense)
	if err := r.Advance(t.Context(), r.clock, 2*time.Hour); err == nil {
		t.Error("nobody heard of it")
	}
	for _, p := range allPayments(t, r.store) {
		if captured := p.Captured == p.Amount; captured == (p.Amount == nonsense) {
			t.Errorf("payment of %d: captured %d", p.Amount, p.Captured)
		}
	}
	r.proc.puzzling.Store(0)
	if err := r.Advance(t.Context(), r.clock, time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, p := range allPayments(t, r.store) {
		if p.Captured != p.Amount {
			t.Errorf("later payment of %d: captured %d", p.Amount, p.Captured)
		}
	}
}

// TestScheduledCaptureWaitsForAnother: it falls due while a capture waits for
// its processor, and is made once that is answered.
func TestScheduledCaptureWaitsForAnother(t *testing.T) {
	r := newRig(t)
	i := intake(1000)
	i.Policy.CaptureAt = noon.Add(time.Hour)
	out, err := r.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Command: payment.Create{Intake: i, Attempt: &payment.Attempt{}}})
	if err != nil {
		t.Fatal(err)
	}
	id := out.Payment.ID
	if err := r.Advance(t.Context(), r.clock, time.Hour-10*time.Second); err != nil {
		t.Fatal(err)
	}
	r.proc.remote = true
	silent := func(processor.Order) (payment.Answer, error) { return payment.Answer{}, errLost }
	r.proc.perform, r.proc.lookup = silent, silent
	if out, err := r.Do(t.Context(), r.capture(id, 100, "k")); err != nil || !out.Pending {
		t.Fatalf("%v", result{out, err})
	}
	if err := r.Advance(t.Context(), r.clock, time.Minute); err != nil {
		t.Fatal(err)
	}
	if p := allPayments(t, r.store)[id]; len(p.Operations) != 2 || p.Captured != 0 {
		t.Fatalf("%d operations, captured %d, while the first capture waits", len(p.Operations), p.Captured)
	}
	r.proc.lookup = func(processor.Order) (payment.Answer, error) { return declined, nil }
	r.proc.perform = nil
	if err := r.Advance(t.Context(), r.clock, time.Hour); err != nil {
		t.Fatal(err)
	}
	if p := allPayments(t, r.store)[id]; p.Captured != 1000 || p.Status != payment.Captured {
		t.Fatalf("is %s, captured %d", p.Status, p.Captured)
	}
}

// TestCloseWhileTheClockMoves: neither waits for the other for ever.
func TestCloseWhileTheClockMoves(t *testing.T) {
	r := newRig(t)
	p := r.authorize(t, 1000)
	r.proc.remote = true
	calling := make(chan struct{})
	r.proc.performWith = func(ctx context.Context, _ processor.Order) (payment.Answer, error) {
		close(calling)
		<-ctx.Done()
		return payment.Answer{}, ctx.Err()
	}
	if out, err := r.Do(t.Context(), r.capture(p.ID, 400, "k")); err != nil || !out.Pending {
		t.Fatalf("%v", result{out, err})
	}
	<-calling
	advanced := make(chan error, 1)
	go func() { advanced <- r.Advance(context.Background(), r.clock, week) }()
	time.Sleep(5 * time.Millisecond)
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-advanced; !errors.Is(err, engine.ErrClosed) {
		t.Errorf("moving the clock: %v", err)
	}
}

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/store/memory"
)

// TestOrderIsKept: commands are decided in the order in which they came, over
// the borders of batches, and also when each has to be tried alone.
func TestOrderIsKept(t *testing.T) {
	for _, faults := range [][]faulty.Fault{nil, {conflict, none, none, none, none, none, none, none, conflict}, {unknownLost, unknownWritten, unknownWritten}} {
		script := newScript()
		r := newRig(t, scripted(script), func(c *engine.Config) { c.BatchLimit = 7 })
		holds := []*payment.Payment{r.authorize(t, 1000), r.authorize(t, 1000), r.authorize(t, 1000)}
		var requests []payment.Request
		for i := range 60 {
			request := r.capture(holds[i%3].ID, 1, "")
			request.Command = payment.Capture{Amount: 1, Reference: fmt.Sprint(i / 3)}
			requests = append(requests, request)
		}
		script.expect(faulty.Commit, faults...)
		for i, got := range together(t, r, script, requests, nil) {
			if got.err != nil || got.Payment.Captured != int64(i/3)+1 || got.Operation != i/3+2 {
				t.Errorf("request %d: operation %d, %v", i, got.Operation, got)
			}
		}
		for _, p := range holds {
			for i, op := range allPayments(t, r.store)[p.ID].Operations[1:] {
				if op.Reference != fmt.Sprint(i) {
					t.Errorf("capture %d of payment %s is that of request %s", i, p.ID, op.Reference)
				}
			}
		}
	}
}

// TestNobodyIsAnsweredBeforeTheCommit, neither whose command it is nor who
// looks at the payment.
func TestNobodyIsAnsweredBeforeTheCommit(t *testing.T) {
	reached, release := make(chan struct{}), make(chan struct{})
	var slow atomic.Bool
	r := newRig(t, func(c *engine.Config) {
		c.Store = faulty.New(c.Store, func(call faulty.Call) faulty.Fault {
			if call == faulty.Commit && slow.CompareAndSwap(true, false) {
				close(reached)
				<-release
			}
			return none
		})
	})
	p := r.authorize(t, 1000)
	slow.Store(true)
	answered := make(chan result, 1)
	go func() {
		out, err := r.Do(ctx, r.capture(p.ID, 400, "k"))
		answered <- result{out, err}
	}()
	<-reached
	select {
	case got := <-answered:
		t.Errorf("answered before the commit: %v", got)
		answered <- got
	case <-time.After(20 * time.Millisecond):
	}
	if now, err := r.Payment(t.Context(), 1, 1, p.ID); err != nil || now.Captured != 0 {
		t.Errorf("captured %d before the commit, %v", now.Captured, err)
	}
	close(release)
	expectResults(t, []result{<-answered}, "authorized, held 600, captured 400")
}

// TestFullQueueTakesWhatIsOurs: callers are refused while the queue is full;
// timers and answers of processors wait for room.
func TestFullQueueTakesWhatIsOurs(t *testing.T) {
	script := newScript()
	r := newRig(t, scripted(script), func(c *engine.Config) { c.QueueLength = 3 })
	r.authorize(t, 500)
	r.proc.remote = true
	answer := make(chan struct{})
	r.proc.perform = func(processor.Order) (payment.Answer, error) { <-answer; return approved, nil }
	p := r.authorize(t, 1000)
	if out, err := r.Do(t.Context(), r.capture(p.ID, 400, "k")); err != nil || !out.Pending {
		t.Fatalf("%v", result{out, err})
	}
	nothing := payment.Request{Tenant: 1, Merchant: 1, Payment: 1, Command: payment.Expire{}}
	advanced := make(chan error, 1)
	got := together(t, r, script, []payment.Request{nothing, nothing, nothing, nothing, r.capture(p.ID, 1, "busy")}, func() {
		close(answer)
		go func() { advanced <- r.Advance(ctx, r.clock, week) }()
		time.Sleep(10 * time.Millisecond)
	})
	expectResults(t, got, "refused: not_found", "refused: not_found", "refused: not_found", "refused: busy", "refused: busy")
	if err := <-advanced; err != nil {
		t.Fatal(err)
	}
	out, err := r.Do(t.Context(), r.capture(p.ID, 400, "k"))
	if err != nil || out.Pending || out.Payment.Captured != 400 {
		t.Errorf("%v", result{out, err})
	}
	for _, p := range allPayments(t, r.store) {
		if !p.Status.Final() {
			t.Errorf("payment %s is %s", p.ID, p.Status)
		}
	}
	if out, err := r.Do(t.Context(), r.capture(p.ID, 1, "busy")); err != nil || !out.Refusal.Has(payment.NotCapturable) {
		t.Errorf("a key that was refused for want of room: %v", result{out, err})
	}
}

// TestHoldThatIsOverAndCannotBeClosed is not shown as if it were open.
func TestHoldThatIsOverAndCannotBeClosed(t *testing.T) {
	script := newScript()
	r := newRig(t, scripted(script), func(c *engine.Config) { c.QueueLength = 1 })
	p := r.authorize(t, 500)
	script.from(faulty.Commit, full) // nor by its timer
	r.clock.Advance(week)
	nothing := payment.Request{Tenant: 1, Merchant: 1, Payment: 1, Command: payment.Expire{}}
	together(t, r, script, []payment.Request{nothing}, func() {
		if got, err := r.Payment(t.Context(), 1, 1, p.ID); !errors.Is(err, engine.ErrUnavailable) || got != nil {
			t.Errorf("with a full queue: %+v, %v", got, err)
		}
	})
	if got, err := r.Payment(t.Context(), 1, 1, p.ID); !errors.Is(err, engine.ErrUnavailable) || got != nil {
		t.Errorf("with a full store: %+v, %v", got, err)
	}
	script.from(faulty.Commit, none)
	if got, err := r.Payment(t.Context(), 1, 1, p.ID); err != nil || got.Status != payment.Expired {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestCloseAnswersWhatWasTaken: everybody in the queue gets his answer, nobody
// after that, and whoever closes hears of it when it is done.
func TestCloseAnswersWhatWasTaken(t *testing.T) {
	script := newScript()
	r := newRig(t, scripted(script), func(c *engine.Config) { c.BatchLimit = 8 })
	p := r.authorize(t, 1000)
	var requests []payment.Request
	for i := range 100 {
		requests = append(requests, r.capture(p.ID, 1, fmt.Sprint(i)))
	}
	var closers sync.WaitGroup
	var answered atomic.Int32
	results := together(t, r, script, requests, func() {
		for range 3 {
			closers.Go(func() {
				if err := r.Close(ctx); err != nil {
					t.Error(err)
				}
				if now, err := r.store.Payment(ctx, 1, p.ID, 0); err != nil || now.Captured != 100 {
					t.Errorf("closed, and captured %d, %v", now.Captured, err)
				}
				answered.Add(1)
			})
		}
		short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		if err := r.Close(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("for somebody who does not wait: %v", err)
		}
		if _, err := r.Do(ctx, r.capture(p.ID, 1, "late")); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("while closing: %v", err)
		}
	})
	closers.Wait()
	for i, got := range results {
		if got.err != nil || got.Payment.Captured != int64(i)+1 {
			t.Errorf("request %d: %v", i, got)
		}
	}
	if answered.Load() != 3 {
		t.Errorf("%d of 3 closed", answered.Load())
	}
}

// TestNothingRunsAfterClose: no goroutine outlives its engine, also when calls
// were under way, patient callers waited, or the storage failed.
func TestNothingRunsAfterClose(t *testing.T) {
	settled := func() int {
		n := runtime.NumGoroutine()
		for range 100 {
			time.Sleep(5 * time.Millisecond)
			runtime.GC()
			if now := runtime.NumGoroutine(); now >= n {
				return now
			} else {
				n = now
			}
		}
		return n
	}
	for _, test := range []struct {
		name  string
		fault faulty.Fault
	}{
		{"closed", none}, {"broken", brokenLost}, {"broken, but written", brokenWritten}, {"full", full}, {"conflict", conflict},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := settled()
			for range 20 {
				s := newSceneOn(t, memory.Open()) // which leaves nothing running itself
				s.proc.far, s.proc.remote = true, true
				s.proc.performWith = func(ctx context.Context, o processor.Order) (payment.Answer, error) {
					<-ctx.Done()
					return payment.Answer{}, ctx.Err()
				}
				var callers sync.WaitGroup
				for i := range 5 {
					callers.Go(func() {
						request := sale(100, fmt.Sprint("pending ", i))
						request.Patience = 50 * time.Millisecond
						s.Do(ctx, request)
					})
				}
				time.Sleep(time.Millisecond)
				s.script.from(faulty.Commit, test.fault)
				callers.Go(func() { s.Do(ctx, s.requests[0]) })
				callers.Wait()
				callers.Go(func() { s.Advance(ctx, s.clock, time.Minute) }) // until it closes
				if err := s.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				callers.Wait()
			}
			waitUntil(t, func() bool { return runtime.NumGoroutine() <= before })
		})
	}
}

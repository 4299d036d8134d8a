package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/store/faulty"
)

var (
	approved = payment.Answer{Result: payment.Approved}
	declined = payment.Answer{Result: payment.Refused, Reason: payment.DoNotHonor}
	errLost  = errors.New("the answer is lost")
)

// sale is a payment that is captured as soon as it is authorized.
func sale(amount int64, key string) payment.Request {
	i := intake(amount)
	i.Policy.AutoCapture = true
	return payment.Request{
		Tenant: 1, Merchant: 1, Key: payment.NewKey(1, "test", key), Command: payment.Create{Intake: i, Attempt: &payment.Attempt{}},
	}
}

// TestSaleIsPendingUntilItsCaptureIsAnswered, also when the answer to its
// authorization is written twice: by a commit that did not know it was.
func TestSaleIsPendingUntilItsCaptureIsAnswered(t *testing.T) {
	for _, fault := range []faulty.Fault{none, conflict, unknownLost, unknownWritten, unknownLate} {
		script := newScript()
		r := newRig(t, scripted(script))
		authorized, capture := make(chan struct{}), make(chan struct{})
		r.proc.far = true
		r.proc.perform = func(o processor.Order) (payment.Answer, error) {
			if o.Kind == payment.OpCapture {
				<-capture
				return approved, nil
			}
			<-authorized
			return approved, nil
		}
		out, err := r.Do(t.Context(), sale(100, "k"))
		if err != nil || !out.Pending || out.Payment.Status != payment.Authorizing {
			t.Fatalf("%+v, %v", out, err)
		}
		script.expect(faulty.Commit, fault)
		close(authorized)
		waitUntil(t, func() bool {
			p, _ := r.Payment(t.Context(), 1, 1, out.Payment.ID)
			return p.Status == payment.Authorized
		})
		waitUntil(t, func() bool { waiting, _ := r.Load(); return waiting == 0 })
		time.Sleep(5 * time.Millisecond) // for what must not happen
		if again, err := r.Do(t.Context(), sale(100, "k")); err != nil || !again.Pending || !again.Replayed {
			t.Errorf("%v: authorized, but not captured: %v", fault, result{again, err})
		}
		close(capture)
		if err := r.Advance(t.Context(), r.clock, time.Minute); err != nil { // after a retry only the timer calls
			t.Fatal(err)
		}
		again, err := r.Do(t.Context(), sale(100, "k"))
		if err != nil || again.Pending || again.Payment.Captured != 100 || again.Operation != out.Operation {
			t.Errorf("%v: captured: %v", fault, result{again, err})
		}
	}
}

// TestPatientCallersWaitForAllOfIt: the answer to the authorization of a sale
// is not the answer to the sale.
func TestPatientCallersWaitForAllOfIt(t *testing.T) {
	for _, far := range []bool{false, true} {
		r := newRig(t)
		r.proc.remote, r.proc.far = true, far
		r.proc.perform = func(processor.Order) (payment.Answer, error) {
			time.Sleep(10 * time.Millisecond)
			return approved, nil
		}
		request := sale(100, "k")
		request.Patience, request.Context = 10*time.Second, []byte("kept")
		out, err := r.Do(t.Context(), request)
		if err != nil || out.Pending || out.Payment.Captured != 100 || out.Replayed || string(out.Context) != "kept" {
			t.Fatalf("%v", result{out, err})
		}
		again, err := r.Do(t.Context(), request)
		if err != nil || !again.Replayed || !again.At.Equal(out.At) || again.Operation != out.Operation || again.Payment.Version != out.Payment.Version {
			t.Fatalf("a repeat differs:\n%+v\n%+v, %v", out, again, err)
		}
	}
}

func TestPatienceEnds(t *testing.T) {
	r := newRig(t)
	p := r.authorize(t, 1000)
	r.proc.remote = true
	hang := make(chan struct{})
	defer close(hang)
	r.proc.perform = func(processor.Order) (payment.Answer, error) { <-hang; return payment.Answer{}, errLost }
	request := r.capture(p.ID, 400, "k")
	request.Patience = 10 * time.Millisecond
	if out, err := r.Do(t.Context(), request); err != nil || !out.Pending || out.Payment.Captured != 0 {
		t.Fatalf("%v", result{out, err})
	}
}

// TestAnswerThatCannotBeWritten: the processor is not asked to perform again,
// but what became of it.
func TestAnswerThatCannotBeWritten(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault faulty.Fault
		lost  bool // the first time
	}{
		{"full", full, true},
		{"line", refused, false}, // it is tried again at once
		{"conflict", conflict, false},
		{"unknown, lost", unknownLost, false},
		{"unknown, written", unknownWritten, false},
		{"unknown, late", unknownLate, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := newScript()
			r := newRig(t, scripted(script))
			p := r.authorize(t, 1000)
			answer := make(chan struct{})
			r.proc.remote = true
			r.proc.perform = func(processor.Order) (payment.Answer, error) { <-answer; return approved, nil }
			r.proc.lookup = func(processor.Order) (payment.Answer, error) { return approved, nil }
			if out, err := r.Do(t.Context(), r.capture(p.ID, 400, "k")); err != nil || !out.Pending {
				t.Fatalf("%v", result{out, err})
			}
			if test.lost {
				script.from(faulty.Commit, test.fault)
			} else {
				script.expect(faulty.Commit, test.fault)
			}
			tried := script.count(faulty.Commit)
			close(answer)
			waitUntil(t, func() bool { return script.count(faulty.Commit) > tried })
			if test.lost {
				time.Sleep(10 * time.Millisecond)
				script.from(faulty.Commit, none)
			}
			if err := r.Advance(t.Context(), r.clock, time.Minute); err != nil {
				t.Fatal(err)
			}
			out, err := r.Do(t.Context(), r.capture(p.ID, 400, "k"))
			if err != nil || out.Pending || out.Payment.Captured != 400 {
				t.Errorf("%v", result{out, err})
			}
			if n := r.proc.performed[payment.OperationID(p.ID, 2)]; n != 1 {
				t.Errorf("performed %d times", n)
			}
		})
	}
}

// TestRestartBetweenIntentionAndCall: the intention was written, the process
// died, and nobody had called. The next engine looks first, then performs.
func TestRestartBetweenIntentionAndCall(t *testing.T) {
	s := newScene(t)
	s.proc.remote = true
	s.script.expect(faulty.Commit, brokenWritten)
	if _, err := s.Do(t.Context(), s.capture(s.b.ID, 100, "k")); !errors.Is(err, engine.ErrUnknown) {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var looked atomic.Int32
	s.proc.lookup = func(processor.Order) (payment.Answer, error) {
		looked.Add(1)
		return payment.Answer{}, processor.ErrNoTrace
	}
	s.restart()
	if out, err := s.Do(t.Context(), s.capture(s.b.ID, 100, "k")); err != nil || !out.Pending || !out.Replayed {
		t.Fatalf("%v", result{out, err})
	}
	if err := s.Advance(t.Context(), s.clock, time.Second); err != nil {
		t.Fatal(err)
	}
	out, err := s.Do(t.Context(), s.capture(s.b.ID, 100, "k"))
	if err != nil || out.Pending || out.Payment.Captured != 600 {
		t.Fatalf("%v", result{out, err})
	}
	if n := s.proc.performed[payment.OperationID(s.b.ID, out.Operation)]; n != 1 || looked.Load() != 1 {
		t.Errorf("looked up %d times, performed %d times", looked.Load(), n)
	}
}

// TestAnswerAfterTheDeadline: while a processor owes an answer the hold is not
// closed; the answer counts however late, and then the rest goes back.
func TestAnswerAfterTheDeadline(t *testing.T) {
	for _, test := range []struct {
		answer payment.Answer
		want   string
	}{
		{approved, "captured, held 0, captured 400"},
		{declined, "expired, held 0, captured 0"},
	} {
		r := newRig(t)
		p := r.authorize(t, 1000)
		r.proc.remote = true
		silent := func(processor.Order) (payment.Answer, error) { return payment.Answer{}, errLost }
		r.proc.perform, r.proc.lookup = silent, silent
		if out, err := r.Do(t.Context(), r.capture(p.ID, 400, "k")); err != nil || !out.Pending {
			t.Fatalf("%v", result{out, err})
		}
		if err := r.Advance(t.Context(), r.clock, 8*24*time.Hour); err != nil {
			t.Fatal(err)
		}
		if now, err := r.Payment(t.Context(), 1, 1, p.ID); err != nil || now.Status != payment.Authorized {
			t.Fatalf("is %s while the answer is due, %v", now.Status, err)
		}
		if out, err := r.Do(t.Context(), r.capture(p.ID, 1, "late")); err != nil || !out.Refusal.Has(payment.HoldOver) {
			t.Fatalf("a capture after the deadline: %v", result{out, err})
		}
		r.proc.lookup = func(processor.Order) (payment.Answer, error) { return test.answer, nil }
		if err := r.Advance(t.Context(), r.clock, 24*time.Hour); err != nil {
			t.Fatal(err)
		}
		out, err := r.Do(t.Context(), r.capture(p.ID, 400, "k"))
		if got := (result{out, err}).String(); got != "again: "+test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// TestAnswerThatIsNone: what nobody understands is not taken for an answer.
func TestAnswerThatIsNone(t *testing.T) {
	for _, answer := range []payment.Answer{{}, {Result: payment.Pending}, {Result: payment.PayerRequired}, {Result: 99}} {
		r := newRig(t)
		p := r.authorize(t, 1000)
		r.proc.remote = true
		r.proc.perform = func(processor.Order) (payment.Answer, error) { return answer, nil }
		request := r.capture(p.ID, 400, "k")
		request.Patience = 20 * time.Millisecond
		if out, err := r.Do(t.Context(), request); err != nil || !out.Pending {
			t.Fatalf("answer %d: %v", answer.Result, result{out, err})
		}
		r.proc.lookup = func(processor.Order) (payment.Answer, error) { return approved, nil }
		if err := r.Advance(t.Context(), r.clock, time.Second); err != nil {
			t.Fatal(err)
		}
		if out, err := r.Do(t.Context(), request); err != nil || out.Pending || out.Payment.Captured != 400 {
			t.Fatalf("answer %d, then approved: %v", answer.Result, result{out, err})
		}
	}
}

// TestEachOperationHasItsOwnName: the processor tells by it what it did
// before.
func TestEachOperationHasItsOwnName(t *testing.T) {
	r := newRig(t)
	p, q := r.authorize(t, 1000), r.authorize(t, 1000)
	r.proc.remote = true
	done := map[string]payment.Answer{} // a processor performs a name once
	r.proc.perform = func(o processor.Order) (payment.Answer, error) {
		if _, again := done[o.ID]; !again {
			done[o.ID] = approved
		}
		return done[o.ID], nil
	}
	for _, request := range []payment.Request{
		r.capture(p.ID, 100, ""), r.capture(p.ID, 200, ""), r.capture(q.ID, 300, ""),
		{Tenant: 1, Merchant: 1, Payment: p.ID, Command: payment.Refund{Amount: 50}},
		{Tenant: 1, Merchant: 1, Payment: p.ID, Command: payment.Void{}},
	} {
		request.Patience = 10 * time.Second
		if out, err := r.Do(t.Context(), request); err != nil || out.Pending || out.Refusal != nil {
			t.Fatalf("%v", result{out, err})
		}
	}
	if len(done) != 5 {
		t.Errorf("5 operations have %d names", len(done))
	}
}

// TestCloseWhileCalling: closing does not wait for a processor that listens,
// gives up on one that does not, and takes a late answer all the same.
func TestCloseWhileCalling(t *testing.T) {
	for _, listens := range []bool{true, false} {
		r := newRig(t)
		p := r.authorize(t, 1000)
		calling, release := make(chan struct{}), make(chan struct{})
		r.proc.remote = true
		r.proc.performWith = func(ctx context.Context, _ processor.Order) (payment.Answer, error) {
			close(calling)
			if listens {
				<-ctx.Done()
				return payment.Answer{}, ctx.Err()
			}
			<-release
			return approved, nil
		}
		if out, err := r.Do(t.Context(), r.capture(p.ID, 400, "k")); err != nil || !out.Pending {
			t.Fatalf("%v", result{out, err})
		}
		<-calling
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := r.Close(ctx)
		cancel()
		if listens != (err == nil) {
			t.Errorf("listens: %t: %v", listens, err)
		}
		close(release)
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
		now, err := r.store.Payment(t.Context(), 1, p.ID, 0)
		if err != nil || (now.Captured == 400) == listens {
			t.Errorf("listens: %t: captured %d, %v", listens, now.Captured, err)
		}
	}
}

// TestCallerIsToldAtOnceWhenTheCallFailed: he does not wait out his patience
// for an answer that is not under way, and gets the processor's when it came.
func TestCallerIsToldAtOnceWhenTheCallFailed(t *testing.T) {
	r := newRig(t)
	p := r.authorize(t, 1000)
	r.proc.remote = true
	r.proc.perform = func(processor.Order) (payment.Answer, error) { return payment.Answer{}, errors.New("connection lost") }
	request := r.capture(p.ID, 400, "k")
	request.Patience = time.Hour
	out, err := r.Do(t.Context(), request)
	if err != nil || !out.Pending || out.Replayed {
		t.Fatalf("%v", result{out, err})
	}
	r.proc.perform = nil
	if err := r.Advance(t.Context(), r.clock, time.Second); err != nil {
		t.Fatal(err)
	}
	if out, err = r.Do(t.Context(), request); err != nil || out.Pending || out.Payment.Captured != 400 {
		t.Fatalf("%v", result{out, err})
	}
}

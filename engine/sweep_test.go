package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/verify"
	"github.com/capstan-pay/capstan/wallet"
)

// hoarder is a store that forgets nothing.
type hoarder struct{ store.Store }

func (hoarder) Sweep(context.Context, store.Over, int) (store.Swept, error) {
	return store.Swept{}, nil
}

// TestSweepingChangesNoAnswer: two engines are asked the same. One of them
// forgets what is over, all the time; nobody can tell which.
func TestSweepingChangesNoAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := &unsteady{now: noon}
		swept := memory.Open()
		start := func(s store.Store) *engine.Engine {
			c := engine.Config{
				Store: s, Clock: now, IDs: payment.NewIDs(0),
				Processor: func(int64, payment.Method) processor.Processor { return &acquirer{} },
			}
			checked(t, `{"limits":[{"currency":"USD","volume":5000,"count":7},{"currency":"USD","scope":"payer","period":"day","volume":900}]}`)(&c)
			return engine.New(c)
		}
		a, b := start(swept), start(hoarder{memory.Open()})
		defer a.Close(ctx)
		defer b.Close(ctx)
		var payments []payment.ID
		highest := noon
		keys := []string{"", "a", "b", "c"}
		same := func(what string, one, two payment.Outcome, err, err2 error) {
			if got, want := sweptView(one, err), sweptView(two, err2); got != want {
				t.Fatalf("%s\nswept      %s\nnot swept  %s", what, got, want)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				r := payment.Request{
					Tenant: 1, Merchant: 1, Fingerprint: payment.Fingerprint{rapid.ByteRange(1, 2).Draw(t, "fingerprint")},
					Retain: rapid.SampledFrom([]time.Duration{0, 30 * time.Second, time.Hour, 24 * time.Hour}).Draw(t, "retain"),
					Keeps:  func(*payment.Refusal) bool { return true }, Context: []byte{1},
				}
				if key := rapid.SampledFrom(keys).Draw(t, "key"); key != "" {
					r.Key = payment.NewKey(1, "test", key)
				}
				if len(payments) == 0 || rapid.Bool().Draw(t, "new") {
					in := intake(rapid.Int64Range(1, 1000).Draw(t, "amount"))
					in.Policy.HoldFor = 100 * 365 * 24 * time.Hour
					in.Method.Fingerprint = "f1"
					r.Command = payment.Create{Intake: in, Attempt: &payment.Attempt{}}
				} else {
					r.Payment = rapid.SampledFrom(payments).Draw(t, "payment")
					r.Command = payment.Capture{Amount: rapid.Int64Range(0, 400).Draw(t, "amount")}
				}
				one, err := a.Do(ctx, r)
				two, err2 := b.Do(ctx, r)
				same(fmt.Sprintf("%+v", r), one, two, err, err2)
				if one.Payment != nil && !one.Replayed && one.Payment.Version <= 3 {
					payments = append(payments, one.Payment.ID)
				}
			},
			"recorded": func(t *rapid.T) {
				key := payment.NewKey(1, "test", rapid.SampledFrom(keys).Draw(t, "key"))
				one, ok, err := a.Recorded(ctx, 1, key)
				two, ok2, err2 := b.Recorded(ctx, 1, key)
				same(fmt.Sprint(ok == ok2), one, two, err, err2)
			},
			"time": func(t *rapid.T) {
				now.set(now.Now().Add(rapid.SampledFrom([]time.Duration{time.Millisecond, 30 * time.Second, time.Hour, 25 * time.Hour, 40 * 24 * time.Hour}).Draw(t, "forward")))
				if now.Now().After(highest) {
					highest = now.Now()
				}
			},
			"set back": func(t *rapid.T) {
				if back := now.Now().Add(-time.Duration(rapid.IntRange(0, 59).Draw(t, "minutes")) * time.Minute); back.After(highest.Add(-time.Hour)) {
					now.set(back)
				}
			},
			"": func(t *rapid.T) {
				if err := a.SweepNow(ctx); err != nil {
					t.Fatal(err)
				}
			},
		})
		now.set(highest.Add(26 * time.Hour))
		if err := a.SweepNow(ctx); err != nil {
			t.Fatal(err)
		}
		err := swept.Audit(ctx, func(view store.Audit) error {
			return view.Records(func(r store.Record) error {
				if !r.Expires.IsZero() {
					return fmt.Errorf("a record is left that expired at %s", r.Expires)
				}
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		if report, err := verify.Audit(ctx, swept); err != nil || !report.Clean() {
			t.Fatalf("%v %v", report.Findings, err)
		}
	})
}

func sweptView(o payment.Outcome, err error) string {
	text := fmt.Sprintf("%v %v %d %v %v %q %s", err, o.Refusal, o.Operation, o.Pending, o.Replayed, o.Context, o.At.Format(time.RFC3339Nano))
	if o.Payment != nil {
		text += fmt.Sprintf(" %s %d %s %d", o.Payment.ID, o.Payment.Version, o.Payment.Status, o.Payment.Captured)
	}
	return text
}

// The sandbox clock sweeps what falls over on its way; a pending record waits
// for its answer, however long that takes.
func TestAdvancingSweeps(t *testing.T) {
	r := newRig(t)
	records := func() (n int) {
		t.Helper()
		err := r.store.Audit(ctx, func(view store.Audit) error {
			return view.Records(func(store.Record) error { n++; return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	in := intake(1000)
	in.Policy.HoldFor = 1000 * 24 * time.Hour
	hold, err := r.Do(ctx, payment.Request{Tenant: 1, Merchant: 1, Command: payment.Create{Intake: in, Attempt: &payment.Attempt{}}})
	if err != nil {
		t.Fatal(err)
	}
	r.proc.mu.Lock()
	r.proc.remote = true
	r.proc.perform = func(processor.Order) (payment.Answer, error) { return payment.Answer{}, errors.New("no answer") }
	r.proc.lookup = r.proc.perform
	r.proc.mu.Unlock()
	capture := payment.Request{
		Tenant: 1, Merchant: 1, Payment: hold.Payment.ID, Key: payment.NewKey(1, "test", "k"), Retain: time.Minute, Command: payment.Capture{Amount: 100},
	}
	if out, err := r.Do(ctx, capture); err != nil || !out.Pending {
		t.Fatalf("%+v, %v", out, err)
	}
	if err := r.store.PutGrant(ctx, wallet.Grant{Name: "g", Tenant: 1, ExpiresAt: noon}); err != nil {
		t.Fatal(err)
	}
	if n := records(); n != 2 {
		t.Fatalf("%d records", n)
	}
	advance := func(by time.Duration) {
		t.Helper()
		if err := r.Advance(ctx, r.clock, by); err != nil {
			t.Fatal(err)
		}
	}
	advance(31 * 24 * time.Hour)
	if n := records(); n != 1 { // the creation had no key: nobody can ask for it
		t.Errorf("%d records after a month", n)
	}
	if out, err := r.Do(ctx, capture); err != nil || !out.Pending || !out.Replayed {
		t.Errorf("the pending capture after a month: %+v, %v", out, err)
	}
	if g, err := r.store.Grant(ctx, 1, "g"); err != nil || g == nil {
		t.Errorf("a grant that expired a month ago is unknown: %v", err)
	}
	r.proc.mu.Lock()
	r.proc.lookup = func(processor.Order) (payment.Answer, error) { return payment.Answer{Result: payment.Approved}, nil }
	r.proc.mu.Unlock()
	advance(25 * time.Hour) // an inquiry gets the answer
	advance(2 * time.Hour)
	if n := records(); n != 0 {
		t.Errorf("%d records after the answer", n)
	}
	advance(400 * 24 * time.Hour)
	if g, err := r.store.Grant(ctx, 1, "g"); err != nil || g != nil {
		t.Errorf("a grant that expired more than a year ago is known: %v", err)
	}
}

// TestNothingIsSweptWhileACommitIsInDoubt: the record by which it is found out
// whether a commit took place is still there, though its time is over.
func TestNothingIsSweptWhileACommitIsInDoubt(t *testing.T) {
	now := clock.NewShifted(clock.Fixed(noon), 0)
	looked, release := make(chan struct{}), make(chan struct{})
	commits := 0
	var look sync.Once
	st := faulty.New(memory.Open(), func(c faulty.Call) faulty.Fault {
		switch c {
		case faulty.Commit:
			if commits++; commits == 1 {
				return faulty.Fault{Err: store.ErrUnknown, Fate: faulty.Written}
			}
		case faulty.Look:
			look.Do(func() { close(looked) })
			<-release
		}
		return faulty.Fault{}
	})
	e := engine.New(engine.Config{
		Store: st, Clock: now, IDs: payment.NewIDs(0),
		Processor: func(int64, payment.Method) processor.Processor { return &acquirer{} },
	})
	defer e.Close(ctx)
	answer := make(chan payment.Outcome, 1)
	in := intake(1000)
	in.Policy.HoldFor = 1000 * 24 * time.Hour
	go func() {
		out, err := e.Do(ctx, payment.Request{Tenant: 1, Merchant: 1, Command: payment.Create{Intake: in, Attempt: &payment.Attempt{}}})
		if err != nil {
			t.Error(err)
		}
		answer <- out
	}()
	<-looked
	advanced := make(chan error, 1)
	go func() { advanced <- e.Advance(ctx, now, 48*time.Hour) }()
	select {
	case err := <-advanced:
		t.Errorf("swept while a commit was in doubt: %v", err)
		advanced <- err
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	out := <-answer
	if err := <-advanced; err != nil {
		t.Error(err)
	}
	if out.Payment == nil || commits != 1 {
		t.Errorf("%d commits of one payment", commits)
	}
}

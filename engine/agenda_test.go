package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/verify"
)

const month = 31 * 24 * time.Hour

// planned authorizes an amount under a policy.
func (r *rig) planned(t *testing.T, amount int64, policy func(*payment.Policy)) *payment.Payment {
	t.Helper()
	i := intake(amount)
	policy(&i.Policy)
	out, err := r.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Command: payment.Create{Intake: i, Attempt: &payment.Attempt{}}})
	if err != nil || out.Refusal != nil || out.Payment.Status != payment.Authorized {
		t.Fatalf("%v", result{out, err})
	}
	return out.Payment
}

// agenda makes a store on whose agenda there is something of each kind: holds
// that end, captures that are planned, money in transit to the merchant and from
// him.
func (r *rig) agenda(t *testing.T) {
	t.Helper()
	for i := range 12 {
		day := time.Duration(i+1) * 24 * time.Hour
		r.planned(t, 1000, func(p *payment.Policy) { p.HoldFor = day })
		r.planned(t, 2000, func(p *payment.Policy) {
			p.CaptureAt, p.SettleAfter = r.clock.Now().Add(day/2), time.Hour
		})
		settled := r.planned(t, 3000, func(p *payment.Policy) { p.SettleAfter, p.RefundSettleAfter = day, day+time.Hour })
		refund := payment.Request{Tenant: 1, Merchant: 1, Payment: settled.ID, Command: payment.Refund{Amount: 200}}
		for _, request := range []payment.Request{r.capture(settled.ID, 500, ""), refund} {
			if out, err := r.Do(t.Context(), request); err != nil || out.Refusal != nil {
				t.Fatalf("%v", result{out, err})
			}
		}
	}
}

// history is what has happened in a store, in lines that can be compared.
func history(t *testing.T, s store.Reader) map[string]int {
	t.Helper()
	lines := map[string]int{}
	err := s.Audit(ctx, func(view store.Audit) error {
		return view.Events(func(id payment.ID, sequence int, e payment.Event) error {
			lines[fmt.Sprintf("%s %s %d", id, e.Kind, e.Operation)]++
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// sound audits a store.
func sound(t *testing.T, s store.Reader) {
	t.Helper()
	report, err := verify.Audit(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Error("audit:", f)
	}
}

// TestAMonthGoesBy: all that falls due is done in order, each thing at its own
// time, and once.
func TestAMonthGoesBy(t *testing.T) {
	r := newRig(t)
	r.agenda(t)
	if err := r.Advance(t.Context(), r.clock, month); err != nil {
		t.Fatal(err)
	}
	if !r.clock.Now().Equal(noon.Add(month)) {
		t.Errorf("it is %s", r.clock.Now())
	}
	for _, p := range allPayments(t, r.store) {
		switch p.Amount {
		case 1000:
			if p.Status != payment.Expired || !p.ClosedAt.Equal(p.ExpiresAt) || p.Released != 1000 {
				t.Errorf("a hold until %s: %s at %s", p.ExpiresAt, p.Status, p.ClosedAt)
			}
		case 2000:
			if p.Status != payment.Captured || !p.ClosedAt.Equal(p.Policy.CaptureAt) || p.Settled != 2000 || !p.UpdatedAt.Equal(p.Policy.CaptureAt.Add(time.Hour)) {
				t.Errorf("a capture planned for %s: %s at %s, settled %d at %s", p.Policy.CaptureAt, p.Status, p.ClosedAt, p.Settled, p.UpdatedAt)
			}
		case 3000:
			if p.Status != payment.Captured || !p.ClosedAt.Equal(p.ExpiresAt) || p.Settled != 500 || p.Released != 2500 || p.RefundsSettled != 200 {
				t.Errorf("a hold until %s of which a part was captured: %s at %s, settled %d", p.ExpiresAt, p.Status, p.ClosedAt, p.Settled)
			}
		}
	}
	for line, n := range history(t, r.store) {
		if n != 1 {
			t.Errorf("%s: %d times", line, n)
		}
	}
	if next, err := r.store.NextDue(t.Context()); err != nil || !next.IsZero() {
		t.Errorf("something is left for %s, %v", next, err)
	}
}

// TestTheClockJumpsForward, while the server runs and while it is down: all
// that fell due meanwhile is done once, as late as it is.
func TestTheClockJumpsForward(t *testing.T) {
	for _, down := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newVirtualRig(t)
			r.agenda(t)
			if down {
				if err := r.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			r.clock.Advance(month)
			if down {
				r.Engine = r.another(t)
			}
			time.Sleep(6 * time.Second) // the timer loop looks by itself
			r.clock.Advance(month + 2*time.Hour)
			time.Sleep(6 * time.Second) // what was captured late is settled
			for _, p := range allPayments(t, r.store) {
				if p.Status != payment.Expired && p.Status != payment.Captured || p.Settled != p.Captured || p.RefundsSettled != p.Refunded {
					t.Errorf("down: %t: payment of %d is %s, settled %d", down, p.Amount, p.Status, p.Settled)
				}
				if p.Amount == 2000 && p.Captured != 2000 {
					t.Errorf("down: %t: its planned capture was not made: %s", down, p.Status)
				}
			}
			for line, n := range history(t, r.store) {
				if n != 1 {
					t.Errorf("down: %t: %s: %d times", down, line, n)
				}
			}
		})
	}
}

// TestTheClockIsSetBack, under a running server or over a restart: nothing
// happens twice, and what is closed stays closed.
func TestTheClockIsSetBack(t *testing.T) {
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			base := &unsteady{now: noon}
			r := newVirtualRig(t, func(c *engine.Config) { c.Clock = base })
			r.clock = clock.NewShifted(base, 0) // for those who look at it
			r.agenda(t)
			for i := range 24 { // half of it falls due
				base.set(noon.Add(time.Duration(i) * 6 * time.Hour))
				time.Sleep(6 * time.Second)
			}
			before, payments := history(t, r.store), allPayments(t, r.store)
			for _, back := range []time.Duration{5 * 24 * time.Hour, time.Hour, 0} {
				if restart {
					if err := r.Close(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				base.set(noon.Add(23*6*time.Hour - back))
				if restart {
					r.Engine = r.another(t, func(c *engine.Config) { c.Clock = base })
				}
				time.Sleep(6 * time.Second)
				for _, p := range payments {
					if !p.Status.Final() {
						continue
					}
					out, err := r.Do(t.Context(), r.capture(p.ID, 1, ""))
					if err != nil || !out.Refusal.Has(payment.NotCapturable) || out.Refusal.Ended != p.Ended {
						t.Fatalf("a capture of what ended by %s: %v", p.Ended, result{out, err})
					}
				}
				if now := history(t, r.store); !sameCounts(now, before) {
					t.Fatalf("restart: %t: %s back something happened", restart, back)
				}
			}
			sound(t, r.store)
			base.set(noon.Add(month))
			time.Sleep(6 * time.Second)
			base.set(noon.Add(month + 2*time.Hour))
			time.Sleep(6 * time.Second)
			for line, n := range history(t, r.store) {
				if n != 1 {
					t.Errorf("%s: %d times", line, n)
				}
			}
			for _, p := range allPayments(t, r.store) {
				if !p.Status.Final() || p.Settled != p.Captured || p.RefundsSettled != p.Refunded {
					t.Errorf("payment of %d is %s, settled %d of %d", p.Amount, p.Status, p.Settled, p.Captured)
				}
			}
		})
	}
}

func sameCounts(a, b map[string]int) bool {
	if len(a) != len(b) {
		return false
	}
	for line, n := range a {
		if b[line] != n {
			return false
		}
	}
	return true
}

// TestDeadlineThatPassedWhileAnAnswerWasDue: the clock is set back before the
// answer comes. The hold still ends at its deadline.
func TestDeadlineThatPassedWhileAnAnswerWasDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &unsteady{now: noon}
		r := newVirtualRig(t, func(c *engine.Config) { c.Clock = base })
		p := r.authorize(t, 1000)
		r.proc.remote = true
		answer := make(chan struct{})
		r.proc.perform = func(processor.Order) (payment.Answer, error) { <-answer; return declined, nil }
		if out, err := r.Do(t.Context(), r.capture(p.ID, 400, "k")); err != nil || !out.Pending {
			t.Fatalf("%v", result{out, err})
		}
		base.set(p.ExpiresAt)
		time.Sleep(6 * time.Second) // the deadline's timer is done with
		base.set(p.ExpiresAt.Add(-time.Hour))
		close(answer)
		time.Sleep(6 * time.Second)
		sound(t, r.store)
		base.set(p.ExpiresAt.Add(time.Hour))
		time.Sleep(12 * time.Second)
		if now := allPayments(t, r.store)[p.ID]; now.Status != payment.Expired || now.Released != 1000 {
			t.Errorf("is %s, released %d", now.Status, now.Released)
		}
	})
}

// TestPlannedCaptureIsPutOffByTheClockToo: it fell due while another operation
// waited, and then the clock is set back.
func TestPlannedCaptureIsPutOffByTheClockToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &unsteady{now: noon}
		s := &setsBack{Store: memory.Open(), clock: base, by: 30 * time.Second}
		r := newVirtualRig(t, func(c *engine.Config) { c.Clock, c.Store = base, s })
		p := r.planned(t, 1000, func(p *payment.Policy) { p.CaptureAt = noon.Add(time.Hour) })
		r.proc.remote = true
		silent := func(processor.Order) (payment.Answer, error) { return payment.Answer{}, errLost }
		r.proc.perform, r.proc.lookup = silent, silent
		if out, err := r.Do(t.Context(), r.capture(p.ID, 100, "k")); err != nil || !out.Pending {
			t.Fatalf("%v", result{out, err})
		}
		base.set(noon.Add(time.Hour)) // every timer that is found sets it back
		time.Sleep(6 * time.Second)
		r.proc.mu.Lock()
		r.proc.lookup, r.proc.perform = func(processor.Order) (payment.Answer, error) { return declined, nil }, nil
		r.proc.mu.Unlock()
		for i := range 10 {
			base.set(noon.Add(time.Hour + time.Duration(i)*time.Minute))
			time.Sleep(6 * time.Second)
		}
		if now := allPayments(t, s.Store)[p.ID]; now.Captured != 1000 {
			t.Errorf("is %s, captured %d", now.Status, now.Captured)
		}
	})
}

// TestAdvanceWhileAProcessorHangs: the clock does not wait for it for ever, and
// everybody else's affairs go on.
func TestAdvanceWhileAProcessorHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newVirtualRig(t)
		r.agenda(t)
		var hanging []payment.ID
		r.proc.remote = true
		r.proc.performWith = func(ctx context.Context, _ processor.Order) (payment.Answer, error) {
			<-ctx.Done()
			return payment.Answer{}, ctx.Err()
		}
		for i := range 100 {
			p := r.authorize(t, 700)
			hanging = append(hanging, p.ID)
			if out, err := r.Do(t.Context(), r.capture(p.ID, 700, fmt.Sprint(i))); err != nil || !out.Pending {
				t.Fatalf("%v", result{out, err})
			}
		}
		began := time.Now()
		if err := r.Advance(t.Context(), r.clock, month); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("it took %s", took)
		}
		for _, p := range allPayments(t, r.store) {
			if p.Amount == 1000 && p.Status != payment.Expired {
				t.Errorf("a hold is %s", p.Status)
			}
		}
		r.proc.mu.Lock()
		r.proc.remote, r.proc.performWith = false, nil
		r.proc.mu.Unlock()
		for range 4 {
			time.Sleep(2 * time.Minute) // the calls end, and others are made
			if err := r.Advance(t.Context(), r.clock, 24*time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		all := allPayments(t, r.store)
		for _, id := range hanging {
			if p := all[id]; p.Captured != 700 {
				t.Fatalf("is %s, captured %d", p.Status, p.Captured)
			}
		}
	})
}

// TestTimersThatCannotBeDoneStarveNobody: however many there are of them, what
// falls due later is done.
func TestTimersThatCannotBeDoneStarveNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newVirtualRig(t)
		var requests sync.WaitGroup
		for range 700 {
			requests.Go(func() {
				r.planned(t, nonsense, func(p *payment.Policy) { p.CaptureAt = noon.Add(time.Hour) })
			})
		}
		requests.Wait()
		last := r.planned(t, 1000, func(p *payment.Policy) { p.CaptureAt = noon.Add(2 * time.Hour) })
		later := r.planned(t, 1000, func(p *payment.Policy) { p.CaptureAt = noon.Add(4 * time.Hour) })
		r.proc.puzzling.Store(nonsense)
		r.clock.Advance(2 * time.Hour)
		time.Sleep(6 * time.Second)
		if p := allPayments(t, r.store)[last.ID]; p.Captured != 1000 {
			t.Errorf("the server has captured %d", p.Captured)
		}
		if err := r.Advance(t.Context(), r.clock, 3*time.Hour); err == nil {
			t.Error("nobody heard of it")
		}
		if p := allPayments(t, r.store)[later.ID]; p.Captured != 1000 || !p.ClosedAt.Equal(noon.Add(4*time.Hour)) {
			t.Errorf("when the clock is moved, %d are captured at %s", p.Captured, p.ClosedAt)
		}
		if !r.clock.Now().Equal(noon.Add(5 * time.Hour)) {
			t.Errorf("it is %s", r.clock.Now())
		}
		r.proc.mu.Lock()
		r.proc.puzzling.Store(0)
		r.proc.mu.Unlock()
		time.Sleep(6 * time.Second)
		for _, p := range allPayments(t, r.store) {
			if p.Captured != p.Amount {
				t.Fatalf("payment of %d: captured %d", p.Amount, p.Captured)
			}
		}
	})
}

// TestProcessDiesBetweenDueAndDone, before the commit or after it: it is done
// once.
func TestProcessDiesBetweenDueAndDone(t *testing.T) {
	for _, fault := range []faulty.Fault{brokenLost, brokenWritten} {
		s := newScene(t)
		s.rig.agenda(t)
		for range 60 { // it dies at every thing that falls due
			s.script.expect(faulty.Commit, fault)
			if err := s.Advance(t.Context(), s.clock, month-s.clock.Offset()); err == nil {
				break
			}
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.restart()
			next, err := s.store.NextDue(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Advance(t.Context(), s.clock, max(next.Sub(s.clock.Now()), 0)); err != nil { // what was due, and no more
				t.Fatal(err)
			}
		}
		s.script.keep(0)
		if err := s.Advance(t.Context(), s.clock, month-s.clock.Offset()); err != nil {
			t.Fatal(err)
		}
		for line, n := range history(t, s.store) {
			if n != 1 {
				t.Errorf("%s: %d times", line, n)
			}
		}
		for _, p := range allPayments(t, s.store) {
			if !p.Status.Final() || p.Settled != p.Captured || p.RefundsSettled != p.Refunded {
				t.Errorf("payment of %d is %s, settled %d of %d", p.Amount, p.Status, p.Settled, p.Captured)
			}
		}
		sound(t, s.store)
	}
}

// TestAnsweredKeyIsRememberedForItsTime, counted from the answer: whoever was
// told "pending" finds out what became of it.
func TestAnsweredKeyIsRememberedForItsTime(t *testing.T) {
	// What happens then is looked at with clocks that stand before now.
	r := newRig(t, func(c *engine.Config) { c.Store = hoarder{memory.Open()} })
	p := r.authorize(t, 1000)
	r.proc.remote = true
	silent := func(processor.Order) (payment.Answer, error) { return payment.Answer{}, errLost }
	r.proc.perform, r.proc.lookup = silent, silent
	request := r.capture(p.ID, 400, "k")
	request.Retain = time.Hour
	if out, err := r.Do(t.Context(), request); err != nil || !out.Pending {
		t.Fatalf("%v", result{out, err})
	}
	if err := r.Advance(t.Context(), r.clock, 3*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	r.proc.lookup = func(processor.Order) (payment.Answer, error) { return approved, nil }
	if err := r.Advance(t.Context(), r.clock, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	answered := allPayments(t, r.store)[p.ID].Op(2).DoneAt
	for _, test := range []struct {
		at   time.Time
		want string
	}{
		{answered.Add(time.Hour - time.Millisecond), "again: authorized, held 600, captured 400"},
		{answered.Add(time.Hour), "pending: authorized, held 200, captured 400"},
	} {
		r.proc.perform, r.proc.lookup = silent, silent
		e := r.another(t, func(c *engine.Config) { c.Clock = clock.Fixed(test.at) })
		out, err := e.Do(t.Context(), request)
		if got := (result{out, err}).String(); got != test.want {
			t.Errorf("%s after the answer: %s, want %s", test.at.Sub(answered), got, test.want)
		}
	}
}

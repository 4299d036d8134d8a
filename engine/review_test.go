package engine_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/store/faulty"
)

const lookAtAll = `{"limits":[{"currency":"USD","volume":1500}],
	"rules":[{"level":"shop","alias":"all","action":"review","cel":"operation.type == 'authorization' || operation.type == 'payment'"}]}`

func heldUp(in *payment.Intake) { in.Policy.ReviewsHold = true }

// review decides about a payment that is held up.
func (r *rig) review(t *testing.T, id payment.ID, passed bool) *payment.Payment {
	t.Helper()
	out, err := r.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Payment: id, Command: payment.Review{Passed: passed, Note: "alice"}})
	if err != nil || out.Refusal != nil {
		t.Fatalf("%v", result{out, err})
	}
	return out.Payment
}

// TestHeldUpHoldsTheLimit: what is held up, and captured at once when it is let
// go on, counts as what waits for its processor, until it is decided or over.
func TestHeldUpHoldsTheLimit(t *testing.T) {
	const month = "1/USD/2026-01"
	r := newRig(t, checked(t, lookAtAll))
	first := r.create(t, 1, heldUp, atOnce).Payment
	if !first.HeldUp() || first.Captured != 0 {
		t.Fatalf("it is %s and %s", first.Status, first.Review)
	}
	r.expect(t, month, 0, 0, 1000, 1)
	if out := r.create(t, 1, heldUp, atOnce); out.Op().Answer.Reason != payment.LimitVolume {
		t.Errorf("a second one: %+v", out.Op().Answer)
	}
	if p := r.review(t, first.ID, false); p.Status != payment.Voided || p.Ended != payment.EndedByReview {
		t.Errorf("it is %s by %s", p.Status, p.Ended)
	}
	r.expect(t, month, 0, 0, 0, 0)

	second := r.create(t, 1, heldUp, atOnce).Payment
	r.expect(t, month, 0, 0, 1000, 1)
	if p := r.review(t, second.ID, true); p.Captured != 1000 {
		t.Errorf("captured %d", p.Captured)
	}
	r.expect(t, month, 1000, 1, 0, 0)

	r.Advance(t.Context(), r.clock, 20*24*time.Hour) // another month
	for name, ends := range map[string]func(payment.ID) error{
		"voided": func(id payment.ID) error {
			_, err := r.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Payment: id, Command: payment.Void{}})
			return err
		},
		"expired": func(payment.ID) error { return r.Advance(t.Context(), r.clock, week) },
	} {
		id := r.create(t, 1, heldUp, atOnce).Payment.ID
		r.expect(t, "1/USD/2026-02", 0, 0, 1000, 1)
		if err := ends(id); err != nil {
			t.Fatal(err)
		}
		if p := allPayments(t, r.store)[id]; p.Status.String() != name {
			t.Errorf("it is %s, not %s", p.Status, name)
		}
		r.expect(t, "1/USD/2026-02", 0, 0, 0, 0)
	}
	sound(t, r.store)
}

// TestReviewsSurvive: a server that ends, a processor that answers late and a
// clock that jumps a month leave what is held up held up, and what was decided
// decided.
func TestReviewsSurvive(t *testing.T) {
	for _, passed := range []bool{true, false} {
		for _, restart := range []bool{true, false} {
			t.Run(fmt.Sprintf("passed %t, restarted %t", passed, restart), func(t *testing.T) {
				checks := checked(t, lookAtAll)
				r := newRig(t, checks)
				again := func() {
					if !restart {
						return
					}
					if err := r.Close(t.Context()); err != nil {
						t.Fatal(err)
					}
					r.Engine = r.another(t, checks)
				}
				id := r.create(t, 1, heldUp, atOnce).Payment.ID
				planned := r.create(t, 2, func(in *payment.Intake) { in.Policy.CaptureAt = r.clock.Now().Add(time.Hour) }).Payment.ID // of a merchant without checks
				again()
				if err := r.Advance(t.Context(), r.clock, 6*24*time.Hour); err != nil {
					t.Fatal(err)
				}
				if p := allPayments(t, r.store)[id]; !p.HeldUp() {
					t.Fatalf("it is %s and %s", p.Status, p.Review)
				}
				says := func(a payment.Answer, err error) {
					r.proc.mu.Lock()
					defer r.proc.mu.Unlock()
					r.proc.remote = true
					r.proc.perform = func(processor.Order) (payment.Answer, error) { return a, err }
					r.proc.lookup = r.proc.perform
				}
				says(payment.Answer{}, errors.New("lost"))
				r.review(t, id, passed)
				r.until(func() bool { return allPayments(t, r.store)[id].Pending() != nil })
				again()
				says(approved, nil)
				if err := r.Advance(t.Context(), r.clock, month); err != nil {
					t.Fatal(err)
				}
				p := allPayments(t, r.store)[id]
				if passed && (p.Status != payment.Captured || p.Captured != 1000) || !passed && (p.Status != payment.Voided || p.Ended != payment.EndedByReview) {
					t.Errorf("it is %s by %s", p.Status, p.Ended)
				}
				if p := allPayments(t, r.store)[planned]; p.Captured != 1000 || p.Review != payment.NotReviewed {
					t.Errorf("what nobody looks at is %s", p.Status)
				}
				sound(t, r.store)
			})
		}
	}
}

// TestReviewUnderFaults: whatever a commit answers, a review is decided once.
func TestReviewUnderFaults(t *testing.T) {
	for _, faults := range [][]faulty.Fault{{conflict}, {unknownLost}, {unknownWritten}, {unknownLate}, {unknownWritten, conflict, unknownLost}} {
		script := newScript()
		r := newRig(t, scripted(script), checked(t, lookAtAll))
		id := r.create(t, 1, heldUp, atOnce).Payment.ID
		script.expect(faulty.Commit, faults...)
		out, err := r.Do(t.Context(), payment.Request{
			Tenant: 1, Merchant: 1, Payment: id, Key: payment.NewKey(1, "test", "review"), Command: payment.Review{Passed: true},
		})
		if err == nil && (out.Refusal != nil || out.Payment.Captured != 1000) || err != nil && !errors.Is(err, engine.ErrUnknown) {
			t.Errorf("%v: %v", faults, result{out, err})
		}
		for line, n := range history(t, r.store) {
			if n != 1 {
				t.Errorf("%v: %s: %d times", faults, line, n)
			}
		}
		sound(t, r.store)
	}
}

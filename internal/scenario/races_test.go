package scenario

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/internal/peer"
)

const day = 24 * time.Hour

// ends are the ways in which a hold can end: each asks for one, and tells
// whether it was told that this is done, or lets the moment come.
var ends = map[string]func(w *world, id, key string) bool{
	"void":     func(w *world, id, key string) bool { return w.done("/payments/"+id+"/cancel", key) },
	"capture":  func(w *world, id, key string) bool { return w.done("/payments/"+id+"/capture", key) },
	"expiry":   func(w *world, _, _ string) bool { return w.lapse(8 * day) },
	"schedule": func(w *world, _, _ string) bool { return w.lapse(25 * time.Hour) },
}

// done asks the wepay dialect and tells whether it was told that it is done.
func (w *world) done(path, key string) bool {
	status, _ := w.wepay(path, key, `{}`)
	return status == http.StatusOK
}

// lapse lets time pass. Nobody is told anything.
func (w *world) lapse(by time.Duration) bool {
	if err := w.AdvanceClock(w.t.Context(), by); err != nil {
		w.t.Error(err)
	}
	return false
}

// TestEndsInPairs: a void, a capture, the deadline and a scheduled capture, each
// with each, while the processor takes its time or loses its answers: the hold
// ends once.
func TestEndsInPairs(t *testing.T) {
	names := []string{"void", "capture", "expiry", "schedule"}
	for i, a := range names {
		for _, b := range names[i:] {
			t.Run(a+" and "+b, func(t *testing.T) {
				w := newWorld(t)
				for round, outcome := range []string{"approve", "lost_then_approved", "lost_then_declined", "timeout"} {
					key := fmt.Sprintf("%d", round)
					at := w.Clock.Now().Add(6 * day)
					if a == "schedule" || b == "schedule" {
						at = w.Clock.Now().Add(day)
					}
					id := w.planned("p"+key, at)
					for _, operation := range []string{"void", "capture"} {
						w.peer.Expect(t, operation, outcome, 20*time.Millisecond, 1)
					}
					before := w.peer.Effects(t)
					var both sync.WaitGroup
					var told [2]bool
					both.Go(func() { told[0] = ends[a](w, id, "a"+key) })
					both.Go(func() { told[1] = ends[b](w, id, "b"+key) })
					both.Wait()
					for range 3 {
						w.Advance(t, time.Minute)
					}
					w.Advance(t, 8*day)
					effects := w.peer.Effects(t)[len(before):]
					captured, captures := peer.Sum(effects, "capture")
					voided, voids := peer.Sum(effects, "void")
					if captures+voids > 1 || captured+voided > hold {
						t.Errorf("%s: %d captured by %d captures, %d voided by %d voids", outcome, captured, captures, voided, voids)
					}
					if told[0] && told[1] {
						t.Errorf("%s: both were told that it is theirs", outcome)
					}
					for n, end := range []string{a, b} {
						if outcome == "approve" && told[n] && (end == "capture") != (captured == hold) {
							t.Errorf("who asked for a %s was told that it is done, and %d are captured", end, captured)
						}
					}
					w.shows(w.client("wepay"), id, captured)
				}
				w.settled()
				if held := w.Balances(t, "USD")["held"]; held != 0 {
					t.Errorf("%d still held", held)
				}
			})
		}
	}
}

// TestTwoRefundsRacing: no more goes back than was captured, whichever comes
// first, also when the answer to one is lost.
func TestTwoRefundsRacing(t *testing.T) {
	for _, outcome := range []string{"approve", "lost_then_approved", "lost_then_declined", "timeout"} {
		t.Run(outcome, func(t *testing.T) {
			w := newWorld(t)
			c := w.client("intents")
			id := w.authorized(c, "a")
			w.want("done")(c.Capture(t.Context(), id, hold, "k", true))
			w.peer.Expect(t, "refund", outcome, 20*time.Millisecond, 1)
			var both sync.WaitGroup
			var taken atomic.Int64
			for n := range 4 {
				both.Go(func() {
					if w.refund(id, fmt.Sprintf("r%d", n), 1500) == http.StatusOK {
						taken.Add(1)
					}
				})
			}
			both.Wait()
			if taken.Load() != 1 {
				t.Errorf("%d refunds were taken", taken.Load())
			}
			want := int64(1500)
			if outcome == "lost_then_declined" { // the others were refused while nobody knew
				want = 0
			}
			w.wants(hold, 0, want)
		})
	}
}

// TestRefundRacingCapture: what is not captured yet is not refunded, and what
// is can be.
func TestRefundRacingCapture(t *testing.T) {
	for _, outcome := range []string{"approve", "lost_then_approved", "lost_then_declined"} {
		t.Run(outcome, func(t *testing.T) {
			w := newWorld(t)
			c := w.client("intents")
			id := w.authorized(c, "a")
			w.peer.Expect(t, "capture", outcome, 20*time.Millisecond, 1)
			var both sync.WaitGroup
			refunded := 0
			both.Go(func() { _, _ = c.Capture(t.Context(), id, hold, "k", true) })
			both.Go(func() {
				for n := range 30 {
					if w.refund(id, fmt.Sprintf("r%d", n), 500) == 200 {
						refunded++
					}
					time.Sleep(2 * time.Millisecond)
				}
			})
			both.Wait()
			captured, _, back := w.settled()
			if back > captured || back != min(int64(refunded)*500, hold) && captured > 0 {
				t.Errorf("%d captured, %d refunded, %d refunds were taken", captured, back, refunded)
			}
		})
	}
}

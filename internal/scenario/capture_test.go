package scenario

import (
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/internal/drive"
)

// each plays a scenario in every dialect.
func each(t *testing.T, play func(*world, drive.Client)) {
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			w := newWorld(t)
			w.t, w.wallets = t, dialect == "alipay"
			play(w, w.client(dialect))
		})
	}
}

// repeated is what a repeat of a capture that succeeded is told: begateway has
// no keys, and knows it by its amount and its moment, or refuses it.
var repeated = []drive.Verdict{drive.Done, drive.Replayed, drive.Duplicate, drive.Refused}

// TestSameCaptureTwice: after success, after an unknown outcome that was a
// success, and after one that was a failure: the money moves once.
func TestSameCaptureTwice(t *testing.T) {
	for name, outcome := range map[string]string{
		"after success": "approve", "after unknown that was success": "lost_then_approved", "after unknown that was success and said so": "error_then_approved",
		"after unknown that was failure": "timeout", "after a 5xx": "error", "after unknown that was a decline": "lost_then_declined",
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world, c drive.Client) {
				if w.wallets && strings.HasPrefix(outcome, "error") {
					w.t.Skip("what is in our own books does not answer with 5xx")
				}
				id := w.authorized(c, "a")
				w.lose("capture", outcome)
				first, unknown := drive.Done, outcome != "approve"
				if unknown {
					first = drive.Unknown
				}
				w.want(first, drive.InProcess)(c.Capture(w.t.Context(), id, hold, "k", true))
				second, err := c.Capture(w.t.Context(), id, hold, "k", true)
				if unknown {
					if err != nil || second.Verdict == drive.Declined || second.Verdict == drive.Done {
						w.t.Errorf("while nobody knows: %s %s, %v", second.Verdict, second.Answer, err)
					}
				} else {
					w.want(repeated...)(second, err)
				}
				w.Advance(w.t, time.Minute)
				third, err := c.Capture(w.t.Context(), id, hold, "k", true)
				if outcome == "lost_then_declined" {
					var want int64
					if c.Name() == "begateway" { // which has no keys: a repeat is another capture
						w.want(drive.Done)(third, err)
						want = hold
					} else {
						w.want(drive.Declined, drive.Refused)(third, err)
					}
					w.wants(want, 0, 0)
					w.shows(c, id, want)
					return
				}
				w.want(repeated...)(third, err)
				w.wants(hold, 0, 0)
				w.shows(c, id, hold)
			})
		})
	}
}

// TestAnotherKeyWhileOneIsUnknown: whatever the truth is, the second capture
// does not take the money of the first.
func TestAnotherKeyWhileOneIsUnknown(t *testing.T) {
	for outcome, want := range map[string]int64{"lost_then_approved": hold, "lost_then_declined": 0} {
		t.Run(outcome, func(t *testing.T) {
			each(t, func(w *world, c drive.Client) {
				id := w.authorized(c, "a")
				w.lose("capture", outcome)
				w.want(drive.Unknown, drive.InProcess)(c.Capture(w.t.Context(), id, hold, "k1", true))
				r, err := c.Capture(w.t.Context(), id, hold, "k2", true)
				if err != nil || r.Verdict == drive.Done || r.Verdict == drive.Replayed {
					w.t.Errorf("the second is %s %s, %v", r.Verdict, r.Answer, err)
				}
				w.wants(want, 0, 0)
				w.shows(c, id, want)
				if c.Name() == "begateway" { // has no keys
					return
				}
				first, err := c.Capture(w.t.Context(), id, hold, "k1", true)
				if done := first.Verdict == drive.Done || first.Verdict == drive.Replayed; err != nil || done != (want == hold) {
					w.t.Errorf("afterwards the first is %s %s, %v", first.Verdict, first.Answer, err)
				}
				w.wants(want, 0, 0)
			})
		})
	}
}

// TestAfterAFailedCapture: the same key gets the same failure, another key
// may try again where the hold is still there.
func TestAfterAFailedCapture(t *testing.T) {
	each(t, func(w *world, c drive.Client) {
		id := w.authorized(c, "a")
		w.lose("capture", "decline")
		w.want(drive.Declined, drive.Refused)(c.Capture(w.t.Context(), id, hold, "k1", true))
		if c.Name() != "begateway" { // has no keys
			w.want(drive.Declined, drive.Refused, drive.Replayed)(c.Capture(w.t.Context(), id, hold, "k1", true))
			if captured, _, _ := w.settled(); captured != 0 {
				w.t.Fatalf("%d captured by a repeat", captured)
			}
		} else {
			w.Advance(w.t, time.Minute) // beyond its look-out for duplicates
		}
		var want int64
		if r, err := c.Capture(w.t.Context(), id, hold, "k2", true); c.Name() == "wepay" { // where a payment whose capture failed has failed
			w.want(drive.Refused)(r, err)
		} else {
			w.want(drive.Done)(r, err)
			want = hold
		}
		w.wants(want, 0, 0)
		w.shows(c, id, want)
	})
}

// TestUnknownAuthorizationThenCapture: a hold of which nobody knows cannot be
// captured until the processor tells; then it can, or never.
func TestUnknownAuthorizationThenCapture(t *testing.T) {
	for outcome, held := range map[string]bool{
		"lost_then_approved": true, "lost_then_declined": false, "timeout": false, "error": false, "error_then_approved": true,
	} {
		t.Run(outcome, func(t *testing.T) {
			each(t, func(w *world, c drive.Client) {
				if w.wallets && strings.HasPrefix(outcome, "error") {
					w.t.Skip("what is in our own books does not answer with 5xx")
				}
				w.lose("authorize", outcome)
				r, err := c.Authorize(w.t.Context(), hold, "a")
				if err != nil || r.Verdict == drive.Declined {
					w.t.Fatalf("%s %s, %v", r.Verdict, r.Answer, err)
				}
				id := r.ID
				if id != "" {
					if r, err := c.Capture(w.t.Context(), id, hold, "early", true); err != nil || r.Verdict == drive.Done && r.Captured > 0 {
						w.t.Errorf("captured before it is known: %s, %v", r.Answer, err)
					}
				}
				w.Advance(w.t, time.Minute)
				if c.Name() != "begateway" { // the repeat of the authorization knows by now
					if r, err = c.Authorize(w.t.Context(), hold, "a"); err != nil {
						w.t.Fatal(err)
					}
				}
				if id == "" {
					id = r.ID
				}
				var want int64
				if id != "" {
					r, err = c.Capture(w.t.Context(), id, hold, "k", true)
					if err != nil || (r.Verdict == drive.Done || r.Verdict == drive.Replayed) != held {
						w.t.Errorf("held: %t, and the capture is %s %s, %v", held, r.Verdict, r.Answer, err)
					}
					if held {
						want = hold
					}
				} else if held {
					w.t.Error("a hold nobody has a name for")
				}
				w.wants(want, 0, 0)
			})
		})
	}
}

// TestRejectedHoldIsNeverCapturable, by whatever key, now or later.
func TestRejectedHoldIsNeverCapturable(t *testing.T) {
	each(t, func(w *world, c drive.Client) {
		w.lose("authorize", "decline")
		r, err := c.Authorize(w.t.Context(), hold, "a")
		if err != nil || r.Verdict == drive.Unknown || r.ID == "" && c.Name() != "wepay" {
			w.t.Fatalf("%s %s, %v", r.Verdict, r.Answer, err)
		}
		for _, key := range []string{"k1", "k2"} {
			if r, err := c.Capture(w.t.Context(), r.ID, hold, key, true); err != nil || r.Verdict == drive.Done {
				w.t.Errorf("%s %s, %v", r.Verdict, r.Answer, err)
			}
			w.Advance(w.t, time.Hour)
		}
		w.wants(0, 0, 0)
	})
}

// TestErrorDuringTheSecondOfSeveralCaptures: it is found again by its name, and
// not by its amount, which is that of the first.
func TestErrorDuringTheSecondOfSeveralCaptures(t *testing.T) {
	for outcome, second := range map[string]int64{"error": 500, "error_then_approved": 500, "lost_then_approved": 500, "lost_then_declined": 0} {
		for _, dialect := range dialects {
			if dialect != "begateway" && dialect != "alipay" {
				continue // takes several where a merchant asks for it
			}
			t.Run(outcome+"/"+dialect, func(t *testing.T) {
				w := newWorld(t)
				c := w.client(dialect)
				if w.wallets = dialect == "alipay"; w.wallets && strings.HasPrefix(outcome, "error") {
					t.Skip("what is in our own books does not answer with 5xx")
				}
				id := w.authorized(c, "a")
				w.want(drive.Done)(c.Capture(t.Context(), id, 500, "k1", false))
				w.Advance(t, time.Minute) // beyond begateway's look-out for duplicates
				w.lose("capture", outcome)
				w.want(drive.Unknown, drive.InProcess)(c.Capture(t.Context(), id, 500, "k2", false))
				w.Advance(t, time.Minute)
				w.want(drive.Done)(c.Capture(t.Context(), id, 300, "k3", false))
				w.wants(500+second+300, 0, 0)
				w.shows(c, id, 500+second+300)
			})
		}
	}
}

// TestNewKeyAfterATimeout: a client that gives up, and sends the same under a
// new key, is not charged twice.
func TestNewKeyAfterATimeout(t *testing.T) {
	each(t, func(w *world, c drive.Client) {
		id := w.authorized(c, "a")
		w.set(map[string]any{
			"intents.processor_patience_ms": 50, "begateway.processor_patience_ms": 50, "wepay.processor_patience_ms": 50, "alipay.processor_patience_ms": 50, "intents.lock_wait_ms": 0,
		})
		w.late("capture", "approve", 300*time.Millisecond)
		w.want(drive.Unknown, drive.InProcess)(c.Capture(w.t.Context(), id, hold, "k1", true))
		if r, err := c.Capture(w.t.Context(), id, hold, "k2", true); err != nil || r.Verdict == drive.Done {
			w.t.Errorf("%s %s, %v", r.Verdict, r.Answer, err)
		}
		time.Sleep(500 * time.Millisecond)
		if r, err := c.Capture(w.t.Context(), id, hold, "k3", true); err != nil || r.Verdict == drive.Done {
			w.t.Errorf("%s %s, %v", r.Verdict, r.Answer, err)
		}
		w.wants(hold, 0, 0)
		w.shows(c, id, hold)
	})
}

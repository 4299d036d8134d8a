package intents_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
)

const many = 64

// together runs fn many times at once.
func together(fn func(i int)) {
	var wait sync.WaitGroup
	start := make(chan struct{})
	for i := range many {
		wait.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wait.Wait()
}

// The same capture many times at once is one capture. Whoever did not make it
// gets the stored answer, byte for byte, or hears that it is being made.
func TestTheSameCaptureAtOnce(t *testing.T) {
	s := capstantest.Run(t)
	c := newClient(t, s)
	id := c.hold("")
	answers := make([]answer, many)
	together(func(i int) { answers[i] = c.capture(id, "amount_to_capture=6000", "one-key") })
	var first string
	fresh := 0
	for _, a := range answers {
		switch {
		case a.status == http.StatusConflict && a.Error.Code == "idempotency_key_in_use" && a.header.Get("Stripe-Should-Retry") == "true":
			continue
		case a.status != http.StatusOK:
			t.Errorf("%d %s", a.status, a.body)
			continue
		}
		if a.header.Get("Idempotent-Replayed") == "" {
			fresh++
		}
		if first == "" {
			first = a.body
		}
		if a.body != first {
			t.Errorf("two answers:\n%s\n%s", first, a.body)
		}
	}
	if fresh != 1 {
		t.Errorf("%d answers were no repeats", fresh)
	}
	if got := s.Balances(t, "USD"); got["merchant"] != 6000 || got["held"] != 0 {
		t.Errorf("books: %v", got)
	}
	if again := c.capture(id, "amount_to_capture=6000", "one-key"); again.body != first || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("later: %d %s", again.status, again.body)
	}
}

// Different captures at once never take more than is held, and each that says
// so has happened.
func TestDifferentCapturesAtOnce(t *testing.T) {
	s := capstantest.Run(t)
	c := newClient(t, s)
	id := c.hold("&payment_method_options[card][request_multicapture]=if_available")
	answers := make([]answer, many)
	together(func(i int) {
		answers[i] = c.capture(id, fmt.Sprintf("amount_to_capture=%d&final_capture=false", 300+i), fmt.Sprint("key-", i))
	})
	var taken int64
	for i, a := range answers {
		switch {
		case a.status == http.StatusOK:
			taken += int64(300 + i)
		case a.status == http.StatusBadRequest && (a.Error.Code == "amount_too_large" || a.Error.Code == "payment_intent_unexpected_state"):
		default:
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	now := c.get(id)
	if now.Received != taken || taken > 10000 || taken < 10000-300-many || now.Capturable != 10000-taken {
		t.Errorf("%d taken by those who were told so, %d received, %d left", taken, now.Received, now.Capturable)
	}
	if got := s.Balances(t, "USD"); got["merchant"] != taken || got["held"] != 10000-taken {
		t.Errorf("books: %v", got)
	}
}

// One of capture and cancellation wins, and both callers are told the truth.
func TestCaptureAgainstCancel(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	for range 20 {
		id := c.hold("")
		var captured, canceled answer
		together(func(i int) {
			switch i {
			case 0:
				captured = c.capture(id, "", "")
			case 1:
				canceled = c.do(http.MethodPost, "/v1/payment_intents/"+id+"/cancel", "", "")
			}
		})
		if (captured.status == http.StatusOK) == (canceled.status == http.StatusOK) {
			t.Fatalf("capture %d, cancel %d", captured.status, canceled.status)
		}
		want := "succeeded"
		if canceled.status == http.StatusOK {
			want = "canceled"
		}
		if now := c.get(id); now.Status != want {
			t.Fatalf("%s, want %s", now.Status, want)
		}
	}
}

// Updates at once do not undo each other.
func TestUpdatesAtOnce(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	id := c.do(http.MethodPost, "/v1/payment_intents", "amount=10000&currency=usd", "").ID
	together(func(i int) {
		if i >= 40 {
			return
		}
		if a := c.do(http.MethodPost, "/v1/payment_intents/"+id, fmt.Sprintf("metadata[key%d]=%d", i, i), ""); a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	if now := c.get(id); len(now.Metadata) != 40 {
		t.Errorf("%d of 40 are left: %v", len(now.Metadata), now.Metadata)
	}
}

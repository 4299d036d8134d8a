package wepay_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store/sqlite"
)

// TestScheduledCaptures: a capture_at is carried out once, with whatever is to
// be captured then, although somebody captures by hand at that moment, the
// clock is moved by several at once and the server is started anew in between.
func TestScheduledCaptures(t *testing.T) {
	st, err := sqlite.Open(t.Context(), t.TempDir()+"/capstan.db", sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	s := capstantest.Run(t, capstantest.On(st))
	c := newClient(t, s, s.Credentials)
	sink := capstantest.NewSink(t)
	c.subscribe(sink.URL, "payments.completed")

	rng := rand.New(rand.NewPCG(7, 0))
	const n = 60
	due := capstantest.Epoch.Add(time.Hour).Unix()
	ids, want := make([]string, n), map[string]int64{}
	for i := range ids {
		r := c.authorize(fmt.Sprint("k", i), fmt.Sprintf(`,"capture_at":%d`, due))
		ids[i], want[r.ID] = r.ID, 2000
		switch i % 4 {
		case 1: // less is to be captured than was authorized
			want[r.ID] = 100 + rng.Int64N(1900)
			c.do(http.MethodPost, "/payments/"+r.ID, fmt.Sprintf(`{"amounts":{"amount":%d,"currency":"USD"}}`, want[r.ID]), "")
		case 2: // put off, and back
			c.do(http.MethodPost, "/payments/"+r.ID, fmt.Sprintf(`{"capture_at":%d}`, due+9), "")
			c.do(http.MethodPost, "/payments/"+r.ID, fmt.Sprintf(`{"capture_at":%d}`, due), "")
		case 3: // captured by hand before
			want[r.ID] = 700
			c.capture(r.ID, `{"amounts":{"amount":700,"currency":"USD"}}`, "")
		}
	}
	s.Advance(t, time.Hour-time.Second)
	for i, id := range ids {
		if r := c.get(id); i%4 != 3 && r.why() != "PENDING_CAPTURE" {
			t.Fatalf("before its time: %s", r.body)
		}
	}
	s.Stop()
	s = capstantest.Run(t, capstantest.On(st))
	c = newClient(t, s, s.Credentials)

	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { s.Advance(t, time.Second) })
	}
	for _, id := range ids[:n/2] {
		wg.Go(func() { c.capture(id, "", "") })
	}
	wg.Wait()
	s.Stop()
	s = capstantest.Run(t, capstantest.On(st))
	c = newClient(t, s, s.Credentials)
	s.Advance(t, 10*time.Second)

	var sum int64
	for _, id := range ids {
		r := c.get(id)
		if r.Status != "completed" || r.Amount != want[id] {
			t.Errorf("want %d: %s", want[id], r.body)
		}
		sum += want[id]
		internal, _ := s.Dialect("wepay").ParsePaymentID(id)
		p, err := s.Engine.Payment(t.Context(), 1, 1, internal)
		if err != nil {
			t.Fatal(err)
		}
		captures := 0
		for _, op := range p.Operations {
			if op.Kind == payment.OpCapture {
				captures++
			}
		}
		if captures != 1 {
			t.Errorf("payment %s has %d captures", id, captures)
		}
	}
	if got := s.Balances(t, "USD"); got["merchant"] != sum || got["held"] != 0 || got["in_transit"] != 0 {
		t.Errorf("books %v, want %d", got, sum)
	}
	told := map[string]int{}
	ended := map[string]bool{}
	for _, m := range received(t, sink, n) {
		told[m.ID]++
		ended[m.Payload.ID] = true
	}
	if len(told) != n || len(ended) != n {
		t.Errorf("%d notifications of %d payments, want %d", len(told), len(ended), n)
	}
	audit(t, s)
}

// TestWindowEndsOnTheSecond: seven days are counted from create_time, which is
// a second, wherever in that second the payment was made.
func TestWindowEndsOnTheSecond(t *testing.T) {
	s := capstantest.Run(t, inMemory, capstantest.At(clock.Fixed(capstantest.Epoch.Add(762*time.Millisecond))))
	c := newClient(t, s, s.Credentials)
	first, second, scheduled := c.authorize("1", ""), c.authorize("2", ""), c.authorize("3", fmt.Sprintf(`,"capture_at":%d`, capstantest.Epoch.Add(7*24*time.Hour).Unix()))
	s.Advance(t, 7*24*time.Hour-763*time.Millisecond)
	if r := c.capture(first.ID, "", ""); r.status != http.StatusOK {
		t.Errorf("a millisecond before the end: %d %s", r.status, r.body)
	}
	s.Advance(t, time.Millisecond)
	if r := c.capture(second.ID, "", ""); r.why() != "PAYMENT_CANNOT_BE_CAPTURED" {
		t.Errorf("at create_time + 604800: %d %s", r.status, r.body)
	}
	if r := c.get(second.ID); r.Status != "failed" {
		t.Errorf("then: %s", r.body)
	}
	if r := c.get(scheduled.ID); r.Status != "pending" && r.Status != "completed" {
		t.Errorf("planned for the very end: %s", r.body)
	}
	audit(t, s)
}

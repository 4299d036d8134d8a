package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/webhook"
)

// What happens is told, each event once and as the payment was then.
func TestDelivers(t *testing.T) {
	r, s, other := newRig(t), newSink(t, nil), newSink(t, status(http.StatusNoContent))
	p := r.hold(s.URL+"/hook", other.URL)
	r.capture(p.ID, 300)
	r.capture(p.ID, 700)
	quiet := r.hold()
	waitUntil(t, "all is delivered", func() bool { return r.states()[outbox.Delivered] == 8 })
	var bodies []string
	for _, m := range s.messages() {
		bodies = append(bodies, m.body)
	}
	want := []string{}
	for i, topic := range []string{"payment_created", "hold_authorized", "hold_captured", "hold_captured"} {
		want = append(want, fmt.Sprintf(`{"payment":"%s","version":%d,"captured":%d,"topic":%q}`, p.ID, i+1, []int{0, 0, 300, 1000}[i], topic))
	}
	slices.Sort(bodies) // events of several commands may overtake each other
	if slices.Sort(want); !slices.Equal(bodies, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(bodies, "\n"), strings.Join(want, "\n"))
	}
	if made := r.attempts(quiet.ID); len(made) > 0 {
		t.Errorf("%v of a payment that nobody wants to hear of", made)
	}
	if next, err := r.deliverer.NextDue(t.Context()); err != nil || !next.IsZero() {
		t.Errorf("something is due at %s, %v", next, err)
	}
}

// Attempts are made exactly when the schedule says, all with the same body and
// each signed afresh. Then the dialect is told, and nothing more is sent.
func TestScheduleIsKept(t *testing.T) {
	r := newRig(t)
	r.herald.schedule = outbox.Schedule{{Least: 2 * time.Minute}, {Least: 10 * time.Minute, Step: time.Second, Steps: 30}, {Least: 15 * time.Hour}}
	r.herald.refuse = 1
	var at []time.Time
	s := newSink(t, func(w http.ResponseWriter, _ *http.Request) {
		at = append(at, r.clock.Now())
		w.WriteHeader(http.StatusInternalServerError)
	})
	p := r.hold(s.URL)
	r.advance(0)
	r.advance(8 * 24 * time.Hour)
	messages := s.messages()
	for version := 1; version <= 2; version++ {
		var times []time.Time
		bodies := map[string]bool{}
		for i, m := range messages {
			if strings.Contains(m.body, fmt.Sprintf(`"version":%d,`, version)) {
				times = append(times, at[i])
				bodies[m.body] = true
				if got := m.header.Get("X-Signed-At"); got != fmt.Sprint(at[i].Unix()) {
					t.Errorf("signed at %s, sent at %s", got, at[i])
				}
			}
		}
		if len(times) < 4 || len(bodies) != 1 || times[1].Sub(times[0]) != 2*time.Minute || times[3].Sub(times[2]) != 15*time.Hour {
			t.Errorf("version %d was sent at %v with %d bodies", version, times, len(bodies))
		}
		if wait := times[2].Sub(times[1]); wait < 10*time.Minute || wait > 10*time.Minute+29*time.Second || wait%time.Second != 0 {
			t.Errorf("version %d: the second wait is %s", version, wait)
		}
	}
	// The expiry is told of too; one of the three could not be told at first.
	if states := r.states(); states[outbox.GivenUp] != 3 || len(states) != 1 || len(messages) != 13 {
		t.Errorf("%v after %d messages", states, len(messages))
	}
	if len(r.herald.gaveUp) != 3 || r.herald.gaveUp[0].State != outbox.GivenUp || r.herald.gaveUp[0].Payment != p.ID {
		t.Errorf("the dialect was told of %+v", r.herald.gaveUp)
	}
}

// Whatever an endpoint does wrong, it gets the message when it is well again,
// and what it did is kept.
func TestEndpointsThatFail(t *testing.T) {
	var redirected atomic.Int64
	elsewhere := newSink(t, func(http.ResponseWriter, *http.Request) { redirected.Add(1) })
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		fault  string
		status int
	}{
		"answers 500":             {status(500), "not acknowledged", 500},
		"answers 404":             {status(404), "not acknowledged", 404},
		"redirects":               {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, 307) }, "not acknowledged", 307},
		"redirects for good":      {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, 301) }, "not acknowledged", 301},
		"hangs":                   {hang, "timeout", 0},
		"hangs after the header":  {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200); w.(http.Flusher).Flush(); hang(w, r) }, "timeout", 0},
		"closes at once":          {cut(""), "connection closed early", 0},
		"closes in the header":    {cut("HTTP/1.1 200 OK\r\nContent-"), "no proper answer", 0},
		"closes in the body":      {cut("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nOK"), "connection closed early", 0},
		"switches protocols":      {switches, "not acknowledged", 101},
		"is no web server":        {cut("220 mail.test ESMTP\r\n"), "no proper answer", 0},
		"sends an endless header": {cut("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 64<<10)), "no proper answer", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, s := newRig(t), newSink(t, test.answer)
			p := r.hold(s.URL)
			r.advance(0)
			r.advance(time.Minute)
			for _, a := range r.attempts(p.ID) {
				if !strings.HasPrefix(a.Fault, test.fault) || a.Status != test.status || a.State != outbox.Waiting {
					t.Errorf("attempt %d: status %d, %q, %s", a.Number, a.Status, a.Fault, a.State)
				}
			}
			s.set(nil)
			r.advance(time.Hour)
			if states := r.states(); states[outbox.Delivered] != 2 || len(states) != 1 {
				t.Errorf("in the end %v", states)
			}
			if made := r.attempts(p.ID); len(made) != 6 {
				t.Errorf("%d attempts", len(made))
			}
		})
	}
	t.Cleanup(func() {
		if n := redirected.Load(); n > 0 {
			t.Errorf("%d redirects were followed", n)
		}
	})
}

// An endpoint that is not there, or not permitted, is attempted by the schedule
// like any other.
func TestEndpointsThatAreNotThere(t *testing.T) {
	gone := newSink(t, nil)
	gone.Close()
	for url, fault := range map[string]string{
		gone.URL: "no connection", "http://10.255.0.1/": "address not permitted", "ftp://127.0.0.1/": "no proper answer", "http://no-such-host.invalid/": "name not found", "http://%": "address not permitted",
	} {
		r := newRig(t)
		p := r.hold(url)
		r.advance(0)
		made := r.attempts(p.ID)
		if len(made) != 2 || !strings.HasPrefix(made[0].Fault, fault) || made[0].Due.Sub(made[0].At) != time.Minute {
			t.Errorf("%s: %+v", url, made)
		}
	}
}

// A good answer with a body without end is good.
func TestEndlessAnswer(t *testing.T) {
	r := newRig(t)
	s := newSink(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
	})
	p := r.hold(s.URL)
	r.advance(0)
	made := r.attempts(p.ID)
	if len(made) != 2 || made[0].State != outbox.Delivered {
		t.Fatalf("%+v", made)
	}
	e, err := r.deliverer.Open(made[0])
	if err != nil || len(e.Answer.Body) != 4<<10 {
		t.Errorf("%v, %v", e, err)
	}
}

// newHangingSink answers nobody, and counts how many wait at a time at most.
func newHangingSink(t *testing.T) (s *sink, most *atomic.Int64) {
	var hanging atomic.Int64
	most = new(atomic.Int64)
	return newSink(t, func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), hanging.Add(1)))
		defer hanging.Add(-1)
		hang(w, r)
	}), most
}

// reachesGood expects good endpoints to get the notices of so many payments each
// in time.
func (r *rig) reachesGood(t *testing.T, good, each int) {
	t.Helper()
	sinks := make([]*sink, good)
	for i := range sinks {
		sinks[i] = newSink(t, nil)
	}
	began := time.Now()
	for range each {
		for _, s := range sinks {
			r.hold(s.URL)
		}
	}
	for _, s := range sinks {
		waitUntil(t, "a good endpoint has all", func() bool { return len(s.messages()) == 2*each })
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the good endpoints had all after %s", took)
	}
}

// One endpoint that hangs delays no other, however much is waiting for it.
func TestDeadEndpointDelaysNoOther(t *testing.T) {
	const good, each, dead = 40, 5, 150
	r := newRig(t, func(c *webhook.Config) { c.Timeout, c.Slots, c.PerLane = 30*time.Second, 32, 2 })
	hung, most := newHangingSink(t)
	for range dead {
		r.hold(hung.URL)
	}
	r.reachesGood(t, good, each)
	if most.Load() > 1 { // a payment has two messages, of which the second waits for the first
		t.Errorf("%d attempts at the dead endpoint at a time", most.Load())
	}
}

// A dead host delays no other either, though each message to it goes to a path
// of its own, as where shops put the order into the URL.
func TestDeadHostDelaysNoOther(t *testing.T) {
	const good, each, dead = 20, 5, 300
	r := newRig(t, func(c *webhook.Config) { c.Timeout, c.Slots, c.PerLane = 30*time.Second, 64, 4 })
	hung, most := newHangingSink(t)
	defer r.stop() // before the sinks, which would wait for what still hangs
	for i := range dead {
		r.hold(fmt.Sprintf("%s/orders/%d", hung.URL, i))
	}
	r.reachesGood(t, good, each)
	if most.Load() > 16 {
		t.Errorf("%d attempts at the dead host at a time", most.Load())
	}
}

// Ordered notices of one payment come one after the other, also when one of
// them is not taken at first; other payments do not wait.
func TestOrdered(t *testing.T) {
	r := newRig(t)
	r.herald.ordered = true
	var refused atomic.Int64
	s := newSink(t, nil)
	s.set(func(w http.ResponseWriter, r *http.Request) {
		if refused.Add(1) <= 2 {
			w.WriteHeader(500)
		}
	})
	a := r.hold(s.URL)
	r.capture(a.ID, 100)
	r.capture(a.ID, 100)
	r.capture(a.ID, 100)
	b := r.hold(s.URL + "/b")
	r.advance(2 * time.Hour)
	versions := map[payment.ID][]int{}
	for _, m := range s.messages() {
		var body struct {
			Payment string
			Version int
		}
		if err := json.Unmarshal([]byte(m.body), &body); err != nil {
			t.Fatal(err)
		}
		id := a.ID
		if body.Payment == b.ID.String() {
			id = b.ID
		}
		versions[id] = append(versions[id], body.Version)
	}
	for id, want := range map[payment.ID]int{a.ID: 5, b.ID: 2} {
		got := versions[id]
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != want {
			t.Errorf("versions of %s came as %v", id, got)
		}
	}
	if states := r.states(); states[outbox.Delivered] != 7 || len(states) != 1 {
		t.Errorf("in the end %v", states)
	}
}

// What is not ordered does not wait for what is dead.
func TestUnordered(t *testing.T) {
	r := newRig(t)
	s := newSink(t, nil)
	s.set(func(w http.ResponseWriter, _ *http.Request) {
		if m := s.messages(); strings.Contains(m[len(m)-1].body, `"version":1,`) {
			w.WriteHeader(500)
		}
	})
	p := r.hold(s.URL)
	r.advance(0)
	r.capture(p.ID, 100)
	r.advance(0)
	if states := r.states(); states[outbox.Delivered] != 2 || states[outbox.Waiting] != 1 {
		t.Errorf("%v", states)
	}
}

// An endpoint that is disabled gets nothing any more; redelivered after it was
// enabled again, it gets the same bytes.
func TestStopAndRedeliver(t *testing.T) {
	r, s := newRig(t), newSink(t, status(500))
	p := r.hold(s.URL)
	r.advance(0)
	r.herald.mu.Lock()
	r.herald.stopped[s.URL] = true
	r.herald.mu.Unlock()
	before := s.messages()
	r.advance(24 * time.Hour)
	if states := r.states(); states[outbox.Stopped] != 2 || len(s.messages()) != len(before) {
		t.Fatalf("%v with %d messages", states, len(s.messages()))
	}
	r.herald.mu.Lock()
	r.herald.stopped[s.URL] = false
	r.herald.mu.Unlock()
	s.set(nil)
	id := outbox.DeliveryID{NoticeID: outbox.NoticeID{Payment: p.ID, Version: 2, Dialect: "herald"}, Endpoint: s.URL}
	for n := range 3 { // also what was delivered
		there, err := r.store.Redeliver(t.Context(), 1, id, r.clock.Now())
		if err != nil || !there {
			t.Fatal(there, err)
		}
		r.deliverer.Wake()
		r.advance(0)
		got := s.messages()
		if len(got) != len(before)+n+1 || got[len(got)-1].body != before[len(before)-1].body {
			t.Fatalf("redelivered as %v", got[len(before):])
		}
	}
	if made := r.attempts(p.ID); made[len(made)-1].Number != 5 || made[len(made)-1].State != outbox.Delivered {
		t.Errorf("%+v", made)
	}
}

// Who asks for a delivery again as soon as he has it, before the attempt is
// recorded, gets it again.
func TestRedeliverWhileUnderWay(t *testing.T) {
	for name, answer := range map[string]int{"delivered": 200, "not acknowledged": 500} {
		t.Run(name, func(t *testing.T) {
			r, s := newRig(t), newSink(t, nil)
			p := r.hold(s.URL)
			r.advance(0)
			id := outbox.DeliveryID{NoticeID: outbox.NoticeID{Payment: p.ID, Version: 2, Dialect: "herald"}, Endpoint: s.URL}
			asked := 0 // the deliverer makes one attempt at a time at it
			s.set(func(w http.ResponseWriter, _ *http.Request) {
				if asked++; asked <= 2 {
					if there, err := r.deliverer.Redeliver(t.Context(), 1, id); err != nil || !there {
						t.Error(there, err)
					}
					if there, err := r.deliverer.Redeliver(t.Context(), 2, id); err != nil || there {
						t.Error("another tenant's:", there, err)
					}
					w.WriteHeader(answer)
				}
			})
			if _, err := r.deliverer.Redeliver(t.Context(), 1, id); err != nil {
				t.Fatal(err)
			}
			r.advance(0)
			made := r.attempts(p.ID)
			if got := len(s.messages()); got != 5 || len(made) != 5 || made[4].Number != 4 || made[4].State != outbox.Delivered {
				t.Errorf("%d messages, attempts %+v", got, made)
			}
			if states := r.states(); states[outbox.Delivered] != 2 {
				t.Errorf("%v", states)
			}
		})
	}
}

// A dialect that fails or is not there any more does not stop the deliverer.
func TestDialectThatPanics(t *testing.T) {
	r, s := newRig(t), newSink(t, nil)
	r.herald.panics = true
	p := r.hold(s.URL)
	r.advance(0)
	if made := r.attempts(p.ID); len(made) != 2 || made[0].Fault != "no message could be made" {
		t.Errorf("%+v", made)
	}
	r.herald.mu.Lock()
	r.herald.panics = false
	r.herald.mu.Unlock()
	r.advance(time.Minute)
	if states := r.states(); states[outbox.Delivered] != 2 {
		t.Errorf("%v", states)
	}
}

// A deliverer that is stopped leaves what it has not done to the next one.
func TestRestart(t *testing.T) {
	r, s := newRig(t), newSink(t, hang)
	for range 20 {
		r.hold(s.URL)
	}
	waitUntil(t, "something is under way", func() bool { return len(s.messages()) > 0 })
	r.stop()
	s.set(nil)
	r.deliverer = r.start()
	r.advance(2 * time.Hour)
	if states := r.states(); states[outbox.Delivered] != 40 {
		t.Errorf("%v", states)
	}
}

// Two deliverers on one store share the work and send nothing twice.
func TestTwoShare(t *testing.T) {
	patient := func(c *webhook.Config) { c.Timeout = 10 * time.Second } // what fails is not made again here: the clock stands still
	r, s := newRig(t, patient), newSink(t, nil)
	other := r.start()
	defer other.Close(context.Background())
	const n = 100
	for range n {
		r.hold(s.URL)
		other.Wake()
	}
	waitUntil(t, "all is delivered", func() bool { return r.states()[outbox.Delivered] == 2*n })
	if got := s.messages(); len(got) != 2*n {
		t.Errorf("%d messages of %d", len(got), 2*n)
	}
}

// forgetful is a store that cannot record attempts at first.
type forgetful struct {
	webhook.Store
	fails, committed atomic.Int64
}

func (f *forgetful) Attempted(ctx context.Context, attempts []outbox.Attempt) error {
	n := f.fails.Add(-1)
	if n >= 0 && n%2 == 0 {
		return errors.New("line is down")
	}
	err := f.Store.Attempted(ctx, attempts)
	if n >= 0 { // it was written, and the answer is lost
		f.committed.Add(1)
		return errors.New("line is down")
	}
	return err
}

// What was sent is recorded when the store can again, and not sent once more.
func TestStoreThatCannotRecord(t *testing.T) {
	f := &forgetful{}
	f.fails.Store(6)
	r := newRig(t, func(c *webhook.Config) {
		if f.Store == nil {
			f.Store = c.Store
		}
		c.Store = f
	})
	s := newSink(t, nil)
	p := r.hold(s.URL)
	waitUntil(t, "all is delivered", func() bool { return r.states()[outbox.Delivered] == 2 })
	r.advance(0)
	if got := s.messages(); len(got) != 2 || len(r.attempts(p.ID)) != 2 || f.committed.Load() == 0 {
		t.Errorf("%d messages, %d attempts, %d answers lost", len(got), len(r.attempts(p.ID)), f.committed.Load())
	}
}

// What was exchanged can be read again with the key, and not without.
func TestExchangeIsSealed(t *testing.T) {
	r := newRig(t)
	s := newSink(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Endpoint", "1")
		_, _ = w.Write([]byte("thank you"))
	})
	p := r.hold(s.URL)
	r.advance(0)
	for _, a := range r.attempts(p.ID) {
		if strings.Contains(string(a.Sealed), "c2VjcmV0") || strings.Contains(string(a.Sealed), "thank") {
			t.Error("the exchange is in clear")
		}
		e, err := r.deliverer.Open(a)
		if err != nil {
			t.Fatal(err)
		}
		if e.URL != s.URL || e.Header.Get("Authorization") != "Basic c2VjcmV0" || string(e.Body) != s.messages()[a.Version-1].body ||
			string(e.Answer.Body) != "thank you" || e.Answer.Header.Get("X-Endpoint") != "1" {
			t.Errorf("%+v", e)
		}
	}
}

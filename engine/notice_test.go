package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
)

// subscriber tells of each event, from two dialects.
type subscriber func(outbox.Occasion) []outbox.Notice

func (s subscriber) Notices(o outbox.Occasion) []outbox.Notice { return s(o) }

func tellAll(o outbox.Occasion) []outbox.Notice {
	var told []outbox.Notice
	for i, e := range o.Events {
		for _, dialect := range []string{"a", "b", "a"} {
			n := outbox.Notice{NoticeID: outbox.NoticeID{Version: o.Version(i), Dialect: dialect}, Topic: e.Kind.String()}
			n.Context, n.Deliveries = fmt.Append(nil, o.Aside), outbox.Deliver("x", "y")
			told = append(told, n)
		}
		told = append(told, outbox.Notice{NoticeID: outbox.NoticeID{Version: o.Version(i), Dialect: "nobody"}})
	}
	return told
}

// telling subscribes to every merchant, and counts commits with notices.
func telling(s subscriber, noticed *atomic.Int64) func(*engine.Config) {
	return func(c *engine.Config) {
		c.Subscriber = func(context.Context, int64) (outbox.Subscriber, error) { return s, nil }
		c.Noticed = func() { noticed.Add(1) }
	}
}

// noticesOf are the notices of a payment, in order.
func noticesOf(t *testing.T, s store.Store, id payment.ID) []outbox.Notice {
	t.Helper()
	var all []outbox.Notice
	err := s.Audit(t.Context(), func(a store.Audit) error {
		return a.Notices(func(n outbox.Notice, _ int) error {
			if n.Payment == id {
				all = append(all, n)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Every event is told of, whoever caused it: a caller, a processor's late
// answer, a timer. Notices carry what the caller's dialect said aside.
func TestNotices(t *testing.T) {
	var noticed atomic.Int64
	r := newRig(t, telling(tellAll, &noticed))
	p := r.authorize(t, 1000)
	r.proc.mu.Lock()
	r.proc.remote = true
	r.proc.mu.Unlock()
	request := r.capture(p.ID, 400, "k")
	request.Aside, request.Patience = "by k", 5*time.Second
	if out, err := r.Do(t.Context(), request); err != nil || out.Pending {
		t.Fatalf("%+v, %v", out, err)
	}
	if _, err := r.Do(t.Context(), request); err != nil { // a repeat is not told of
		t.Fatal(err)
	}
	if err := r.Advance(t.Context(), r.clock, week); err != nil {
		t.Fatal(err)
	}
	events, err := r.store.Events(t.Context(), 1, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	all := noticesOf(t, r.store, p.ID)
	if len(all) != 3*len(events) || len(events) < 5 {
		t.Fatalf("%d notices of %d events", len(all), len(events))
	}
	for i, n := range all {
		e := events[i/3]
		want := outbox.NoticeID{Payment: p.ID, Version: i/3 + 1, Dialect: []string{"a", "a", "b"}[i%3], Number: []int{0, 1, 0}[i%3]}
		if n.NoticeID != want || n.Topic != e.Kind.String() || !n.At.Equal(e.At) || n.Tenant != 1 || n.Merchant != 1 || len(n.Deliveries) != 2 {
			t.Errorf("notice %d is %+v of %s", i, n, e.Kind)
		}
		if aside := string(n.Context); (aside == "by k") != (e.Kind == payment.CapturePending) {
			t.Errorf("%s was told with %q aside", e.Kind, aside)
		}
	}
	if noticed.Load() != 4 { // authorized, capture pending, captured, expired
		t.Errorf("noticed %d times", noticed.Load())
	}
}

// Who says what is told cannot keep money from moving.
func TestSubscriberThatFails(t *testing.T) {
	for name, s := range map[string]subscriber{
		"panics": func(outbox.Occasion) []outbox.Notice { panic("no") },
		"tells of another version": func(o outbox.Occasion) []outbox.Notice {
			return []outbox.Notice{{NoticeID: outbox.NoticeID{Version: o.After.Version + 1, Dialect: "a"}, Deliveries: outbox.Deliver("x")}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var noticed atomic.Int64
			r := newRig(t, telling(s, &noticed))
			p := r.authorize(t, 1000)
			if all := noticesOf(t, r.store, p.ID); len(all) > 0 || noticed.Load() > 0 {
				t.Errorf("told %v", all)
			}
		})
	}
	down := errors.New("line is down")
	r := newRig(t, func(c *engine.Config) {
		c.Subscriber = func(context.Context, int64) (outbox.Subscriber, error) { return nil, down }
	})
	out, err := r.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Command: payment.Create{Intake: intake(1), Attempt: &payment.Attempt{}}})
	if !errors.Is(err, down) {
		t.Errorf("when nobody knows who is told: %+v, %v", out, err)
	}
}

// Notices are there with their events or not at all, once, whatever the store
// says.
func TestNoticesUnderFaults(t *testing.T) {
	for _, fault := range []faulty.Fault{refused, conflict, full, unknownLost, unknownWritten} {
		s := newScript()
		var noticed atomic.Int64
		r := newRig(t, telling(tellAll, &noticed), scripted(s))
		s.expect(faulty.Commit, fault)
		out, err := r.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Command: payment.Create{Intake: intake(5), Attempt: &payment.Attempt{}}})
		if err != nil {
			t.Fatalf("%v: %v", fault, err)
		}
		if all := noticesOf(t, r.store, out.Payment.ID); len(all) != 3*out.Payment.Version {
			t.Errorf("%v: %d notices of %d events", fault, len(all), out.Payment.Version)
		}
	}
}

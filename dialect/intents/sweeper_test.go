package intents_test

import (
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/clock"
)

// A hold whose time is over is canceled though nobody looks at it. How long
// after its deadline that happens is reported and not asserted.
func TestSweeperDelay(t *testing.T) {
	s, sink := capstantest.Run(t, inMemory, capstantest.At(clock.System{})), capstantest.NewSink(t)
	c := newClient(t, s)
	s.Control(t, "PATCH", "/_sandbox/settings", map[string]any{"settings": map[string]any{"intents.capture_window_seconds": 1}}, nil)
	h := c.listen(sink.URL, "&enabled_events[]=payment_intent.canceled")
	began := time.Now().Truncate(time.Second) // created is a second, and the window is counted from it
	id := c.hold("")
	got := events(t, sink.Wait(t, 1), h.Secret)
	t.Logf("canceled and told %s after the deadline", time.Since(began)-time.Second)
	if got[0].Type != "payment_intent.canceled" || got[0].object(t).ID != id || got[0].Request.ID != nil {
		t.Errorf("%+v", got[0])
	}
	if p := c.get(id); p.Status != "canceled" || *p.Reason != "automatic" || time.Since(began) < time.Second {
		t.Errorf("%s", p.body)
	}
}

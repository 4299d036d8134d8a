package intents_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/verify"
)

// After a bit of everything the auditor, who has arithmetic of his own, finds
// nothing wrong.
func TestTheAuditorAgrees(t *testing.T) {
	st := memory.Open()
	s, sink := capstantest.Run(t, capstantest.With(func(c *capstan.Config) { c.Store = st })), capstantest.NewSink(t)
	c := newClient(t, s)
	c.listen(sink.URL, "")
	clock := c.thing(http.MethodPost, "/v1/test_helpers/test_clocks", "frozen_time=1800000000")
	jo := c.thing(http.MethodPost, "/v1/customers", "test_clock="+clock.ID)
	for _, token := range []string{"visa", "pendingRefund", "refundFail"} {
		c.refund("payment_intent="+c.pay(token).ID+"&amount=300", "")
	}
	c.refund("payment_intent="+c.hold(""), "")
	c.hold("&customer=" + jo.ID)
	c.do(http.MethodPost, "/v1/payment_intents", paid+"&setup_future_usage=off_session&customer="+jo.ID, "")
	c.thing(http.MethodPost, "/v1/test_helpers/test_clocks/"+clock.ID+"/advance", "frozen_time=1900000000")
	raised := c.hold(wishes + "incremental_authorization]=if_available" + wishes + "multicapture]=if_available")
	raise := func(amount string) {
		c.do(http.MethodPost, "/v1/payment_intents/"+raised+"/increment_authorization", "amount="+amount, "")
	}
	raise("12000")
	s.Control(t, "POST", "/_sandbox/processor", map[string]any{"operation": "authorize", "outcome": "decline"}, nil)
	raise("13000")
	s.Control(t, "PATCH", "/_sandbox/settings", map[string]any{"settings": map[string]any{"intents.processor_patience_ms": 10}}, nil)
	s.Control(t, "POST", "/_sandbox/processor", map[string]any{"operation": "authorize", "outcome": "lost_then_approved"}, nil)
	raise("14000")
	s.Advance(t, time.Minute)
	if p := c.get(raised); p.Status != "requires_capture" || p.Capturable != 14000 {
		t.Errorf("%s", p.body)
	}
	c.capture(raised, "amount_to_capture=5000&final_capture=false", "")
	c.hold(wishes + "extended_authorization]=if_available")
	s.Advance(t, 31*24*time.Hour)
	if p := c.get(raised); p.Status != "succeeded" || p.Received != 5000 {
		t.Errorf("%s", p.body)
	}
	if got := s.Balances(t, "USD"); got["held"] != 0 {
		t.Errorf("books: %v", got)
	}
	report, err := verify.Audit(t.Context(), st)
	if err != nil || !report.Clean() {
		t.Fatalf("%v: %+v", err, report)
	}
	if report.Payments < 8 {
		t.Errorf("%d payments", report.Payments)
	}
}

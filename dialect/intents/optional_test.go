package intents_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

const wishes = "&payment_method_options[card][request_"

// Incremental authorizations (section 12): up, never after a capture, at most
// ten times, and a declined one changes nothing.
func TestIncrementAuthorization(t *testing.T) {
	s, sink := capstantest.Run(t, inMemory), capstantest.NewSink(t)
	c := newClient(t, s)
	const asked = wishes + "incremental_authorization]=if_available"
	id := c.hold(asked)
	raise := func(id, body, key string) answer {
		return c.do(http.MethodPost, "/v1/payment_intents/"+id+"/increment_authorization", body, key)
	}
	h := c.listen(sink.URL, "")
	a := raise(id, "amount=15000&metadata[more]=yes", "k")
	if a.status != http.StatusOK || a.Amount != 15000 || a.Capturable != 15000 || a.Metadata["more"] != "yes" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if again := raise(id, "amount=15000&metadata[more]=yes", "k"); again.body != a.body || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%d %s", again.status, again.body)
	}
	var charge struct {
		Amount  int64
		Details struct {
			Card struct {
				Authorized  int64                   `json:"amount_authorized"`
				Incremental struct{ Status string } `json:"incremental_authorization"`
			}
		} `json:"payment_method_details"`
	}
	if c.into(&charge, http.MethodGet, "/v1/charges/"+*a.Charge, ""); charge.Amount != 15000 || charge.Details.Card.Authorized != 15000 || charge.Details.Card.Incremental.Status != "available" {
		t.Errorf("%+v", charge)
	}
	s.Advance(t, 0)
	if got := events(t, sink.Messages(), h.Secret); len(got) != 1 || got[0].Type != "payment_intent.amount_capturable_updated" || got[0].object(t).Capturable != 15000 {
		t.Errorf("%+v", got)
	}
	for body, code := range map[string]string{
		"amount=15000": "", "amount=14999": "", "amount=0": "parameter_invalid_integer", "": "parameter_missing", "amount=100000000": "amount_too_large",
	} {
		if a := raise(id, body, ""); a.status != http.StatusBadRequest || a.Error.Param != "amount" || a.Error.Code != code {
			t.Errorf("%q: %d %s", body, a.status, a.body)
		}
	}
	s.Control(t, "POST", "/_sandbox/processor", map[string]any{"operation": "authorize", "outcome": "decline", "reason": "insufficient_funds"}, nil)
	if a := raise(id, "amount=20000", ""); a.status != http.StatusPaymentRequired || a.Error.Type != "card_error" || a.Error.Code != "card_declined" ||
		a.Error.Decline != "insufficient_funds" || a.Error.Intent.Amount != 15000 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if got := s.Balances(t, "USD"); got["held"] != 15000 {
		t.Errorf("books: %v", got)
	}
	if a := c.capture(id, "amount_to_capture=14000", ""); a.Received != 14000 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := raise(id, "amount=16000", ""); a.Error.Code != "payment_intent_unexpected_state" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if got := s.Balances(t, "USD"); got["held"] != 0 || got["merchant"] != 14000 {
		t.Errorf("books: %v", got)
	}

	if a := raise(c.hold(""), "amount=16000", ""); a.status != http.StatusBadRequest || a.Error.Intent == nil {
		t.Errorf("not asked for: %d %s", a.status, a.body)
	}
	part := c.hold(asked + wishes + "multicapture]=if_available")
	c.capture(part, "amount_to_capture=1&final_capture=false", "")
	if a := raise(part, "amount=16000", ""); a.Error.Code != "payment_intent_unexpected_state" {
		t.Errorf("after a capture: %d %s", a.status, a.body)
	}
	often := c.hold(asked)
	for i := range 11 {
		a := raise(often, fmt.Sprintf("amount=%d", 20000+i), "")
		if (a.status == http.StatusOK) != (i < 10) {
			t.Errorf("increment %d: %d %s", i+1, a.status, a.body)
		}
	}
}

// Extended holds live 30 days from the creation of the intent where the card's
// network has them.
func TestExtendedAuthorization(t *testing.T) {
	for token, want := range map[string]struct {
		status string
		days   int
	}{"visa": {"enabled", 30}, "diners": {"disabled", 7}} {
		t.Run(token, func(t *testing.T) {
			s := capstantest.Run(t, inMemory)
			c := newClient(t, s)
			a := c.do(http.MethodPost, "/v1/payment_intents", "amount=100&currency=usd&capture_method=manual"+wishes+"extended_authorization]=if_available", "")
			a = c.do(http.MethodPost, "/v1/payment_intents/"+a.ID+"/confirm", "payment_method=pm_card_"+token, "")
			var charge struct {
				Details struct {
					Card struct {
						Before   int64                   `json:"capture_before"`
						Extended struct{ Status string } `json:"extended_authorization"`
					}
				} `json:"payment_method_details"`
			}
			hold := time.Duration(want.days) * 24 * time.Hour
			c.into(&charge, http.MethodGet, "/v1/charges/"+*a.Charge, "")
			if card := charge.Details.Card; card.Extended.Status != want.status || card.Before != capstantest.Epoch.Add(hold).Unix() {
				t.Errorf("%+v", charge)
			}
			s.Advance(t, hold-time.Second)
			if p := c.get(a.ID); p.Status != "requires_capture" {
				t.Errorf("%s", p.body)
			}
			s.Advance(t, time.Second)
			if p := c.get(a.ID); p.Status != "canceled" || *p.Reason != "automatic" {
				t.Errorf("%s", p.body)
			}
		})
	}
}

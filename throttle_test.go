package capstan_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/sandbox"
)

// setRate gives the default merchant a rate, or takes it away.
func setRate(t *testing.T, s *capstantest.Server, perSecond, burst any) {
	t.Helper()
	s.Control(t, http.MethodPatch, "/_sandbox/settings", map[string]any{"settings": map[string]any{
		"throttle.requests_per_second": perSecond, "throttle.burst": burst,
	}}, nil)
}

// tooEarly tells whether an answer is the dialect's own way of saying that a
// request came too early.
func tooEarly(dialect string, r drive.Result) bool {
	answer := string(r.Answer)
	switch dialect {
	case "alipay":
		return r.Status == 200 && strings.Contains(answer, `"resultCode":"REQUEST_TRAFFIC_EXCEED_LIMIT","resultStatus":"F"`)
	case "wepay":
		return r.Status == 429 && strings.Contains(answer, `"THROTTLE_EXCEEDED"`) && strings.Contains(answer, `"APPLICATION_REQUEST_THROTTLE_EXCEEDED"`)
	case "intents":
		return r.Status == 429 && strings.Contains(answer, `"code": "rate_limit"`) && r.Header.Get("Retry-After") != "" && r.Header.Get("Stripe-Should-Retry") == "true"
	}
	return r.Status == 429 && answer == `{"response":{"message":"Too many requests"}}`
}

// A merchant who asks above his rate hears it in the dialect's own words, until
// the clock has moved on; another merchant hears nothing of it.
func TestThrottle(t *testing.T) {
	s := capstantest.Run(t)
	var other sandbox.Credentials
	s.Control(t, http.MethodPost, "/_sandbox/merchants", nil, &other)
	other.BaseURL = s.URL
	for name, client := range clients(t, s) {
		t.Run(name, func(t *testing.T) {
			setRate(t, s, nil, nil)
			hold, err := client.Authorize(t.Context(), 1000, "hold-"+name)
			if err != nil || hold.Verdict != drive.Done {
				t.Fatalf("%s %v", hold.Answer, err)
			}
			query := func(c drive.Client) drive.Result {
				t.Helper()
				r, err := c.Query(t.Context(), hold.ID)
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			setRate(t, s, 2, 3)
			for i, passes := range []bool{true, true, true, false, false} {
				if r := query(client); tooEarly(name, r) == passes {
					t.Errorf("request %d of a burst of 3: status %d %s", i+1, r.Status, r.Answer)
				}
			}
			stranger, err := drive.New(name, other)
			if err != nil {
				t.Fatal(err)
			}
			for range 10 {
				if r := query(stranger); tooEarly(name, r) {
					t.Errorf("another merchant is throttled: %s", r.Answer)
				}
			}
			// What was refused left no trace: the same capture goes through when
			// it is its time, once.
			early, err := client.Capture(t.Context(), hold.ID, 400, "capture-"+name, false)
			if err != nil || !tooEarly(name, early) {
				t.Errorf("a capture out of turn: %s %v", early.Answer, err)
			}
			s.Advance(t, 500*time.Millisecond)
			captured, err := client.Capture(t.Context(), hold.ID, 400, "capture-"+name, false)
			if err != nil || captured.Verdict != drive.Done {
				t.Errorf("half a second later: %s %v", captured.Answer, err)
			}
			s.Advance(t, 10*time.Second)
			setRate(t, s, nil, nil)
			for range 20 {
				if r := query(client); tooEarly(name, r) {
					t.Errorf("without a rate: %s", r.Answer)
				}
			}
		})
	}
}

// The rate is the merchant's: what he asks through one dialect counts in all.
func TestThrottleCountsAllDialects(t *testing.T) {
	s := capstantest.Run(t)
	all := clients(t, s)
	setRate(t, s, 1, 3)
	passed := 0
	for name, client := range all {
		r, err := client.Query(t.Context(), "1")
		if err != nil {
			t.Fatal(err)
		}
		if !tooEarly(name, r) {
			passed++
		}
	}
	if passed != 3 {
		t.Errorf("%d of 4 requests passed, want 3", passed)
	}
}

// A command that was taken is answered with what became of it, however many
// requests of the merchant are turned away meanwhile.
func TestThrottleNeverAfterACommandWasTaken(t *testing.T) {
	s := capstantest.Run(t)
	for name, client := range clients(t, s) {
		t.Run(name, func(t *testing.T) {
			setRate(t, s, nil, nil)
			hold, err := client.Authorize(t.Context(), 1000, "taken-"+name)
			if err != nil || hold.Verdict != drive.Done {
				t.Fatalf("%s %v", hold.Answer, err)
			}
			setRate(t, s, 1, 1)
			s.Advance(t, 2*time.Second)
			s.Control(t, http.MethodPost, "/_sandbox/processor", json.RawMessage(`{"operation":"capture","outcome":"approve","delay_ms":500}`), nil)
			var work sync.WaitGroup
			var first drive.Result
			work.Go(func() { first, err = client.Capture(t.Context(), hold.ID, 300, "slow-"+name, false) })
			time.Sleep(150 * time.Millisecond)
			for range 5 {
				if r, err := client.Query(t.Context(), hold.ID); err != nil || !tooEarly(name, r) {
					t.Errorf("a request meanwhile: %s %v", r.Answer, err)
				}
			}
			work.Wait()
			if err != nil || first.Verdict != drive.Done {
				t.Errorf("the capture that was taken: %s %v", first.Answer, err)
			}
		})
	}
}

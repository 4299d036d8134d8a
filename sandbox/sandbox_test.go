package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/sandbox"
)

func client(t *testing.T, s *capstantest.Server, dialect string, c sandbox.Credentials) drive.Client {
	t.Helper()
	c.BaseURL = s.URL
	made, err := drive.New(dialect, c)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// must wants a verdict.
func must(t *testing.T, want drive.Verdict, r drive.Result, err error) drive.Result {
	t.Helper()
	if err != nil || r.Verdict != want {
		t.Fatalf("got %s %s %s, %v; want %s", r.Verdict, r.Code, r.Answer, err, want)
	}
	return r
}

// TestMerchantsAreIsolated: what one merchant has is unknown to another, in
// every dialect, and each has books of its own.
func TestMerchantsAreIsolated(t *testing.T) {
	s := capstantest.Run(t)
	var other sandbox.Credentials
	s.Control(t, http.MethodPost, "/_sandbox/merchants", nil, &other)
	for _, dialect := range []string{"alipay", "wepay", "intents", "begateway"} {
		mine, theirs := client(t, s, dialect, s.Credentials), client(t, s, dialect, other)
		hold, err := mine.Authorize(t.Context(), 2000, "a")
		must(t, drive.Done, hold, err)
		q, err := theirs.Query(t.Context(), hold.ID)
		must(t, drive.Refused, q, err)
		c, err := theirs.Capture(t.Context(), hold.ID, 1000, "b", true)
		must(t, drive.Refused, c, err)
		same, err := theirs.Authorize(t.Context(), 2000, "a") // the same key is another key here
		if must(t, drive.Done, same, err); same.ID == hold.ID {
			t.Errorf("%s: two merchants have one payment", dialect)
		}
	}
	var books struct {
		Accounts []struct{ Account, Currency string }
	}
	s.Control(t, http.MethodGet, "/_sandbox/ledger?merchant="+other.Merchant, nil, &books)
	if len(books.Accounts) == 0 {
		t.Error("the other merchant has no books")
	}
}

// TestClock: moving the clock does what falls due, in order, and the offset
// survives a restart on the same store.
func TestClock(t *testing.T) {
	s := capstantest.Run(t)
	c := client(t, s, "intents", s.Credentials)
	hold, err := c.Authorize(t.Context(), 2000, "a")
	must(t, drive.Done, hold, err)
	var answer struct{ Now time.Time }
	s.Control(t, http.MethodPost, "/_sandbox/clock", map[string]int{"advance_seconds": 7*24*3600 - 1}, &answer)
	if q, _ := c.Query(t.Context(), hold.ID); q.State != "requires_capture" {
		t.Errorf("a second before: %s", q.State)
	}
	s.Control(t, http.MethodPost, "/_sandbox/clock", map[string]int{"advance_seconds": 1}, &answer)
	if q, _ := c.Query(t.Context(), hold.ID); q.State != "canceled" {
		t.Errorf("at the deadline: %s", q.State)
	}
	if want := capstantest.Epoch.Add(7 * 24 * time.Hour); !answer.Now.Equal(want) {
		t.Errorf("now is %s, want %s", answer.Now, want)
	}
	s.Stop()
	again := capstantest.Run(t, capstantest.On(s.Store))
	again.Control(t, http.MethodPost, "/_sandbox/clock", map[string]int{"advance_seconds": 0}, &answer)
	if want := capstantest.Epoch.Add(7 * 24 * time.Hour); !answer.Now.Equal(want) {
		t.Errorf("after a restart it is %s, want %s", answer.Now, want)
	}
	if again.Credentials.Merchant != s.Credentials.Merchant || string(again.Credentials.Intents) != string(s.Credentials.Intents) {
		t.Error("the credentials changed over a restart")
	}
}

// TestScriptedOutcomes: what a processor is told to answer reaches the client
// in his dialect, an unknown outcome stays unknown until the processor tells,
// and the money moves once.
func TestScriptedOutcomes(t *testing.T) {
	for _, dialect := range []string{"alipay", "wepay", "intents", "begateway"} {
		for _, test := range []struct {
			outcome  string
			captured int64
		}{{"lost_then_approved", 2000}, {"lost_then_declined", 0}, {"timeout", 2000}} {
			t.Run(dialect+" "+test.outcome, func(t *testing.T) {
				s := capstantest.Run(t)
				s.Control(t, http.MethodPatch, "/_sandbox/settings", map[string]any{"settings": map[string]any{
					"intents.processor_patience_ms": 50, "begateway.processor_patience_ms": 50, "wepay.processor_patience_ms": 50, "alipay.processor_patience_ms": 50,
				}}, nil)
				c := client(t, s, dialect, s.Credentials)
				hold, err := c.Authorize(t.Context(), 2000, "a")
				must(t, drive.Done, hold, err)
				s.Control(t, http.MethodPost, "/_sandbox/processor", map[string]any{"operation": "capture", "outcome": test.outcome}, nil)
				r, err := c.Capture(t.Context(), hold.ID, 2000, "k", true)
				if err != nil || r.Verdict != drive.Unknown && r.Verdict != drive.InProcess {
					t.Fatalf("while nobody knows: %s %s, %v", r.Verdict, r.Answer, err)
				}
				if again, err := c.Capture(t.Context(), hold.ID, 2000, "k", true); err != nil || again.Verdict == drive.Done && dialect != "begateway" || again.Verdict == drive.Declined {
					t.Errorf("a repeat while nobody knows: %s %s, %v", again.Verdict, again.Answer, err)
				}
				s.Advance(t, time.Minute)
				books := s.Balances(t, "USD")
				if got := books["merchant"] + books["in_transit"]; got != test.captured {
					t.Errorf("%d captured, want %d", got, test.captured)
				}
			})
		}
	}
}

// TestBadControls: what a control does not take is refused, and says why.
func TestBadControls(t *testing.T) {
	s := capstantest.Run(t)
	for _, bad := range []struct{ method, path, body, says string }{
		{"GET", "/_sandbox/nothing", ``, "not found"},
		{"GET", "/openapi/nothing.yaml", ``, "not found"},
		{"POST", "/_sandbox/clock", `{}`, "advance_seconds"},
		{"POST", "/_sandbox/clock", `{"advance_seconds":-1}`, "advance_seconds"},
		{"POST", "/_sandbox/clock", `{"advance_seconds":1.5}`, "advance_seconds"},
		{"POST", "/_sandbox/clock", `{"seconds":1}`, "seconds"},
		{"POST", "/_sandbox/clock", `{"advance_seconds":1} x`, "something follows the object"},
		{"POST", "/_sandbox/processor", `{"operation":"capture","outcome":"maybe"}`, "outcome"},
		{"POST", "/_sandbox/processor", `{"operation":"steal","outcome":"approve"}`, "operation"},
		{"POST", "/_sandbox/processor", `{"operation":"capture","outcome":"decline","reason":"mood"}`, "reason"},
		{"POST", "/_sandbox/processor", `{"operation":"capture","outcome":"approve","times":0}`, "times"},
		{"POST", "/_sandbox/processor", `{"operation":"capture","outcome":"approve","merchant":"mer_x"}`, "no such merchant"},
		{"GET", "/_sandbox/ledger?merchant=mer_x", ``, "no such merchant"},
		{"GET", "/_sandbox/payments/pi_x", ``, "not found"},
		{"PATCH", "/_sandbox/wallet/users/1x", `{"status":"frozen"}`, "not found"},
		{"POST", "/_sandbox/wallet/tokens/revoke", `{"access_token":"x"}`, "not found"},
		{"POST", "/_sandbox/wallet/orders/x", `{"decision":"approve"}`, "no cashier order"},
		{"PUT", "/_sandbox/risk", `{"limits":"all"}`, "limits"},
		{"PATCH", "/_sandbox/settings", `{"settings":{"begateway.multi_captures":false}}`, `there is no setting "begateway.multi_captures"`},
		{"PATCH", "/_sandbox/settings", `{"settings":{"begateway.multi_capture":"no"}}`, "begateway.multi_capture must be true or false"},
		{"PATCH", "/_sandbox/settings", `{"settings":{"begateway.multi_capture":false},"merchant":"mer_x"}`, "no such merchant"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), bad.method, s.URL+bad.path, strings.NewReader(bad.body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		var answer struct{ Error string }
		if err != nil || json.Unmarshal(text, &answer) != nil || response.StatusCode < 400 || response.StatusCode >= 500 || !strings.Contains(answer.Error, bad.says) {
			t.Errorf("%s %s %s: %s %s", bad.method, bad.path, bad.body, response.Status, text)
		}
	}
}

// TestNoControlsInLiveMode: outside the sandbox there is nothing to control,
// and a store is served in the mode it was made for.
func TestNoControlsInLiveMode(t *testing.T) {
	s := capstantest.Run(t)
	if _, err := capstan.New(t.Context(), capstan.Config{Store: s.Store, Keys: s.Keys}); err == nil {
		t.Error("a sandbox store is served live")
	}
}

package capstan_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
)

// A risk configuration that could not be checked is refused, and the answer
// names the member; the one before stays in force.
func TestRiskControl(t *testing.T) {
	s := capstantest.Run(t)
	call := func(method, path, body string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	merchant, err := json.Marshal(s.Credentials.Merchant)
	if err != nil {
		t.Fatal(err)
	}
	if status, text := call("PUT", "/_sandbox/risk", `{"merchant":`+string(merchant)+`,"limits":[{"currency":"USD","max":500}],"lists":{},"rules":[]}`); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	for _, bad := range []struct{ method, path, body, want string }{
		{"PUT", "/_sandbox/risk", `{"limit":[]}`, "config.limit: is not known"},
		{"PUT", "/_sandbox/risk", `{"limits":[],"limits":[]}`, "config.limits: is there twice"},
		{"PUT", "/_sandbox/risk", `{"limits":[{"currency":"USD"}]}`, "config.limits[0]: bounds nothing"},
		{"PUT", "/_sandbox/risk", `{"levels":{"shop":"x","psp":"x"},"limits":[{"currency":"USD","max":1}]}`, "three different names"},
		{"PUT", "/_sandbox/risk", `not JSON`, "the body is not JSON"},
		{"PUT", "/_sandbox/risk", ``, "the body is not JSON"},
		{"PATCH", "/_sandbox/settings", `{"settings":{"risk":{"rules":[{}]}}}`, "config.rules[0]: needs level"},
	} {
		if status, text := call(bad.method, bad.path, bad.body); status != 400 || !strings.Contains(text, bad.want) {
			t.Errorf("%s %s %s: %d %s", bad.method, bad.path, bad.body, status, text)
		}
	}
	if status, text := call("PUT", "/_sandbox/risk", `{"merchant":"mer_unknown"}`); status != 404 {
		t.Errorf("an unknown merchant: %d %s", status, text)
	}

	client, err := drive.New("intents", s.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	hold, err := client.Authorize(t.Context(), 1000, "hold")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := client.Capture(t.Context(), hold.ID, 600, "one", false); err != nil || r.Verdict != drive.Declined {
		t.Errorf("above the maximum: %s %s %v", r.Verdict, r.Answer, err)
	}
	// Another one takes effect at once, and so does none.
	if status, text := call("PATCH", "/_sandbox/settings", `{"settings":{"risk":null}}`); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	if r, err := client.Capture(t.Context(), hold.ID, 600, "two", false); err != nil || r.Verdict != drive.Done {
		t.Errorf("without a configuration: %s %s %v", r.Verdict, r.Answer, err)
	}
}

// TestServerRisk: rules for all merchants stop everybody's operations at once,
// stand in his verdicts, and are gone when they are taken away.
func TestServerRisk(t *testing.T) {
	s := capstantest.Run(t)
	all := clients(t, s)
	n := 0
	capture := func(dialect string, want drive.Verdict) drive.Result {
		t.Helper()
		n++
		hold, err := all[dialect].Authorize(t.Context(), 2000+int64(n), fmt.Sprint("hold", n))
		must(t, hold, err)
		r, err := all[dialect].Capture(t.Context(), hold.ID, 1000, fmt.Sprint("capture", n), true)
		if err != nil || r.Verdict != want {
			t.Errorf("%s: %s %s, %v, want %s", dialect, r.Verdict, r.Answer, err, want)
		}
		return r
	}
	const rule = `{"levels":{"psp":"House"},"rules":[{"level":"psp","alias":"stop","action":"reject","cel":"operation.type == 'capture' && operation.amount >= 1000"}]}`
	capture("begateway", drive.Done)
	control(t, s, http.MethodPut, "/_sandbox/risk/psp", rule, http.StatusOK)
	for _, dialect := range capstan.Dialects() {
		capture(dialect, drive.Declined)
	}
	if r := capture("begateway", drive.Declined); !strings.Contains(string(r.Answer), `"House":{"stop":{"operation.type == 'capture' && operation.amount >= 1000":"reject"}}`) {
		t.Errorf("the answer does not show the rule: %s", r.Answer)
	}
	for body, says := range map[string]string{
		`{"limits":[{"currency":"USD","max":1}]}`: "config.limits", `{"rules":[{}]}`: "config.rules[0]: needs", `x`: "config",
		`{"rules":[{"level":"psp","alias":"a","action":"reject","cel":"nothing > 1"}]}`: "config.rules[0].cel: line 1, column 1: undeclared reference to 'nothing'",
	} {
		if text := control(t, s, http.MethodPut, "/_sandbox/risk/psp", body, http.StatusBadRequest); !strings.Contains(text, says) {
			t.Errorf("%s: %s", body, text)
		}
	}
	capture("wepay", drive.Declined) // what is refused changes nothing
	again := capstantest.Run(t, capstantest.On(s.Store))
	if kept, err := capstan.ServerRisk(t.Context(), again.Store); err != nil || string(kept) != rule {
		t.Errorf("after a restart %s, %v", kept, err)
	}
	control(t, s, http.MethodPut, "/_sandbox/risk/psp", ``, http.StatusOK)
	capture("begateway", drive.Done)
	if kept, err := capstan.ServerRisk(t.Context(), s.Store); err != nil || kept != nil {
		t.Errorf("taken away: %s, %v", kept, err)
	}
}

// TestBeProtectedSwitch: begateway.be_protected decides for what comes through
// that API alone, begateway.three_d_secure whether payers are asked there.
func TestBeProtectedSwitch(t *testing.T) {
	s := capstantest.Run(t)
	all := clients(t, s)
	n := 0
	capture := func(dialect string, want drive.Verdict) string {
		t.Helper()
		n++
		hold, err := all[dialect].Authorize(t.Context(), 2000+int64(n), fmt.Sprint("hold", n))
		must(t, hold, err)
		r, err := all[dialect].Capture(t.Context(), hold.ID, 1000, fmt.Sprint("capture", n), true)
		if err != nil || r.Verdict != want {
			t.Errorf("%s: %s %s, %v, want %s", dialect, r.Verdict, r.Answer, err, want)
		}
		return string(r.Answer)
	}
	const section, limits = `"be_protected_verification"`, `{"limits":[{"currency":"USD","max":1}]}`
	set := func(value string) {
		control(t, s, http.MethodPatch, "/_sandbox/settings", `{"settings":{"begateway.be_protected":`+value+`}}`, http.StatusOK)
	}
	if text := capture("begateway", drive.Done); strings.Contains(text, section) {
		t.Errorf("nothing is configured: %s", text)
	}
	set("true")
	if text := capture("begateway", drive.Done); !strings.Contains(text, section+`:{"status":"successful","limit":{"volume":false`) || !strings.Contains(text, `Capstan":{}}}`) {
		t.Errorf("switched on: %s", text)
	}
	control(t, s, http.MethodPut, "/_sandbox/risk", limits, http.StatusOK)
	capture("begateway", drive.Declined)
	set("false")
	if text := capture("begateway", drive.Done); strings.Contains(text, section) {
		t.Errorf("switched off: %s", text)
	}
	capture("wepay", drive.Declined)
	set("null")
	capture("begateway", drive.Declined)
}

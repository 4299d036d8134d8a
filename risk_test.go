package capstan_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

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
		{"PUT", "/_sandbox/risk", `not JSON`, "not a risk configuration"},
		{"PUT", "/_sandbox/risk", ``, "not a risk configuration"},
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

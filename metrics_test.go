package capstan_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/store/memory"
)

// scraped is what /metrics said.
type scraped map[string]*dto.MetricFamily

// scrape asks the admin listener for its metrics, as Prometheus does.
func scrape(t *testing.T, s *capstantest.Server) scraped {
	t.Helper()
	w := httptest.NewRecorder()
	s.Admin().ServeHTTP(w, fromHere("/metrics"))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// value is a series' value, or the number of what a histogram has counted; -1
// if there is no such series. Labels are name=value.
func (s scraped) value(name string, labels ...string) float64 {
	for _, m := range s[name].GetMetric() {
		has := map[string]bool{}
		for _, l := range m.GetLabel() {
			has[l.GetName()+"="+l.GetValue()] = true
		}
		fits := true
		for _, l := range labels {
			fits = fits && has[l]
		}
		switch {
		case !fits:
		case m.Histogram != nil:
			return float64(m.GetHistogram().GetSampleCount())
		case m.Counter != nil:
			return m.GetCounter().GetValue()
		default:
			return m.GetGauge().GetValue()
		}
	}
	return -1
}

// Every request is counted under its dialect, operation and class, and so is
// what the engine made of it.
func TestMetricsOfRequests(t *testing.T) {
	s := capstantest.Run(t)
	names := map[string][3]string{ // what the dialects call to authorize, to capture and to query
		"alipay": {"pay", "capture", "inquiryPayment"}, "wepay": {"create", "capture", "query"},
		"intents": {"create", "capture", "query"}, "begateway": {"authorize", "capture", "query"},
	}
	for name, client := range clients(t, s) {
		hold, err := client.Authorize(t.Context(), 1000, "m-"+name)
		if err != nil || hold.Verdict != drive.Done {
			t.Fatalf("%s %v", hold.Answer, err)
		}
		for i, amount := range []int64{400, 5000} { // the second is too much
			if _, err := client.Capture(t.Context(), hold.ID, amount, fmt.Sprint("c-", name, i), false); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.Query(t.Context(), hold.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/", "/nowhere", "/v1/nothing/here", "/transactions/nothing/here", "/v2/payments/nothing", "/openapi"} {
		response, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	m := scrape(t, s)
	for name, operations := range names {
		for _, c := range []struct{ operation, class string }{
			{operations[0], "done"}, {operations[1], "done"}, {operations[1], "refused"}, {operations[2], "done"}, {"unknown", "invalid"},
		} {
			if got := m.value("capstan_requests_total", "dialect="+name, "operation="+c.operation, "class="+c.class); got < 1 {
				t.Errorf("%s %s %s: %v requests", name, c.operation, c.class, got)
			}
		}
		if got := m.value("capstan_request_duration_seconds", "dialect="+name, "operation="+operations[1]); got != 2 {
			t.Errorf("%s: %v captures were timed", name, got)
		}
		if got := m.value("capstan_requests_in_flight", "dialect="+name); got != 0 {
			t.Errorf("%s: %v requests in flight", name, got)
		}
	}
	for _, c := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"capstan_engine_decisions_total", []string{"command=capture", "outcome=done"}, 4},
		{"capstan_engine_decisions_total", []string{"command=capture", "outcome=refused"}, 4},
		{"capstan_engine_decisions_total", []string{"command=create", "outcome=done"}, 4},
		{"capstan_engine_refusals_total", []string{"command=capture", "guard=amount_too_large"}, 4},
		{"capstan_engine_queue_depth", nil, 0},
		{"capstan_engine_queue_capacity", nil, 4096},
		{"capstan_engine_retries_total", []string{"reason=conflict"}, 0},
		{"capstan_build_info", nil, 1},
	} {
		if got := m.value(c.name, c.labels...); got != c.want {
			t.Errorf("%s %v is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	for _, name := range []string{"capstan_engine_batch_commands", "capstan_engine_batch_duration_seconds", "capstan_engine_commit_duration_seconds", "go_goroutines"} {
		if got := m.value(name); got < 1 {
			t.Errorf("%s has %v", name, got)
		}
	}
	if got := m.value("capstan_store_bytes", "part=data"); got < 4096 {
		t.Errorf("the store has %v bytes", got)
	}
}

// No label has anything of a request in it: an id, a path, a number.
func TestMetricsNameNobody(t *testing.T) {
	s := capstantest.Run(t)
	for i := range 500 {
		for _, path := range []string{"/payments/%d", "/v1/payment_intents/pi_%d", "/transactions/%d", "/v2/payments/p%d", "/%d"} {
			r := httptest.NewRequest(http.MethodPost, fmt.Sprintf(path, 4929907390318794+i), strings.NewReader(canaryCard))
			r.Header.Set("Authorization", "Bearer "+canaryCard)
			r.Header.Set("Client-Id", canaryCard)
			s.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	series := 0
	for name, family := range scrape(t, s) {
		for _, m := range family.GetMetric() {
			series++
			for _, l := range m.GetLabel() {
				if strings.Contains(l.GetValue(), "4929") || strings.ContainsAny(l.GetValue(), "/?") && name != "capstan_build_info" {
					t.Errorf("%s has the label %s=%q", name, l.GetName(), l.GetValue())
				}
			}
		}
	}
	if series > 1500 {
		t.Errorf("there are %d series", series)
	}
}

// The survey of the store finds what is about to expire, what nobody knows, and
// what is late.
func TestMetricsOfTheStore(t *testing.T) {
	st := memory.Open()
	s := capstantest.Run(t, capstantest.On(st))
	all := clients(t, s)
	authorize := func(dialect, key string, amount int64) string {
		t.Helper()
		hold, err := all[dialect].Authorize(t.Context(), amount, key)
		if err != nil || hold.Verdict != drive.Done {
			t.Fatalf("%s %v", hold.Answer, err)
		}
		return hold.ID
	}
	soon := authorize("begateway", "", 1000)
	if r, err := all["begateway"].Capture(t.Context(), soon, 300, "", false); err != nil || r.Verdict != drive.Done {
		t.Fatalf("%s %v", r.Answer, err)
	}
	closed := authorize("intents", "closed", 5000)
	if r, err := all["intents"].Capture(t.Context(), closed, 5000, "close", true); err != nil || r.Verdict != drive.Done {
		t.Fatalf("%s %v", r.Answer, err)
	}
	authorize("alipay", "soon too", 44)
	s.Advance(t, 6*24*time.Hour+time.Hour)
	authorize("intents", "far away", 2000)
	lost := authorize("begateway", "", 700)
	s.Control(t, http.MethodPost, "/_sandbox/processor", json.RawMessage(`{"operation":"capture","outcome":"timeout"}`), nil)
	if r, err := all["begateway"].Capture(t.Context(), lost, 700, "", false); err != nil || r.Verdict != drive.Unknown {
		t.Fatalf("%s: %s %v", r.Verdict, r.Answer, err)
	}
	m := scrape(t, s)
	for _, c := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"capstan_holds_expiring", []string{"currency=USD"}, 2},
		{"capstan_holds_expiring_minor", []string{"currency=USD"}, 744},
		{"capstan_holds_expiring_horizon_seconds", nil, 86400},
		{"capstan_operations_pending", nil, 1},
		{"capstan_operations_unknown", nil, 0},
		{"capstan_oldest_unknown_operation_seconds", nil, 0},
		{"capstan_timers_overdue_seconds", nil, 0},
		{"capstan_survey_failed", nil, 0},
		{"capstan_processor_call_duration_seconds", []string{"operation=capture", "result=no_answer"}, 1},
	} {
		if got := m.value(c.name, c.labels...); got != c.want {
			t.Errorf("%s %v is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
}

// TestMetricsTable: docs/observability.md lists every metric of ours that a
// server shows, and none that it does not.
func TestMetricsTable(t *testing.T) {
	const page = "docs/observability.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const head = "| metric | type | labels | meaning |\n|---|---|---|---|\n"
	before, rest, found := strings.Cut(string(text), head)
	_, after, found2 := strings.Cut(rest, "\n## ")
	if !found || !found2 {
		t.Fatal("the page has lost the head of the table, or what follows it")
	}
	s := capstantest.Run(t)
	for name, client := range clients(t, s) { // series exist when something was measured
		hold, err := client.Authorize(t.Context(), 1000, "table-"+name)
		if err != nil || hold.Verdict != drive.Done {
			t.Fatalf("%s %v", hold.Answer, err)
		}
		if _, err := client.Capture(t.Context(), hold.ID, 5000, "too-much-"+name, false); err != nil {
			t.Fatal(err)
		}
	}
	var table strings.Builder
	families := scrape(t, s)
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if !strings.HasPrefix(name, "capstan_") {
			continue
		}
		var names []string
		for _, l := range families[name].GetMetric()[0].GetLabel() {
			names = append(names, l.GetName())
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(families[name].GetType().String()), strings.Join(names, ", "), families[name].GetHelp())
	}
	want := before + head + table.String() + "\n## " + after
	if *capstan.Update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Error("docs/observability.md is not what is measured: go test . -run TestMetricsTable -update, and read the difference")
	}
}

// fromHere is a request of the admin listener from this machine: a sandbox
// wants no token then.
func fromHere(path string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)
	r.RemoteAddr = "127.0.0.1:40000"
	return r
}

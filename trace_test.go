package capstan_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/telemetry"
)

// collector is an OTLP collector that remembers what it was sent.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []tracedSpan
	text  strings.Builder
}

type tracedSpan struct {
	TraceID      string `json:"traceId"`
	SpanID       string `json:"spanId"`
	ParentSpanID string `json:"parentSpanId"`
	Name         string `json:"name"`
	Start        string `json:"startTimeUnixNano"`
	End          string `json:"endTimeUnixNano"`
	Attributes   []struct {
		Key   string
		Value map[string]any
	}
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var data struct {
			ResourceSpans []struct {
				ScopeSpans []struct{ Spans []tracedSpan }
			}
		}
		if err == nil {
			err = json.Unmarshal(body, &data)
		}
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %v", r.URL, body, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.text.Write(body)
		for _, rs := range data.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				c.spans = append(c.spans, ss.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// traced runs a server that sends its spans to a collector. The spans are there
// after stop.
func traced(t *testing.T) (s *capstantest.Server, c *collector, stop func()) {
	t.Helper()
	c = newCollector(t)
	traces, err := telemetry.NewTraces(telemetry.TracesEndpoint(c.URL, func(string) string { return "" }), "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s = capstantest.Run(t, capstantest.With(func(c *capstan.Config) { c.Traces = traces }))
	return s, c, func() {
		s.Stop()
		if err := traces.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// tree is the names of a span and of all below it, as "name(child child)";
// children in the order of their names.
func (c *collector) tree(of tracedSpan) string {
	var below []string
	for _, s := range c.spans {
		if s.ParentSpanID == of.SpanID && s.TraceID == of.TraceID {
			if s.Start < of.Start {
				below = append(below, "before its parent:")
			}
			below = append(below, c.tree(s))
		}
	}
	slices.Sort(below)
	if below == nil {
		return of.Name
	}
	return of.Name + "(" + strings.Join(below, " ") + ")"
}

// trees are those of all requests with that name.
func (c *collector) trees(name string) (trees []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Name == name {
			trees = append(trees, c.tree(s))
		}
	}
	return trees
}

// A request's spans hang together: the command below the request, and below
// that the commits and the call to the processor.
func TestTraces(t *testing.T) {
	s, c, stop := traced(t)
	client := clients(t, s)["intents"]
	hold, err := client.Authorize(t.Context(), 1000, "traced")
	if err != nil || hold.Verdict != drive.Done {
		t.Fatalf("%s %v", hold.Answer, err)
	}
	s.Control(t, http.MethodPost, "/_sandbox/processor", json.RawMessage(`{"operation":"capture","outcome":"approve","delay_ms":20}`), nil)
	if r, err := client.Capture(t.Context(), hold.ID, 400, "traced capture", false); err != nil || r.Verdict != drive.Done {
		t.Fatalf("%s %v", r.Answer, err)
	}
	if r, err := client.Query(t.Context(), hold.ID); err != nil || r.Verdict != drive.Done {
		t.Fatalf("%s %v", r.Answer, err)
	}
	stop()
	for name, want := range map[string]string{
		"intents create":  "intents create(engine.create(engine.commit))",
		"intents capture": "intents capture(engine.capture(engine.commit engine.commit processor.capture))",
		"intents query":   "intents query",
	} {
		if got := c.trees(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, span := range c.spans {
		if span.Name != "intents capture" {
			continue
		}
		has := map[string]any{}
		for _, a := range span.Attributes {
			for _, v := range a.Value {
				has[a.Key] = v
			}
		}
		if has["capstan.outcome"] != "done" || has["http.response.status_code"] != "200" || has["capstan.merchant"] == nil ||
			!strings.HasPrefix(has["capstan.request_id"].(string), "req_") {
			t.Errorf("attributes of the request: %v", has)
		}
	}
}

// What a merchant is told of is a part of the trace of the command that he is
// told of.
func TestTraceOfADelivery(t *testing.T) {
	s, c, stop := traced(t)
	sink := capstantest.NewSink(t)
	_, header, _ := authenticated(t, s)
	status, answer := call(t, s.URL, http.MethodPost, "/transactions/authorizations", header, `{"request":{"amount":1000,"currency":"USD","description":"x","test":true,
		"notification_url":"`+sink.URL+`","credit_card":{"number":"4200000000000000","verification_value":"123","holder":"Jane","exp_month":"12","exp_year":"2040"}}}`)
	if status != http.StatusOK {
		t.Fatal(answer)
	}
	s.Advance(t, time.Second)
	if got := scrape(t, s).value("capstan_delivery_attempts_total", "dialect=begateway", "result=delivered"); got != 1 {
		t.Errorf("%v attempts were acknowledged", got)
	}
	stop()
	want := "begateway authorize(engine.create(engine.commit webhook.deliver))"
	if got := c.trees("begateway authorize"); len(got) != 1 || got[0] != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A client's own trace goes on in ours.
func TestTraceOfTheClient(t *testing.T) {
	s, c, stop := traced(t)
	r := httptest.NewRequest(http.MethodGet, "/v1/payment_intents/pi_1", nil)
	r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	s.ServeHTTP(httptest.NewRecorder(), r)
	stop()
	if len(c.spans) != 1 || c.spans[0].TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" || c.spans[0].ParentSpanID != "00f067aa0ba902b7" {
		t.Errorf("spans: %+v", c.spans)
	}
}

// A collector that is not there holds nobody up.
func TestTracesWithoutCollector(t *testing.T) {
	traces, err := telemetry.NewTraces("http://127.0.0.1:1/v1/traces", "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := capstantest.Run(t, capstantest.With(func(c *capstan.Config) { c.Traces = traces }))
	began := time.Now()
	for name, client := range clients(t, s) {
		if r, err := client.Authorize(t.Context(), 1000, "nowhere-"+name); err != nil || r.Verdict != drive.Done {
			t.Fatalf("%s %v", r.Answer, err)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestTracesEndpoint(t *testing.T) {
	for _, c := range []struct {
		given       string
		environment map[string]string
		want        string
	}{
		{"", nil, ""},
		{"http://a:4318", nil, "http://a:4318/v1/traces"},
		{"http://a:4318/", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b"}, "http://a:4318/v1/traces"},
		{"", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b/x"}, "http://b/x/v1/traces"},
		{"", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/in"}, "http://c/in"},
		{"", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b", "OTEL_SDK_DISABLED": "true"}, ""},
		{"", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b", "OTEL_TRACES_EXPORTER": "none"}, ""},
	} {
		if got := telemetry.TracesEndpoint(c.given, func(name string) string { return c.environment[name] }); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	for _, bad := range []string{"a:4318", "ftp://a", "http://", "://"} {
		if _, err := telemetry.NewTraces(bad, "test", slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

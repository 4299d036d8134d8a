package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// spoken is a dialect's engine that says what a test wants.
type spoken struct {
	dialect.Engine
	out payment.Outcome
	err error
}

func (s spoken) Do(context.Context, payment.Request) (payment.Outcome, error) { return s.out, s.err }

// What the engine said counts, then what the dialect said, then the status; and
// a fault of ours is one, whatever was said before.
func TestClass(t *testing.T) {
	declined := &payment.Payment{Operations: []payment.Operation{{Number: 1, Status: payment.OpFailed}}}
	for _, c := range []struct {
		name   string
		engine *spoken
		class  dialect.Class // that the dialect says
		status int
		want   string
	}{
		{"answered", nil, 0, 0, "done"},
		{"no such route", nil, 0, 404, "invalid"},
		{"wrong key", nil, 0, 401, "denied"},
		{"out of turn", nil, dialect.Throttled, 429, "throttled"},
		{"too many wait", nil, 0, 429, "overloaded"},
		{"a conflict", nil, 0, 409, "refused"},
		{"broken", nil, 0, 500, "failed"},
		{"carried out", &spoken{}, 0, 200, "done"},
		{"carried out, and then broken", &spoken{}, 0, 500, "failed"},
		{"refused", &spoken{out: payment.Outcome{Refusal: payment.Refuse(payment.HoldOver)}}, 0, 400, "refused"},
		{"the queue is full", &spoken{out: payment.Outcome{Refusal: payment.Refuse(payment.Busy)}}, 0, 500, "overloaded"},
		{"declined, which is no error here", &spoken{out: payment.Outcome{Payment: declined, Operation: 1}}, 0, 200, "declined"},
		{"nobody knows yet", &spoken{out: payment.Outcome{Pending: true}}, 0, 500, "pending"},
		{"the store failed", &spoken{err: errors.New("disk on fire")}, 0, 200, "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &Watcher{Metrics: NewMetrics("test"), Logger: slog.New(slog.DiscardHandler)}
			h := w.Handler("test", http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
				m := dialect.MemoOf(r.Context())
				m.Operation, m.Class = "capture", c.class
				if c.engine != nil {
					_, _ = dialect.Watched(c.engine).Do(r.Context(), payment.Request{Merchant: 7})
					if m.Merchant != 7 {
						t.Errorf("merchant %d", m.Merchant)
					}
				}
				if c.status != 0 {
					out.WriteHeader(c.status)
				}
			}))
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil))
			if n := testutil.ToFloat64(w.Metrics.requests.total.WithLabelValues("test", "capture", c.want)); n != 1 {
				t.Errorf("%v requests are %s", n, c.want)
			}
		})
	}
}

// A handler that panics is a fault of ours: counted, logged without what it
// panicked with, and answered if nothing was said yet.
func TestPanic(t *testing.T) {
	var log bytes.Buffer
	w := &Watcher{Metrics: NewMetrics("test"), Logger: slog.New(slog.NewJSONHandler(&log, nil))}
	h := w.Handler("test", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("4929907390318794") }))
	out := httptest.NewRecorder()
	h.ServeHTTP(out, httptest.NewRequest(http.MethodPost, "/", nil))
	if out.Code != http.StatusInternalServerError {
		t.Errorf("status %d", out.Code)
	}
	if n := testutil.ToFloat64(w.Metrics.requests.total.WithLabelValues("test", unnamed, "failed")); n != 1 {
		t.Errorf("%v requests failed", n)
	}
	if n := testutil.ToFloat64(w.Metrics.requests.inFlight.WithLabelValues("test")); n != 0 {
		t.Errorf("%v requests are in flight", n)
	}
	if text := log.String(); strings.Contains(text, "49299") || !strings.Contains(text, "panic while answering") {
		t.Errorf("log: %s", text)
	}
	aborts := w.Handler("test", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("panic with %v", p)
		}
	}()
	aborts.ServeHTTP(out, httptest.NewRequest(http.MethodPost, "/", nil))
}

// Each line has what it must have, and the form that was asked for.
func TestRequestLog(t *testing.T) {
	for _, c := range []struct {
		name   string
		which  Requests
		status int
		own    string // the dialect's own id
		client string
		want   string // nothing: no line
	}{
		{"all", AllRequests, 200, "req_1", "", `{"level":"INFO","msg":"request","dialect":"test","operation":"capture","status":200,"outcome":"done","request_id":"req_1","merchant":7}`},
		{"the client's name", AllRequests, 200, "req_1", "order-7", `{"level":"INFO","msg":"request","dialect":"test","operation":"capture","status":200,"outcome":"done","request_id":"req_1","merchant":7,"client_request_id":"order-7"}`},
		{"only the client's name", AllRequests, 400, "", "order-7", `{"level":"INFO","msg":"request","dialect":"test","operation":"capture","status":400,"outcome":"invalid","request_id":"order-7","merchant":7}`},
		{"a name that may not be shown", AllRequests, 400, "", "4929907390318794", `{"level":"INFO","msg":"request","dialect":"test","operation":"capture","status":400,"outcome":"invalid","request_id":"ours-1","merchant":7}`},
		{"a fault", AllRequests, 500, "req_1", "", `{"level":"ERROR","msg":"request","dialect":"test","operation":"capture","status":500,"outcome":"failed","request_id":"req_1","merchant":7}`},
		{"failed: a fault", FailedRequests, 500, "req_1", "", `{"level":"ERROR","msg":"request","dialect":"test","operation":"capture","status":500,"outcome":"failed","request_id":"req_1","merchant":7}`},
		{"failed: no fault", FailedRequests, 400, "req_1", "", ""},
		{"none", NoRequests, 500, "req_1", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			w := &Watcher{Metrics: NewMetrics("test"), Requests: c.which, Logger: slog.New(slog.NewJSONHandler(&log, nil))}
			w.names.once.Do(func() { w.names.prefix = "ours-" })
			h := w.Handler("test", http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
				m := dialect.MemoOf(r.Context())
				m.Operation, m.Merchant, m.RequestID, m.ClientID = "capture", 7, c.own, c.client
				out.WriteHeader(c.status)
				_, _ = io.WriteString(out, "answer")
			}))
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/a/path", nil))
			if c.want == "" {
				if log.Len() != 0 {
					t.Errorf("logged: %s", &log)
				}
				return
			}
			var got, want map[string]any
			if err := json.Unmarshal(log.Bytes(), &got); err != nil {
				t.Fatalf("%v: %s", err, &log)
			}
			if took, ok := got["duration_ms"].(float64); !ok || took < 0 {
				t.Errorf("duration %v", got["duration_ms"])
			}
			delete(got, "duration_ms")
			delete(got, "time")
			if err := json.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			a, _ := json.Marshal(got)
			b, _ := json.Marshal(want)
			if !bytes.Equal(a, b) {
				t.Errorf("got  %s\nwant %s", a, b)
			}
		})
	}
}

// However many operations there seem to be, the number of series is bounded.
func TestSeriesAreBounded(t *testing.T) {
	m := NewMetrics("test")
	for i := range 10 * maxEndpoints {
		m.requests.observe(endpoint{"test", strings.Repeat("x", i%3000)}, dialect.Done, 0)
	}
	if n := len(*m.requests.known.Load()); n > maxEndpoints+1 {
		t.Errorf("%d endpoints are measured", n)
	}
	if n := testutil.ToFloat64(m.requests.total.WithLabelValues("test", "other", "done")); n == 0 {
		t.Error("nothing is counted as other")
	}
}

// BenchmarkHandler is what watching a request costs by itself.
func BenchmarkHandler(b *testing.B) {
	for _, which := range []struct {
		name string
		Requests
	}{{"metrics", FailedRequests}, {"metrics and log", AllRequests}} {
		b.Run(which.name, func(b *testing.B) {
			w := &Watcher{Metrics: NewMetrics("test"), Requests: which.Requests, Logger: slog.New(slog.NewJSONHandler(io.Discard, nil))}
			h := w.Handler("test", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				m := dialect.MemoOf(r.Context())
				m.Operation, m.Merchant, m.RequestID, m.Class = "capture", 7, "req_0123456789", dialect.Done
			}))
			out, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(out, r)
			}
		})
	}
}

package capstan_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/telemetry"
)

// BenchmarkWatched measures what watching costs: captures through the whole
// server except the network, on a store that costs nearly nothing, without
// being watched at all; with metrics, which is the default; with a line in the
// log for each request; and with a span for everything.
//
//	go test -run - -bench Watched -benchtime 20000x -count 5 .
func BenchmarkWatched(b *testing.B) {
	for _, how := range []struct {
		name string
		with func(*capstan.Config)
		bare bool
	}{
		{name: "nothing", bare: true},
		{name: "metrics"},
		{name: "metrics and log", with: func(c *capstan.Config) {
			c.LogRequests = telemetry.AllRequests
			c.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil))
		}},
		{name: "metrics and traces", with: func(c *capstan.Config) { c.Traces = tracesToNowhere(b) }},
	} {
		b.Run(how.name, func(b *testing.B) { benchmarkCaptures(b, how.bare, how.with) })
	}
}

func benchmarkCaptures(b *testing.B, bare bool, with func(*capstan.Config)) {
	st := memory.Open()
	options := []capstantest.Option{capstantest.On(st)}
	if with != nil {
		options = append(options, capstantest.With(with))
	}
	s := capstantest.Run(b, options...)
	if bare {
		s.Unwatch()
	}
	var credentials struct {
		SecretKey string `json:"secret_key"`
	}
	if err := json.Unmarshal(s.Credentials.Intents, &credentials); err != nil {
		b.Fatal(err)
	}
	ids := make([]string, b.N)
	const callers = 8
	each := func(send func(i int)) {
		var work sync.WaitGroup
		for c := range callers {
			work.Go(func() {
				for i := c; i < b.N; i += callers {
					send(i)
				}
			})
		}
		work.Wait()
	}
	post := func(path, key, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header["Authorization"] = []string{"Bearer " + credentials.SecretKey}
		r.Header["Content-Type"] = []string{"application/x-www-form-urlencoded"}
		r.Header["Idempotency-Key"] = []string{key}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	each(func(i int) {
		w := post("/v1/payment_intents", fmt.Sprint("a", i), "amount=1000&currency=usd&confirm=true&capture_method=manual&payment_method=pm_card_visa")
		var intent struct{ ID string }
		if err := json.Unmarshal(w.Body.Bytes(), &intent); err != nil || w.Code != http.StatusOK {
			b.Errorf("status %d: %s", w.Code, w.Body)
		}
		ids[i] = intent.ID
	})
	b.ReportAllocs()
	b.ResetTimer()
	each(func(i int) {
		if w := post("/v1/payment_intents/"+ids[i]+"/capture", fmt.Sprint("c", i), "amount_to_capture=800"); w.Code != http.StatusOK {
			b.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}

// tracesToNowhere makes spans of everything and sends them to a collector that
// drops them.
func tracesToNowhere(b *testing.B) *telemetry.Traces {
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	b.Cleanup(collector.Close)
	traces, err := telemetry.NewTraces(collector.URL+"/v1/traces", "test", slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = traces.Close(b.Context()) })
	return traces
}

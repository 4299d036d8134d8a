package capstan_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/verify"
)

// captureAll captures each hold once, all at the same time, and returns how
// many were done and how many the risk checks stopped.
func captureAll(t *testing.T, capture []func() (drive.Result, error)) (done, stopped int) {
	t.Helper()
	results, errs := make([]drive.Result, len(capture)), make([]error, len(capture))
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range capture {
		all.Go(func() {
			<-start
			results[i], errs[i] = capture[i]()
		})
	}
	close(start)
	all.Wait()
	for i, r := range results {
		switch {
		case errs[i] == nil && r.Verdict == drive.Done:
			done++
		case errs[i] == nil && r.Verdict == drive.Declined:
			stopped++
		default:
			t.Errorf("capture %d: %s %s %s, %v", i, r.Verdict, r.Code, r.Answer, errs[i])
		}
	}
	return done, stopped
}

// TestLimitsCannotBeRaced: of 64 captures at the same time a limit of ten lets
// exactly ten through, whichever dialect they come by and whatever it counts.
func TestLimitsCannotBeRaced(t *testing.T) {
	for _, limit := range []string{
		`{"currency":"USD","count":10}`, `{"currency":"USD","period":"hour","volume":10999}`, `{"currency":"USD","scope":"payer","period":"day","count":10}`,
	} {
		t.Run(limit, func(t *testing.T) {
			for _, name := range append(capstan.Dialects(), "all together") {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					s := capstantest.Run(t)
					all := clients(t, s)
					var capture []func() (drive.Result, error)
					for i := range 64 {
						client := all[name]
						if client == nil {
							client = all[[]string{"wepay", "intents", "begateway"}[i%3]]
						}
						hold, err := client.Authorize(t.Context(), int64(2000+i), fmt.Sprintf("hold-%d", i))
						must(t, hold, err)
						capture = append(capture, func() (drive.Result, error) {
							return client.Capture(t.Context(), hold.ID, 1000, fmt.Sprintf("capture-%d", i), true)
						})
					}
					control(t, s, http.MethodPut, "/_sandbox/risk", `{"limits":[`+limit+`]}`, http.StatusOK)
					done, stopped := captureAll(t, capture)
					want := 10
					if name == "all together" && strings.Contains(limit, "payer") {
						want = 30 // the three clients have a card each
					}
					if done != want || stopped != 64-want {
						t.Errorf("%d were let through, %d stopped", done, stopped)
					}
					books := s.Balances(t, "USD")
					if got := books["merchant"] + books["in_transit"]; got != int64(done)*1000 {
						t.Errorf("%d captured", got)
					}
					report, err := verify.Audit(t.Context(), s.Store)
					if err != nil || len(report.Findings) > 0 {
						t.Errorf("audit: %v, %v", report.Findings, err)
					}
				})
			}
		})
	}
}

// control calls a sandbox control with a body as it is written, and wants a
// status.
func control(t *testing.T, s *capstantest.Server, method, path, body string, want int) string {
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
	if err != nil || response.StatusCode != want {
		t.Errorf("%s %s %s: %s %s, %v; want %d", method, path, body, response.Status, text, err, want)
	}
	return string(text)
}

func must(t *testing.T, r drive.Result, err error) {
	t.Helper()
	if err != nil || r.Verdict != drive.Done {
		t.Fatalf("%s %s %s, %v", r.Verdict, r.Code, r.Answer, err)
	}
}

// TestMonthBegins: on the virtual clock a limit is free again with the first
// instant of the UTC month, and not before.
func TestMonthBegins(t *testing.T) {
	s := capstantest.Run(t)
	control(t, s, http.MethodPut, "/_sandbox/risk", `{"limits":[{"currency":"USD","count":1}]}`, http.StatusOK)
	client := clients(t, s)["intents"]
	until := func(at time.Time) {
		t.Helper()
		s.Advance(t, at.Sub(s.Clock.Now()))
	}
	first := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	until(first.Add(-time.Hour))
	capture := func(key string, want drive.Verdict) {
		t.Helper()
		hold, err := client.Authorize(t.Context(), 2000, "hold-"+key)
		must(t, hold, err)
		if r, err := client.Capture(t.Context(), hold.ID, 2000, key, true); err != nil || r.Verdict != want {
			t.Errorf("%s: %s %s, %v", s.Clock.Now(), r.Verdict, r.Answer, err)
		}
	}
	capture("one", drive.Done)
	capture("two", drive.Declined)
	until(first.Add(-time.Millisecond))
	capture("three", drive.Declined)
	until(first)
	capture("four", drive.Done)
	capture("five", drive.Declined)
}

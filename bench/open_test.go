package bench_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/bench"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/verify"
)

// Under more than the server takes, what it refuses comes again under its own
// key and is captured then, as a first capture: nothing is lost, nothing is
// made twice, and whatever is not a capture says to come again.
func TestOverload(t *testing.T) {
	for _, dialect := range bench.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			const amount, payments = 1099, 120
			s := capstantest.Run(t, capstantest.At(clock.System{}), capstantest.With(func(c *capstan.Config) { c.Admission.Requests = 2 }))
			credentials := parse(t, s)
			before := s.Balances(t, "USD")
			var log bytes.Buffer
			load, err := bench.Prepare(t.Context(), bench.Options{
				Target: s.URL, Credentials: credentials, Dialect: dialect, Connections: 64, Payments: payments, Merchants: 1, Log: &log,
			})
			if err != nil {
				t.Fatalf("%v: %s", err, &log)
			}
			if load.Holds() != payments {
				t.Fatalf("%d of %d are authorized: %s", load.Holds(), payments, &log)
			}
			result, err := load.CaptureOpen(t.Context(), 20_000, 30*time.Second) // ends when all are captured
			if err != nil || result.Errors != 0 || result.Captures != payments {
				t.Fatalf("%+v %v: %s", result, err, &log)
			}
			if result.Refused == 0 || result.Arrived != result.Captures+result.Refused {
				t.Errorf("%d arrived, %d were captured and %d refused", result.Arrived, result.Captures, result.Refused)
			}
			after := s.Balances(t, "USD")
			if got := after["merchant"] + after["platform_fees"] - before["merchant"] - before["platform_fees"]; got != payments*amount {
				t.Errorf("the merchant has %d more, not %d times %d", got, payments, amount)
			}
			report, err := verify.Audit(t.Context(), s.Store)
			if err != nil || !report.Clean() {
				t.Errorf("%v %+v", err, report.Findings)
			}
		})
	}
}

package bench_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/bench"
	"github.com/capstan-pay/capstan/capstantest"
)

// The generator and the server understand each other, and the books show what
// the result says.
func TestRealServer(t *testing.T) {
	for _, dialect := range bench.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			const payments, amount = 60, 1099
			s := capstantest.Run(t)
			credentials := parse(t, s)
			before := s.Balances(t, "USD")
			var log bytes.Buffer
			result, err := bench.Run(t.Context(), bench.Options{
				Target: s.URL, Credentials: credentials, Dialect: dialect, Connections: 8, Payments: payments, Merchants: 1, Log: &log,
			}, time.Minute)
			if err != nil || result.Captures != payments || result.Errors != 0 {
				t.Fatalf("%+v %v: %s", result, err, &log)
			}
			after := s.Balances(t, "USD")
			if got := after["merchant"] + after["platform_fees"] - before["merchant"] - before["platform_fees"]; got != payments*amount {
				t.Errorf("the merchant has %d more, not %d times %d", got, payments, amount)
			}
			if after["held"] != 0 {
				t.Errorf("%d is still held", after["held"])
			}
		})
	}
}

func TestRealMerchants(t *testing.T) {
	s := capstantest.Run(t)
	for _, dialect := range bench.Dialects() {
		var log bytes.Buffer
		result, err := bench.Run(t.Context(), bench.Options{
			Target: s.URL, Credentials: parse(t, s), Dialect: dialect, Connections: 4, Payments: 20, Merchants: 3, Log: &log,
		}, time.Minute)
		if err != nil || result.Captures != 20 || result.Errors != 0 {
			t.Errorf("%s: %+v %v: %s", dialect, result, err, &log)
		}
	}
	if b := s.Balances(t, "USD"); b["merchant"] != 0 {
		t.Errorf("the default merchant was used: he has %d", b["merchant"])
	}
}

func parse(t *testing.T, s *capstantest.Server) bench.Credentials {
	t.Helper()
	text, err := json.Marshal(s.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := bench.ParseCredentials(text)
	if err != nil {
		t.Fatal(err)
	}
	return credentials
}

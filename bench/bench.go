// Package bench measures a running sandbox server: how many captures a second
// it makes durable, and how long each takes.
//
// The load is closed: every connection sends its next request when the last
// one is answered, so a server that stalls is asked less, and its percentiles
// tell the time an answer took, not the time a caller would have waited in a
// queue. The generator usually shares its cores with the server, therefore it
// does as little as it can while the clock runs: every request is built (and,
// for a dialect that signs, signed) before, and of an answer only its frame and
// first bytes are read.
package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Options say what is measured.
type Options struct {
	// Target is where the server listens: an http URL on a loopback address.
	// Nothing else is accepted, since the load is meant for a sandbox on the
	// same machine.
	Target string

	Credentials Credentials // of the merchant that is used when Merchants is 1
	Dialect     string      // one of Dialects
	Connections int         // kept alive, one request at a time on each
	Payments    int         // holds to authorize before the clock starts
	Merchants   int         // above 1, that many fresh sandbox merchants share the payments
	Log         io.Writer   // the first few problems of each phase; nil is nowhere
}

// The bounds of Options.
const (
	maxConnections = 10_000
	maxPayments    = 20_000_000
	maxMerchants   = 10_000
)

// Check tells what is wrong with the options, if anything.
func (o Options) Check() error {
	if _, err := parseTarget(o.Target); err != nil {
		return err
	}
	if _, ok := dialects[o.Dialect]; !ok {
		return fmt.Errorf("no load for dialect %q: there are %v", o.Dialect, Dialects())
	}
	for _, n := range []struct {
		name  string
		value int
		most  int
	}{{"connections", o.Connections, maxConnections}, {"payments", o.Payments, maxPayments}, {"merchants", o.Merchants, maxMerchants}} {
		if n.value < 1 || n.value > n.most {
			return fmt.Errorf("%s must be 1 to %d, not %d", n.name, n.most, n.value)
		}
	}
	return nil
}

// Credentials are the members of a sandbox merchant's credentials that the
// generator uses.
type Credentials struct {
	BaseURL  string             `json:"base_url"`
	Merchant string             `json:"merchant"`
	Alipay   alipayCredentials  `json:"alipay"`
	Intents  intentsCredentials `json:"intents"`
}

// String keeps secrets out of logs.
func (Credentials) String() string { return "[credentials]" }

// GoString keeps secrets out of logs.
func (Credentials) GoString() string { return "[credentials]" }

// ParseCredentials reads what serve --credentials-out wrote.
func ParseCredentials(text []byte) (Credentials, error) {
	var c Credentials
	if err := json.Unmarshal(text, &c); err != nil {
		return Credentials{}, errors.New("not a credentials file") // the cause might quote a secret
	}
	return c, nil
}

// Result is what was measured.
type Result struct {
	Captures  int     `json:"captures"` // first, successful ones
	Seconds   float64 `json:"seconds"`  // from the first request to the last answer
	PerSecond float64 `json:"captures_per_second"`
	P50       float64 `json:"p50_ms"` // of the captures counted; at most 1/64 above the true value
	P90       float64 `json:"p90_ms"`
	P99       float64 `json:"p99_ms"`
	P999      float64 `json:"p999_ms"`
	Errors    int     `json:"errors"` // every other answer, and every answer that never came
}

// Run authorizes the payments and captures them, for at most d.
func Run(ctx context.Context, o Options, d time.Duration) (Result, error) {
	l, err := Prepare(ctx, o)
	if err != nil {
		return Result{}, err
	}
	return l.Capture(ctx, d)
}

// Package drive is a client of each dialect, made for trying a server: it
// authenticates as the dialect asks, shows what went over the wire, and says in
// common words what came of it. The tour and the tests use it.
package drive

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/capstan-pay/capstan/sandbox"
)

// Verdict is what came of a request, in words that all dialects share.
type Verdict string

// The verdicts.
const (
	Done      Verdict = "done"       // carried out by this request
	Replayed  Verdict = "replayed"   // carried out before, under the same key
	Refused   Verdict = "refused"    // not carried out, and why
	Declined  Verdict = "declined"   // the processor or a risk check said no
	Duplicate Verdict = "duplicate"  // not carried out: the same was asked for a moment ago
	InProcess Verdict = "in process" // being carried out by another request
	Unknown   Verdict = "unknown"    // not known: ask again
)

// Exchange is one request and its answer.
type Exchange struct {
	Method, Path string
	Request      []byte
	Status       int
	Answer       []byte
	Header       http.Header
}

// Result is what a client made of an answer.
type Result struct {
	Exchange
	Verdict  Verdict
	Code     string // the dialect's own code or text for a refusal
	ID       string // of the payment; of the capture where a capture has one
	State    string // of the payment, in the dialect's words
	Captured int64  // minor units captured in all, as far as the dialect tells; -1 if it does not
}

// Client speaks one dialect for one merchant. It is safe for concurrent use.
type Client interface {
	// Name is the dialect's.
	Name() string
	// Authorize reserves minor units of USD. The key makes it idempotent where
	// the dialect has keys.
	Authorize(ctx context.Context, minor int64, key string) (Result, error)
	// Capture takes minor units; last says that no further capture follows.
	Capture(ctx context.Context, id string, minor int64, key string, last bool) (Result, error)
	// Query looks a payment up.
	Query(ctx context.Context, id string) (Result, error)
}

// New returns the client of a dialect.
func New(dialect string, c sandbox.Credentials) (Client, error) {
	if c.BaseURL == "" {
		return nil, fmt.Errorf("drive: credentials without base_url")
	}
	wire := wire{base: c.BaseURL, http: transport}
	switch dialect {
	case "alipay":
		return newAlipay(wire, c.Alipay)
	case "wepay":
		return newWePay(wire, c.WePay)
	case "intents":
		return newIntents(wire, c.Intents)
	case "begateway":
		return newBegateway(wire, c.Begateway)
	}
	return nil, fmt.Errorf("drive: unknown dialect %q", dialect)
}

// transport keeps its connections: clients of one process share them.
var transport = &http.Client{
	Timeout:   60 * time.Second,
	Transport: &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024, IdleConnTimeout: time.Minute, DisableCompression: true},
}

// wire sends requests to one server.
type wire struct {
	base string
	http *http.Client
}

// send makes one exchange. Redirects would be a fault of the server.
func (w wire) send(ctx context.Context, method, path string, header map[string]string, body []byte) (Exchange, error) {
	x := Exchange{Method: method, Path: path, Request: body}
	request, err := http.NewRequestWithContext(ctx, method, w.base+path, bytes.NewReader(body))
	if err != nil {
		return x, err
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := w.http.Do(request)
	if err != nil {
		return x, err
	}
	defer response.Body.Close()
	x.Status, x.Header = response.StatusCode, response.Header
	x.Answer, err = io.ReadAll(response.Body)
	return x, err
}

// read decodes an answer; one that is no JSON is an error.
func (x Exchange) read(into any) error {
	if err := json.Unmarshal(x.Answer, into); err != nil {
		return fmt.Errorf("%s %s: status %d: answer is not the JSON expected: %w", x.Method, x.Path, x.Status, err)
	}
	return nil
}

package remote_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/processor/remote"
)

func open(t *testing.T, h http.HandlerFunc) *remote.Processor {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	p, err := remote.New(remote.Config{Name: "card", URL: s.URL + "/"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var authorization = processor.Order{
	ID: "op_7_1", Kind: payment.OpAuthorize, Merchant: 3, Amount: 500, Currency: "USD",
	Method: payment.Method{Kind: payment.CardMethod, Brand: "visa", Last4: "4242"}, Secret: payment.Secret{Number: "4242424242424242", CVC: "123"},
}

func answer(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

// TestWhatIsSent: an operation goes by our name for it, and the card's secret
// goes with the authorization alone.
func TestWhatIsSent(t *testing.T) {
	var got remote.Request
	var path, key string
	p := open(t, func(w http.ResponseWriter, r *http.Request) {
		got = remote.Request{}
		_ = json.NewDecoder(r.Body).Decode(&got)
		path, key = r.Method+" "+r.URL.Path, r.Header.Get("Idempotency-Key")
		_ = json.NewEncoder(w).Encode(remote.Answer{ID: got.ID, Outcome: remote.Approved})
	})
	if _, err := p.Perform(t.Context(), authorization); err != nil {
		t.Fatal(err)
	}
	if path != "POST /v1/authorize" || key != "op_7_1" || got.ID != "op_7_1" || got.Payment != "op_7_1" || got.Amount != 500 ||
		got.Currency != "USD" || got.Card == nil || got.Card.Number != "4242424242424242" || got.Card.CVC != "123" {
		t.Errorf("%s with key %s", path, key)
	}
	for kind, verb := range map[payment.OperationKind]string{
		payment.OpCapture: "capture", payment.OpVoid: "void", payment.OpCancel: "void", payment.OpRefund: "refund",
	} {
		o := processor.Order{ID: "op_7_2", Kind: kind, Authorization: "op_7_1", Parent: "op_7_5", Amount: 1, Currency: "USD", Final: true, Method: authorization.Method}
		if _, err := p.Perform(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if path != "POST /v1/"+verb || key != "op_7_2" || got.Payment != "op_7_1" || !got.Final || got.Card != nil || (got.Capture == "op_7_5") != (verb == "refund") {
			t.Errorf("%s: %s %+v", kind, path, got)
		}
	}
}

// TestAnswers: only a clear answer about the operation itself is one.
func TestAnswers(t *testing.T) {
	for text, want := range map[string]payment.Answer{
		`{"id":"op_7_1","outcome":"approved","reference":"r","auth_code":"a"}`:                       {Result: payment.Approved, Reference: "r", AuthCode: "a"},
		`{"id":"op_7_1","outcome":"declined","reason":"insufficient_funds"}`:                         {Result: payment.Refused, Reason: payment.InsufficientFunds},
		`{"id":"op_7_1","outcome":"declined","reason":"moon phase","message":"4242424242424242 no"}`: {Result: payment.Refused, Reason: payment.GenericDecline, Message: "[number] no"},
		`{"id":"op_7_1","outcome":"sealed"}`:                                                         {Result: payment.Refused, Reason: payment.ProcessingError, Message: "The request did not reach the processor"},

		`{"id":"op_7_1","outcome":"approved","amount":500}`: {Result: payment.Approved},
		`{"id":"op_7_1","outcome":"approved","amount":501}`: {},
		`{"id":"op_7_1","outcome":"pending"}`:               {},
		`{"id":"op_7_1","outcome":"APPROVED"}`:              {},
		`{"id":"op_7_1"}`:                                   {},
		`{"id":"op_7_2","outcome":"approved"}`:              {},
		`{"outcome":"approved"}`:                            {},
		`{"id":"op_7_1","outcome":"approved"`:               {},
		`[]`:                                                {},
		``:                                                  {},
		`{"id":"op_7_1","outcome":"approved","reference":"n4242424242424242"}`:                {},
		`{"id":"op_7_1","outcome":"approved","message":"` + strings.Repeat("x", 1<<20) + `"}`: {},
	} {
		a, err := open(t, answer(text)).Perform(t.Context(), authorization)
		if (err == nil) != (want.Result != 0) || a.Result != want.Result || a.Reason != want.Reason || a.Message != want.Message ||
			a.Reference != want.Reference || a.AuthCode != want.AuthCode {
			t.Errorf("%.80s: %+v, %v", text, a, err)
		}
		if err != nil && (strings.Contains(err.Error(), "4242") || errors.Is(err, processor.ErrNotSent)) {
			t.Errorf("%.80s: %v", text, err)
		}
	}
}

// TestStatuses: no status but 200 is an answer, and 404 only to an inquiry.
func TestStatuses(t *testing.T) {
	for _, status := range []int{201, 204, 301, 302, 307, 400, 401, 404, 409, 429, 500, 503} {
		p := open(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			if status != 204 {
				io.WriteString(w, `{"id":"op_7_1","outcome":"approved"}`)
			}
		})
		if a, err := p.Perform(t.Context(), authorization); err == nil || errors.Is(err, processor.ErrNoTrace) {
			t.Errorf("%d: performed: %+v, %v", status, a, err)
		}
		if a, err := p.Lookup(t.Context(), authorization); err == nil || errors.Is(err, processor.ErrNoTrace) != (status == 404) {
			t.Errorf("%d: looked up: %+v, %v", status, a, err)
		}
		if a, err := p.Seal(t.Context(), authorization); err == nil || errors.Is(err, processor.ErrSealed) {
			t.Errorf("%d: sealed: %+v, %v", status, a, err)
		}
	}
}

// TestSeal: only a processor that says so has sealed an operation.
func TestSeal(t *testing.T) {
	if _, err := open(t, answer(`{"id":"op_7_1","outcome":"sealed"}`)).Seal(t.Context(), authorization); !errors.Is(err, processor.ErrSealed) {
		t.Error(err)
	}
	if a, err := open(t, answer(`{"id":"op_7_1","outcome":"approved"}`)).Seal(t.Context(), authorization); err != nil || a.Result != payment.Approved {
		t.Error(a, err)
	}
	if _, err := open(t, answer(`{"id":"op_7_9","outcome":"sealed"}`)).Seal(t.Context(), authorization); err == nil || errors.Is(err, processor.ErrSealed) {
		t.Error(err)
	}
}

// TestNotSent: what could not be sent is known not to have been.
func TestNotSent(t *testing.T) {
	p, err := remote.New(remote.Config{Name: "card", URL: "http://user:word@127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Perform(t.Context(), authorization)
	if !errors.Is(err, processor.ErrNotSent) || strings.Contains(err.Error(), "word") {
		t.Error(err)
	}
	cut := open(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := cut.Perform(t.Context(), authorization); err == nil || errors.Is(err, processor.ErrNotSent) {
		t.Error(err)
	}
}

// TestNothingIsSentTwiceUnasked: a connection that breaks after a request has
// left is no reason for net/http to send it again.
func TestNothingIsSentTwiceUnasked(t *testing.T) {
	var sent atomic.Int32
	p := open(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if sent.Add(1) > 1 { // the first leaves a connection that is used again
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, `{"id":"op_7_1","outcome":"approved"}`)
	})
	_, _ = p.Perform(t.Context(), authorization)
	if _, err := p.Perform(t.Context(), authorization); err == nil {
		t.Error("no error")
	}
	if sent.Load() != 2 {
		t.Errorf("two calls sent %d requests", sent.Load())
	}
}

// TestBulkhead: a processor that hangs has so many calls and no more; what
// finds no place is known not to have been sent.
func TestBulkhead(t *testing.T) {
	var under, most atomic.Int32
	release := make(chan struct{})
	p := open(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		n := under.Add(1)
		defer under.Add(-1)
		for m := most.Load(); m < n && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-release
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var notSent, sent atomic.Int32
	var calls sync.WaitGroup
	for range 500 {
		calls.Go(func() {
			if _, err := p.Perform(ctx, authorization); errors.Is(err, processor.ErrNotSent) {
				notSent.Add(1)
			} else {
				sent.Add(1)
			}
		})
	}
	calls.Wait()
	close(release)
	if most.Load() != 64 || sent.Load() != 64 || notSent.Load() != 436 {
		t.Errorf("%d at a time, %d sent, %d not", most.Load(), sent.Load(), notSent.Load())
	}
}

// TestURLs: what is no address of a processor is refused when it is named.
func TestURLs(t *testing.T) {
	for _, u := range []string{"", "acquirer", "ftp://acquirer", "http://", "http://a/?x=1", "http://a#b", ":"} {
		if _, err := remote.New(remote.Config{Name: "card", URL: u}); err == nil {
			t.Errorf("%q is taken", u)
		}
	}
	for u, secure := range map[string]bool{"https://a.example": true, "http://a.example": false, "http://127.0.0.1:9000": true, "http://localhost": true, "http://[::1]:1": true} {
		p, err := remote.New(remote.Config{Name: "card", URL: u})
		if err != nil || p.Secure() != secure {
			t.Errorf("%s: %v", u, err)
		}
	}
}

package bench

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestEveryPaymentIsCapturedOnce(t *testing.T) {
	f := newFake(t)
	result, err := Run(t.Context(), f.options("intents", 7, 500), aWhile)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if result.Captures != 500 || result.Errors != 0 {
		t.Errorf("result is %+v", result)
	}
	if len(f.holds) != 500 || len(f.captured) != 500 || f.captures != 500 {
		t.Errorf("the server saw %d holds, %d captured in %d requests", len(f.holds), len(f.captured), f.captures)
	}
	if rate := float64(result.Captures) / result.Seconds; result.Seconds <= 0 || result.PerSecond != rate {
		t.Errorf("%v captures/s in %v s", result.PerSecond, result.Seconds)
	}
	if !(0 < result.P50 && result.P50 <= result.P90 && result.P90 <= result.P99 && result.P99 <= result.P999) {
		t.Errorf("percentiles are %+v", result)
	}
}

func TestMerchantsShareThePayments(t *testing.T) {
	f := newFake(t)
	o := f.options("intents", 4, 103)
	o.Merchants = 10
	result, err := Run(t.Context(), o, aWhile)
	if err != nil || result.Captures != 103 || result.Errors != 0 {
		t.Fatalf("%+v %v", result, err)
	}
	f.Close()
	shares := map[string]int{}
	for _, by := range f.holds {
		shares[by]++
	}
	if f.merchants != 10 || len(shares) != 10 {
		t.Errorf("%d merchants made, %d used", f.merchants, len(shares))
	}
	for by, n := range shares {
		if n < 10 || n > 11 {
			t.Errorf("%s has %d of 103 payments", by, n)
		}
	}
}

// What is not a first, successful capture is an error, and is not timed.
func TestErrorsAreCounted(t *testing.T) {
	for _, c := range []struct {
		name      string
		misbehave func(w http.ResponseWriter, n int) bool
		errors    int // of 200 captures
		told      string
	}{
		{"a refusal", func(w http.ResponseWriter, n int) bool {
			if n%10 == 0 {
				writeProblem(w)
			}
			return n%10 == 0
		}, 20, "answer 400 payment_intent_unexpected_state"},
		{"a broken connection", func(w http.ResponseWriter, n int) bool {
			if n%20 == 0 {
				dropped(w)
			}
			return false
		}, 10, "connection closed before the answer was complete"},
		{"a replay", func(w http.ResponseWriter, n int) bool {
			if n%50 == 0 {
				w.Header().Set("Idempotent-Replayed", "true")
				writeIntent(w, "pi_1", "succeeded")
			}
			return n%50 == 0
		}, 4, "answer 200 with status succeeded"},
		{"another status", func(w http.ResponseWriter, n int) bool {
			if n%100 == 0 {
				writeIntent(w, "pi_1", "processing")
			}
			return n%100 == 0
		}, 2, "answer 200 with status processing"},
		{"an error of the server", func(w http.ResponseWriter, n int) bool {
			if n == 1 {
				w.WriteHeader(http.StatusInternalServerError)
			}
			return n == 1
		}, 1, "answer 500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			f.misbehave = func(w http.ResponseWriter, n int) bool { return n > 0 && c.misbehave(w, n) }
			var log bytes.Buffer
			o := f.options("intents", 5, 200)
			o.Log = &log
			result, err := Run(t.Context(), o, aWhile)
			if err != nil {
				t.Fatal(err)
			}
			f.Close() // nobody writes down anything any more
			if result.Errors != c.errors || result.Captures != 200-c.errors || f.captures != 200 {
				t.Errorf("%d errors and %d captures in %d requests, want %d errors", result.Errors, result.Captures, f.captures, c.errors)
			}
			if !strings.Contains(log.String(), "capture: "+c.told+"\n") || strings.Count(log.String(), "\n") > shown+1 {
				t.Errorf("told is %q", log.String())
			}
			if strings.Contains(log.String(), "sk_test") || strings.Contains(log.String(), "_secret_") {
				t.Errorf("a secret is told: %q", log.String())
			}
		})
	}
}

// Answers may come in chunks, and a server may close a connection after one.
func TestOtherFramings(t *testing.T) {
	for name, prelude := range map[string]func(http.ResponseWriter){
		"chunked": func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"close":   func(w http.ResponseWriter) { w.Header().Set("Connection", "close") },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.misbehave = func(w http.ResponseWriter, _ int) bool {
				prelude(w)
				return false
			}
			result, err := Run(t.Context(), f.options("intents", 3, 50), aWhile)
			if err != nil || result.Captures != 50 || result.Errors != 0 {
				t.Fatalf("%+v %v", result, err)
			}
		})
	}
}

func TestTimeIsBounded(t *testing.T) {
	const answering, limit = 20 * time.Millisecond, 200 * time.Millisecond
	f := newFake(t)
	f.misbehave = func(_ http.ResponseWriter, n int) bool {
		if n > 0 {
			time.Sleep(answering)
		}
		return false
	}
	result, err := Run(t.Context(), f.options("intents", 4, 1000), limit)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if result.Captures != f.captures || result.Captures == 0 || result.Captures > 4*11 {
		t.Errorf("%d captures counted, %d made", result.Captures, f.captures)
	}
	if took := time.Duration(result.Seconds * float64(time.Second)); took < limit || took > limit+5*time.Second {
		t.Errorf("it took %s", took)
	}
	if result.P50 < 20 {
		t.Errorf("half of the answers came within %v ms, each was held back %s", result.P50, answering)
	}
}

func TestCallingOff(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	f.misbehave = func(_ http.ResponseWriter, n int) bool {
		if n == 10 {
			cancel()
		}
		if n >= 10 {
			<-release
		}
		return false
	}
	result, err := Run(ctx, f.options("intents", 3, 100), aWhile)
	close(release)
	if err == nil {
		t.Fatal("no error")
	}
	if result.Captures > 12 || result.Errors != 0 {
		t.Errorf("result is %+v", result)
	}
}

// When nothing can be authorized the measurement ends at once.
func TestGivingUp(t *testing.T) {
	f := newFake(t)
	asked := 0
	f.misbehave = func(w http.ResponseWriter, _ int) bool {
		f.mu.Lock()
		asked++
		f.mu.Unlock()
		writeProblem(w)
		return true
	}
	_, err := Run(t.Context(), f.options("intents", 4, 100_000), aWhile)
	if err == nil || !strings.Contains(err.Error(), "giving up") {
		t.Errorf("error is %v", err)
	}
	f.Close() // requests that were called off may still be there
	if asked > 2*giveUp {
		t.Errorf("asked %d times", asked)
	}
}

// A few failed authorizations leave fewer holds.
func TestFewerHolds(t *testing.T) {
	f := newFake(t)
	asked := 0
	f.misbehave = func(w http.ResponseWriter, n int) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		asked++
		if n > 0 || asked > 3 {
			return false
		}
		writeProblem(w)
		return true
	}
	l, err := Prepare(t.Context(), f.options("intents", 4, 50))
	if err != nil {
		t.Fatal(err)
	}
	if l.Holds() != 47 {
		t.Errorf("%d holds", l.Holds())
	}
	if result, err := l.Capture(t.Context(), aWhile); err != nil || result.Captures != 47 || result.Errors != 0 {
		t.Errorf("%+v %v", result, err)
	}
}

func TestServerGoesAway(t *testing.T) {
	f := newFake(t)
	l, err := Prepare(t.Context(), f.options("intents", 4, 50))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if result, err := l.Capture(t.Context(), aWhile); err == nil || result.Captures != 0 {
		t.Errorf("%+v %v", result, err)
	}
}

func TestTargets(t *testing.T) {
	for text, address := range map[string]string{
		"http://127.0.0.1:8080":       "127.0.0.1:8080",
		"http://127.1.2.3:8080/":      "127.1.2.3:8080",
		"http://localhost:80":         "127.0.0.1:80",
		"http://localhost":            "127.0.0.1:80",
		"http://[::1]:9":              "[::1]:9",
		"http://192.0.2.1:8080":       "",
		"http://0.0.0.0:8080":         "",
		"http://example.com":          "",
		"http://localhost.example":    "",
		"http://127.0.0.1.example":    "",
		"https://127.0.0.1:8080":      "",
		"http://127.0.0.1:8080/v1":    "",
		"http://user:pw@127.0.0.1:80": "",
		"127.0.0.1:8080":              "",
		"":                            "",
	} {
		got, err := parseTarget(text)
		if (err == nil) != (address != "") || got.address != address {
			t.Errorf("%q dials %q, error %v", text, got.address, err)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := Options{Target: "http://127.0.0.1:1", Dialect: "intents", Connections: 1, Payments: 1, Merchants: 1}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Options){
		"target":      func(o *Options) { o.Target = "http://192.0.2.1" },
		"dialect":     func(o *Options) { o.Dialect = "smtp" },
		"connections": func(o *Options) { o.Connections = 0 },
		"payments":    func(o *Options) { o.Payments = -1 },
		"merchants":   func(o *Options) { o.Merchants = maxMerchants + 1 },
	} {
		o := good
		change(&o)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error is %v", name, err)
		}
		if _, err := Run(t.Context(), o, time.Second); err == nil {
			t.Errorf("%s: it runs", name)
		}
	}
}

func TestCredentialsDoNotPrint(t *testing.T) {
	c, err := ParseCredentials([]byte(`{"merchant":"mer_0","intents":{"secret_key":"sk_test_secret"},"alipay":{"merchant_private_key":"sk_test_secret"}}`))
	if err != nil || c.Intents.SecretKey != "sk_test_secret" {
		t.Fatalf("secret key not read: %v", err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, c); strings.Contains(text, "sk_test") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
	if _, err := ParseCredentials([]byte(`{"intents":{"secret_key":12}}`)); err == nil {
		t.Error("a number is taken for a key")
	}
}

// While the clock runs the generator allocates nothing for a capture.
func TestExchangeDoesNotAllocate(t *testing.T) {
	f := newFake(t)
	o := f.options("intents", 1, 1)
	target, err := parseTarget(o.Target)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newIntents(t.Context(), setup{target: target, credentials: o.Credentials, run: "r"})
	if err != nil {
		t.Fatal(err)
	}
	c := &conn{buf: make([]byte, bufferSize)}
	text := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 52\r\n\r\n" + `{"id":"pi_1","object":"intent","status":"succeeded"}` + "\n"
	text = strings.Replace(text, "52", fmt.Sprint(len(text)-strings.Index(text, "{")), 1)
	c.Conn = echo{text: text}
	var h histogram
	if n := testing.AllocsPerRun(100, func() {
		a, err := c.exchange(anything)
		if err != nil || !d.captured(a) {
			t.Fatalf("%+v %v", a, err)
		}
		h.add(time.Millisecond)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

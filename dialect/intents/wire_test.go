package intents_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/dialecttest"
	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/store/memory"
)

// Headers of replies that are other ones each time, and those that are in every
// reply.
var (
	randomHeaders = []string{"request-id", "original-request"}
	usualHeaders  = append(slices.Clone(randomHeaders),
		"access-control-allow-methods", "access-control-allow-origin", "access-control-expose-headers", "access-control-max-age",
		"cache-control", "content-type", "stripe-version")
)

// TestWire plays the transcripts. Those in headers see every header of a
// reply but the names of exchanges, which are random; checkNames looks at
// these. The others see the headers that say something about the request.
func TestWire(t *testing.T) {
	for _, folder := range []string{"auth", "cancel", "capture", "clock", "confirm", "create", "customer", "headers", "increment", "key", "list", "method", "query", "refund", "search",
		"threeds", "update", "webhooks",
	} {
		ignore := usualHeaders
		if folder == "headers" || folder == "threeds" {
			ignore = randomHeaders
		}
		t.Run(folder, func(t *testing.T) {
			dialecttest.Play(t, "testdata/"+folder, dialecttest.Options{Prepare: prepare, Check: checkNames, Ignore: ignore, Server: []capstantest.Option{inMemory}})
		})
	}
}

var exchangeName = regexp.MustCompile(`^req_[0-9A-Za-z]{14}$`)

// checkNames holds the names of exchanges against section 1: every reply has
// one of its own, and one to a POST with a key also that of the first exchange
// under the key, which is another one for a replay only.
func checkNames(_ *capstantest.Server, r *dialecttest.Request, header [][2]string, _ []byte) error {
	got := map[string]string{}
	for _, h := range header {
		got[h[0]] = h[1]
	}
	name, original, keyed := got["Request-Id"], got["Original-Request"], got["Idempotency-Key"] != ""
	switch {
	case strings.HasPrefix(r.Target, "/v1/3ds/"):
	case !exchangeName.MatchString(name):
		return fmt.Errorf("the exchange is called %q", name)
	case keyed != (original != ""):
		return fmt.Errorf("key %q, first exchange %q", got["Idempotency-Key"], original)
	case keyed && !exchangeName.MatchString(original):
		return fmt.Errorf("the first exchange is called %q", original)
	case got["Idempotent-Replayed"] != "" && original == name:
		return fmt.Errorf("a replay is its own first exchange")
	}
	return nil
}

// inMemory starts a server on a store that keeps nothing, or where the tests
// are to run on PostgreSQL on that.
var inMemory = capstantest.With(func(c *capstan.Config) {
	if !pgtest.Wanted() {
		c.Store = memory.Open()
	}
})

// keys are a merchant's API keys.
type keys struct {
	Secret      string `json:"secret_key"`
	Publishable string `json:"publishable_key"`
}

func keysOf(s *capstantest.Server) (k keys) {
	if err := json.Unmarshal(s.Credentials.Intents, &k); err != nil {
		panic(err)
	}
	return k
}

// prepare adds the headers that nearly all requests have, and takes the server
// off URLs that it printed itself.
func prepare(s *capstantest.Server, r *dialecttest.Request) {
	r.Target = strings.TrimPrefix(r.Target, capstantest.PublicURL)
	if !strings.HasPrefix(r.Target, "/v1/3ds/") {
		r.Add("Authorization", "Bearer "+keysOf(s).Secret)
	}
	if len(r.Body) > 0 {
		r.Add("Content-Type", "application/x-www-form-urlencoded")
	}
}

// TestTranscriptsRepeat gives every POST of the transcripts an idempotency key.
// That changes no answer; and when everything else has happened, each of them
// that was carried out or declined is answered with the same bytes again, unless
// its outcome was not known yet.
func TestTranscriptsRepeat(t *testing.T) {
	type asked struct {
		*dialecttest.Request
		status int
		body   string
	}
	var kept []asked
	count := 0
	options := dialecttest.Options{
		Server: []capstantest.Option{inMemory}, Ignore: append(slices.Clone(usualHeaders), "idempotency-key"),
		Prepare: func(s *capstantest.Server, r *dialecttest.Request) {
			prepare(s, r)
			if r.Method == http.MethodPost && !strings.HasPrefix(r.Target, "/v1/3ds/") {
				count++
				r.Add("Idempotency-Key", fmt.Sprint("repeat ", count))
			}
		},
		Described: func(r *dialecttest.Request, status int, header http.Header, body []byte) error {
			if header.Get("Original-Request") != "" && header.Get("Idempotent-Replayed") == "" && !strings.Contains(string(body), `"status": "processing"`) &&
				(status == http.StatusOK || status == http.StatusPaymentRequired) {
				kept = append(kept, asked{r, status, string(body)})
			}
			return nil
		},
		After: func(t *testing.T, s *capstantest.Server) {
			all := kept
			kept = nil
			if t.Failed() || strings.HasSuffix(t.Name(), "/refund/pending") || strings.HasSuffix(t.Name(), "/refund/returned") {
				return
			}
			var clock struct{ Now time.Time }
			if s.Control(t, "POST", "/_sandbox/clock", map[string]any{"advance_seconds": 0}, &clock); clock.Now.Sub(capstantest.Epoch) >= 24*time.Hour {
				return // the keys are over
			}
			for _, it := range all {
				r, err := http.NewRequestWithContext(t.Context(), it.Method, s.URL+it.Target, strings.NewReader(string(it.Body)))
				if err != nil {
					t.Fatal(err)
				}
				for _, h := range it.Header {
					if h[1] != "-" && h[0] != "Transfer-Encoding" {
						r.Header.Set(h[0], h[1])
					}
				}
				again, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(again.Body)
				again.Body.Close()
				if err != nil || again.StatusCode != it.status || string(body) != it.body || again.Header.Get("Idempotent-Replayed") != "true" {
					t.Errorf("%s %s %s: %v %d %v %s, and first %d %s", it.Method, it.Target, it.Body, err, again.StatusCode, again.Header, body, it.status, it.body)
				}
			}
		},
	}
	for _, folder := range []string{"auth", "cancel", "capture", "clock", "confirm", "create", "customer", "increment", "list", "method", "query", "refund", "search", "threeds", "update"} {
		t.Run(folder, func(t *testing.T) {
			o := options
			if folder == "threeds" {
				o.Ignore = append(slices.Clone(randomHeaders), "idempotency-key")
			}
			dialecttest.Play(t, "testdata/"+folder, o)
		})
	}
}

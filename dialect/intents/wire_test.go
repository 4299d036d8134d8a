package intents_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/dialecttest"
	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/store/memory"
)

// TestWire plays the transcripts. Those in headers see every header of a
// reply but the names of exchanges, which are random; checkNames looks at
// these. The others see the headers that say something about the request.
func TestWire(t *testing.T) {
	random := []string{"request-id", "original-request"}
	always := append(slices.Clone(random),
		"access-control-allow-methods", "access-control-allow-origin", "access-control-expose-headers", "access-control-max-age",
		"cache-control", "content-type", "stripe-version")
	for _, folder := range []string{"auth", "cancel", "capture", "clock", "confirm", "create", "customer", "headers", "increment", "key", "list", "method", "query", "refund", "search",
		"threeds", "update", "webhooks",
	} {
		ignore := always
		if folder == "headers" || folder == "threeds" {
			ignore = random
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

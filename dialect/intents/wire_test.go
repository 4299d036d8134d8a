package intents_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/dialecttest"
	"github.com/capstan-pay/capstan/store/memory"
)

// TestWire plays the transcripts. Those in headers see every header of a
// reply, the others those that say something about the request.
func TestWire(t *testing.T) {
	always := []string{
		"access-control-allow-methods", "access-control-allow-origin", "access-control-expose-headers", "access-control-max-age",
		"cache-control", "content-type", "stripe-version",
	}
	for _, folder := range []string{"auth", "cancel", "capture", "confirm", "create", "headers", "key", "query", "threeds", "update"} {
		ignore := always
		if folder == "headers" || folder == "threeds" {
			ignore = nil
		}
		t.Run(folder, func(t *testing.T) {
			dialecttest.Play(t, "testdata/"+folder, dialecttest.Options{Prepare: prepare, Ignore: ignore, Server: []capstantest.Option{inMemory}})
		})
	}
}

// inMemory starts a server on a store that keeps nothing.
var inMemory = capstantest.With(func(c *capstan.Config) { c.Store = memory.Open() })

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

package conform_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/conform"
	"github.com/capstan-pay/capstan/simulator"
)

func simulate(t *testing.T) http.Handler {
	t.Helper()
	s, err := simulator.Open(filepath.Join(t.TempDir(), "journal"), clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestSimulatorConforms: our own simulator keeps every promise.
func TestSimulatorConforms(t *testing.T) {
	server := httptest.NewServer(simulate(t))
	defer server.Close()
	checks, err := conform.Processor(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if c.Broken != "" {
			t.Errorf("%s: %s", c.Promise, c.Broken)
		}
	}
}

// again is what "changes its mind" puts in front of a name.
var (
	attempts atomic.Int64
	again    = regexp.MustCompile(`"id":"again[0-9]+_`)
)

// TestBrokenProcessors: each way to break the protocol is noticed, under the
// promise that it breaks.
func TestBrokenProcessors(t *testing.T) {
	for name, test := range map[string]struct {
		promise string // how it begins
		request func(*http.Request, []byte) []byte
		answer  func(*http.Request, int, []byte) (int, []byte)
	}{
		"declines everything": {"an authorization", nil, func(r *http.Request, s int, b []byte) (int, []byte) {
			return s, bytes.ReplaceAll(b, []byte(`"approved"`), []byte(`"declined"`))
		}},
		"answers a repeat otherwise": {"a repeat", nil, changing()},
		"knows everything": {"an id that was never seen", nil, func(r *http.Request, s int, b []byte) (int, []byte) {
			if s == 404 {
				return 200, []byte(`{}`)
			}
			return s, b
		}},
		"takes any amount for a repeat": {"an id stands for one operation", nil, func(r *http.Request, s int, b []byte) (int, []byte) {
			if s == 409 {
				return 200, fmt.Appendf(nil, `{"id":%q,"outcome":"approved"}`, r.Header.Get("Idempotency-Key"))
			}
			return s, b
		}},
		"forgets what it sealed": {"what is sealed", nil, func(r *http.Request, s int, b []byte) (int, []byte) {
			if r.Method == "POST" && strings.Contains(r.URL.Path, "/v1/authorize") {
				b = bytes.ReplaceAll(b, []byte(`"sealed"`), []byte(`"approved"`))
			}
			return s, b
		}},
		"seals what it performed": {"sealing what was performed", nil, func(r *http.Request, s int, b []byte) (int, []byte) {
			if strings.HasSuffix(r.URL.Path, "/seal") {
				b = bytes.ReplaceAll(b, []byte(`"approved"`), []byte(`"sealed"`))
			}
			return s, b
		}},
		"lists other amounts": {"everything performed", nil, func(r *http.Request, s int, b []byte) (int, []byte) {
			if r.URL.Path == "/v1/operations" {
				b = bytes.ReplaceAll(b, []byte(`"amount":600`), []byte(`"amount":601`))
			}
			return s, b
		}},
		"lists twice": {"everything performed", nil, func(r *http.Request, s int, b []byte) (int, []byte) {
			if r.URL.Path == "/v1/operations" {
				b = bytes.Replace(b, []byte(`"operations":[`), append([]byte(`"operations":[`), first(b)...), 1)
			}
			return s, b
		}},
		"does not know since": {"the list goes on", func(r *http.Request, b []byte) []byte {
			r.URL.RawQuery = ""
			return b
		}, nil},
		"captures from nothing": {"a capture of an authorization that never was", nil, func(r *http.Request, s int, b []byte) (int, []byte) {
			return s, bytes.ReplaceAll(b, []byte(`"declined"`), []byte(`"approved"`))
		}},
		"declines with another status": {"a capture of an authorization that never was", nil, func(_ *http.Request, s int, b []byte) (int, []byte) {
			if bytes.Contains(b, []byte(`"declined"`)) {
				return 402, b
			}
			return s, b
		}},
		"changes its mind": {"what was declined stays declined", func(r *http.Request, b []byte) []byte {
			if strings.HasPrefix(r.URL.Path, "/v1/capture") { // each attempt is another one
				b = bytes.Replace(b, []byte(`{"id":"`), fmt.Appendf(nil, `{"id":"again%d_`, attempts.Add(1)), 1)
			}
			return b
		}, func(_ *http.Request, s int, b []byte) (int, []byte) {
			return s, again.ReplaceAll(b, []byte(`"id":"`))
		}},
		"takes other money for a repeat": {"an id stands for one operation", func(r *http.Request, b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(`"EUR"`), []byte(`"USD"`))
		}, nil},
		"takes another call for a repeat": {"an id stands for one operation", func(r *http.Request, b []byte) []byte {
			var in struct{ ID, Payment string }
			if json.Unmarshal(b, &in) == nil && in.ID == in.Payment && r.URL.Path == "/v1/capture" {
				r.URL.Path = "/v1/authorize"
			}
			return b
		}, nil},
		"lists what came after since": {"the list goes on", func(r *http.Request, b []byte) []byte {
			q := r.URL.Query()
			if since, err := time.Parse(time.RFC3339, q.Get("since")); err == nil {
				q.Set("since", since.Add(time.Second).Format(time.RFC3339))
				r.URL.RawQuery = q.Encode()
			}
			return b
		}, nil},
		"takes nonsense": {"what is not a request", nil, func(r *http.Request, s int, b []byte) (int, []byte) {
			if s == 400 {
				return 200, []byte(`{}`)
			}
			return s, b
		}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(spoiled(simulate(t), test.request, test.answer))
			defer server.Close()
			checks, err := conform.Processor(t.Context(), server.URL)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range checks {
				if c.Broken != "" && strings.HasPrefix(c.Promise, test.promise) {
					return
				}
			}
			t.Errorf("unnoticed: %+v", checks)
		})
	}
}

// spoiled changes what goes to a handler, and what comes back.
func spoiled(h http.Handler, request func(*http.Request, []byte) []byte, answer func(*http.Request, int, []byte) (int, []byte)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if request != nil {
			body = request(r, body)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		status, text := rec.Code, rec.Body.Bytes()
		if answer != nil {
			status, text = answer(r, status, text)
		}
		w.WriteHeader(status)
		_, _ = w.Write(text)
	})
}

func changing() func(*http.Request, int, []byte) (int, []byte) {
	var n atomic.Int64
	return func(_ *http.Request, s int, b []byte) (int, []byte) {
		return s, bytes.Replace(b, []byte(`"auth_code":"`), fmt.Appendf(nil, `"auth_code":"%d`, n.Add(1)), 1)
	}
}

// first is the first listed operation, with a comma.
func first(list []byte) []byte {
	var page struct{ Operations []json.RawMessage }
	if json.Unmarshal(list, &page) != nil || len(page.Operations) == 0 {
		return nil
	}
	return append(page.Operations[0], ',')
}

package clients_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// leaky stands in front of a server and loses the answer to the first request
// of a path that ends in suffix: the server has carried it out, and the
// connection is cut.
type leaky struct {
	URL   string
	lost  atomic.Int64
	asked atomic.Int64 // requests of that path
}

func newLeaky(t *testing.T, server, suffix string) *leaky {
	t.Helper()
	l := &leaky{}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		forward, err := http.NewRequestWithContext(r.Context(), r.Method, server+r.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		forward.Header = r.Header
		answer, err := http.DefaultTransport.RoundTrip(forward)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if strings.HasSuffix(r.URL.Path, suffix) {
			l.asked.Add(1)
			if l.lost.CompareAndSwap(0, 1) {
				panic(http.ErrAbortHandler)
			}
		}
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = w.Write(text)
	}))
	proxy.Config.ErrorLog = nil
	t.Cleanup(proxy.Close)
	l.URL = proxy.URL
	return l
}

package capstantest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// Sink is an endpoint that webhooks are sent to. It keeps what it gets and
// answers 200 with nothing, unless it is told otherwise.
type Sink struct {
	URL string

	mu     sync.Mutex
	got    []Message
	answer http.HandlerFunc
}

// Message is what a sink got.
type Message struct {
	Method, Path string // with the query
	Header       http.Header
	Body         []byte
}

// NewSink starts a sink, which ends with the test.
func NewSink(t testing.TB) *Sink {
	t.Helper()
	s := &Sink{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.got = append(s.got, Message{r.Method, r.URL.RequestURI(), r.Header, body})
		answer := s.answer
		s.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s.URL = server.URL
	return s
}

// Answer sets how the sink answers from now on.
func (s *Sink) Answer(h http.HandlerFunc) {
	s.mu.Lock()
	s.answer = h
	s.mu.Unlock()
}

// Messages returns what has come so far.
func (s *Sink) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// Wait returns what has come when it is at least n messages, and fails the test
// when it is not after a while.
func (s *Sink) Wait(t testing.TB, n int) []Message {
	t.Helper()
	for range 1000 {
		if got := s.Messages(); len(got) >= n {
			return got
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d messages after ten seconds, not %d", len(s.Messages()), n)
	return nil
}

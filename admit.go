package capstan

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/capstan-pay/capstan/admission"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/dialect"
)

// Admission says how much a server takes at a time. docs/operations.md says
// what becomes of more.
type Admission struct {
	Connections int           // 0 is 8192
	Requests    int           // that are carried out at a time; 0 is 2048
	Wait        time.Duration // how long a request may wait until it is answered, about; 0 is half a second
}

// Listen returns the listener through which the server's main handler is to be
// served, by the server that HTTP returns. With plain there is no TLS above it.
func (s *Server) Listen(l net.Listener, plain bool) net.Listener { return s.door.Listen(l, plain) }

// HTTP returns an HTTP server for the main listener.
func (s *Server) HTTP() *http.Server {
	server := HTTPServer(s)
	s.door.Watch(server)
	return server
}

// receiptLabel is how metrics call the receipts.
const receiptLabel = "receipt"

// newDoor makes what stands before the dialects.
func (s *Server) newDoor(c Admission) {
	s.gate = admission.NewGate(admission.Limits{Most: c.Requests, Wait: c.Wait, Elsewhere: s.Engine.Awaiting})
	s.door = &admission.Door{Gate: s.gate, Connections: c.Connections, Refuse: s.turnAway}
	s.away = map[string]prometheus.Counter{}
	for _, label := range append(Dialects(), receiptLabel) {
		s.away[label] = s.watcher.Metrics.TurnedAway(label)
	}
	s.watcher.Metrics.Admission(s.gate.Inside, s.door.Open, s.door.Closed)
}

// admitted is a handler's requests that come in through the gate. Their bodies
// are read before, so that nobody who is slow to send one takes another's place.
func (s *Server) admitted(label string, host dialect.Host, h http.Handler) http.Handler {
	away := s.away[label]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, room := s.readAhead(r)
		if body != nil && body.Unread() != nil {
			// Or net/http waits for what is left of it before it answers.
			w.Header()["Connection"] = []string{"close"}
		}
		if room && s.gate.Enter() {
			serve(s.gate, h, w, r)
		} else {
			away.Inc()
			turnAway(w, r, host)
		}
		if body == nil {
			return
		}
		body.Done(s.gate)
		if rest := body.Unread(); rest != nil && r.Header.Get("Expect") == "" {
			discard(w, rest)
		}
	})
}

// readAhead reads a request's body, nil if it has none. It tells whether there
// was room for it.
func (s *Server) readAhead(r *http.Request) (body *dialect.Body, room bool) {
	if r.ContentLength == 0 {
		return nil, true
	}
	defer admission.Reading(r.Context())()
	return dialect.ReadAhead(r, s.gate)
}

func serve(g *admission.Gate, h http.Handler, w http.ResponseWriter, r *http.Request) {
	defer g.Leave()
	h.ServeHTTP(w, r)
}

func turnAway(w http.ResponseWriter, r *http.Request, host dialect.Host) {
	target := r.RequestURI
	if target == "" {
		target = r.URL.RequestURI()
	}
	host.TurnAway(dialect.Asked{Method: r.Method, Target: target, Header: r.Header.Get}).Write(w)
}

// What is thrown away of a body that is too large, after the answer: a client
// that is still sending when the connection is closed may never see it.
const (
	discarded  = 8 << 20
	discarding = 2 * time.Second
)

func discard(w http.ResponseWriter, rest io.Reader) {
	c := http.NewResponseController(w)
	_ = c.Flush()
	_ = c.SetReadDeadline(clock.System{}.Now().Add(discarding))
	_, _ = io.CopyN(io.Discard, rest, discarded)
}

// turnAway appends the answer to a request that is turned away before it is read,
// nothing if it is not for a dialect.
func (s *Server) turnAway(b []byte, h admission.Head) []byte {
	path, _, _ := strings.Cut(h.Target, "?")
	if strings.ContainsRune(path, '%') {
		decoded, err := url.PathUnescape(path)
		if err != nil {
			return b
		}
		path = decoded
	}
	d := s.at(s.ownerOf(path))
	host, ok := d.(dialect.Host)
	if !ok {
		return b
	}
	s.away[d.Name()].Inc()
	return host.TurnAway(dialect.Asked{Method: h.Method, Target: h.Target, Header: h.Get}).AppendTo(b, s.date.text(clock.System{}.Now()))
}

// date is what a Date header says, made once a second.
type date struct{ made atomic.Pointer[dated] }

type dated struct {
	second int64
	text   string
}

func (d *date) text(now time.Time) string {
	if made := d.made.Load(); made != nil && made.second == now.Unix() {
		return made.text
	}
	made := &dated{now.Unix(), now.Format(http.TimeFormat)}
	d.made.Store(made)
	return made.text
}

// busy turns away what is not for a dialect.
type busy struct{}

// TurnAway is 503, in plain text.
func (busy) TurnAway(dialect.Asked) dialect.TurnedAway {
	return dialect.TurnedAway{
		Status: http.StatusServiceUnavailable,
		Fields: []dialect.Field{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}, {Name: "Retry-After", Value: "1"}},
		Body:   []byte("too many requests at the moment: please try again\n"),
	}
}

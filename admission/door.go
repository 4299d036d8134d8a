package admission

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/capstan-pay/capstan/clock"
)

// Door watches the connections of a listener. There are never more than
// Connections: one more takes the place of that which has been silent for the
// longest time, or of none while all are being answered. While the gate is
// closed, requests are turned away as they are read, which costs a fraction of
// what it takes to serve even nothing.
type Door struct {
	Gate        *Gate
	Connections int // at a time; 0 is 8192

	// Refuse appends the whole answer to a request that is turned away; nothing
	// if it has to be served as any other. It is called by many at a time.
	Refuse func(b []byte, h Head) []byte

	mu     sync.Mutex
	open   map[*conn]struct{}
	closed atomic.Int64
}

// defaultConnections is how many connections there may be if nobody says.
const defaultConnections = 8192

// Listen returns a listener with that door. With plain, what its connections
// read is HTTP/1, and not TLS.
func (d *Door) Listen(l net.Listener, plain bool) net.Listener {
	return &listener{l, d, plain && d.Refuse != nil}
}

// Watch makes a server tell the door what its connections do.
func (d *Door) Watch(s *http.Server) {
	s.ConnState = func(c net.Conn, to http.ConnState) {
		if c := connOf(c); c != nil {
			c.state(to)
		}
	}
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if c := connOf(c); c != nil {
			return context.WithValue(ctx, connKey{}, c)
		}
		return ctx
	}
}

// Open is how many connections there are.
func (d *Door) Open() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.open)
}

// Closed is how many connections were closed to make room, or for want of it.
func (d *Door) Closed() int64 { return d.closed.Load() }

type connKey struct{}

// Reading notes that the request of that context is waiting for its body, until
// the function that it returns is called: a connection that is slow to send one
// may be closed to make room.
func Reading(ctx context.Context) (done func()) {
	c, _ := ctx.Value(connKey{}).(*conn)
	if c == nil {
		return func() {}
	}
	c.silent.Store(int64(clock.Ticks()))
	return c.busy
}

func connOf(c net.Conn) *conn {
	if wrapped, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = wrapped.NetConn()
	}
	own, _ := c.(*conn)
	return own
}

type listener struct {
	net.Listener
	door  *Door
	plain bool
}

// Accept returns the next connection for which there is room.
func (l *listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: accepted, door: l.door, plain: l.plain, fresh: true, left: unknown, began: clock.Ticks()}
		c.silent.Store(int64(c.began))
		if l.door.add(c) {
			return c, nil
		}
		_ = accepted.Close()
	}
}

// add notes a connection, if there is room.
func (d *Door) add(c *conn) bool {
	most := d.Connections
	if most == 0 {
		most = defaultConnections
	}
	d.mu.Lock()
	if d.open == nil {
		d.open = map[*conn]struct{}{}
	}
	var gone []*conn
	if len(d.open) >= most {
		gone = d.longestSilent(max(most/32, 1))
	}
	room := len(d.open) < most
	if room {
		d.open[c] = struct{}{}
	} else {
		d.closed.Add(1)
	}
	d.mu.Unlock()
	for _, c := range gone {
		_ = c.Conn.Close()
	}
	return room
}

// longestSilent takes out up to n connections: those that have been silent for
// the longest time.
func (d *Door) longestSilent(n int) []*conn {
	type waiting struct {
		*conn
		since int64
	}
	var all []waiting
	for c := range d.open {
		if since := c.silent.Load(); since != 0 {
			all = append(all, waiting{c, since})
		}
	}
	slices.SortFunc(all, func(a, b waiting) int { return int(a.since - b.since) })
	var gone []*conn
	for _, w := range all[:min(n, len(all))] {
		delete(d.open, w.conn)
		gone = append(gone, w.conn)
	}
	d.closed.Add(int64(len(gone)))
	return gone
}

func (d *Door) remove(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, c)
}

// conn is a connection. It follows where requests begin and end, as far as that
// is plain, to turn some away before anybody reads them.
type conn struct {
	net.Conn
	door   *Door
	plain  bool
	began  time.Duration
	silent atomic.Int64 // since when it has waited for the client, in ticks; 0 while it does not

	// Of whoever reads: the server, one goroutine at a time.
	served  bool          // a request was handed on
	fresh   bool          // nothing of the next request was handed on
	left    int           // bytes of the request that are still to come, or unknown
	renewed time.Duration // when the deadlines were put off
}

const unknown = -1

// The deadlines of a connection whose requests are turned away. One that has
// had none served is left to the server in good time before the server's own
// deadline, which runs from its beginning.
const (
	untilServed = 5 * time.Second
	writing     = 10 * time.Second
)

func (c *conn) busy() { c.silent.Store(0) }

func (c *conn) state(to http.ConnState) {
	switch to {
	case http.StateActive:
		c.busy()
	case http.StateIdle:
		c.fresh, c.left = c.left == 0, unknown
		c.silent.Store(int64(clock.Ticks()))
	case http.StateClosed, http.StateHijacked:
		c.door.remove(c)
	case http.StateNew:
	}
}

// Read reads what comes next for the server: not what is turned away here.
func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if n == 0 || !c.plain {
			return n, err
		}
		if !c.fresh {
			if c.left -= n; c.left < 0 {
				c.left = unknown
			}
			return n, err
		}
		h, size, ok := parse(p[:n])
		if c.left = unknown; ok && size >= n {
			c.left = size - n
		}
		if err != nil || c.left != 0 || !c.door.Gate.Full() || !c.turnAway(h) {
			c.fresh, c.served = false, true
			return n, err
		}
	}
}

// answers are buffers for answers, which nobody keeps.
var answers = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

// turnAway answers a request that is whole, and tells whether it did.
func (c *conn) turnAway(h Head) bool {
	now := clock.Ticks()
	if !c.served && now-c.began > untilServed {
		return false
	}
	room := answers.Get().(*[]byte)
	defer answers.Put(room)
	answer := c.door.Refuse((*room)[:0], h)
	if len(answer) == 0 {
		return false
	}
	*room = answer
	if now-c.renewed > time.Second {
		c.renewed = now
		_ = c.SetWriteDeadline(clock.System{}.Now().Add(writing))
		if c.served {
			_ = c.SetReadDeadline(clock.System{}.Now().Add(IdleTimeout))
		}
	}
	c.silent.Store(int64(now))
	if _, err := c.Conn.Write(answer); err != nil {
		_ = c.Conn.Close() // what is read next says so
	}
	return true
}

// IdleTimeout is how long a connection may wait for its next request.
const IdleTimeout = 2 * time.Minute

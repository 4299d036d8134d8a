// Package admission decides which requests come in when more arrive than can be
// carried out: a gate that counts those inside, and a listener that bounds
// connections and turns requests away before anything is made of them.
//
// A request that is turned away has left nothing behind: nobody has looked at
// who sent it, and no key of it is used up.
package admission

import (
	"sync/atomic"
	"time"

	"github.com/capstan-pay/capstan/clock"
)

// Gate counts the requests that are inside. Below its standing number it is
// open. Above that it stays open for as long as a crowd may last, so that a
// short stall costs nobody anything; then, and whenever a burst is above its
// bound, it is closed until the crowd is gone. The wait of those inside is so
// bounded by how long the server takes for as many.
//
// It is safe for concurrent use. While it is calm, coming in and going out cost
// an atomic operation or two each.
type Gate struct {
	standing, burst int64
	patience        time.Duration
	elsewhere       func() int64
	now             func() time.Duration

	inside  atomic.Int64
	pressed atomic.Int64 // calm, closed, or since when there are more than standing
	held    atomic.Int64 // bytes of large bodies
	most    int64
}

// What pressed may be besides a moment.
const (
	calm   = 0
	closed = -1
)

// Limits say how much a gate lets in.
type Limits struct {
	Standing int           // requests inside for longer than Patience; 0 is 512
	Burst    int           // requests inside for a moment; 0 is eight times as many
	Patience time.Duration // how long more than Standing are let in; 0 is 250 ms
	Bodies   int64         // bytes of bodies above 16 KiB that are held at a time; 0 is 64 MiB

	// Elsewhere is how many of those inside wait for somebody else, such as a
	// processor, and take nothing from the others meanwhile. Nil is none.
	Elsewhere func() int64
}

// NewGate returns an open gate.
func NewGate(l Limits) *Gate {
	g := &Gate{standing: 512, patience: 250 * time.Millisecond, most: 64 << 20, elsewhere: l.Elsewhere, now: clock.Ticks}
	if l.Standing > 0 {
		g.standing = int64(l.Standing)
	}
	g.burst = 8 * g.standing
	if l.Burst > 0 {
		g.burst = int64(l.Burst)
	}
	if l.Patience > 0 {
		g.patience = l.Patience
	}
	if l.Bodies > 0 {
		g.most = l.Bodies
	}
	if g.elsewhere == nil {
		g.elsewhere = func() int64 { return 0 }
	}
	return g
}

// Enter lets a request in, which has to Leave, or tells that it has to go away.
func (g *Gate) Enter() bool {
	n := g.inside.Add(1)
	if n <= g.standing || g.fits(n) {
		return true
	}
	g.Leave()
	return false
}

// fits tells whether one more fits in that makes it n.
func (g *Gate) fits(n int64) bool {
	if n -= g.elsewhere(); n <= g.standing {
		return true
	}
	since, now := g.pressed.Load(), int64(g.now())
	switch {
	case since == closed:
		return false
	case since == calm && n <= g.burst:
		g.pressed.CompareAndSwap(calm, max(now, 1))
		return true
	case n <= g.burst && now-since < int64(g.patience):
		return true
	}
	g.pressed.Store(closed)
	return false
}

// Leave is called once by each request that has entered, when it is answered.
func (g *Gate) Leave() {
	n := g.inside.Add(-1)
	since := g.pressed.Load()
	if since == calm {
		return
	}
	n -= g.elsewhere()
	if since == closed && n <= g.standing/4 || since > calm && n <= g.standing {
		g.pressed.CompareAndSwap(since, calm)
	}
}

// Full tells whether a request that came now would be turned away.
func (g *Gate) Full() bool {
	return g.pressed.Load() == closed && g.inside.Load()-g.elsewhere() >= g.standing
}

// Inside is how many requests are inside.
func (g *Gate) Inside() int { return int(g.inside.Load()) }

// Hold reserves memory for a body. It tells whether there is room; what was
// reserved is given back with Release.
func (g *Gate) Hold(bytes int) bool {
	if g.held.Add(int64(bytes)) <= g.most {
		return true
	}
	g.held.Add(-int64(bytes))
	return false
}

// Release gives back what Hold has reserved.
func (g *Gate) Release(bytes int) { g.held.Add(-int64(bytes)) }

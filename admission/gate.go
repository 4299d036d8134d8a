// Package admission decides which requests come in when more arrive than can be
// carried out: a gate that counts those inside, and a listener that bounds
// connections and turns requests away before anything is made of them.
//
// A request that is turned away has left nothing behind: nobody has looked at
// who sent it, and no key of it is used up.
package admission

import (
	"cmp"
	"sync/atomic"
	"time"

	"github.com/capstan-pay/capstan/clock"
)

// Gate counts the requests that are inside. It lets in as many as the server
// has answered lately within the time that a request may wait, so that whoever
// comes in is answered about within that time. A few it always lets in, and a
// crowd that has not yet lasted for so long, which may be a stall of the disk.
//
// It is safe for concurrent use. While it is calm, coming in and going out cost
// an atomic operation or two each.
type Gate struct {
	few, most int64
	wait      time.Duration
	room      int64
	elsewhere func() int64
	now       func() time.Duration

	inside  atomic.Int64
	since   atomic.Int64 // ticks at which counting began, 0 while the gate is calm
	left    atomic.Int64 // requests that have left since
	allowed atomic.Int64 // how many may be inside; 0 while that is not known
	held    atomic.Int64 // bytes of large bodies
}

// Limits say how much a gate lets in.
type Limits struct {
	Most   int           // requests inside at a time; 0 is 2048
	Wait   time.Duration // how long a request may wait until it is answered, about; 0 is half a second
	Bodies int64         // bytes of bodies above 16 KiB that are held at a time; 0 is 64 MiB

	// Elsewhere is how many of those inside wait for somebody else, such as a
	// processor, and take nothing from the others meanwhile. Nil is none.
	Elsewhere func() int64
}

// few is how many are let in however slow the server is.
const few = 512

// NewGate returns an open gate.
func NewGate(l Limits) *Gate {
	g := &Gate{
		most: int64(cmp.Or(l.Most, 2048)), wait: cmp.Or(l.Wait, 500*time.Millisecond), room: cmp.Or(l.Bodies, 64<<20),
		elsewhere: l.Elsewhere, now: clock.Ticks,
	}
	g.few = min(few, g.most)
	if g.elsewhere == nil {
		g.elsewhere = func() int64 { return 0 }
	}
	return g
}

// Enter lets a request in, which has to Leave, or tells that it has to go away.
func (g *Gate) Enter() bool {
	n := g.inside.Add(1)
	if n <= g.few || g.fits(n) {
		return true
	}
	g.inside.Add(-1)
	return false
}

// fits tells whether one more fits in that makes it n.
func (g *Gate) fits(n int64) bool {
	if n -= g.elsewhere(); n <= g.few {
		return true
	}
	since, now := g.since.Load(), max(int64(g.now()), 1)
	if since == 0 {
		if g.since.CompareAndSwap(0, now) {
			g.left.Store(0)
		}
	} else if took := now - since; took >= int64(g.wait) && g.since.CompareAndSwap(since, now) {
		answered := float64(g.left.Swap(0)) * float64(g.wait) / float64(took)
		g.allowed.Store(max(int64(answered), g.few))
	}
	return n <= g.limit()
}

func (g *Gate) limit() int64 {
	if allowed := g.allowed.Load(); allowed > 0 && allowed < g.most {
		return allowed
	}
	return g.most
}

// Leave is called once by each request that has entered, when it is answered.
func (g *Gate) Leave() {
	n := g.inside.Add(-1)
	if g.since.Load() == 0 {
		return
	}
	g.left.Add(1)
	if n-g.elsewhere() <= g.few/2 { // the crowd is gone
		g.allowed.Store(0)
		g.since.Store(0)
	}
}

// Full tells whether a request that came now would be turned away.
func (g *Gate) Full() bool {
	return g.since.Load() != 0 && g.inside.Load()-g.elsewhere() >= g.limit()
}

// Inside is how many requests are inside.
func (g *Gate) Inside() int { return int(g.inside.Load()) }

// Hold reserves memory for a body. It tells whether there is room; what was
// reserved is given back with Release.
func (g *Gate) Hold(bytes int) bool {
	if g.held.Add(int64(bytes)) <= g.room {
		return true
	}
	g.held.Add(-int64(bytes))
	return false
}

// Release gives back what Hold has reserved.
func (g *Gate) Release(bytes int) { g.held.Add(-int64(bytes)) }

package admission

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// still is a gate whose time is set by hand.
func still(l Limits) (*Gate, *time.Duration) {
	now := new(time.Duration)
	*now = time.Hour
	g := NewGate(l)
	g.now = func() time.Duration { return *now }
	return g, now
}

func fill(g *Gate, n int) (in int) {
	for range n {
		if g.Enter() {
			in++
		}
	}
	return in
}

// A crowd is let in for as long as one may wait; then as many as were answered
// in that time.
func TestGate(t *testing.T) {
	g, now := still(Limits{Most: 3000, Wait: time.Second})
	if in := fill(g, 3001); in != 3000 || !g.Full() {
		t.Fatalf("%d came in, full: %t", in, g.Full())
	}
	*now += time.Second
	leave(g, 600)
	if g.Enter() {
		t.Fatal("one came in beside a crowd of which only 600 were answered in a second")
	}
	leave(g, 1801)
	if in := fill(g, 2); in != 1 || !g.Full() {
		t.Fatalf("599 are inside, and %d more of 600 came in, full: %t", in, g.Full())
	}
	*now += time.Second
	leave(g, 1)
	if in := fill(g, 3000); in != 1802-599 || !g.Full() {
		t.Fatalf("1802 were answered in a second, and beside 599 %d come in", in)
	}
	leave(g, 1802)
	if in := fill(g, 3000); in != 3000 {
		t.Fatalf("%d came in after the crowd was gone", in)
	}
	leave(g, 3000)
	if n := g.Inside(); n != 0 {
		t.Fatalf("%d are inside", n)
	}
}

func leave(g *Gate, n int) {
	for range n {
		g.Leave()
	}
}

// A few come in however slow the server is.
func TestGateLetsAFewIn(t *testing.T) {
	g, now := still(Limits{Wait: time.Second})
	fill(g, 1000)
	*now += time.Hour
	if g.Enter() {
		t.Fatal("nobody was answered for an hour, and one more came in")
	}
	leave(g, 700)
	*now += 1000 * time.Hour
	if in := fill(g, 1000); in != few-300 {
		t.Fatalf("%d came in, which makes it %d", in, in+300)
	}
}

// A stall that is short costs nobody anything, again and again.
func TestGateRidesOutStalls(t *testing.T) {
	g, now := still(Limits{Wait: time.Second})
	for range 100 {
		if in := fill(g, 2000); in != 2000 {
			t.Fatalf("%d came in", in)
		}
		*now += 900 * time.Millisecond
		leave(g, 2000)
	}
}

// Those that wait for somebody else take nobody's place.
func TestGateElsewhere(t *testing.T) {
	var waiting atomic.Int64
	g, _ := still(Limits{Most: 8, Elsewhere: waiting.Load})
	for range 1000 {
		if !g.Enter() {
			t.Fatal("those who wait elsewhere take place")
		}
		waiting.Add(1)
	}
	if in := fill(g, 9); in != 8 {
		t.Fatalf("%d came in beside those who wait", in)
	}
	waiting.Store(0) // they have their answers and are on their way out
	if g.Enter() {
		t.Fatal("more came in than there is place for")
	}
	leave(g, 1008)
	if in := fill(g, 9); in != 8 {
		t.Fatalf("%d came in afterwards", in)
	}
}

// However many come and go at once, there are never more inside than a burst,
// and in the end nobody is.
func TestGateHolds(t *testing.T) {
	g := NewGate(Limits{Most: 16, Wait: time.Microsecond})
	var inside, most, turned atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range 2000 {
				if !g.Enter() {
					turned.Add(1)
					continue
				}
				if n := inside.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(time.Microsecond)
				inside.Add(-1)
				g.Leave()
			}
		})
	}
	all.Wait()
	if most.Load() > 16 || turned.Load() == 0 || g.Inside() != 0 {
		t.Errorf("most %d, turned away %d, inside %d", most.Load(), turned.Load(), g.Inside())
	}
	if !g.Enter() {
		t.Error("the gate is closed, and nobody is inside")
	}
}

func TestHold(t *testing.T) {
	g := NewGate(Limits{Bodies: 100})
	if !g.Hold(60) || g.Hold(50) || !g.Hold(40) {
		t.Error("room for bodies is not what was said")
	}
	g.Release(100)
	if !g.Hold(100) {
		t.Error("what was given back is gone")
	}
}

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

func TestGate(t *testing.T) {
	g, now := still(Limits{Standing: 8, Burst: 20, Patience: time.Second})
	if in := fill(g, 20); in != 20 || g.Full() {
		t.Fatalf("%d of a burst came in, full: %t", in, g.Full())
	}
	if g.Enter() || !g.Full() {
		t.Fatal("more than a burst came in")
	}
	for range 12 {
		g.Leave()
	}
	if g.Enter() {
		t.Fatal("one came in beside a crowd that was too large")
	}
	g.Leave()
	if !g.Enter() || g.Enter() {
		t.Fatal("as many as may stand do not come in, or more do")
	}
	for range 6 {
		g.Leave()
	}
	if in := fill(g, 15); in != 15 {
		t.Fatalf("%d came in after the crowd was gone", in)
	}
	*now += time.Second
	if g.Enter() || !g.Full() {
		t.Fatal("a crowd that lasts was let grow")
	}
	for range 17 {
		g.Leave()
	}
	if n := g.Inside(); n != 0 {
		t.Fatalf("%d are inside", n)
	}
	if !g.Enter() || g.Full() {
		t.Fatal("nobody is inside, and nobody may come in")
	}
}

// A stall that is short costs nobody anything, again and again.
func TestGateRidesOutStalls(t *testing.T) {
	g, now := still(Limits{Standing: 8, Burst: 20, Patience: time.Second})
	for range 100 {
		if in := fill(g, 20); in != 20 {
			t.Fatalf("%d came in", in)
		}
		*now += 900 * time.Millisecond
		for range 20 {
			g.Leave()
		}
	}
}

// Those that wait for somebody else take nobody's place.
func TestGateElsewhere(t *testing.T) {
	var waiting atomic.Int64
	g, _ := still(Limits{Standing: 8, Burst: 8, Elsewhere: waiting.Load})
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
	for range 1008 {
		g.Leave()
	}
	if in := fill(g, 8); in != 8 {
		t.Fatalf("%d came in afterwards", in)
	}
}

// However many come and go at once, there are never more inside than a burst,
// and in the end nobody is.
func TestGateHolds(t *testing.T) {
	g := NewGate(Limits{Standing: 4, Burst: 16, Patience: time.Microsecond})
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

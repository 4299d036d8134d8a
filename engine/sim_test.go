package engine

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds = flag.Int("seeds", 200, "how many simulations are run")
	steps = flag.Int("steps", 600, "how many steps each of them has")
)

// TestSimulation lets clients, engines, a store and a processor loose on each
// other: commits fail or their answers are lost, requests to the processor are
// lost, late or doubled, clocks jump, engines die and others take over. One
// seed decides all of it, step by step, so every run can be repeated:
//
//	go test ./engine -run Simulation -seed 4711
//
// After each step the world is held against what must be true at any time, and
// at the end, when all is well again, against what must be true then.
func TestSimulation(t *testing.T) {
	first, last := uint64(1), uint64(*seeds)
	if *Seed != 0 {
		first, last = *Seed, *Seed
	}
	var total sightings
	for seed := first; seed <= last; seed++ {
		var w *world
		synctest.Test(t, func(t *testing.T) {
			w = newWorld(seed)
			w.play(*steps)
		})
		if w.err != nil {
			t.Fatalf("go test ./engine -run Simulation -seed %d -steps %d\nstep %d, after %d steps in all: %v\n%s",
				seed, *steps, w.step, int(seed-first)**steps+w.step, w.err, w.tale())
		}
		total.add(w.seen)
	}
	t.Logf("%d simulations: %s", last-first+1, total)
	if last-first >= 100 && total.boring() {
		t.Error("that was not much of a simulation")
	}
}

// allIsWell is said when nothing fails any more.
const allIsWell = "from here on all is well"

// TestSimulationsCanBeRepeated: the same seed gives the same tale, up to where
// all is well. From there on everything goes on at once, and in any order.
func TestSimulationsCanBeRepeated(t *testing.T) {
	for seed := range uint64(10) {
		var tales [2]string
		for i := range tales {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(seed)
				w.play(300)
				tales[i], _, _ = strings.Cut(strings.Join(w.trace, "\n"), allIsWell)
			})
		}
		if tales[0] != tales[1] {
			a, b := strings.Split(tales[0], "\n"), strings.Split(tales[1], "\n")
			for i := range min(len(a), len(b)) {
				if a[i] != b[i] {
					t.Fatalf("seed %d, line %d: %s\nthe second time: %s\n%s", seed, i, a[i], b[i], strings.Join(a[max(0, i-30):i], "\n"))
				}
			}
			t.Fatalf("seed %d: %d lines, the second time %d", seed, len(a), len(b))
		}
	}
}

// play runs a world for some steps, then lets everything come to rest.
func (w *world) play(steps int) {
	defer w.shut()
	for w.step = 1; w.step <= steps && w.err == nil; w.step++ {
		w.act()
		synctest.Wait()
		w.listen()
		w.check()
	}
	if w.err == nil {
		w.rest()
	}
}

// act does one thing: most often something that waits is let go.
func (w *world) act() {
	if len(w.live()) == 0 && w.random.IntN(2) == 0 {
		w.start()
	}
	switch n := w.random.IntN(1000); {
	case n < 600 && w.letGo():
	case n < 900 && w.ask():
	case n < 960:
		w.pass()
	case n < 968:
		w.crash()
	case n < 976:
		w.start()
	case n < 984:
		w.stray()
	case n < 990:
		w.sink.late()
	default:
		fails := !w.lookFails && w.random.IntN(2) == 0
		w.mu.Lock()
		w.lookFails = fails
		w.mu.Unlock()
		w.say("records can be looked up: %t", !fails)
	}
}

// pass lets time pass, or sets the clock.
func (w *world) pass() {
	switch n := w.random.IntN(10); {
	case n < 6:
		w.sleep(time.Duration(1+w.random.IntN(40)) * time.Second)
	case n < 8:
		w.jump(time.Duration(1+w.random.IntN(70)) * time.Minute)
	case n < 9 && w.random.IntN(2) == 0:
		w.land()
	case n < 9:
		w.jump(time.Duration(1+w.random.IntN(30)) * time.Hour)
	default:
		w.jump(-time.Duration(w.random.IntN(100)) * time.Minute)
	}
}

func (w *world) sleep(d time.Duration) {
	w.say("%s go by", d)
	time.Sleep(d)
}

// land sets the clock to the very moment at which the next timer falls due.
func (w *world) land() {
	next, err := w.store.NextDue(context.Background())
	if by := next.Sub(w.clock.Now()); err == nil && by > 0 && !next.IsZero() {
		w.say("the clock jumps by %s, to a deadline", by)
		w.clock.jump(by)
	}
}

// jump sets the clock; the engines notice within seconds.
func (w *world) jump(by time.Duration) {
	w.say("the clock jumps by %s", by)
	w.clock.jump(by)
	time.Sleep(idle + time.Second)
}

// rest makes everything work, lets time pass until nothing is left to do, and
// looks at what has become of it all.
func (w *world) rest() {
	w.say(allIsWell)
	w.calm()
	if len(w.live()) == 0 {
		w.start()
	}
	for round := range 12 {
		if round < 9 { // what the bank is asked later it may contradict later
			w.reconcile()
		}
		w.listen()
		for range w.clients {
			w.ask()
			w.settle()
			w.listen()
		}
		w.jump([]time.Duration{time.Minute, 2 * time.Hour, 25 * time.Hour}[round%3])
		for range 6 {
			w.settle()
			w.sleep(6 * time.Second)
		}
		w.settle()
		w.check()
		if w.err != nil {
			return
		}
	}
	w.atRest()
}

// sightings counts what was seen.
type sightings struct{ commits, faults, crashes, calls, lost, sealed, expired, raised, captured, replays, corrected, told, retold, reviewed int }

func (a *sightings) add(b sightings) {
	a.commits += b.commits
	a.faults += b.faults
	a.crashes += b.crashes
	a.calls += b.calls
	a.lost += b.lost
	a.sealed += b.sealed
	a.expired += b.expired
	a.captured += b.captured
	a.raised += b.raised
	a.replays += b.replays
	a.corrected += b.corrected
	a.told += b.told
	a.retold += b.retold
	a.reviewed += b.reviewed
}

func (a sightings) String() string {
	return fmt.Sprintf("%d commits, %d of them with faults; %d crashes; %d calls to processors, %d messages lost or late, %d authorizations sealed; %d holds expired, %d raised, %d captures; %d answers repeated; %d corrections; %d messages to merchants, %d heard again; %d reviews",
		a.commits, a.faults, a.crashes, a.calls, a.lost, a.sealed, a.expired, a.raised, a.captured, a.replays, a.corrected, a.told, a.retold, a.reviewed)
}

func (a sightings) boring() bool {
	return min(a.commits, a.faults, a.crashes, a.calls, a.lost, a.sealed, a.expired, a.raised, a.captured, a.replays, a.corrected, a.told, a.retold, a.reviewed) == 0
}

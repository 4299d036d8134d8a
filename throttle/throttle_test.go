package throttle

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func TestWindow(t *testing.T) {
	var l Limiter
	for _, step := range []struct {
		at       time.Duration
		merchant int64
		name     string
		limit    int
		want     time.Duration
	}{
		{0, 1, "capture", 2, 0},
		{time.Second, 1, "capture", 2, 0},
		{2 * time.Second, 1, "capture", 2, 8 * time.Second},
		{2 * time.Second, 1, "query", 2, 0},                       // lanes of one merchant count for themselves
		{2 * time.Second, 2, "capture", 2, 0},                     // so do merchants
		{10*time.Second - 1, 1, "capture", 2, 1},                  // the first is still in the window
		{10 * time.Second, 1, "capture", 2, 0},                    // and has just left it
		{10 * time.Second, 1, "capture", 2, time.Second},          // the second has not
		{11 * time.Second, 1, "capture", 2, 0},                    //
		{11 * time.Second, 1, "capture", 3, 0},                    // another limit starts anew
		{11 * time.Second, 1, "capture", 3, 0},                    //
		{11 * time.Second, 1, "capture", 3, 0},                    //
		{11*time.Second + 1, 1, "capture", 3, 10*time.Second - 1}, //
		{30 * time.Second, 1, "capture", 3, 0},                    //
		{5 * time.Second, 1, "capture", 3, 0},                     // the clock was set back
	} {
		if got := l.Pass(Lane{step.merchant, step.name}, Window(step.limit, 10*time.Second), noon.Add(step.at)); got != step.want {
			t.Errorf("at %s %d %s of %d: wait %s, want %s", step.at, step.merchant, step.name, step.limit, got, step.want)
		}
	}
}

func TestSteady(t *testing.T) {
	var l Limiter
	who := Lane{Merchant: 1}
	for _, step := range []struct {
		at   time.Duration
		want time.Duration
	}{
		{0, 0},
		{0, 0},
		{0, 0}, // a burst of three
		{0, 500 * time.Millisecond},
		{499 * time.Millisecond, time.Millisecond},
		{500 * time.Millisecond, 0}, // one every half second
		{500 * time.Millisecond, 500 * time.Millisecond},
		{1500 * time.Millisecond, 0},
		{1500 * time.Millisecond, 0},
		{1500 * time.Millisecond, 500 * time.Millisecond},
		{time.Minute, 0}, // a pause buys the burst, and no more
		{time.Minute, 0},
		{time.Minute, 0},
		{time.Minute, 500 * time.Millisecond},
		{0, 0}, // the clock was set back
	} {
		if got := l.Pass(who, Steady(2, 3), noon.Add(step.at)); got != step.want {
			t.Errorf("at %s: wait %s, want %s", step.at, got, step.want)
		}
	}
}

func TestNoBound(t *testing.T) {
	var l Limiter
	for _, rule := range []Rule{{}, Steady(0, 5), Steady(-1, 0), Window(0, time.Second), Window(5, 0)} {
		for range 1000 {
			if wait := l.Pass(Lane{Merchant: 1}, rule, noon); wait != 0 {
				t.Fatalf("%+v: wait %s", rule, wait)
			}
		}
	}
	if len(l.lanes) != 0 {
		t.Errorf("%d lanes are remembered", len(l.lanes))
	}
	if wait := (*Limiter)(nil).Pass(Lane{Merchant: 1}, Steady(1, 1), noon); wait != 0 {
		t.Errorf("no limiter: wait %s", wait)
	}
}

// In no stretch of time do more pass than the rule says, and whoever waits as
// long as he was told passes.
func TestRulesHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l Limiter
		var rule Rule
		n, burst := rapid.IntRange(1, 20).Draw(t, "requests"), rapid.IntRange(1, 30).Draw(t, "burst")
		if rapid.Bool().Draw(t, "steady") {
			rule = Steady(n, burst)
		} else {
			rule = Window(n, time.Second)
			burst = 0
		}
		var passed []time.Time
		now := noon
		for range rapid.IntRange(1, 200).Draw(t, "asked") {
			now = now.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "pause")) * time.Millisecond)
			wait := l.Pass(Lane{Merchant: 7}, rule, now)
			if wait == 0 {
				passed = append(passed, now)
				continue
			}
			if rapid.Bool().Draw(t, "waits") {
				now = now.Add(wait)
				if again := l.Pass(Lane{Merchant: 7}, rule, now); again != 0 {
					t.Fatalf("told to wait %s, then to wait %s more", wait, again)
				}
				passed = append(passed, now)
			}
		}
		for i := range passed {
			for j := i; j < len(passed); j++ {
				count, stretch := j-i+1, passed[j].Sub(passed[i])
				if burst == 0 && stretch < time.Second && count > n {
					t.Fatalf("%d of %d a second passed within %s", count, n, stretch)
				}
				price := time.Second / time.Duration(n)
				if burst > 0 && time.Duration(count-burst)*price > stretch {
					t.Fatalf("%d passed within %s at %d a second with a burst of %d", count, stretch, n, burst)
				}
			}
		}
	})
}

// One who asks without end takes nothing from another.
func TestFair(t *testing.T) {
	var l Limiter
	for range 10_000 {
		l.Pass(Lane{Merchant: 1}, Steady(1, 1), noon)
	}
	for range 5 {
		if wait := l.Pass(Lane{Merchant: 2}, Steady(5, 5), noon); wait != 0 {
			t.Fatalf("another merchant has to wait %s", wait)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	const most, more = 10_000, 1_000
	l := Limiter{most: most}
	for i := range int64(most + more) {
		l.Pass(Lane{Merchant: i}, Steady(1, 1), noon.Add(time.Duration(i)*time.Millisecond))
	}
	if len(l.lanes) > most {
		t.Errorf("%d lanes are remembered", len(l.lanes))
	}
	if wait := l.Pass(Lane{Merchant: most + more - 1}, Steady(1, 1), noon.Add((most+more-1)*time.Millisecond)); wait == 0 {
		t.Error("one that still owes was forgotten while idle ones could be")
	}
	l = Limiter{most: most}
	const large = 2_000
	for i := range int64(40) {
		for range large {
			l.Pass(Lane{Merchant: i}, Window(large, time.Minute), noon)
		}
	}
	slots := 0
	for _, n := range l.lanes {
		slots += 1 + cap(n.passed)
	}
	if slots != l.kept || slots > most+2*large {
		t.Errorf("%d moments are remembered, %d are counted", slots, l.kept)
	}
}

func TestManyAtOnce(t *testing.T) {
	var l Limiter
	var passed atomic.Int64
	var work sync.WaitGroup
	for range 64 {
		work.Go(func() {
			for range 100 {
				if l.Pass(Lane{Merchant: 1}, Steady(10, 10), noon) == 0 {
					passed.Add(1)
				}
			}
		})
	}
	work.Wait()
	if passed.Load() != 10 {
		t.Errorf("%d passed, want 10", passed.Load())
	}
}

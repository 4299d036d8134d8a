// Package clock is where time comes from: the only package that asks the
// operating system what time it is.
package clock

import (
	"sync/atomic"
	"time"
)

// Clock tells the time in UTC, to the millisecond.
type Clock interface {
	Now() time.Time
}

// System is the machine's clock.
type System struct{}

// Now returns the machine's time.
func (System) Now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// Fixed is a clock that stands still, for tests.
type Fixed time.Time

// Now returns the fixed time.
func (f Fixed) Now() time.Time { return time.Time(f).UTC().Truncate(time.Millisecond) }

// started is a moment to count from.
var started = time.Now()

// Ticks is the time since a moment in the past that stays the same while the
// process lives. It never goes back and nobody shifts it: the difference of two
// is how long something took.
func Ticks() time.Duration { return time.Since(started) }

// Shifted is another clock plus an offset that only grows: the sandbox clock.
// It is safe for concurrent use.
type Shifted struct {
	base   Clock
	offset atomic.Int64 // nanoseconds
}

// NewShifted returns base shifted by offset.
func NewShifted(base Clock, offset time.Duration) *Shifted {
	s := &Shifted{base: base}
	s.offset.Store(int64(offset))
	return s
}

// Now returns the base's time plus the offset.
func (s *Shifted) Now() time.Time { return s.base.Now().Add(s.Offset()) }

// Offset returns how far the clock is ahead of its base.
func (s *Shifted) Offset() time.Duration { return time.Duration(s.offset.Load()) }

// Advance moves the clock to at least offset ahead of its base. It never
// moves it back.
func (s *Shifted) Advance(offset time.Duration) {
	for {
		old := s.offset.Load()
		if int64(offset) <= old || s.offset.CompareAndSwap(old, int64(offset)) {
			return
		}
	}
}

package outbox

import (
	"time"
)

// Schedule is how long to wait before a failed delivery is attempted again:
// after the first failure the first wait, and so on. When all are used up it is
// given up. The first attempt is made at once.
type Schedule []Wait

// Wait is at least that long, and then a random number of steps, from 0 to
// below Steps.
type Wait struct {
	Least time.Duration
	Step  time.Duration
	Steps int
}

// Waits is a schedule without chance.
func Waits(waits ...time.Duration) Schedule {
	s := make(Schedule, len(waits))
	for i, w := range waits {
		s[i].Least = w
	}
	return s
}

// Attempts is how many attempts there are in all.
func (s Schedule) Attempts() int { return len(s) + 1 }

// Next returns how long to wait after that many failed attempts, false if there
// is to be no other. Random returns a number in [0, n).
func (s Schedule) Next(failed int, random func(n int) int) (time.Duration, bool) {
	if failed < 1 || failed > len(s) {
		return 0, false
	}
	w := s[failed-1]
	wait := w.Least
	if w.Steps > 1 && w.Step > 0 {
		wait += w.Step * time.Duration(random(w.Steps))
	}
	return wait, true
}

// Total is the shortest time and the longest from the first attempt to the
// last, by the schedule.
func (s Schedule) Total() (least, most time.Duration) {
	for _, w := range s {
		least += w.Least
		most += w.Least + w.Step*time.Duration(max(w.Steps-1, 0))
	}
	return least, most
}

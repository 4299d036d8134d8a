package payment_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/capstan-pay/capstan/payment"
)

func TestIDTime(t *testing.T) {
	at := noon.Add(123 * time.Millisecond)
	if got := payment.NewIDs(1023).Next(at.Add(456 * time.Microsecond)).Time(); !got.Equal(at) {
		t.Errorf("made at %s, says %s", at, got)
	}
	late := time.Date(2150, 1, 1, 0, 0, 0, 0, time.UTC)
	if id := payment.NewIDs(0).Next(late); id < 0 || !id.Time().Equal(late) {
		t.Errorf("made at %s: %d, says %s", late, id, id.Time())
	}
}

// Whatever the clock does, an instance's IDs grow.
func TestIDsGrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := payment.NewIDs(rapid.IntRange(0, 1023).Draw(t, "instance"))
		now, last := noon, payment.ID(0)
		for range rapid.IntRange(1, 50).Draw(t, "times") {
			now = now.Add(time.Duration(rapid.Int64Range(-2, 2).Draw(t, "ms")) * time.Millisecond)
			id := ids.Next(now)
			if id <= last {
				t.Fatalf("%d after %d", id, last)
			}
			last = id
		}
	})
}

// A millisecond that is used up is no reason to wait, or to repeat.
func TestIDsRunAhead(t *testing.T) {
	ids, seen := payment.NewIDs(5), map[payment.ID]bool{}
	for range 5000 {
		seen[ids.Next(noon)] = true
	}
	if len(seen) != 5000 {
		t.Errorf("%d different IDs", len(seen))
	}
	if ahead := ids.Next(noon).Time().Sub(noon); ahead != 2*time.Millisecond {
		t.Errorf("%s ahead of the clock", ahead)
	}
}

func TestInstancesDoNotCollide(t *testing.T) {
	seen := map[payment.ID]bool{}
	for instance := range 1024 {
		ids := payment.NewIDs(instance)
		for range 3 {
			seen[ids.Next(noon)] = true
		}
	}
	if len(seen) != 3*1024 {
		t.Errorf("%d different IDs", len(seen))
	}
	for _, none := range []int{-1, 1024} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("there is an instance %d", none)
				}
			}()
			payment.NewIDs(none)
		}()
	}
}

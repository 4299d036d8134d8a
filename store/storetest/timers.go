package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// timer is a timer of a payment of the tests.
func timer(due time.Time, id payment.ID, attempt int) payment.Timer {
	return payment.Timer{Due: due, Kind: payment.ProcessorTimer, Tenant: tenant, Merchant: merchantID, Payment: id, Operation: 2, Attempt: attempt}
}

func testDue(t *testing.T, s store.Store) {
	next, err := s.NextDue(ctx)
	check(t, err)
	equal(t, "next due of an empty store", next, time.Time{})

	var set store.Change
	for _, minutes := range []int{30, 10, 50, 20, 40} {
		set.Timers = append(set.Timers, timer(noon.Add(time.Duration(minutes)*time.Minute), payment.ID(minutes), 0))
	}
	must(t, s, set)
	for _, c := range []struct {
		what  string
		now   time.Time
		limit int
		want  []payment.Timer
	}{
		{"before the first", noon.Add(10*time.Minute - time.Millisecond), 9, nil},
		{"at the first", noon.Add(10 * time.Minute), 9, []payment.Timer{set.Timers[1]}},
		{"at the third", noon.Add(30 * time.Minute), 9, []payment.Timer{set.Timers[1], set.Timers[3], set.Timers[0]}},
		{"a limit", noon.Add(time.Hour), 2, []payment.Timer{set.Timers[1], set.Timers[3]}},
	} {
		due, err := s.Due(ctx, c.now, c.limit)
		check(t, err)
		if len(due) != 0 || len(c.want) != 0 {
			equal(t, c.what, due, c.want)
		}
	}
	next, err = s.NextDue(ctx)
	check(t, err)
	equal(t, "next due", next, noon.Add(10*time.Minute))
}

func testAgenda(t *testing.T, s store.Store) {
	kinds := []payment.TimerKind{payment.DeadlineTimer, payment.ProcessorTimer, payment.DeadlineTimer, payment.SettleTimer, payment.DeadlineTimer}
	var set store.Change
	for i, kind := range kinds {
		it := timer(noon.Add(time.Duration(50-10*i)*time.Minute), payment.ID(i+1), i)
		it.Kind = kind
		set.Timers = append(set.Timers, it)
	}
	must(t, s, set)
	for _, c := range []struct {
		what  string
		kind  payment.TimerKind
		until time.Duration
		limit int
		want  []payment.Timer
	}{
		{"none so early", payment.DeadlineTimer, 10*time.Minute - time.Millisecond, 9, nil},
		{"the last instant counts", payment.DeadlineTimer, 30 * time.Minute, 9, []payment.Timer{set.Timers[4], set.Timers[2]}},
		{"all of a kind", payment.DeadlineTimer, time.Hour, 9, []payment.Timer{set.Timers[4], set.Timers[2], set.Timers[0]}},
		{"a limit", payment.DeadlineTimer, time.Hour, 2, []payment.Timer{set.Timers[4], set.Timers[2]}},
		{"another kind", payment.ProcessorTimer, time.Hour, 9, []payment.Timer{set.Timers[1]}},
		{"a kind of which there is none", payment.CaptureTimer, time.Hour, 9, nil},
	} {
		got, err := s.Agenda(ctx, c.kind, noon.Add(c.until), c.limit)
		check(t, err)
		if len(got) != 0 || len(c.want) != 0 {
			equal(t, c.what, got, c.want)
		}
	}
}

func testDone(t *testing.T, s store.Store) {
	first := timer(noon, 7, 0)
	must(t, s, store.Change{Timers: []payment.Timer{first, timer(noon, 8, 0)}})

	// claimed by raising the attempt, at the same moment
	second := timer(noon, 7, 1)
	claim := store.Change{Done: []payment.Timer{first}, Timers: []payment.Timer{second}}
	must(t, s, claim)
	before := take(t, s)
	equal(t, "timers", before.Timers, []payment.Timer{second, timer(noon, 8, 0)})
	if err := commit(s, claim); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a second claim: %v", err)
	}

	a := newAuthor(t)
	late := a.create(card(1000, "USD"))
	late.Done = []payment.Timer{timer(noon.Add(time.Millisecond), 8, 0)}
	if err := commit(s, late); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a timer that is not there: %v", err)
	}
	twice := store.Change{Done: []payment.Timer{second, second}}
	if err := commit(s, twice); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a timer done twice: %v", err)
	}
	equal(t, "everything after conflicts", take(t, s), before)

	must(t, s, store.Change{Timers: []payment.Timer{timer(noon, 8, 5)}}) // replaces
	must(t, s, store.Change{Done: []payment.Timer{second, timer(noon, 8, 5)}})
	equal(t, "timers", len(take(t, s).Timers), 0)
}

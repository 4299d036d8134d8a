package storetest

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/store"
)

// counterOf is a counter of the tests' tenant.
func counterOf(name, value string) store.Counter {
	return store.Counter{Tenant: tenant, Name: name, Value: []byte(value), Expires: noon.AddDate(0, 1, 0)}
}

// names are the names of counters.
func names(counters []store.Counter) []store.Ref[string] {
	var refs []store.Ref[string]
	for _, c := range counters {
		refs = append(refs, store.Ref[string]{Tenant: c.Tenant, Name: c.Name})
	}
	return refs
}

// count sets counters with a change of their own, after adjust, which may be
// nil, has seen what they were.
func count(s store.Store, adjust func(was, set []store.Counter), set ...store.Counter) error {
	b, err := s.Begin(ctx, store.Touched{})
	if err != nil {
		return err
	}
	defer b.Rollback()
	was, err := b.Counters(ctx, names(set))
	if err != nil {
		return err
	}
	if adjust != nil {
		adjust(was, set)
	}
	return b.Commit(ctx, []store.Change{{Counters: set}})
}

// loaded are counters as a batch loads them.
func loaded(t *testing.T, s store.Store, refs ...store.Ref[string]) []store.Counter {
	t.Helper()
	b, err := s.Begin(ctx, store.Touched{})
	check(t, err)
	defer b.Rollback()
	counters, err := b.Counters(ctx, refs)
	check(t, err)
	return counters
}

func testCounters(t *testing.T, s store.Store) {
	a := newAuthor(t)
	one, two := counterOf("one", "1"), counterOf("two", "\x00\x01")
	two.Expires = noon.Add(time.Millisecond)
	elsewhere := one
	elsewhere.Tenant++
	elsewhere.Value = []byte("elsewhere")
	refs := names([]store.Counter{two, one, elsewhere, one, counterOf("three", "")})

	b, err := s.Begin(ctx, store.Touched{})
	check(t, err)
	_, err = b.Counters(ctx, refs)
	check(t, err)
	created := a.create(card(1000, "USD"))
	first := counterOf("one", "overridden")
	created.Counters = []store.Counter{two, first, elsewhere}
	check(t, b.Commit(ctx, []store.Change{created, {Counters: []store.Counter{one}}}))

	want := []store.Counter{two, one, elsewhere, one, {Tenant: tenant, Name: "three"}}
	equal(t, "counters", loaded(t, s, refs...), want)
	equal(t, "counters of an audit", len(take(t, s).Counters), 3)

	// A batch that fails sets nothing.
	before := take(t, s)
	b, err = s.Begin(ctx, touched([]store.Change{created}))
	check(t, err)
	_, err = b.Counters(ctx, refs)
	check(t, err)
	again := a.create(card(1000, "USD"))
	again.Record.Key = created.Record.Key
	three := counterOf("three", "3")
	if err := b.Commit(ctx, []store.Change{{Counters: []store.Counter{three}}, again}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a batch with a taken key: %v", err)
	}
	equal(t, "everything after a conflict", take(t, s), before)
	b, err = s.Begin(ctx, store.Touched{})
	check(t, err)
	b.Rollback()
	equal(t, "everything after a rollback", take(t, s), before)
}

func testCounterLoaded(t *testing.T, s store.Store) {
	check(t, count(s, nil, counterOf("a", "1")))
	b, err := s.Begin(ctx, store.Touched{})
	check(t, err)
	defer b.Rollback()
	_, err = b.Counters(ctx, names([]store.Counter{counterOf("b", "")}))
	check(t, err)
	err = b.Commit(ctx, []store.Change{{Counters: []store.Counter{counterOf("b", "1"), counterOf("a", "2")}}})
	for _, wrong := range []error{nil, store.ErrConflict, store.ErrUnknown, store.ErrFull, store.ErrBroken} {
		if errors.Is(err, wrong) {
			t.Errorf("a counter that was not loaded was set: %v", err)
		}
	}
	equal(t, "counters", loaded(t, s, names([]store.Counter{counterOf("a", ""), counterOf("b", "")})...),
		[]store.Counter{counterOf("a", "1"), {Tenant: tenant, Name: "b"}})
}

// plusOne adds one to a counter.
func plusOne(was, set []store.Counter) {
	n, _ := strconv.Atoi(string(was[0].Value))
	set[0].Value = strconv.AppendInt(nil, int64(n+1), 10)
}

func testCounting(t *testing.T, s store.Store) {
	const writers, each = 8, 25
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for done := 0; done < each; {
				err := count(s, plusOne, counterOf("n", ""))
				if err == nil {
					done++
				} else if !errors.Is(err, store.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	counted := func(want int) {
		t.Helper()
		equal(t, "count", loaded(t, s, names([]store.Counter{counterOf("n", "")})...), []store.Counter{counterOf("n", strconv.Itoa(want))})
	}
	counted(writers * each)

	// One batch between another's loading and its commit: the second waits for
	// the first, or the first has to load again.
	second := make(chan error, 1)
	waits := false
	first := count(s, func(was, set []store.Counter) {
		plusOne(was, set)
		go func() {
			for {
				if err := count(s, plusOne, counterOf("n", "")); !errors.Is(err, store.ErrConflict) {
					second <- err
					return
				}
			}
		}()
		select {
		case err := <-second:
			second <- err
		case <-time.After(50 * time.Millisecond):
			waits = true
		}
	}, counterOf("n", ""))
	check(t, <-second)
	switch {
	case errors.Is(first, store.ErrConflict):
		counted(writers*each + 1)
	case first != nil:
		t.Fatal(first)
	case !waits:
		t.Fatal("counted from a value that was not there any more")
	default:
		counted(writers*each + 2)
	}
}

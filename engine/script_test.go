package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
)

// errLine is a fault of the store that says nothing about it.
var errLine = errors.New("line is down")

// The faults that a commit may have.
var (
	none           = faulty.Fault{}
	refused        = faulty.Fault{Err: errLine}
	conflict       = faulty.Fault{Err: store.ErrConflict}
	full           = faulty.Fault{Err: store.ErrFull}
	unknownLost    = faulty.Fault{Err: store.ErrUnknown}
	unknownWritten = faulty.Fault{Err: store.ErrUnknown, Fate: faulty.Written}
	unknownLate    = faulty.Fault{Err: store.ErrUnknown, Fate: faulty.Late}
	brokenLost     = faulty.Fault{Err: store.ErrBroken}
	brokenWritten  = faulty.Fault{Err: store.ErrBroken, Fate: faulty.Written}
)

// script says which calls of a store meet a fault, and can stop it from
// beginning a batch.
type script struct {
	mu     sync.Mutex
	next   map[faulty.Call][]faulty.Fault
	always map[faulty.Call]faulty.Fault
	calls  map[faulty.Call]int
	plug   *plug
}

// plug holds a batch up before it begins.
type plug struct{ reached, pulled chan struct{} }

func newScript() *script {
	return &script{next: map[faulty.Call][]faulty.Fault{}, always: map[faulty.Call]faulty.Fault{}, calls: map[faulty.Call]int{}}
}

// expect sets what happens to the next calls of a kind.
func (s *script) expect(c faulty.Call, faults ...faulty.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next[c] = append(s.next[c], faults...)
}

// from sets what happens to all calls of a kind from now on.
func (s *script) from(c faulty.Call, f faulty.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always[c] = f
}

// count is how many calls of a kind there were.
func (s *script) count(c faulty.Call) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[c]
}

func (s *script) strike(c faulty.Call) faulty.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[c]++
	if p := s.plug; p != nil && c == faulty.Begin {
		s.plug = nil
		s.mu.Unlock()
		close(p.reached)
		<-p.pulled
		s.mu.Lock()
		return none
	}
	if len(s.next[c]) == 0 {
		return s.always[c]
	}
	f := s.next[c][0]
	s.next[c] = s.next[c][1:]
	return f
}

// scripted puts faults in front of a rig's store.
func scripted(s *script) func(*engine.Config) {
	return func(c *engine.Config) { c.Store = faulty.New(c.Store, s.strike) }
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// doer is somebody who carries out requests.
type doer interface {
	Do(context.Context, payment.Request) (payment.Outcome, error)
	Load() (waiting, keys int)
}

// result is what a caller got.
type result struct {
	payment.Outcome
	err error
}

// String says in a line what a caller got: "refused: ...", "error: ..." or how
// the payment stands.
func (r result) String() string {
	switch {
	case r.err != nil:
		return "error: " + r.err.Error()
	case r.Refusal != nil:
		return r.Refusal.Error()
	}
	var b strings.Builder
	if r.Replayed {
		b.WriteString("again: ")
	}
	if r.Pending {
		b.WriteString("pending: ")
	}
	if p := r.Payment; p == nil {
		b.WriteString("no payment")
	} else {
		fmt.Fprintf(&b, "%s, held %d, captured %d", p.Status, p.Remaining(), p.Captured)
		if p.Refunded > 0 {
			fmt.Fprintf(&b, ", refunded %d", p.Refunded)
		}
	}
	return b.String()
}

// together has requests wait in the queue in their order, so that they become
// one batch, and calls then before that batch begins. It returns what became
// of each.
func together(t fataler, d doer, s *script, requests []payment.Request, then func()) []result {
	t.Helper()
	p := &plug{make(chan struct{}), make(chan struct{})}
	s.mu.Lock()
	s.plug = p
	s.mu.Unlock()
	pull := sync.OnceFunc(func() { close(p.pulled) })
	var callers sync.WaitGroup
	defer callers.Wait()
	defer pull()
	callers.Go(func() {
		d.Do(ctx, payment.Request{Tenant: 1, Merchant: 1, Payment: 1, Command: payment.Expire{}}) // there is none
	})
	<-p.reached
	results := make([]result, len(requests))
	for i, request := range requests {
		before, _ := d.Load()
		answered := make(chan struct{})
		callers.Go(func() {
			defer close(answered)
			results[i].Outcome, results[i].err = d.Do(ctx, request)
		})
		waitUntil(t, func() bool {
			select {
			case <-answered: // at once
				return true
			default:
			}
			waiting, _ := d.Load()
			return waiting > before
		})
	}
	if then != nil {
		then()
	}
	pull()
	callers.Wait()
	return results
}

// waitUntil waits for something that is about to happen.
func waitUntil(t fataler, happened func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !happened() {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for 20 s")
		}
		time.Sleep(20 * time.Microsecond)
	}
}

// allPayments returns the payments of a store by their numbers.
func allPayments(t fataler, s store.Reader) map[payment.ID]*payment.Payment {
	t.Helper()
	all := map[payment.ID]*payment.Payment{}
	err := s.Audit(ctx, func(view store.Audit) error {
		return view.States(func(state store.State) (err error) {
			all[state.Payment], err = s.Payment(ctx, state.Tenant, state.Payment, 0)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ctx is for what does not end with a test's own context.
var ctx = context.Background()

// keep leaves only that many of the faults that are still to come.
func (s *script) keep(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, faults := range s.next {
		s.next[c] = faults[:min(n, len(faults))]
	}
}

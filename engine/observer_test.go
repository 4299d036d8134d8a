package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/store/memory"
)

// diary is an observer that writes down what it is told.
type diary struct {
	mu        sync.Mutex
	lines     []string
	committed int
	odd       []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) Committed(commands int, took, commit time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.committed += commands
	if commands < 1 || commit < 0 || took < commit {
		d.odd = append(d.odd, fmt.Sprint(commands, took, commit))
	}
}

func (d *diary) Decided(c payment.Command, answer engine.Answer, _ payment.Outcome) {
	d.note("%s %s", payment.CommandName(c), answer)
}

func (d *diary) Retried(err error) { d.note("retried: conflict %t", errors.Is(err, store.ErrConflict)) }

func (d *diary) Called(kind payment.OperationKind, result payment.Result, _ time.Duration, err error) {
	d.note("called for %s: %d, fault %t", kind, result, err != nil)
}

// take returns what was written down since it was last asked, in order of the
// alphabet.
func (d *diary) take() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	slices.Sort(d.lines)
	text := strings.Join(d.lines, "; ")
	d.lines = nil
	return text
}

// Whoever watches is told what became of each command, of what was tried again,
// and of calls to processors.
func TestObserver(t *testing.T) {
	d := &diary{}
	var next []faulty.Fault
	var mu sync.Mutex
	r := newRig(t, func(c *engine.Config) {
		st := memory.Open()
		c.Observer = d
		c.Store = faulty.New(st, func(call faulty.Call) faulty.Fault {
			mu.Lock()
			defer mu.Unlock()
			if call != faulty.Commit || len(next) == 0 {
				return faulty.Fault{}
			}
			f := next[0]
			next = next[1:]
			return f
		})
	})
	expect := func(what, want string) {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			d.mu.Lock()
			n := len(d.lines)
			d.mu.Unlock()
			if n >= strings.Count(want, ";")+1 || time.Now().After(end) {
				break
			}
		}
		if got := d.take(); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	p := r.authorize(t, 1000)
	expect("an authorization", "create done")
	first := payment.Request{Tenant: p.Tenant, Merchant: p.Merchant, Payment: p.ID, Key: payment.NewKey(p.Tenant, "observer", "1"), Command: payment.Capture{Amount: 100}}
	do := func(req payment.Request) {
		t.Helper()
		_, _ = r.Do(t.Context(), req)
	}
	do(first)
	expect("a capture", "capture done")
	do(first)
	expect("the same again", "capture replayed")
	other := first
	other.Key = payment.Key{}
	other.Command = payment.Capture{Amount: 5000}
	do(other)
	expect("too much", "capture refused")

	mu.Lock()
	next = []faulty.Fault{{Err: store.ErrConflict}, {Err: store.ErrConflict}}
	mu.Unlock()
	other.Command = payment.Capture{Amount: 50}
	do(other)
	expect("somebody was in the way", "capture done; retried: conflict true; retried: conflict true")
	mu.Lock()
	next = []faulty.Fault{{Err: store.ErrFull}, {Err: store.ErrFull}}
	mu.Unlock()
	do(other)
	expect("no room", "capture unavailable; retried: conflict false")

	r.proc.mu.Lock()
	r.proc.remote = true
	r.proc.perform = func(processor.Order) (payment.Answer, error) { return payment.Answer{Result: payment.Refused}, nil }
	r.proc.mu.Unlock()
	other.Patience = time.Minute
	do(other)
	expect("a processor that says no", "called for capture: 3, fault false; capture pending; resolve declined")
	if len(d.odd) != 0 {
		t.Errorf("committed: %s", d.odd)
	}
	if d.committed != 8 {
		t.Errorf("%d commands were committed", d.committed)
	}
	waitUntil(t, func() bool { return r.Calling() == 0 }) // who waits for a call hears of its answer before it ends
	if r.Queued() != 0 || r.Failed() {
		t.Errorf("%d wait, %d calls, failed: %t", r.Queued(), r.Calling(), r.Failed())
	}
}

package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
)

// scene is a batch of commands of all sorts and what becomes of each, whatever
// the store does in between, as long as it can be carried out at all.
type scene struct {
	*rig
	script   *script
	fatal    chan error
	a, b     *payment.Payment // holds of 1000; 500 of b are captured
	requests []payment.Request
	want     []string
	writes   []bool // leaves something in the store
}

// nonsense is the amount of which the acquirer says what nobody understands.
const nonsense = 13

func newScene(t *testing.T) *scene {
	t.Helper()
	return newSceneOn(t, openStore(t))
}

func newSceneOn(t *testing.T, st store.Store) *scene {
	t.Helper()
	s := &scene{script: newScript(), fatal: make(chan error, 2)}
	s.rig = newRigOn(t, st, scripted(s.script), func(c *engine.Config) { c.Fatal = func(err error) { s.fatal <- err } })
	s.proc.puzzling.Store(nonsense)
	s.a, s.b = s.authorize(t, 1000), s.authorize(t, 1000)
	for _, earlier := range []payment.Request{s.capture(s.b.ID, 400, "earlier"), s.capture(s.b.ID, 100, "other")} {
		if out, err := s.Do(t.Context(), earlier); err != nil || out.Refusal != nil {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	s.add("authorized, held 600, captured 400", true, s.capture(s.a.ID, 400, "capture"))
	s.add("refused: amount_too_large", false, s.capture(s.a.ID, 1001, ""))
	kept := s.capture(s.a.ID, 701, "kept")
	kept.Keeps = func(*payment.Refusal) bool { return true }
	s.add("refused: amount_too_large", true, kept)
	s.add("authorized, held 500, captured 500", true, s.capture(s.a.ID, 100, ""))
	s.add("again: authorized, held 600, captured 400", false, s.capture(s.b.ID, 400, "earlier"))
	s.add("refused: key_reused", false, s.capture(s.b.ID, 99, "other"))
	s.add("authorized, held 300, captured 0", true, payment.Request{
		Tenant: 1, Merchant: 1, Key: payment.NewKey(1, "test", "create"), Command: payment.Create{Intake: intake(300), Attempt: &payment.Attempt{}},
	})
	s.add("authorized, held 200, captured 0", true, payment.Request{
		Tenant: 1, Merchant: 1, Command: payment.Create{Intake: intake(200), Attempt: &payment.Attempt{}},
	})
	s.add("authorized, held 500, captured 500, refunded 50", true, payment.Request{
		Tenant: 1, Merchant: 1, Payment: s.b.ID, Key: payment.NewKey(1, "test", "refund"), Command: payment.Refund{Amount: 50},
	})
	s.add("captured, held 0, captured 500", true, payment.Request{Tenant: 1, Merchant: 1, Payment: s.a.ID, Command: payment.Void{}})
	s.add("refused: not_found", false, s.capture(4711, 1, "nowhere"))
	return s
}

func (s *scene) add(want string, writes bool, r payment.Request) {
	s.requests, s.want, s.writes = append(s.requests, r), append(s.want, want), append(s.writes, writes)
}

// play has the batch decided while the store does what it was told to.
func (s *scene) play(t *testing.T) []result {
	t.Helper()
	return together(t, s.rig, s.script, s.requests, nil)
}

// totals are the sums over all payments: how often a thing happened shows.
type totals struct{ payments, captured, voided, refunded int64 }

func (s *scene) totals(t *testing.T) (sum totals) {
	t.Helper()
	for _, p := range allPayments(t, s.store) {
		sum.payments++
		sum.captured += p.Captured
		sum.voided += p.Voided
		sum.refunded += p.Refunded
	}
	return sum
}

var (
	before = totals{payments: 2, captured: 500}
	after  = totals{payments: 4, captured: 1000, voided: 500, refunded: 50}
)

// expect compares what the callers got with what they should.
func (s *scene) expect(t *testing.T, results []result, want func(i int) string) {
	t.Helper()
	for i, r := range results {
		if got := r.String(); got != want(i) {
			t.Errorf("request %d got  %s\nwant %s", i, got, want(i))
		}
	}
	waitUntil(t, func() bool { waiting, keys := s.Load(); return waiting+keys == 0 })
}

// repeat sends what had a key once more: now everything is known.
func (s *scene) repeat(t *testing.T) {
	t.Helper()
	for i, r := range s.requests {
		if r.Key == (payment.Key{}) || !s.writes[i] {
			continue
		}
		out, err := s.Do(t.Context(), r)
		if got := strings.TrimPrefix(result{out, err}.String(), "again: "); got != s.want[i] || !out.Replayed {
			t.Errorf("repeat of request %d got  %s (a repeat: %t)\nwant %s", i, got, out.Replayed, s.want[i])
		}
	}
}

// TestFaultsThatNobodyNotices: as long as the store can write in the end, all
// callers get what they would have got, and everything happens once.
func TestFaultsThatNobodyNotices(t *testing.T) {
	for _, test := range []struct {
		name    string
		begins  []faulty.Fault
		commits []faulty.Fault
		looks   []faulty.Fault
		again   bool // written, but what writes nothing is decided again, after it
	}{
		{name: "none"},
		{name: "conflict", commits: []faulty.Fault{conflict}},
		{name: "conflicts of all together", commits: []faulty.Fault{conflict, conflict, conflict}},
		{name: "fault", commits: []faulty.Fault{refused}},
		{name: "full for a moment", commits: []faulty.Fault{full}},
		{name: "unknown, lost", commits: []faulty.Fault{unknownLost}},
		{name: "unknown, written", commits: []faulty.Fault{unknownWritten}},
		{name: "unknown, written late", commits: []faulty.Fault{unknownLate}, again: true},
		{name: "begin fails", begins: []faulty.Fault{refused}},
		{name: "begin is a conflict", begins: []faulty.Fault{conflict}},
		{name: "begin is unknown", begins: []faulty.Fault{unknownLost}},
		{name: "begin finds no room", begins: []faulty.Fault{full}},
		{name: "unknown, lost, and lost again", commits: []faulty.Fault{unknownLost, unknownLost, unknownLost}},
		{name: "unknown, lost, then written", commits: []faulty.Fault{unknownLost, unknownWritten, unknownWritten}},
		{name: "unknown, written, and the first look fails", commits: []faulty.Fault{unknownWritten}, looks: []faulty.Fault{refused}, again: true},
		{name: "unknown, lost, and the first look fails", commits: []faulty.Fault{unknownLost}, looks: []faulty.Fault{refused}},
		{name: "unknown, late, and the first look fails", commits: []faulty.Fault{unknownLate}, looks: []faulty.Fault{refused}, again: true},
		{name: "all sorts", commits: []faulty.Fault{conflict, unknownLost, conflict, unknownWritten, unknownLost, none, conflict, unknownWritten}},
		{name: "begin fails between the attempts", commits: []faulty.Fault{unknownLost, conflict}, begins: []faulty.Fault{none, conflict, unknownLost}},
		{name: "many conflicts", commits: []faulty.Fault{refused, conflict, conflict, conflict, conflict, conflict, conflict, conflict, conflict, conflict}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.script.expect(faulty.Begin, test.begins...)
			s.script.expect(faulty.Commit, test.commits...)
			s.script.expect(faulty.Look, test.looks...)
			results := s.play(t)
			for i := range results {
				switch r := &results[i]; {
				case test.again && s.writes[i]:
					r.Replayed = false // it may have been found when it was tried again
				case test.again && r.Refusal.Has(payment.AmountTooLarge):
					r.Refusal = payment.Refuse(payment.AmountTooLarge)
				}
			}
			s.expect(t, results, func(i int) string { return s.want[i] })
			s.repeat(t)
			if got := s.totals(t); got != after {
				t.Errorf("%+v, want %+v", got, after)
			}
		})
	}
}

// TestBadCommandFailsAlone: a command that breaks a rule of ours fails, and
// nobody else does.
func TestBadCommandFailsAlone(t *testing.T) {
	for _, commits := range [][]faulty.Fault{nil, {conflict}, {unknownWritten}, {unknownLost, unknownWritten}} {
		s := newScene(t)
		s.add("", false, s.capture(s.b.ID, nonsense, "bad"))
		s.script.expect(faulty.Commit, commits...)
		results := s.play(t)
		bad := len(results) - 1
		if r := results[bad]; r.err == nil || !strings.HasPrefix(r.err.Error(), "engine: payment.Capture: ") {
			t.Errorf("the bad command got %s", r)
		}
		s.expect(t, results[:bad], func(i int) string { return s.want[i] })
		s.repeat(t)
		if got := s.totals(t); got != after {
			t.Errorf("%+v, want %+v", got, after)
		}
	}
}

// TestPanicFailsAlone: so does one on whose way somebody panics.
func TestPanicFailsAlone(t *testing.T) {
	s := newScene(t)
	keeps, edit := s.capture(s.b.ID, 5000, "keeps"), s.capture(s.b.ID, 0, "edit")
	keeps.Keeps = func(*payment.Refusal) bool { panic("keeps") }
	edit.Command = payment.Revise{Edit: func(*payment.Payment) (payment.Intake, *payment.Refusal) { panic("edit") }}
	results := together(t, s.rig, s.script, append([]payment.Request{keeps, edit}, s.requests...), nil)
	for i, r := range results[:2] {
		if r.err == nil || !strings.Contains(r.err.Error(), "panic: ") {
			t.Errorf("request %d got %v", i, r)
		}
	}
	s.expect(t, results[2:], func(i int) string { return s.want[i] })

	s.proc.remote = true
	s.proc.perform = func(processor.Order) (payment.Answer, error) { panic("processor") }
	if out, err := s.Do(t.Context(), s.capture(s.b.ID, 100, "called")); err != nil || !out.Pending {
		t.Fatalf("%v", result{out, err})
	}
	s.proc.lookup = func(processor.Order) (payment.Answer, error) { return approved, nil }
	if err := s.Advance(t.Context(), s.clock, time.Second); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Do(t.Context(), s.capture(s.b.ID, 100, "called")); err != nil || out.Pending || out.Payment.Captured != 600 {
		t.Errorf("%v", result{out, err})
	}
}

// TestStoreThatCannotWrite: those who need something written hear that it was
// not, or that nobody knows; the others get their answers. Later all works.
func TestStoreThatCannotWrite(t *testing.T) {
	for _, test := range []struct {
		name         string
		commit, look faulty.Fault
		err          error
		want         totals // when it is over
	}{
		{"full", full, none, engine.ErrUnavailable, before},
		{"conflicts without end", conflict, none, engine.ErrUnavailable, before},
		{"always unknown, never written", unknownLost, none, engine.ErrUnknown, before},
		{"unknown, lost and nobody can look", unknownLost, refused, engine.ErrUnknown, before},
		{"unknown, written and nobody can look", unknownWritten, refused, engine.ErrUnknown, after},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.script.from(faulty.Commit, test.commit)
			s.script.from(faulty.Look, test.look)
			results := s.play(t)
			for i, r := range results {
				// Where the batch was written it can be that even what writes nothing is
				// decided again, after it.
				if s.writes[i] && !errors.Is(r.err, test.err) || !s.writes[i] && r.err != nil {
					t.Errorf("request %d got %s", i, r)
				}
			}
			if got := s.totals(t); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			s.script.from(faulty.Commit, none)
			s.script.from(faulty.Look, none)
			if test.want == before {
				s.expect(t, s.play(t), func(i int) string { return s.want[i] })
			}
			s.repeat(t)
			if got := s.totals(t); got != after {
				t.Errorf("%+v, want %+v", got, after)
			}
		})
	}
}

// TestBrokenStorage: nobody is told anything, the process is told to end, and
// the next engine finds what is really there.
func TestBrokenStorage(t *testing.T) {
	for _, test := range []struct {
		name    string
		commits []faulty.Fault
		begins  []faulty.Fault
		want    totals
	}{
		{"lost", []faulty.Fault{brokenLost}, nil, before},
		{"written", []faulty.Fault{brokenWritten}, nil, after},
		{"when it begins", nil, []faulty.Fault{brokenLost}, before},
		{"after the first was written alone", []faulty.Fault{refused, none, brokenLost}, nil, totals{payments: 2, captured: 900}},
		{"with the second that is tried alone", []faulty.Fault{refused, none, brokenWritten}, nil, totals{payments: 2, captured: 900}},
		{"with the third that is tried alone", []faulty.Fault{refused, none, none, brokenWritten}, nil, totals{payments: 2, captured: 1000}},
		{"when it begins anew", []faulty.Fault{unknownLost}, []faulty.Fault{none, brokenLost}, before},
		{"when it begins anew, but was written", []faulty.Fault{unknownWritten}, []faulty.Fault{none, brokenLost}, after},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.script.expect(faulty.Commit, test.commits...)
			s.script.expect(faulty.Begin, test.begins...)
			if strings.HasSuffix(test.name, "but was written") {
				s.script.expect(faulty.Look, refused, refused, refused)
			}
			for i, r := range s.play(t) {
				if !errors.Is(r.err, engine.ErrUnknown) {
					t.Errorf("request %d got %s", i, r)
				}
			}
			select {
			case <-s.fatal:
			case <-time.After(5 * time.Second):
				t.Fatal("the process was not told to end")
			}
			if _, err := s.Do(t.Context(), s.requests[0]); !errors.Is(err, engine.ErrClosed) {
				t.Errorf("after the storage failed: %v", err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Errorf("close: %v", err)
			}
			if len(s.fatal) != 0 {
				t.Error("the process was told to end twice")
			}
			if got := s.totals(t); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			s.restart()
			if test.want == before {
				s.expect(t, s.play(t), func(i int) string { return s.want[i] })
			}
			if test.want == before || test.want == after {
				s.repeat(t)
				if got := s.totals(t); got != after {
					t.Errorf("%+v, want %+v", got, after)
				}
			}
		})
	}
}

// restart starts another engine on what the last one has left.
func (s *scene) restart() {
	s.script = newScript()
	s.Engine = engine.New(engine.Config{
		Store: faulty.New(s.store, s.script.strike), Clock: s.clock, IDs: payment.NewIDs(1),
		Processor: func(int64, payment.Method) processor.Processor { return s.proc },
	})
}

// TestEarlierRecordIsNotTakenForTheLostOne: a commit of which nothing was
// written is not taken for written because the key has an old record.
func TestEarlierRecordIsNotTakenForTheLostOne(t *testing.T) {
	s := newScene(t)
	request := s.capture(s.b.ID, 100, "short")
	request.Retain = time.Hour
	if out, err := s.Do(t.Context(), request); err != nil || out.Payment.Captured != 600 {
		t.Fatalf("%+v, %v", out, err)
	}
	if err := s.Advance(t.Context(), s.clock, time.Hour); err != nil {
		t.Fatal(err)
	}
	s.script.expect(faulty.Commit, unknownLost)
	out, err := s.Do(t.Context(), request)
	if err != nil || out.Refusal != nil || out.Replayed || out.Payment.Captured != 700 {
		t.Fatalf("%+v, %v", out, err)
	}
	p, err := s.store.Payment(t.Context(), 1, s.b.ID, 0)
	if err != nil || p.Captured != 700 {
		t.Fatalf("acknowledged 700, but %d are captured, %v", p.Captured, err)
	}
}

// TestRefusalIsDecidedAgain: a refusal that followed from a neighbour that was
// not written after all does not stand.
func TestRefusalIsDecidedAgain(t *testing.T) {
	s := newScene(t)
	s.script.expect(faulty.Commit, unknownLost, refused) // the batch; then the first, alone
	got := together(t, s.rig, s.script, []payment.Request{s.capture(s.a.ID, 600, "first"), s.capture(s.a.ID, 700, "second")}, nil)
	if !errors.Is(got[0].err, errLine) || got[1].String() != "authorized, held 300, captured 700" {
		t.Fatalf("got %s and %s", got[0], got[1])
	}
}

// TestNumberThatIsTaken: a payment whose number another has, because the clock
// was set back over a restart, gets another number.
func TestNumberThatIsTaken(t *testing.T) {
	s := newScene(t)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Engine = engine.New(engine.Config{
		Store: s.store, Clock: s.clock, IDs: payment.NewIDs(0), // from the start
		Processor: func(int64, payment.Method) processor.Processor { return s.proc },
	})
	if p := s.authorize(t, 100); p.ID == s.a.ID || p.ID == s.b.ID {
		t.Fatalf("payment %s is there already", p.ID)
	}
}

// TestAnswerWhoseCallerIsGone: a command that was taken is carried out even
// when its caller does not wait for it.
func TestAnswerWhoseCallerIsGone(t *testing.T) {
	s := newScene(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Do(ctx, s.requests[0]); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	waitUntil(t, func() bool {
		out, err := s.Do(t.Context(), s.requests[0])
		return err == nil && out.Replayed && out.Payment.Captured == 400
	})
}

// TestAttemptIsFoundThoughItsRecordIsOver: a commit is late, and the clock jumps
// before the command is tried again, so far that its record has expired.
func TestAttemptIsFoundThoughItsRecordIsOver(t *testing.T) {
	var r *rig
	var armed atomic.Bool
	begins := 0
	r = newRig(t, func(c *engine.Config) {
		c.Store = faulty.New(c.Store, func(call faulty.Call) faulty.Fault {
			switch {
			case !armed.Load():
			case call == faulty.Begin:
				if begins++; begins == 2 {
					r.clock.Advance(48 * time.Hour)
				}
			case call == faulty.Commit && begins == 1:
				return unknownLate
			}
			return none
		})
	})
	p := r.authorize(t, 1000)
	armed.Store(true)
	for _, key := range []string{"", "k"} {
		begins = 0
		before := allPayments(t, r.store)[p.ID].Captured
		request := r.capture(p.ID, 100, key)
		request.Retain = time.Hour
		out, err := r.Do(t.Context(), request)
		if err != nil || out.Refusal != nil || out.Payment.Captured != before+100 {
			t.Errorf("key %q: %v", key, result{out, err})
		}
		if now := allPayments(t, r.store)[p.ID].Captured; now != before+100 {
			t.Errorf("key %q: captured %d, after %d", key, now, before)
		}
	}
}

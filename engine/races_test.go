package engine_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/store/sqlite"
)

var races = flag.Int("races", 300, "how many races of each kind are run on each store")

// race is two things that want the same money at once. Exactly one gets it.
type race struct {
	name   string
	policy func(p *payment.Policy, now time.Time)
	before []payment.Command // carried out in peace

	// What runs: the commands, and with later the clock, which is moved on to
	// what is due then.
	commands []payment.Command
	later    time.Duration

	wins map[string]ending // how the payment ends, and what the loser hears
}

// ending is what holds after a race that ended one way.
type ending struct {
	lost []payment.Guard // the loser hears one of these; empty: nobody else asked
	p    payment.Payment
}

var lapses = time.Minute

func raceKinds() []race {
	hold := func(p *payment.Policy, _ time.Time) { p.HoldFor = lapses }
	planned := func(p *payment.Policy, now time.Time) { p.CaptureAt = now.Add(lapses) }
	captured := payment.Payment{Status: payment.Captured, Captured: 1000}
	voided := payment.Payment{Status: payment.Voided, Voided: 1000}
	expired := payment.Payment{Status: payment.Expired, Released: 1000}
	all, none := payment.Capture{Final: true}, []payment.Guard(nil)
	late := []payment.Guard{payment.NotCapturable, payment.HoldOver}
	return []race{
		{"expiry and capture", hold, nil, []payment.Command{all}, lapses, map[string]ending{
			"captured": {none, captured}, "expired": {late, expired},
		}},
		{"expiry and void", hold, nil, []payment.Command{payment.Void{}}, lapses, map[string]ending{
			"voided": {none, voided}, "expired": {[]payment.Guard{payment.NotVoidable, payment.HoldOver}, expired},
		}},
		{"void and capture", hold, nil, []payment.Command{payment.Void{}, all}, 0, map[string]ending{
			"captured": {[]payment.Guard{payment.NotVoidable}, captured}, "voided": {[]payment.Guard{payment.NotCapturable}, voided},
		}},
		{"capture and capture", hold, nil, []payment.Command{all, all}, 0, map[string]ending{
			"captured": {[]payment.Guard{payment.NotCapturable}, captured},
		}},
		{"capture and capture of more than there is", hold, nil,
			[]payment.Command{payment.Capture{Amount: 600}, payment.Capture{Amount: 601}}, 0, map[string]ending{
				"captured 600": {[]payment.Guard{payment.AmountTooLarge}, payment.Payment{Status: payment.Authorized, Captured: 600}},
				"captured 601": {[]payment.Guard{payment.AmountTooLarge}, payment.Payment{Status: payment.Authorized, Captured: 601}},
			}},
		{"refund and refund", hold, []payment.Command{all}, []payment.Command{payment.Refund{Amount: 600}, payment.Refund{Amount: 601}}, 0, map[string]ending{
			"refunded 600": {[]payment.Guard{payment.AmountTooLarge}, payment.Payment{Status: payment.Captured, Captured: 1000, Refunded: 600}},
			"refunded 601": {[]payment.Guard{payment.AmountTooLarge}, payment.Payment{Status: payment.Captured, Captured: 1000, Refunded: 601}},
		}},
		{"refund, another and what is in transit", func(p *payment.Policy, _ time.Time) { p.RefundSettleAfter = lapses },
			[]payment.Command{all, payment.Refund{Amount: 400}}, []payment.Command{payment.Refund{Amount: 600}, payment.Refund{Amount: 601}}, lapses, map[string]ending{
				"refunded 1000": {[]payment.Guard{payment.AmountTooLarge}, payment.Payment{Status: payment.Captured, Captured: 1000, Refunded: 1000}},
			}},
		{"planned capture and void", planned, nil, []payment.Command{payment.Void{}}, lapses, map[string]ending{
			"captured": {[]payment.Guard{payment.NotVoidable}, captured}, "voided": {none, voided},
		}},
		{"planned capture and capture", planned, nil, []payment.Command{all}, lapses, map[string]ending{
			"captured by its merchant": {none, captured}, "captured as planned": {[]payment.Guard{payment.NotCapturable}, captured},
		}},
		{"planned capture and expiry", func(p *payment.Policy, now time.Time) { p.HoldFor, p.CaptureAt = lapses, now.Add(lapses) }, nil, nil, lapses, map[string]ending{
			"captured": {none, captured},
		}},
	}
}

// TestRaces runs each race again and again, on virtual time, with processors
// that decide at once and others that are called. However it ends: one winner,
// the loser's refusal is right, the hold ends once, and the books balance.
func TestRaces(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) store.Store{
		"memory": func(*testing.T) store.Store { return memory.Open() },
		"sqlite": func(t *testing.T) store.Store {
			s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "races.db"), sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		},
	} {
		for i, kind := range raceKinds() {
			t.Run(name+"/"+strings.ReplaceAll(kind.name, " ", "_"), func(t *testing.T) {
				random := rand.New(rand.NewPCG(*engine.Seed, uint64(i)))
				ends := map[string]int{}
				for left := *races; left > 0; left -= 500 { // the plainest store is slow when it is full
					a := newArena(t, open(t), random)
					a.run(t, kind, min(left, 500), ends)
					a.close(t)
				}
				t.Logf("seed %d: %v", *engine.Seed, ends)
				if len(ends) != len(kind.wins) && *races >= 2000 {
					t.Errorf("only %v: nothing was raced", ends)
				}
			})
		}
	}
}

// arena is where races are run.
type arena struct {
	*engine.Engine
	store  store.Store
	clock  *clock.Shifted
	random *rand.Rand
	runner *runner
}

func newArena(t *testing.T, s store.Store, random *rand.Rand) *arena {
	t.Helper()
	a := &arena{store: s, clock: clock.NewShifted(clock.Fixed(noon), 0), random: random, runner: &runner{done: map[string]int{}}}
	a.Engine = engine.New(engine.Config{
		Store: s, Clock: a.clock, IDs: payment.NewIDs(0),
		Processor: func(int64, payment.Method) processor.Processor { return a.runner },
	})
	return a
}

// close ends the engine, and holds what is left against the history.
func (a *arena) close(t *testing.T) {
	t.Helper()
	if err := a.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	sound(t, a.store)
	for id, n := range a.runner.done {
		if n != 1 {
			t.Errorf("%s was performed %d times", id, n)
		}
	}
}

// run runs races of a kind, a few at the same time.
func (a *arena) run(t *testing.T, kind race, count int, ends map[string]int) {
	t.Helper()
	for count > 0 {
		size := min(1+a.random.IntN(8), count)
		count -= size
		holds := make([]*payment.Payment, size)
		for i := range holds {
			holds[i] = a.prepare(t, kind)
		}
		heard := a.start(kind, holds)
		if kind.later > 0 { // whatever has won, the time is over now
			if err := a.Advance(t.Context(), a.clock, kind.later); err != nil {
				t.Fatal(err)
			}
		}
		for i, p := range holds {
			end, err := a.judge(t, kind, p.ID, heard[i])
			if err != nil {
				t.Fatalf("seed %d, payment of %s: %v", *engine.Seed, p.Method.Brand, err)
			}
			ends[end]++
		}
	}
}

// prepare makes a hold, with or without a processor that has to be called.
func (a *arena) prepare(t *testing.T, kind race) *payment.Payment {
	t.Helper()
	i := intake(1000)
	i.Method.Brand = []string{"near", "near", "far"}[a.random.IntN(3)]
	kind.policy(&i.Policy, a.clock.Now())
	request := payment.Request{Tenant: 1, Merchant: 1, Command: payment.Create{Intake: i, Attempt: &payment.Attempt{}}, Patience: time.Minute}
	out, err := a.Do(t.Context(), request)
	for _, c := range kind.before {
		if err == nil && out.Refusal == nil {
			request.Payment, request.Command = out.Payment.ID, c
			out, err = a.Do(t.Context(), request)
		}
	}
	if err != nil || out.Refusal != nil {
		t.Fatalf("%v", result{out, err})
	}
	return out.Payment
}

// start lets all contenders go at once, each held up for as long as chance
// says, and returns what those who asked have heard.
func (a *arena) start(kind race, holds []*payment.Payment) [][]result {
	heard := make([][]result, len(holds))
	var all sync.WaitGroup
	gun := make(chan struct{})
	contend := func(do func()) {
		delay := a.random.IntN(60)
		all.Go(func() {
			<-gun
			for range delay {
				runtime.Gosched()
			}
			do()
		})
	}
	for i, p := range holds {
		heard[i] = make([]result, len(kind.commands))
		for j, n := range a.random.Perm(len(kind.commands)) {
			contend(func() {
				r := &heard[i][j]
				r.Outcome, r.err = a.Do(ctx, payment.Request{
					Tenant: 1, Merchant: 1, Payment: p.ID, Command: kind.commands[n], Patience: time.Minute,
					Key: payment.NewKey(1, "races", fmt.Sprint(p.ID, n)),
				})
			})
		}
	}
	if kind.later > 0 {
		contend(func() { _ = a.Advance(ctx, a.clock, kind.later) }) // it is moved again afterwards
	}
	close(gun)
	all.Wait()
	return heard
}

// judge says how a race has ended, or what is wrong with that.
func (a *arena) judge(t *testing.T, kind race, id payment.ID, heard []result) (string, error) {
	p, err := a.store.Payment(t.Context(), 1, id, 0)
	if err != nil {
		return "", err
	}
	won := 0
	for _, r := range heard {
		if r.err != nil || r.Pending {
			return "", fmt.Errorf("a contender heard %s", r)
		}
		if r.Refusal == nil {
			won++
		}
	}
	end := p.Status.String()
	switch {
	case p.Refunded > 0:
		end = fmt.Sprint("refunded ", p.Refunded)
	case p.Status == payment.Authorized:
		end = fmt.Sprint("captured ", p.Captured)
	case kind.name == "planned capture and capture" && won > 0:
		end = "captured by its merchant"
	case kind.name == "planned capture and capture":
		end = "captured as planned"
	}
	v, possible := kind.wins[end]
	if !possible {
		return "", fmt.Errorf("it ended %s", end)
	}
	if p.Status != v.p.Status || p.Captured != v.p.Captured || p.Voided != v.p.Voided || p.Released != v.p.Released || p.Refunded != v.p.Refunded {
		return "", fmt.Errorf("%s: captured %d, voided %d, released %d, refunded %d", end, p.Captured, p.Voided, p.Released, p.Refunded)
	}
	if lost := len(heard) - won; won > 1 || lost > 1 || lost == 0 && len(v.lost) > 0 || won == 0 && len(v.lost) == 0 && len(heard) > 0 {
		return "", fmt.Errorf("%s: %d have won: %s", end, won, heard)
	}
	for _, r := range heard {
		if r.Refusal != nil && !slices.ContainsFunc(append(v.lost, payment.OperationPending), r.Refusal.Has) {
			return "", fmt.Errorf("%s, and the loser hears %s", end, r)
		}
		if r.Refusal != nil && r.Refusal.Ended != payment.Open && r.Refusal.Ended != p.Ended {
			return "", fmt.Errorf("ended by %s, and the loser hears by %s", p.Ended, r.Refusal.Ended)
		}
	}
	return end, a.endedOnce(t, p)
}

// endedOnce looks at the history and the books of a payment.
func (a *arena) endedOnce(t *testing.T, p *payment.Payment) error {
	events, err := a.store.Events(t.Context(), 1, p.ID)
	if err != nil {
		return err
	}
	ends, wins := 0, 0
	for _, e := range events {
		if e.Ending != payment.Open && e.Kind != payment.VoidPending {
			ends++
		}
		switch e.Kind {
		case payment.HoldCaptured, payment.HoldVoided, payment.HoldExpired:
			wins++
		}
	}
	closed := 1
	if p.Status == payment.Authorized {
		closed = 0
	}
	if ends != closed || wins != 1 {
		return fmt.Errorf("%s: it ended %d times, the hold was taken from %d times", p.Status, ends, wins)
	}
	if a.random.IntN(50) > 0 { // what follows looks at all of the books
		return nil
	}
	held := int64(0)
	balances, err := a.store.Balances(t.Context(), 0)
	for account, minor := range balances {
		if account.Kind == ledger.Held {
			held += minor
		}
	}
	for _, minor := range balances.Trial() {
		if minor != 0 {
			err = fmt.Errorf("the books are off by %d", minor)
		}
	}
	if held < 0 {
		err = fmt.Errorf("%d are held", held)
	}
	return err
}

// runner is a processor that decides at once for near cards, and has to be
// called for far ones. It counts.
type runner struct {
	mu   sync.Mutex
	done map[string]int
}

func (r *runner) Decide(i payment.Instruction, _ *payment.Payer) payment.Answer {
	if i.Payment.Method.Brand == "far" {
		return payment.Answer{Result: payment.Pending}
	}
	return approved
}

func (r *runner) Perform(_ context.Context, o processor.Order) (payment.Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[o.ID]++
	return approved, nil
}

func (r *runner) Lookup(_ context.Context, o processor.Order) (payment.Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done[o.ID] > 0 {
		return approved, nil
	}
	return payment.Answer{}, processor.ErrNoTrace
}

func (r *runner) Seal(ctx context.Context, o processor.Order) (payment.Answer, error) {
	answer, err := r.Lookup(ctx, o)
	if err != nil {
		err = processor.ErrSealed
	}
	return answer, err
}

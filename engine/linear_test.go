package engine_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/store/sqlite"
	"github.com/capstan-pay/capstan/verify"
)

// TestHistoryHasAnOrder: whatever many clients at once were told, there is an
// order of their requests, each somewhere between its sending and its answer,
// in which one client alone would have been told the same by a model of a few
// lines. So it is with a store that fails now and then.
func TestHistoryHasAnOrder(t *testing.T) {
	faults := []faulty.Fault{refused, conflict, full, unknownLost, unknownWritten}
	for _, test := range []struct {
		name   string
		faults []faulty.Fault // one in three calls that begin or commit meets one of them
		open   func(*testing.T) []store.Store
	}{
		{"sound store", nil, oneFile},
		{"failing store", faults, oneFile},
		{"three instances", nil, threeInstances},
		{"three instances, failing", faults, threeInstances},
	} {
		t.Run(test.name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			history := record(t, seed, test.faults, test.open(t))
			switch result, info := porcupine.CheckOperationsVerbose(holdModel, history, 20*time.Second); result {
			case porcupine.Unknown:
				t.Skip("too many orders are possible: nothing was found in 20 s")
			case porcupine.Illegal:
				path := filepath.Join(t.ArtifactDir(), "history.html")
				t.Errorf("no order explains it; drawn in %s: %v", path, porcupine.VisualizePath(holdModel, info, path))
			}
		})
	}
}

// oneFile is a store for one engine.
func oneFile(t *testing.T) []store.Store {
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return []store.Store{s}
}

// threeInstances are a store for each of three engines on one database.
func threeInstances(t *testing.T) []store.Store {
	address := pgtest.URL(t)
	return []store.Store{pgtest.OpenAt(t, address), pgtest.OpenAt(t, address), pgtest.OpenAt(t, address)}
}

const (
	holds      = 3
	clients    = 8
	perClient  = 100
	holdAmount = 400
	holdKeys   = 16 // of each hold
)

// asked is a request of a client. Every second key is used up by refusals too.
type asked struct {
	hold   int
	kind   string
	amount int64
	key    int // 0 is none
}

// keeps tells whether a refusal uses up the key.
func (a asked) keeps() bool { return a.key > 0 && a.key%2 == 0 }

// told is what the client was told.
type told struct {
	what  string // "done", "refused", "used", "busy", "nothing", "unknown"
	again bool
	made  int // the operation
	sums  sums
}

// sums are what can be seen of a payment.
type sums struct {
	status                     payment.Status
	captured, voided, refunded int64
	operations                 int
}

// hold is the model: a payment, and what its keys were used for.
type hold struct {
	sums
	keys [holdKeys + 1]struct {
		asked asked
		told  told
	}
}

var holdModel = porcupine.Model{
	Init: func() any { return hold{sums: sums{status: payment.Created}} },
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, holds)
		for _, o := range history {
			i := o.Input.(asked).hold
			parts[i] = append(parts[i], o)
		}
		return parts
	},
	Step: func(state, input, output any) (bool, any) {
		h, a, said := state.(hold), input.(asked), output.(told)
		if said.what == "busy" || said.what == "nothing" {
			return true, h // nothing was done, so it does not matter when
		}
		expected := h.do(a)
		return said.what == "unknown" || said == expected, h
	},
	Equal:             func(a, b any) bool { return a.(hold) == b.(hold) },
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
	DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state.(hold).sums) },
}

// do carries out a request and says what is to be told.
func (h *hold) do(a asked) told {
	k := &h.keys[a.key]
	if a.key > 0 && k.told.what != "" {
		again := k.told
		again.again = true
		if k.asked != a {
			again = told{what: "used"}
		}
		return again
	}
	left := holdAmount - h.captured - h.voided
	open := h.status == payment.Authorized && a.amount >= 1 && a.amount <= left
	possible := false
	switch a.kind {
	case "authorize":
		if possible = h.status == payment.Created; possible {
			h.status = payment.Authorized
		}
	case "capture":
		if possible = open; possible {
			h.captured += a.amount
		}
	case "void":
		if possible = open; possible {
			h.voided += a.amount
		}
	case "refund":
		if possible = h.captured > 0 && a.amount >= 1 && a.amount <= h.captured-h.refunded; possible {
			h.refunded += a.amount
		}
	case "read":
		return told{what: "done", sums: h.sums}
	}
	said := told{what: "refused", sums: h.sums}
	if possible {
		if h.status == payment.Authorized && h.captured+h.voided == holdAmount {
			if h.status = payment.Captured; h.captured == 0 {
				h.status = payment.Voided
			}
		}
		h.operations++
		said = told{what: "done", made: h.operations, sums: h.sums}
	}
	if a.key > 0 && (possible || a.keeps()) {
		k.asked, k.told = a, said
	}
	return said
}

// record lets clients loose on engines, one on each store, and returns what
// they asked and what they were told.
func record(t *testing.T, seed uint64, faults []faulty.Fault, stores []store.Store) []porcupine.Operation {
	t.Helper()
	inner := stores[0]
	var mu sync.Mutex
	random, sound := rand.New(rand.NewPCG(seed, 0)), true
	strike := func(c faulty.Call) faulty.Fault {
		mu.Lock()
		defer mu.Unlock()
		often := 3
		if c == faulty.Look {
			often = 20 // each makes an outcome that nobody knows, and many orders possible
		}
		if sound || len(faults) == 0 || random.IntN(often) > 0 {
			return none
		}
		return faults[random.IntN(len(faults))]
	}
	engines := make([]*engine.Engine, len(stores))
	for i, st := range stores {
		engines[i] = engine.New(engine.Config{
			Store: faulty.New(st, strike), Clock: clock.Fixed(noon), IDs: payment.NewIDs(i), BatchLimit: 6,
			Processor: func(int64, payment.Method) processor.Processor { return &acquirer{} },
		})
	}
	var ids [holds]payment.ID
	for i := range ids {
		out, err := engines[0].Do(ctx, payment.Request{Tenant: 1, Merchant: 1, Command: payment.Create{Intake: intake(holdAmount)}})
		if err != nil || out.Payment == nil {
			t.Fatalf("%v", result{out, err})
		}
		ids[i] = out.Payment.ID
	}
	mu.Lock()
	sound = false
	mu.Unlock()

	begin := time.Now()
	histories := make([][]porcupine.Operation, clients)
	var work sync.WaitGroup
	for c := range clients {
		work.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(c)+1))
			for n := range perClient {
				a := anyAsked(random)
				o := porcupine.Operation{ClientId: c, Input: a, Call: int64(time.Since(begin))}
				o.Metadata = fmt.Sprint(c, "-", n)
				said := ask(engines[(c+n)%len(engines)], ids[a.hold], a, o.Metadata.(string))
				o.Output, o.Return = said, int64(time.Since(begin))
				if said.what == "unknown" {
					o.Return = math.MaxInt64 // if it was done at all, it may have been at any time
				}
				histories[c] = append(histories[c], o)
			}
		})
	}
	work.Wait()
	mu.Lock()
	sound = true
	mu.Unlock()
	for _, e := range engines {
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	report, err := verify.Audit(t.Context(), inner)
	if err != nil || !report.Clean() {
		t.Errorf("audit: %v, %v", report.Findings, err)
	}
	done := map[string]bool{}
	for _, p := range allPayments(t, inner) {
		for _, op := range p.Operations {
			done[op.Reference] = true
		}
	}
	var all []porcupine.Operation
	count := map[string]int{}
	for _, o := range slices.Concat(histories...) {
		what, keeps := o.Output.(told).what, o.Input.(asked).keeps()
		if done[o.Metadata.(string)] && what != "done" && what != "unknown" {
			t.Errorf("%+v was done, and its client told: %s", o.Input, what)
		}
		if what == "unknown" && !done[o.Metadata.(string)] && !keeps {
			what = "unknown, and nothing was done"
		} else {
			all = append(all, o)
		}
		count[what]++
	}
	t.Logf("%v", count)
	return all
}

// anyAsked draws a request. What is asked under a key is mostly the same.
func anyAsked(random *rand.Rand) asked {
	kinds := []string{"read", "authorize", "capture", "capture", "capture", "void", "refund", "refund", "read"}
	a := asked{hold: random.IntN(holds), key: max(0, random.IntN(2*holdKeys)-holdKeys+1)}
	what := random.IntN(100)
	if a.key > 0 && random.IntN(4) > 0 {
		what = 7 * a.key
	}
	switch a.kind = kinds[what%len(kinds)]; a.kind {
	case "read":
		a.key = 0
	case "capture", "void", "refund":
		a.amount = []int64{1, 5, 20, 500}[what%4]
	}
	return a
}

// ask puts a request to the engine.
func ask(e *engine.Engine, id payment.ID, a asked, reference string) told {
	if a.kind == "read" {
		p, err := e.Payment(ctx, 1, 1, id)
		if err != nil {
			return told{what: "nothing"}
		}
		return told{what: "done", sums: sumsOf(p)}
	}
	r := payment.Request{Tenant: 1, Merchant: 1, Payment: id, Keeps: func(*payment.Refusal) bool { return a.keeps() }}
	if a.key > 0 {
		r.Key = payment.NewKey(1, "test", fmt.Sprint(id, a.key))
		copy(r.Fingerprint[:], fmt.Sprint(a.kind, a.amount))
	}
	by := payment.Asked{Reference: reference}
	switch a.kind {
	case "authorize":
		r.Command = payment.Authorize{Attempt: payment.Attempt{Asked: by}}
	case "capture":
		r.Command = payment.Capture{Amount: a.amount, Reference: reference}
	case "void":
		r.Command = payment.Void{Amount: a.amount, Asked: by}
	case "refund":
		r.Command = payment.Refund{Amount: a.amount, Asked: by}
	}
	out, err := e.Do(ctx, r)
	switch {
	case errors.Is(err, engine.ErrUnknown):
		return told{what: "unknown"}
	case err != nil: // unavailable, or a fault
		return told{what: "nothing"}
	case out.Refusal.Has(payment.InProcess):
		return told{what: "busy"}
	case out.Refusal.Has(payment.KeyReused):
		return told{what: "used"}
	case out.Refusal != nil:
		return told{what: "refused", again: out.Replayed, sums: sumsOf(out.Payment)}
	}
	return told{what: "done", again: out.Replayed, made: out.Operation, sums: sumsOf(out.Payment)}
}

func sumsOf(p *payment.Payment) sums {
	return sums{p.Status, p.Captured, p.Voided, p.Refunded, len(p.Operations)}
}

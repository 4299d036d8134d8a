package engine_test

import (
	"testing"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/store/memory"
)

// TestAnotherInstanceIsAskedTheSame: an instance whose commit is in doubt does
// not take the record of another one for its own, though that was asked the
// same under the same key, on the same state and at the same moment: it would
// acknowledge what else was in the commit and was lost with it.
func TestAnotherInstanceIsAskedTheSame(t *testing.T) {
	oneMemory := func(*testing.T) []store.Store {
		s := memory.Open()
		return []store.Store{s, s}
	}
	for name, open := range map[string]func(*testing.T) []store.Store{"memory": oneMemory, "postgres": threeInstances} {
		for what, test := range map[string]struct {
			amount       int64
			want, second string
			captured     int64 // in the end
		}{
			"captured": {20, "authorized, held 380, captured 20", "again: authorized, held 380, captured 20", 120},
			"refused":  {500, "refused: amount_too_large", "refused: amount_too_large", 100},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				stores, script := open(t), newScript()
				start := func(number int, s store.Store) *engine.Engine {
					e := engine.New(engine.Config{
						Store: s, Clock: clock.Fixed(noon), IDs: payment.NewIDs(number),
						Processor: func(int64, payment.Method) processor.Processor { return &acquirer{} },
					})
					t.Cleanup(func() { _ = e.Close(ctx) })
					return e
				}
				other := start(1, stores[1])
				made, err := other.Do(t.Context(), payment.Request{
					Tenant: 1, Merchant: 1, Command: payment.Create{Intake: intake(400), Attempt: &payment.Attempt{}},
				})
				if err != nil || made.Refusal != nil {
					t.Fatal(result{made, err})
				}
				capture := func(amount int64, key payment.Key) payment.Request {
					return payment.Request{
						Tenant: 1, Merchant: 1, Payment: made.Payment.ID, Key: key, Command: payment.Capture{Amount: amount},
						Keeps: func(*payment.Refusal) bool { return true },
					}
				}
				same := capture(test.amount, payment.NewKey(1, "test", "same"))
				var first result
				asked := false
				one := start(0, faulty.New(stores[0], func(c faulty.Call) faulty.Fault {
					if c == faulty.Look && !asked { // nothing was written, and one does not know
						asked = true
						first.Outcome, first.err = other.Do(ctx, same)
					}
					return script.strike(c)
				}))
				script.expect(faulty.Commit, unknownLost)
				got := together(t, one, script, []payment.Request{same, capture(100, payment.Key{})}, nil)

				if first.String() != test.want || first.Replayed {
					t.Errorf("the other instance said %s (a repeat: %t), want %s", first, first.Replayed, test.want)
				}
				if got[0].String() != test.second || !got[0].Replayed {
					t.Errorf("the instance in doubt said %s (a repeat: %t), want %s", got[0], got[0].Replayed, test.second)
				}
				p, err := stores[1].Payment(t.Context(), 1, made.Payment.ID, 0)
				if err != nil {
					t.Fatal(err)
				}
				if got[1].err != nil || got[1].Refusal != nil || p.Captured != test.captured || got[1].Payment.Captured != p.Captured {
					t.Errorf("%s was acknowledged, and %d are captured, want %d", got[1], p.Captured, test.captured)
				}
			})
		}
	}
}

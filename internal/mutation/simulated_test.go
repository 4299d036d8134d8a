package mutation

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var all = flag.Bool("all", false, "have the simulation look for everything, not only for a few")

// simulated are what the simulation of package engine has to find, whatever the
// other tests know, within so many steps: most of them need an engine that dies,
// an answer that is lost or a clock that jumps at the wrong moment.
var simulated = []Mutation{
	// The ten that the engine began with.
	{Name: "the state guard of a capture is dropped", File: "payment/capture.go", Changes: []Change{
		{"	r.when(p.Status != Authorized, NotCapturable)\n", ""},
		{"	r.Limit = p.Capturable()\n", "	r.Limit = max(p.Capturable(), p.Authorized-p.Captured)\n"},
	}},
	{Name: "off by one at the deadline", File: "payment/expire.go", Changes: []Change{
		{"!at.Before(p.ExpiresAt)", "at.After(p.ExpiresAt)"},
	}},
	{Name: "more than the rest can be captured", File: "payment/capture.go", Changes: []Change{
		{"r.when(amount > r.Limit, AmountTooLarge)", "r.when(amount > r.Limit+1, AmountTooLarge)"},
	}},
	{Name: "a store does not look at the version", File: "store/memory/batch.go", Changes: []Change{
		{" || len(now.events) != p.Version-len(c.Events) {", " {"},
	}},
	{Name: "answers come before the commit", File: "engine/commit.go", Changes: []Change{
		{"	return e.commit(ctx, b, changes)\n", "	e.leave(items)\n	return e.commit(ctx, b, changes)\n"},
		{"	e.leave(items)\n	return true\n", "	return true\n"},
	}},
	{Name: "a key is not kept", File: "engine/batch.go", Changes: []Change{
		{"	if d.Refusal == nil || kept {\n", "	if kept {\n"},
	}},
	{Name: "nobody looks before a command is tried again", File: "engine/commit.go", Changes: []Change{
		{"		if it.left.Key == (payment.Key{}) {\n", "		if true {\n"},
		{"		if err = e.try(ctx, []*item{it}); err == nil {\n", "		it.Key = e.newKey()\n		if err = e.try(ctx, []*item{it}); err == nil {\n"},
	}},
	{Name: "an entry has no counter-entry", File: "ledger/ledger.go", Changes: []Change{
		{"return Entry{{from, -minor}, {to, minor}}", "return Entry{{to, minor}}"},
	}},
	{Name: "a final capture keeps the rest", File: "payment/capture.go", Changes: []Change{
		{"e.Released, e.Ending = rest, EndedByCapture", "e.Ending = EndedByCapture"},
	}},
	{Name: "operations of a payment share a name", File: "payment/command.go", Changes: []Change{
		{"fmt.Sprintf(\"op_%d_%d\", id, operation)", "fmt.Sprintf(\"op_%d_%d\", id, min(operation, 2))"},
	}},

	// What goes wrong between a server that dies and a processor far away.
	{Name: "the task for a processor is dropped", File: "engine/batch.go", Changes: []Change{
		{"	timers := slices.Clone(d.Timers)\n", "	timers := slices.DeleteFunc(slices.Clone(d.Timers), func(t payment.Timer) bool { return t.Kind == payment.ProcessorTimer && t.Attempt == 0 })\n"},
	}},
	{Name: "a processor is called before the commit", File: "engine/commit.go", Changes: []Change{
		{"	// From here on the batch is durable, or none of it is.\n", "	e.after(items)\n"},
	}},
	{Name: "a request is sent again unasked", File: "engine/task.go", Changes: []Change{
		{"	if attempt > 1 {", "	if false {"},
	}},
	{Name: "the attempt is counted after the call", File: "payment/resolve.go", Changes: []Change{
		{"	again.Attempt = c.Attempt\n", "	again.Attempt = c.Attempt - 1\n"},
	}},
	{Name: "an operation has a new name when it is sent again", File: "engine/task.go", Changes: []Change{
		{"	answer, err := p.Perform(ctx, o)\n", "	if attempt > 1 {\n		o.ID += \"9\"\n	}\n	answer, err := p.Perform(ctx, o)\n"},
	}},
	{Name: "no answer is taken for a refusal", File: "engine/task.go", Changes: []Change{
		{"			e.unanswered(op)\n			return\n", "			answer = payment.Answer{Result: payment.Refused}\n"},
	}},
	{Name: "an operation is answered twice", File: "payment/resolve.go", Changes: []Change{
		{"	if op.Status != OpPending {\n		d.contradict(", "	if op.Status == OpFailed {\n		d.contradict("},
	}},
	{Name: "a late success after a void is ignored", File: "payment/correct.go", Changes: []Change{
		{" || d.p.corrected(op.Number) {", " || d.p.corrected(op.Number) || d.p.Status == Voided {"},
	}},
	{Name: "a delivery is dropped", File: "store/memory/outbox.go", Changes: []Change{
		{"			m.deliveries[d.DeliveryID] = d\n			w.undos", "			if d.Version%2 == 1 {\n				m.deliveries[d.DeliveryID] = d\n			}\n			w.undos"},
	}},
	{Name: "a timer fires twice", File: "store/memory/batch.go", Changes: []Change{
		{"		if !there || old.Attempt != t.Attempt {\n			return store.ErrConflict\n		}\n", "		_ = there\n"},
	}},
	{Name: "a pending key is forgotten", File: "engine/batch.go", Changes: []Change{
		{"			Pending: it.outcome.Pending, At: b.now, Context: it.Context,\n", "			At: b.now, Context: it.Context,\n"},
	}},

	// More of the kind.
	{Name: "nothing is told of a decision's second event", File: "engine/notice.go", Changes: []Change{
		{"		if len(n.Deliveries) == 0 {\n", "		if len(n.Deliveries) == 0 || n.Version > first {\n"},
	}},
	{Name: "a delivery that was claimed by the dead is nobody's", File: "store/memory/outbox.go", Changes: []Change{
		{"	maps.DeleteFunc(m.claimed, func(_ outbox.DeliveryID, until time.Time) bool { return !until.After(c.Now) })\n", ""},
	}},
	{Name: "a delivery that failed passes for made", File: "webhook/attempt.go", Changes: []Change{
		{"		d.again(one, m, &a)\n", "		_, a.State = m, outbox.Delivered\n"},
	}},
	{Name: "what is told in order overtakes", File: "store/memory/outbox.go", Changes: []Change{
		{"					d.Due = time.Time{}\n", "					_ = first\n"},
	}},
	{Name: "a hold ends before its time", File: "payment/expire.go", Changes: []Change{
		{"!at.Before(p.ExpiresAt)", "!at.Before(p.ExpiresAt.Add(-time.Minute))"},
	}},
	{Name: "a capture is taken after the deadline", File: "payment/capture.go", Changes: []Change{
		{"	r.when(lapsed, HoldOver)\n", ""},
	}},
	{Name: "a refund does not look at others under way", File: "payment/payment.go", Changes: []Change{
		{"return p.Captured - p.Refunded - p.InFlight(OpRefund)", "return p.Captured - p.Refunded"},
	}},
	{Name: "it is answered whatever the commit says", File: "engine/commit.go", Changes: []Change{
		{"	return e.commit(ctx, b, changes)\n", "	_ = e.commit(ctx, b, changes)\n	return nil\n"},
	}},
	{Name: "captured money reaches nobody", File: "payment/capture.go", Changes: []Change{
		{"	return append(entry, p.credit(0, e.Amount, e.Fee)...)\n", "	return entry\n"},
	}},
	{Name: "a key stays in use", File: "engine/engine.go", Changes: []Change{
		{"		delete(e.inFlight, it.Key)\n", "		_ = it.Key\n"},
	}},
	{Name: "an authorization is sent again", File: "engine/task.go", Changes: []Change{
		{"		if secret(o.Kind) {\n", "		if false {\n"},
	}},
	{Name: "what could not be sealed has failed", File: "engine/task.go", Changes: []Change{
		{"	if errors.Is(err, processor.ErrSealed) {", "	if err != nil {"},
	}},
	{Name: "a void does not wait for a capture under way", File: "payment/void.go", Changes: []Change{
		{"	r.when(p.inDoubt() && (!c.Alongside || p.aloneInFlight()), OperationPending)\n", ""},
		{"	r.Limit, r.Least = p.Remaining(), 1\n", "	r.Limit, r.Least = p.held(), 1\n"},
	}},
	{Name: "timers stay when they are done", File: "engine/batch.go", Changes: []Change{
		{"c := &store.Change{Done: it.timers}", "c := &store.Change{}"},
	}},
	{Name: "a pending key passes for final", File: "engine/engine.go", Changes: []Change{
		{"Pending: r.Pending, Replayed", "Replayed"},
	}},
	{Name: "a late answer does not close what is over", File: "payment/resolve.go", Changes: []Change{
		{"	d.expireIfDue()\n", ""},
		{"	d.rearm()\n", ""},
	}},
	{Name: "a success after a failure is ignored", File: "payment/resolve.go", Changes: []Change{
		{"		d.contradict(op, c.Answer)\n", ""},
	}},
	{Name: "a success after a failure is taken back twice", File: "payment/correct.go", Changes: []Change{
		{" || d.p.corrected(op.Number) {", " {"},
	}},
	{Name: "what is held up for a review is captured", File: "payment/capture.go", Changes: []Change{
		{"	r.when(p.HeldUp(), NotCapturable)\n", ""},
	}},
	{Name: "a refund never leaves transit", File: "payment/timer.go", Changes: []Change{
		{"		return p.settles(e, p.Policy.RefundSettleAfter)\n", "		return nil\n"},
	}},
	{Name: "a payment's time runs backwards", File: "payment/command.go", Changes: []Change{
		{"		d.env.Now = p.UpdatedAt // a payment's time never runs backwards\n", ""},
	}},
}

// TestSimulatedMutationsApply: the source has not moved on from under them.
func TestSimulatedMutationsApply(t *testing.T) {
	for _, m := range simulated {
		source, err := os.ReadFile(filepath.Join("../..", filepath.FromSlash(m.File)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Apply(string(source)); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
}

// mostSteps is how many steps the simulation may take to find one.
const mostSteps = 2_000_000

// found is what the simulation says of the first thing that must not be.
var found = regexp.MustCompile(`after (\d+) steps in all: .*`)

// TestSimulationNotices: the simulation finds each of them, in the seeds that
// every run of the tests goes through.
func TestSimulationNotices(t *testing.T) {
	for i, m := range simulated {
		if !*all && i%5 != 0 {
			continue
		}
		t.Run(strings.ReplaceAll(m.Name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			m.Package = "./engine"
			program, err := bench(t).Mutate(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			verdict, err := program.Run(t.Context(), "TestSimulation")
			switch {
			case err != nil:
				t.Fatal(err)
			case verdict.Passed:
				t.Fatal("unnoticed")
			case !verdict.Failed:
				t.Fatalf("it did not end:\n%s", verdict.Output)
			}
			steps := found.FindStringSubmatch(verdict.Output)
			if steps == nil {
				t.Fatalf("it failed otherwise:\n%s", verdict.Output)
			}
			t.Log(steps[0])
			if n, _ := strconv.Atoi(steps[1]); n > mostSteps {
				t.Errorf("that is more than %d", mostSteps)
			}
		})
	}
}

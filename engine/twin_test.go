package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/processor/book"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/verify"
	"github.com/capstan-pay/capstan/wallet"
)

// TestFaultsChangeNothing: batches of any commands are carried out by two
// engines. The store of one meets faults. What its callers are told was not
// done is not asked of the other; all else must come out the same: every
// answer, every payment, every balance.
func TestFaultsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := newWorld(t), newWorld(t)
		defer a.end()
		defer b.end()
		var sent []command
		for range rapid.IntRange(1, 6).Draw(t, "batches") {
			commands := rapid.SliceOfN(anyCommand, 1, 9).Draw(t, "commands")
			for i := range commands {
				c := &commands[i]
				if again := c.kind == "again" && len(sent) > 0; again && sent[c.number%len(sent)].key > 0 {
					*c = sent[c.number%len(sent)]
					continue
				}
				c.number = len(sent) + 1
				sent = append(sent, *c)
			}
			a.script.expect(faulty.Begin, rapid.SliceOfN(beginFault, 0, 3).Draw(t, "begin")...)
			a.script.expect(faulty.Commit, rapid.SliceOfN(commitFault, 0, 4).Draw(t, "commit")...)
			told := a.play(commands)
			done, want := a.carriedOut(commands, told)
			a.script.keep(rapid.IntRange(0, 2).Draw(t, "later"))
			for i, r := range b.play(done) {
				if got := view(r); want[i] != "" && got != want[i] {
					t.Fatalf("%s\nwith faults  %s\nwithout      %s", done[i], want[i], got)
				}
			}
			step := rapid.SampledFrom([]time.Duration{5 * time.Minute, 5 * time.Minute, time.Hour}).Draw(t, "step")
			a.advance(step)
			b.advance(step)
			a.same(b)
		}
	})
}

// places is how many payments a world knows by their place.
const places = 4

// world is an engine, its store and its processors.
type world struct {
	t      *rapid.T
	store  store.Store
	script *script
	clock  *clock.Shifted
	bank   *bank
	engine *engine.Engine
	fatal  chan error
	starts int
	users  [2]int64
	places [places]payment.ID
	before map[any]bool // the operations and the records that were there before the batch
}

func newWorld(t *rapid.T) *world {
	w := &world{
		t: t, store: openStore(t), script: newScript(), clock: clock.NewShifted(clock.Fixed(noon), 0), fatal: make(chan error, 10),
		bank: &bank{answers: map[string]payment.Answer{}, performed: map[string]int{}},
	}
	for i := range w.users {
		u := wallet.User{Tenant: 1}
		if err := w.store.CreateUser(ctx, 1, &u, []wallet.Balance{{Currency: "USD", Available: 900}}, noon); err != nil {
			t.Fatal(err)
		}
		w.users[i] = u.ID
	}
	w.start()
	return w
}

// start starts an engine on what there is.
func (w *world) start() {
	c := engine.Config{
		Store: faulty.New(w.store, w.script.strike), Clock: w.clock, IDs: payment.NewIDs(w.starts),
		Processor: func(_ int64, m payment.Method) processor.Processor {
			if m.Kind == payment.WalletMethod {
				return book.Processor{}
			}
			return w.bank
		},
		Fatal: func(err error) { w.fatal <- err },
	}
	checked(w.t, `{"limits":[{"currency":"USD","volume":700,"count":3},{"currency":"USD","scope":"payer","volume":300}]}`)(&c)
	w.engine = engine.New(c)
	w.starts++
}

// revive starts a new engine if the storage failed under the last one.
func (w *world) revive() bool {
	select {
	case <-w.fatal:
	default:
		return false
	}
	w.close()
	w.start()
	return true
}

func (w *world) close() {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := w.engine.Close(ctx); err != nil {
		w.t.Fatalf("close: %v", err)
	}
}

func (w *world) end() {
	w.close()
	report, err := verify.Audit(ctx, w.store)
	if err != nil || !report.Clean() {
		w.t.Fatalf("audit: %v, %v", report.Findings, err)
	}
	for op, n := range w.bank.performed {
		if n != 1 {
			w.t.Fatalf("%s was performed %d times", op, n)
		}
	}
}

// play has commands decided in one batch.
func (w *world) play(commands []command) []result {
	w.before = map[any]bool{}
	for id, p := range allPayments(w.t, w.store) {
		for _, op := range p.Operations {
			w.before[payment.OperationID(id, op.Number)] = true
		}
	}
	for r := range w.allRecords() {
		w.before[r] = true
	}
	requests := make([]payment.Request, len(commands))
	for i, c := range commands {
		requests[i] = c.request(w)
	}
	results := together(w.t, w.engine, w.script, requests, nil)
	for i, r := range results {
		if commands[i].kind == "create" && r.err == nil && r.Payment != nil {
			w.places[commands[i].place] = r.Payment.ID
		}
	}
	waitUntil(w.t, func() bool { waiting, keys := w.engine.Load(); return waiting+keys == 0 || len(w.fatal) > 0 })
	return results
}

// carriedOut returns the commands that took place by what their callers were
// told, or where they were told that nobody knows, by what there is; and what
// they were told, as far as they were.
func (w *world) carriedOut(commands []command, told []result) (done []command, views []string) {
	w.revive()
	keys := map[int]bool{}
	for i, c := range commands {
		r := told[i]
		if r.err == nil && r.Refusal.Has(payment.InProcess) {
			if c.key == 0 || !keys[c.key] {
				w.t.Fatalf("%s: in process, but nobody uses its key", c)
			}
			continue
		}
		keys[c.key] = true
		switch {
		case errors.Is(r.err, engine.ErrUnknown):
			if w.happened(c) {
				done, views = append(done, c), append(views, "")
			}
		case errors.Is(r.err, engine.ErrUnavailable), errors.Is(r.err, errLine):
			if w.happened(c) {
				w.t.Fatalf("%s was carried out, but not by what its caller was told: %v", c, r)
			}
		default:
			done, views = append(done, c), append(views, view(r))
		}
	}
	return done, views
}

// happened looks for what a command has left. A created payment gets its
// place.
func (w *world) happened(c command) bool {
	for id, p := range allPayments(w.t, w.store) {
		for _, op := range p.Operations {
			if op.Reference == c.reference() && !w.before[payment.OperationID(id, op.Number)] {
				if c.kind == "create" {
					w.places[c.place] = id
				}
				return true
			}
		}
	}
	for r := range w.allRecords() {
		if r.key == c.keyOf() && !w.before[r] {
			return true
		}
	}
	return false
}

// mark tells records apart.
type mark struct {
	key     payment.Key
	at      int64
	pending bool
	version int
}

func (w *world) allRecords() map[mark]bool {
	all := map[mark]bool{}
	err := w.store.Audit(ctx, func(view store.Audit) error {
		return view.Records(func(r store.Record) error {
			all[mark{r.Key, r.At.UnixMilli(), r.Pending, r.Version}] = true
			return nil
		})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// advance lets time pass, however often that is disturbed.
func (w *world) advance(by time.Duration) {
	target := w.clock.Offset() + by
	for range 50 {
		err := w.engine.Advance(ctx, w.clock, target-w.clock.Offset())
		if dead := w.revive(); err == nil && !dead {
			return
		}
	}
	w.t.Fatal("time stands still")
}

// same compares all that there is with another world.
func (w *world) same(other *world) {
	for i := range w.places {
		a, b := w.at(i), other.at(i)
		if a != b {
			w.t.Fatalf("payment %d\nwith faults  %s\nwithout      %s", i, a, b)
		}
	}
	if a, b := len(allPayments(w.t, w.store)), len(allPayments(w.t, other.store)); a != b {
		w.t.Fatalf("%d payments with faults, %d without", a, b)
	}
	if a, b := w.counters(), other.counters(); !maps.Equal(a, b) {
		w.t.Fatalf("counters with faults %v, without %v", a, b)
	}
	for i := range w.users {
		_, a, _ := w.store.User(ctx, 1, w.users[i])
		_, b, _ := other.store.User(ctx, 1, other.users[i])
		if a[0].Available != b[0].Available {
			w.t.Fatalf("user %d has %d with faults, %d without", i, a[0].Available, b[0].Available)
		}
	}
}

// counters are the values of all counters of risk checks.
func (w *world) counters() map[string]string {
	all := map[string]string{}
	err := w.store.Audit(ctx, func(view store.Audit) error {
		return view.Counters(func(c store.Counter) error { all[c.Name] = string(c.Value); return nil })
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) at(place int) string {
	p, err := w.store.Payment(ctx, 1, w.places[place], 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return describe(p)
}

// view says what a caller was told, without what differs from run to run.
func view(r result) string {
	switch {
	case r.err != nil:
		return "error"
	case r.Refusal != nil:
		return fmt.Sprintf("%+v, again: %t, %s", *r.Refusal, r.Replayed, describe(r.Payment))
	case r.Replayed && r.Pending:
		return "pending, again"
	}
	return fmt.Sprintf("operation %d, pending: %t, again: %t, %s", r.Operation, r.Pending, r.Replayed, describe(r.Payment))
}

// describe says all of a payment but its name and its times.
func describe(p *payment.Payment) string {
	if p == nil {
		return "no payment"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s by %s, version %d, held %d, extended %d, captured %d, voided %d, released %d, refunded %d, settled %d and %d",
		p.Status, p.Ended, p.Version, p.Authorized, p.Extended, p.Captured, p.Voided, p.Released, p.Refunded, p.Settled, p.RefundsSettled)
	for _, op := range p.Operations {
		fmt.Fprintf(&b, "; %s %s %d %s %s", op.Kind, op.Status, op.Amount, op.Reference, op.Answer.Reason)
	}
	return b.String()
}

// command is a command of the test.
type command struct {
	kind   string
	place  int
	amount int64
	brand  string // of what is created
	key    int    // 0 is none
	short  bool   // the key is kept for less than an hour: an answer that comes minutes late makes no difference
	keeps  bool   // refusals use it up
	final  bool
	number int
}

func (c command) String() string {
	type plain command
	return fmt.Sprintf("%+v", plain(c))
}

func (c command) reference() string { return fmt.Sprint("n", c.number) }

func (c command) keyOf() payment.Key { return payment.NewKey(1, "test", fmt.Sprint(c.key)) }

var anyCommand = rapid.Custom(func(t *rapid.T) command {
	c := command{
		kind:   rapid.SampledFrom([]string{"create", "create", "capture", "capture", "capture", "void", "cancel", "refund", "again"}).Draw(t, "kind"),
		place:  rapid.IntRange(0, places-1).Draw(t, "place"),
		amount: rapid.SampledFrom([]int64{0, 100, 109, 107, 300, nonsense, 500, 509}).Draw(t, "amount"),
		key:    rapid.IntRange(0, 6).Draw(t, "key"),
		short:  rapid.Bool().Draw(t, "short"),
		keeps:  rapid.Bool().Draw(t, "keeps"),
		final:  rapid.Bool().Draw(t, "final"),
		number: rapid.IntRange(0, 100).Draw(t, "number"),
	}
	if c.kind == "create" {
		c.brand = rapid.SampledFrom([]string{"near", "remote", "far", "sale", "remote sale", "far sale", "scheduled", "settles", "first user", "second user"}).Draw(t, "brand")
	}
	return c
})

func (c command) request(w *world) payment.Request {
	r := payment.Request{Tenant: 1, Merchant: 1, Payment: w.places[c.place]}
	if c.key > 0 {
		r.Key = c.keyOf()
		copy(r.Fingerprint[:], fmt.Sprint(c.number))
		r.Keeps = func(*payment.Refusal) bool { return c.keeps }
		if c.short {
			r.Retain = 56 * time.Minute
		}
	}
	asked := payment.Asked{Dialect: "test", Reference: c.reference()}
	switch c.kind {
	case "create", "again":
		r.Payment, r.Command = 0, payment.Create{Intake: c.intake(w), Attempt: &payment.Attempt{Asked: asked}}
	case "capture":
		r.Command = payment.Capture{Amount: c.amount, Final: c.final, Reference: asked.Reference}
	case "void":
		r.Command = payment.Void{Amount: c.amount, Asked: asked}
	case "cancel":
		r.Command = payment.Cancel{Rest: c.final, Asked: asked}
	case "refund":
		r.Command = payment.Refund{Amount: c.amount, Asked: asked}
	}
	return r
}

func (c command) intake(w *world) payment.Intake {
	i := intake(c.amount)
	i.Method.Brand = c.brand
	i.Policy.HoldFor = 62*time.Minute + 30*time.Second // never over at the time of a batch, even after a retry
	i.Policy.OverCapture = 120
	i.Policy.AutoCapture = strings.HasSuffix(c.brand, "sale")
	switch c.brand {
	case "scheduled":
		i.Policy.CaptureAt = w.clock.Now().Add(7 * time.Minute)
	case "settles":
		i.Policy.SettleAfter, i.Policy.RefundSettleAfter = 30*time.Second, 40*time.Second
	case "first user":
		i.Method = payment.Method{Kind: payment.WalletMethod, User: w.users[0]}
	case "second user":
		i.Method = payment.Method{Kind: payment.WalletMethod, User: w.users[1]}
	}
	return i
}

var (
	beginFault  = anyFault(refused, conflict, full, unknownLost)
	commitFault = anyFault(refused, conflict, full, unknownLost, unknownLost, unknownWritten, unknownWritten, unknownWritten)
)

// anyFault is mostly one of some, often none, and seldom the end of the store.
func anyFault(some ...faulty.Fault) *rapid.Generator[faulty.Fault] {
	all := append(slices.Concat(some, some, some), brokenLost, brokenWritten)
	return rapid.SampledFrom(append(all, slices.Repeat([]faulty.Fault{none}, len(some))...))
}

// bank decides by the amount: one in 7 is declined, the answer to one in 9 is
// lost. By the brand it decides at once or later.
type bank struct {
	mu        sync.Mutex
	answers   map[string]payment.Answer
	performed map[string]int
}

func (b *bank) Decide(i payment.Instruction, _ *payment.Payer) payment.Answer {
	brand := i.Payment.Method.Brand
	far, remote := strings.HasPrefix(brand, "far"), strings.HasPrefix(brand, "remote")
	switch {
	case i.Amount == nonsense:
		return payment.Answer{Result: 99}
	case i.Kind != payment.OpRefund && (far || remote && i.Kind != payment.OpAuthorize):
		return payment.Answer{Result: payment.Pending}
	}
	return verdict(i.Amount)
}

func verdict(amount int64) payment.Answer {
	if amount%10 == 7 {
		return declined
	}
	return approved
}

func (b *bank) Perform(_ context.Context, o processor.Order) (payment.Answer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.performed[o.ID]++
	b.answers[o.ID] = verdict(o.Amount)
	if o.Amount%10 == 9 {
		return payment.Answer{}, errLost
	}
	return b.answers[o.ID], nil
}

func (b *bank) Lookup(_ context.Context, o processor.Order) (payment.Answer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a, ok := b.answers[o.ID]; ok {
		return a, nil
	}
	return payment.Answer{}, processor.ErrNoTrace
}

// Seal finds that the request was on its way all the time: what a processor
// may find is not the subject here.
func (b *bank) Seal(_ context.Context, o processor.Order) (payment.Answer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.performed[o.ID]++
	b.answers[o.ID] = verdict(o.Amount)
	return b.answers[o.ID], nil
}

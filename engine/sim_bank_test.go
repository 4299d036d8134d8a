package engine

import (
	"context"
	"errors"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
)

// simBank is a processor far away: it does as it should, but what is sent to it
// and what it answers may be lost, late or doubled. Some of its operations it
// contradicts itself about.
type simBank struct {
	w      *world
	known  map[string]*simOperation // by our name for the operation
	strays map[string]*simCall      // requests on their way that nobody waits for any more
}

// simOperation is what the bank, and the line to it, know of an operation.
type simOperation struct {
	order    processor.Order
	sent     int                // requests to perform it
	blindly  int                // without looking it up first
	looked   map[*instance]bool // who has looked it up since he sent it last
	effects  int                // how often it was performed: once at most
	approved bool
	declined bool
	sealed   bool
	fickle   bool // it says one thing, and another when it is looked up
}

// simCall is a request on the line.
type simCall struct {
	verb  string
	order processor.Order
}

var errSilence = errors.New("no answer")

// chance is a number below 100 that follows from the seed and a name.
func (w *world) chance(name string) int {
	h := fnv.New64a()
	h.Write([]byte{byte(w.seed), byte(w.seed >> 8), byte(w.seed >> 16), byte(w.seed >> 24)})
	h.Write([]byte(name))
	return int(h.Sum64() >> 7 % 100)
}

// of returns what is known of an operation. The world's mutex is held.
func (b *simBank) of(o processor.Order) *simOperation {
	op := b.known[o.ID]
	if op == nil {
		op = &simOperation{order: o, looked: map[*instance]bool{}, fickle: b.w.chance("fickle"+o.ID) < 6}
		b.known[o.ID] = op
	}
	return op
}

// deliver is a request that arrives at the bank.
func (b *simBank) deliver(c *simCall) (payment.Answer, error) {
	b.w.mu.Lock()
	op := b.of(c.order)
	b.w.mu.Unlock()
	done := op.approved || op.declined
	switch {
	case c.verb == "perform" && op.sealed:
		return payment.Answer{Result: payment.Refused, Reason: payment.ProcessingError}, nil
	case c.verb == "perform" && !done:
		op.effects++
		op.approved = b.w.chance("approve"+c.order.ID) < 85
		op.declined = !op.approved
	case c.verb == "seal" && !done:
		op.sealed = true
		b.w.seen.sealed++
		return payment.Answer{}, processor.ErrSealed
	case c.verb == "look up" && op.sealed:
		return payment.Answer{Result: payment.Refused, Reason: payment.ProcessingError}, nil
	case c.verb == "look up" && !done:
		return payment.Answer{}, processor.ErrNoTrace
	}
	if op.approved != (op.fickle && c.verb == "look up") {
		return payment.Answer{Result: payment.Approved, Reference: c.order.ID}, nil
	}
	return payment.Answer{Result: payment.Refused, Reason: payment.DoNotHonor}, nil
}

// carry decides what becomes of a request and of its answer.
func (b *simBank) carry(c *simCall) (p passage) {
	w := b.w
	n := w.lot()
	if n >= 65 {
		w.seen.lost++
	}
	switch {
	case n < 60:
		w.say("%s of %s arrives and is answered", c.verb, c.order.ID)
		p.answer, p.err = b.deliver(c)
	case n < 65:
		w.say("%s of %s arrives twice and is answered", c.verb, c.order.ID)
		b.deliver(c)
		p.answer, p.err = b.deliver(c)
	case n < 75:
		w.say("%s of %s is lost", c.verb, c.order.ID)
		p.err = errSilence
	case n < 90:
		w.say("%s of %s arrives, its answer is lost", c.verb, c.order.ID)
		b.deliver(c)
		p.err = errSilence
	default:
		w.say("%s of %s is late", c.verb, c.order.ID)
		w.mu.Lock()
		b.strays[c.verb+c.order.ID] = c
		w.mu.Unlock()
		p.err = errSilence
	}
	return p
}

// stray lets one late request arrive, or loses it.
func (w *world) stray() {
	c := takeStray(w, w.bank.strays)
	if c == nil {
		return
	}
	if w.random.IntN(3) > 0 {
		w.say("%s of %s arrives late", c.verb, c.order.ID)
		w.bank.deliver(c)
	}
}

// takeStray returns one of those that are late, which is so no longer; nil if
// there is none.
func takeStray[T any](w *world, strays map[string]*T) *T {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := slices.Sorted(maps.Keys(strays))
	if len(names) == 0 {
		return nil
	}
	name := names[w.random.IntN(len(names))]
	taken := strays[name]
	delete(strays, name)
	return taken
}

// lot draws what becomes of a message, of a hundred ways; when the world has
// calmed down, always the first.
func (w *world) lot() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.random.IntN(100)
	if w.calmed {
		n = 0
	}
	return n
}

// simLine is the line of one engine to the bank.
type simLine struct {
	bank *simBank
	of   *instance
}

// Decide leaves far cards to a call, and decides at once about the others.
func (l simLine) Decide(i payment.Instruction, _ *payment.Payer) payment.Answer {
	switch {
	case i.Payment.Method.Brand == "far":
		return payment.Answer{Result: payment.Pending}
	case l.bank.w.chance("near"+i.ID()) < 10:
		return payment.Answer{Result: payment.Refused, Reason: payment.DoNotHonor}
	}
	return payment.Answer{Result: payment.Approved}
}

func (l simLine) Perform(ctx context.Context, o processor.Order) (payment.Answer, error) {
	l.mayPerform(o)
	return l.call(ctx, "perform", o)
}

func (l simLine) Lookup(ctx context.Context, o processor.Order) (payment.Answer, error) {
	w := l.bank.w
	w.mu.Lock()
	l.bank.of(o).looked[l.of] = true
	w.mu.Unlock()
	return l.call(ctx, "look up", o)
}

func (l simLine) Seal(ctx context.Context, o processor.Order) (payment.Answer, error) {
	return l.call(ctx, "seal", o)
}

func (l simLine) call(ctx context.Context, verb string, o processor.Order) (payment.Answer, error) {
	w := l.bank.w
	c := &simCall{verb, o}
	w.mu.Lock()
	w.seen.calls++
	w.mu.Unlock()
	p, waited := l.of.wait(&gate{name: verb + " " + o.ID, call: c}, ctx.Done())
	if waited {
		return p.answer, p.err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if verb == "perform" { // it may be on its way still
		l.bank.strays[verb+o.ID] = c
	}
	return payment.Answer{}, ctx.Err()
}

// mayPerform looks whether a request to perform an operation may be sent: its
// intention and the number of the attempt are durable, and but for the first
// time somebody has looked whether it had arrived.
func (l simLine) mayPerform(o processor.Order) {
	w := l.bank.w
	w.mu.Lock()
	op := l.bank.of(o)
	op.sent++
	if !op.looked[l.of] {
		op.blindly++
	}
	delete(op.looked, l.of)
	sent, blindly := op.sent, op.blindly
	w.mu.Unlock()
	switch {
	case sent > 1 && o.Kind == payment.OpAuthorize:
		w.fail("%s: an authorization is sent again", o.ID)
	case blindly > 1:
		w.fail("%s is sent again, and nobody has looked whether it had arrived", o.ID)
	}
	pending, attempts := w.intention(o.ID)
	switch {
	case !pending:
		w.fail("%s is sent, but no intention is written", o.ID)
	case attempts < sent:
		w.fail("%s is sent for the %dth time, attempt %d is written", o.ID, sent, attempts)
	}
}

// intention returns whether an operation is written as pending or done, and how
// many attempts are counted on its timer; many if it is done.
func (w *world) intention(id string) (bool, int) {
	p, op := w.operation(id)
	if op == nil {
		return false, 0
	}
	if op.Status != payment.OpPending {
		return true, 1 << 30
	}
	attempts := 0
	far, _ := w.store.Due(context.Background(), w.clock.Now().Add(10000*time.Hour), 1<<30)
	for _, t := range far {
		if t.Kind == payment.ProcessorTimer && t.Payment == p.ID && t.Operation == op.Number {
			attempts = max(attempts, t.Attempt)
		}
	}
	return true, attempts
}

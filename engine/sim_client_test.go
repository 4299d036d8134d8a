package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

// simClient sends requests, and sends one again whose answer it does not know,
// as clients do.
type simClient struct {
	n      int
	busy   *simRequest // sent, and not answered yet
	open   *simRequest // to be sent again until it is known what became of it
	answer chan simAnswer
}

type simAnswer struct {
	out payment.Outcome
	err error
}

// simRequest is a request, and what was told of it.
type simRequest struct {
	name    string
	request payment.Request
	keyed   bool
	told    string     // the final answer, as it was told first
	on      payment.ID // that it is about; zero creates one
	payment payment.ID
	number  int // of the operation
	status  payment.OperationStatus
	sent    int
}

// ask lets one idle client send something, and reports whether there was one.
func (w *world) ask() bool {
	live := w.live()
	first := w.random.IntN(len(w.clients))
	for i := range w.clients {
		c := w.clients[(first+i)%len(w.clients)]
		if c.busy != nil || len(live) == 0 {
			continue
		}
		r := c.open
		if r == nil && !w.calmed {
			r = w.next()
		}
		if r == nil {
			continue
		}
		c.open, c.busy = r, r
		r.sent++
		to := live[w.random.IntN(len(live))]
		w.say("client %d asks engine %d: %s %T %+v of %s", c.n, to.n, r.name, r.request.Command, amountOf(r.request.Command), r.request.Payment)
		go func() {
			out, err := to.e.Do(context.Background(), r.request)
			c.answer <- simAnswer{out, err}
		}()
		return true
	}
	return false
}

func amountOf(c payment.Command) int64 {
	switch c := c.(type) {
	case payment.Create:
		return c.Amount
	case payment.Capture:
		return c.Amount
	case payment.Increment:
		return c.Amount
	case payment.Void:
		return c.Amount
	case payment.Refund:
		return c.Amount
	}
	return 0
}

// next makes a request: most often a new one, else one that was answered
// before, which has to be answered the same.
func (w *world) next() *simRequest {
	if len(w.asked) > 0 && w.random.IntN(5) == 0 {
		if r := w.asked[w.random.IntN(len(w.asked))]; r.keyed && r.told != "" {
			return r
		}
	}
	r := &simRequest{name: fmt.Sprintf("r%d", len(w.asked)), keyed: w.random.IntN(10) > 0}
	w.asked = append(w.asked, r)
	command := w.command(r)
	r.request = payment.Request{Tenant: 1, Merchant: 1, Payment: r.on, Command: command}
	if r.keyed {
		r.request.Key, r.request.Fingerprint = payment.NewKey(1, "sim", r.name), payment.Fingerprint{1}
		r.request.Retain = []time.Duration{0, 100 * 24 * time.Hour}[w.random.IntN(2)]
		if w.random.IntN(4) == 0 {
			r.request.Keeps = func(*payment.Refusal) bool { return true }
		}
	}
	if w.random.IntN(3) == 0 {
		r.request.Patience = time.Duration(1+w.random.IntN(20)) * time.Second
	}
	return r
}

// command makes a command. Its reference is the request's name, by which it is
// found in the history.
func (w *world) command(r *simRequest) payment.Command {
	var known []payment.ID
	for _, r := range w.asked {
		if _, created := r.request.Command.(payment.Create); created && r.payment != 0 {
			known = append(known, r.payment)
		}
	}
	if len(known) == 0 || w.random.IntN(4) == 0 && len(known) < 12 {
		return payment.Create{Intake: w.intake(r.name), Attempt: &payment.Attempt{Asked: payment.Asked{Reference: r.name}}}
	}
	r.on = known[max(w.random.IntN(len(known)), w.random.IntN(len(known)))]
	r.payment = r.on
	if p, _ := w.store.Payment(context.Background(), 1, r.on, 0); p.HeldUp() && len(w.asked)%2 == 0 {
		return payment.Review{Passed: len(w.asked)%4 == 0 || len(w.asked)%3 == 0, Note: r.name}
	}
	amount := []int64{0, 100, 300, 400, 1001, 1100}[w.random.IntN(6)]
	asked := payment.Asked{Reference: r.name}
	switch n := w.random.IntN(12); {
	case w.chance("raise"+r.name) < 12:
		return payment.Increment{Amount: 1000 + amount, Most: 3, Asked: asked}
	case n < 6:
		return payment.Capture{Amount: amount, Final: w.random.IntN(3) == 0, Alongside: w.random.IntN(4) == 0, Reference: r.name}
	case n < 8:
		return payment.Void{Amount: amount, Asked: asked}
	case n < 9:
		return payment.Cancel{Asked: asked}
	default:
		return payment.Refund{Amount: amount, Asked: asked}
	}
}

func (w *world) intake(name string) payment.Intake {
	i := payment.Intake{
		Dialect: "sim", Currency: "USD", Amount: 1000, Fee: int64(w.random.IntN(2)) * 10, Reference: name,
		Method: payment.Method{Kind: payment.CardMethod, Brand: []string{"near", "far", "far"}[w.random.IntN(3)]},
		Policy: payment.Policy{HoldFor: []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 72 * time.Hour}[w.random.IntN(4)]},
	}
	if w.random.IntN(5) == 0 {
		i.Method = payment.Method{Kind: payment.WalletMethod, User: w.users[w.random.IntN(len(w.users))]}
	}
	switch w.random.IntN(10) {
	case 0:
		i.Policy.AutoCapture = true
	case 1, 2:
		i.Policy.CaptureAt = w.clock.Now().Add(i.Policy.HoldFor * time.Duration(1+w.random.IntN(2)) / 2)
	case 3:
		i.Policy.OverCapture = 115
	case 4:
		i.Policy.MaxCaptures = 2
	case 5:
		i.Policy.DeclinedCaptureEnds = true
	case 6:
		i.Policy.RetryDeclined = true
	}
	if w.random.IntN(2) == 0 {
		i.Policy.SettleAfter = time.Duration(1+w.random.IntN(120)) * time.Minute
		i.Policy.RefundSettleAfter = i.Policy.SettleAfter / 2
		i.Policy.ReviewsHold = i.Policy.SettleAfter > 90*time.Minute
	}
	return i
}

// listen takes the answers that have come.
func (w *world) listen() {
	for _, c := range w.clients {
		select {
		case a := <-c.answer:
			r := c.busy
			c.busy = nil
			if w.hear(c, r, a) {
				c.open = nil
			}
		default:
		}
	}
}

// hear holds an answer against what was told before, and reports whether the
// request is done with.
func (w *world) hear(c *simClient, r *simRequest, a simAnswer) bool {
	out, err := a.out, a.err
	switch {
	case errors.Is(err, ErrUnknown), errors.Is(err, ErrUnavailable), errors.Is(err, ErrClosed), errors.Is(err, context.DeadlineExceeded):
		w.say("client %d hears of %s: %v", c.n, r.name, err)
		return !r.keyed // what has no name cannot be asked again
	case err != nil:
		w.fail("%s is answered with %v", r.name, err)
		return true
	case out.Refusal.Has(payment.InProcess), out.Refusal.Has(payment.Busy):
		w.say("client %d hears of %s: %s", c.n, r.name, out.Refusal)
		return !r.keyed
	}
	told := "refused: "
	if out.Refusal != nil {
		told += out.Refusal.Error()
	} else {
		op := out.Op()
		if op == nil || out.Payment == nil {
			w.fail("%s is answered without an operation", r.name)
			return true
		}
		told = fmt.Sprintf("payment %s version %d operation %d %s", out.Payment.ID, out.Payment.Version, op.Number, op.Status)
		if r.number != 0 && (out.Payment.ID != r.payment || op.Number != r.number) {
			w.fail("%s was operation %d of payment %s, and is now %s", r.name, r.number, r.payment, told)
		}
		r.payment, r.number = out.Payment.ID, op.Number
		w.durable(r, out)
	}
	w.say("client %d hears of %s: %s, pending: %t, again: %t", c.n, r.name, told, out.Pending, out.Replayed)
	switch {
	case out.Pending:
		return !r.keyed
	case out.Refusal != nil && r.request.Keeps == nil && r.told == "":
		return true // it left no trace, and may be answered otherwise another time
	case r.told == "":
		r.told = told
		if out.Refusal == nil {
			r.status = out.Op().Status
		}
	case r.told != told:
		w.fail("%s was answered: %s; and then: %s", r.name, r.told, told)
	default:
		w.seen.replays++
	}
	return true
}

// durable looks whether what a client was told is written.
func (w *world) durable(r *simRequest, out payment.Outcome) {
	now, err := w.store.Payment(context.Background(), 1, out.Payment.ID, 0)
	switch {
	case err != nil || now == nil:
		w.fail("%s: payment %s was acknowledged, but is not there: %v", r.name, out.Payment.ID, err)
	case now.Version < out.Payment.Version || now.Op(out.Operation) == nil:
		w.fail("%s: version %d of payment %s was acknowledged, version %d is written", r.name, out.Payment.Version, out.Payment.ID, now.Version)
	case !out.Pending && now.Op(out.Operation).Status != out.Op().Status && out.Op().Status >= payment.OpApproved:
		w.fail("%s: operation %d of payment %s was %s, and is now %s", r.name, out.Operation, out.Payment.ID, out.Op().Status, now.Op(out.Operation).Status)
	}
}

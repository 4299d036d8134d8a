package intents

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

// retain is how long a key is remembered (section 4).
const retain = 24 * time.Hour

// lockPause is the first wait for another operation of the same intent; each
// further one is twice as long, up to lockPauseMax.
const (
	lockPause    = 5 * time.Millisecond
	lockPauseMax = 200 * time.Millisecond
)

// note begins the note of this exchange.
func (x *exchange) note(s shape) note {
	n := note{route: x.route, shape: s, request: x.name}
	if id, ok := x.d.ParsePaymentID(x.id); ok {
		n.payment = id
	} else {
		n.id = masked(x.id)
	}
	return n
}

// submit asks the engine and replies. The note is kept with the key.
func (x *exchange) submit(ctx context.Context, n *note, r payment.Request) *problem {
	out, problem := x.do(ctx, n, r)
	if problem != nil {
		return problem
	}
	return x.answer(out, n)
}

// do asks the engine on behalf of the account. While another operation of the
// intent waits for its processor it tries again, for as long as the account's
// setting says.
func (x *exchange) do(ctx context.Context, n *note, r payment.Request) (payment.Outcome, *problem) {
	out, err := x.ask(ctx, n, r)
	if err != nil {
		return out, x.fault(err)
	}
	return out, nil
}

func (x *exchange) ask(ctx context.Context, n *note, r payment.Request) (payment.Outcome, error) {
	a := x.account
	r.Tenant, r.Merchant, r.Retain, r.Patience = a.Tenant, a.ID, retain, a.patience
	if r.Sees == nil {
		r.Sees = a.sees
	}
	if r.Keeps == nil {
		r.Keeps = keeps
	}
	if x.key != "" {
		r.Key = payment.NewKey(a.Tenant, a.scope, x.key)
		r.Fingerprint = x.fingerprint()
		r.Context = n.append(make([]byte, 0, noteHead+len(n.body)))
	}
	r.Aside = asker{request: n.request, key: x.key}
	out, err := x.d.Engine.Do(ctx, r)
	if err == nil && out.Refusal.Has(payment.OperationPending) {
		return x.wait(ctx, r, out)
	}
	return out, err
}

// wait tries again until the operation that is in the way is over, or patience
// is.
func (x *exchange) wait(ctx context.Context, r payment.Request, out payment.Outcome) (payment.Outcome, error) {
	err := x.until(ctx, func() (free bool, err error) {
		out, err = x.d.Engine.Do(ctx, r)
		return !out.Refusal.Has(payment.OperationPending), err
	})
	return out, err
}

// until tries again and again until it is done, or the account's patience with
// other operations is over.
func (x *exchange) until(ctx context.Context, try func() (done bool, err error)) error {
	limit := time.NewTimer(x.account.lockWait)
	defer limit.Stop()
	for pause := lockPause; ; pause = min(2*pause, lockPauseMax) {
		next := time.NewTimer(pause)
		select {
		case <-next.C:
		case <-limit.C:
			next.Stop()
			return nil
		case <-ctx.Done():
			next.Stop()
			return ctx.Err()
		}
		if done, err := try(); done || err != nil {
			return err
		}
	}
}

// settle replies with a problem that the request itself does not show, only what
// there is at the moment. If the key has an answer already, that is the reply.
// Otherwise the problem is, and it is kept under the key, so that a repeat hears
// it again, unless the corrected request may use the key.
func (x *exchange) settle(ctx context.Context, n *note, p *problem) *problem {
	if x.key == "" {
		return p
	}
	n.status, n.body = p.status, p.append(nil)
	r := payment.Request{Command: payment.Expire{}}
	if p.unkept {
		r.Keeps = func(*payment.Refusal) bool { return false }
	}
	return x.submit(ctx, n, r)
}

// answer replies with an outcome.
func (x *exchange) answer(out payment.Outcome, own *note) *problem {
	n := own
	if len(out.Context) > 0 && out.Replayed {
		n = &note{}
		if !n.read(out.Context) {
			return x.fault(errNote)
		}
	}
	if p := x.d.unanswered(x, out, n); p != nil {
		return p
	}
	if n.remark == concealed {
		if err := x.d.reveal(n); err != nil {
			return x.fault(err)
		}
	}
	h := x.w.Header()
	switch {
	case x.key == "":
	case out.Replayed:
		h["Original-Request"] = []string{requestPrefix + string(n.request[:])}
		if !out.Pending {
			h["Idempotent-Replayed"] = headerTrue
		}
	default:
		h["Original-Request"] = h["Request-Id"]
	}
	status, body := x.said.append(x.out(), x.d, out, n)
	h["Stripe-Should-Retry"] = headerFalse
	if status == http.StatusTooManyRequests {
		h["Stripe-Should-Retry"], h["Retry-After"] = headerTrue, headerOne
	}
	x.reply(status, body)
	return nil
}

// unanswered is what a client hears that got no answer of his own.
func (d *Dialect) unanswered(x *exchange, out payment.Outcome, n *note) *problem {
	switch {
	case out.Refusal == nil:
	case out.Refusal.Has(payment.InProcess):
		return &problem{
			status: http.StatusConflict, kind: idempotencyError, code: "idempotency_key_in_use", again: retrySoon,
			message: "There is currently another in-progress request using this Idempotency Key (that probably means you submitted twice, and the other request is still going through): " + x.key + ". Please try again later.",
		}
	case out.Refusal.Has(payment.Busy):
		return tooMany(0)
	case out.Refusal.Has(payment.KeyReused):
		return &problem{status: http.StatusBadRequest, kind: idempotencyError, message: reusedText(d, x, out, n)}
	}
	return nil
}

func reusedText(d *Dialect, x *exchange, out payment.Outcome, first *note) string {
	id := first.id
	switch {
	case first.payment != 0:
		id = string(d.appendIntentID(nil, first.payment))
	case d.calls[first.route].id && out.Payment != nil && id == "":
		id = string(d.appendIntentID(nil, out.Payment.ID))
	}
	now, then := masked(x.r.URL.Path), d.calls[first.route].path(id)
	if now == then {
		return "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '" + x.key + "' if you meant to execute a different request."
	}
	return "Keys for idempotent requests can only be used for the same endpoint they were first used for ('" + now + "' vs '" + then + "'). Try using a key other than '" + x.key + "' if you meant to execute a different request."
}

// fingerprint is a keyed digest of the path and the parameters: not of their
// order, nor of how they were written. Of a card number it has the number's own
// keyed digest, of a security code nothing.
func (x *exchange) fingerprint() payment.Fingerprint {
	list := x.params.list
	if len(list) > 1 {
		list = slices.Clone(list)
		slices.SortStableFunc(list, func(a, b param) int { return cmp.Compare(a.name, b.name) })
	}
	canonical := make([]byte, 0, 256)
	for i, it := range list {
		if i+1 < len(list) && list[i+1].name == it.name || it.kind == kindEmpty || strings.HasSuffix(it.name, "[cvc]") {
			continue // of several with one name the last counts
		}
		value := it.value
		if strings.HasSuffix(it.name, "[number]") {
			sum := x.d.Keys.MAC("card fingerprint", []byte(value))
			value = string(sum[:])
		}
		canonical = appendFramed(appendFramed(canonical, it.name), value)
	}
	sum := x.d.Keys.MAC("intents request", []byte(x.r.URL.Path), canonical)
	return payment.Fingerprint(sum[:len(payment.Fingerprint{})])
}

func appendFramed(b []byte, s string) []byte {
	n := len(s)
	b = append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	return append(b, s...)
}

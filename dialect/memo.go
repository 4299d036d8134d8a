package dialect

import (
	"context"
	"errors"
	"net/http"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
)

// Memo is what a dialect tells of a request to whoever watches: metrics, the
// log, traces. Nothing that a client sent goes into it, but for ClientID.
type Memo struct {
	Operation string // of a bounded set, such as "capture": never an id or a path
	Merchant  int64  // who is asking; 0 while nobody knows
	RequestID string // that the answer carries; empty if the dialect has none
	ClientID  string // the client's own name for the request, as it was sent: it may be anything
	Class     Class
}

// Class says in a word what became of a request.
type Class uint8

// The classes. Unclassed leaves it to the status of the answer.
const (
	Unclassed  Class = iota
	Done             // answered as asked
	Pending          // taken, and the processor has not answered: nobody knows yet
	Declined         // the processor or a risk check said no
	Refused          // the payment, its amounts or the key do not permit it
	Invalid          // not a request that can be understood, or of nothing that is there
	Denied           // the credentials are not good for it
	Throttled        // asked too often
	Overloaded       // too many requests wait already
	Failed           // a fault of ours
	classCount
)

var classNames = [...]string{
	Unclassed: "unclassed", Done: "done", Pending: "pending", Declined: "declined", Refused: "refused", Invalid: "invalid",
	Denied: "denied", Throttled: "throttled", Overloaded: "overloaded", Failed: "failed",
}

// String is the name of the class in metrics and logs, such as "refused".
func (c Class) String() string {
	if c >= classCount {
		return "unknown"
	}
	return classNames[c]
}

// Classes lists the classes that a request can end in.
func Classes() []Class {
	all := make([]Class, 0, classCount-1)
	for c := Done; c < classCount; c++ {
		all = append(all, c)
	}
	return all
}

// ClassOf is the class of an answer with that HTTP status, for who knows no
// better.
func ClassOf(status int) Class {
	switch {
	case status >= http.StatusInternalServerError:
		return Failed
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return Denied
	case status == http.StatusPaymentRequired:
		return Declined
	case status == http.StatusConflict:
		return Refused
	case status == http.StatusTooManyRequests:
		return Overloaded
	case status >= http.StatusBadRequest:
		return Invalid
	}
	return Done
}

// saw sets the class by what the engine said.
func (m *Memo) saw(out payment.Outcome, err error) {
	switch {
	case errors.Is(err, document.ErrMoved), errors.Is(err, document.ErrExists):
		m.Class = Unclassed // somebody was faster, and nothing was done: the answer says what comes of that
	case err != nil:
		m.Class = Failed
	case out.Refusal.Has(payment.Busy):
		m.Class = Overloaded
	case out.Refusal != nil:
		m.Class = Refused
	case out.Pending:
		m.Class = Pending
	default:
		m.Class = Done
		if op := out.Op(); op != nil && op.Status == payment.OpFailed {
			m.Class = Declined
		}
	}
}

type memoKey struct{}

// WithMemo is Value of a context that carries a memo: it returns m for the
// memo's key, and asks the parent for all else.
func WithMemo(parent context.Context, m *Memo, key any) any {
	if _, asked := key.(memoKey); asked {
		return m
	}
	return parent.Value(key)
}

// MemoOf returns the memo of the request whose context it is: one that nobody
// reads if nobody watches.
func MemoOf(ctx context.Context) *Memo {
	if m, ok := ctx.Value(memoKey{}).(*Memo); ok {
		return m
	}
	return new(Memo)
}

// Watched is an engine that notes in the memo of each request what it said.
func Watched(e Engine) Engine { return watched{e} }

type watched struct{ Engine }

// Do carries out a request once, and notes what came of it.
func (w watched) Do(ctx context.Context, r payment.Request) (payment.Outcome, error) {
	out, err := w.Engine.Do(ctx, r)
	if m, ok := ctx.Value(memoKey{}).(*Memo); ok {
		m.Merchant = r.Merchant
		m.saw(out, err)
	}
	return out, err
}

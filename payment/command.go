package payment

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/ledger"
)

// Command is something that is asked of one payment. The commands are Create,
// Revise, Authorize, PayerAnswer, Increment, Capture, Void, Cancel, Refund, Expire,
// Settle, Review, Resolve, Inquire, Correct, Adopt and Nothing.
type Command interface {
	decide(*decision)
}

// Nothing asks nothing of any payment. Its request is carried out for what it
// brings along.
type Nothing struct{}

func (Nothing) decide(*decision) {}

// CommandName is the name of a command in metrics and traces, such as
// "capture".
func CommandName(c Command) string {
	switch c.(type) {
	case Create:
		return "create"
	case Revise:
		return "revise"
	case Authorize:
		return "authorize"
	case PayerAnswer:
		return "payer_answer"
	case Increment:
		return "increment"
	case Capture:
		return "capture"
	case Void:
		return "void"
	case Cancel:
		return "cancel"
	case Refund:
		return "refund"
	case Expire:
		return "expire"
	case Settle:
		return "settle"
	case Review:
		return "review"
	case Resolve:
		return "resolve"
	case Inquire:
		return "inquire"
	case Correct:
		return "correct"
	case Adopt:
		return "adopt"
	case Nothing:
		return "nothing"
	}
	return "unknown"
}

// Env is what a decision may look at besides the payment and the command.
type Env struct {
	Now time.Time // the moment of the decision; counts to the millisecond
	Key Key       // of the command; kept with what waits for a processor

	// Ask puts an operation to its processor. A processor that decides on
	// the spot answers Approved, Refused or PayerRequired; one that has to be
	// called afterwards answers Pending, and Resolve brings its answer.
	Ask func(Instruction) Answer

	// Screen puts an operation to the risk checks, each time before the
	// processor is asked: once more after the payer has acted, for who pays may
	// only be known then, and limits may be used up. It answers Approved or
	// Refused. Nil approves everything.
	Screen func(Instruction) Answer

	// Flags are labels by which the operation that was screened last is to be
	// found, besides those that it was asked for with. Nil is none.
	Flags func() []Label
}

// Result is what a processor says.
type Result uint8

// The results.
const (
	Pending       Result = iota + 1 // no answer yet
	Approved                        // performed
	Refused                         // not performed, and never will be
	PayerRequired                   // the payer has to do something first
)

// Answer is what a processor says about an operation.
type Answer struct {
	Result    Result
	Reason    Reason // why it was declined
	Reference string // the processor's own name for the operation
	AuthCode  string // the issuer's approval code
	Message   string // the processor's own words
	Data      []byte // the processor's own document: it gets it back with later operations
	Screening []byte // what the risk checks found, JSON; nil if none are configured
}

// Instruction is what a processor is asked to do.
type Instruction struct {
	Payment   *Payment // as it is before the operation; not to be changed or kept
	Operation int      // its number within the payment
	Kind      OperationKind
	Amount    int64
	Final     bool
	Secret    Secret // authorizations with a fresh card; never kept
	PayerDone bool   // the payer has acted on what PayerRequired asked for
	Challenge bool   // the payer is to authenticate even if the processor would not insist
	Parent    int    // refunds: the capture; automatic captures: the authorization; corrections: what is taken back

	// PayerAbsent: nobody is there who could authenticate.
	PayerAbsent bool

	// Unchallenged: the caller, or the risk checks, want the payer not to be
	// asked to authenticate.
	Unchallenged bool
}

// ID is the name of the operation between us and its processor, the same
// however often it is sent.
func (i Instruction) ID() string { return OperationID(i.Payment.ID, i.Operation) }

// OperationID is the name of an operation of a payment between us and its
// processor.
func OperationID(id ID, operation int) string { return fmt.Sprintf("op_%d_%d", id, operation) }

// ParseOperationID reads such a name, and tells whether it is one.
func ParseOperationID(name string) (id ID, operation int, ok bool) {
	of, after, ok := strings.Cut(strings.TrimPrefix(name, "op_"), "_")
	if !ok {
		return 0, 0, false
	}
	n, err := strconv.ParseInt(of, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	if operation, err = strconv.Atoi(after); err != nil || operation < 1 || OperationID(ID(n), operation) != name {
		return 0, 0, false
	}
	return ID(n), operation, true
}

// Decision is what follows from a command.
type Decision struct {
	Payment   *Payment // after it; nil when there is none
	Events    []Event
	Entries   []ledger.Entry // Entries[i] is what Events[i] brings; may be empty
	Timers    []Timer        // to be set
	Operation int            // the number of the operation it made, or moved on; 0 is none
	Refusal   *Refusal       // why not; events may come with it when a refusal had to close the hold first
}

// Pending tells whether the decision waits for a processor: the command's own
// operation does, or the automatic capture that followed from it.
func (d Decision) Pending() bool {
	for i := range d.Events {
		if d.Events[i].Kind.Pending() {
			return true
		}
	}
	return false
}

// Decide says what follows from command c on payment p at env.Now. It changes
// neither. For Create, p has only its identity: ID, Tenant and Merchant; for
// all else it must exist, and a nil p is refused with NotFound.
//
// An error means that a rule of the state machine was broken: a fault of ours,
// nothing may be written.
func Decide(p *Payment, c Command, env Env) (Decision, error) {
	d := &decision{env: env}
	if _, nothing := c.(Nothing); nothing {
		return Decision{}, nil
	}
	if p == nil {
		return Decision{Refusal: Refuse(NotFound)}, nil
	}
	d.p = p.clone()
	d.env.Now = instant(d.env.Now)
	if d.env.Now.Before(p.UpdatedAt) {
		d.env.Now = p.UpdatedAt // a payment's time never runs backwards
	}
	if _, creates := c.(Create); !creates && p.Status == None {
		return Decision{Refusal: Refuse(NotFound)}, nil
	}
	c.decide(d)
	if d.err != nil {
		return Decision{}, d.err
	}
	for _, e := range d.events {
		d.timers = append(d.timers, d.p.timers(e)...)
	}
	if d.p.Status == None {
		return Decision{Refusal: d.refusal}, nil
	}
	if err := d.p.Check(); err != nil {
		return Decision{}, err
	}
	if d.refusal != nil {
		d.refusal.Status, d.refusal.Ended, d.refusal.Currency = d.p.Status, d.p.Ended, d.p.Currency
		d.refusal.Unheld = d.p.AuthorizedAt.IsZero() || d.p.Policy.AutoCapture
	}
	return Decision{
		Payment: d.p, Events: d.events, Entries: d.entries, Timers: d.timers, Operation: d.made, Refusal: d.refusal,
	}, nil
}

// instant is a time as a store keeps it.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// clone copies the payment so that a decision can move it on.
func (p *Payment) clone() *Payment {
	c := *p
	c.Operations = append(make([]Operation, 0, len(p.Operations)+1), p.Operations...)
	return &c
}

// decision is a decision in the making.
type decision struct {
	p       *Payment
	env     Env
	events  []Event
	entries []ledger.Entry
	timers  []Timer
	made    int
	flags   []Label // of the operation whose event comes next
	refusal *Refusal
	err     error
}

// emit adds an event and applies it.
func (d *decision) emit(e Event) {
	if d.err != nil {
		return
	}
	e.At = d.env.Now
	e.Asked = d.asked(e)
	entry, err := d.p.Apply(e)
	if err == nil {
		err = entry.Check()
	}
	if err != nil {
		d.err = err
		return
	}
	d.events = append(d.events, e)
	d.entries = append(d.entries, entry)
	if e.Operation != 0 {
		d.made = e.Operation
	}
}

// asked is who asked, as the event keeps it: with a key only while an answer
// is to come that has to find the record of the command it is for.
func (d *decision) asked(e Event) *Asked {
	var asked Asked
	if e.Asked != nil {
		asked = *e.Asked
	}
	if !e.Kind.Pending() {
		asked.Key = Key{}
	} else if asked.Key == (Key{}) {
		asked.Key = d.env.Key
	}
	if len(d.flags) > 0 && e.Operation != 0 {
		asked.Labels = append(slices.Clip(asked.Labels), d.flags...)
		d.flags = nil
	} else if e.Asked == nil && asked.Key == (Key{}) {
		return nil
	}
	return &asked
}

// refuse takes the refusal if any guard failed, and tells whether one did.
func (d *decision) refuse(r *Refusal) bool {
	if r.Failed == 0 {
		return false
	}
	d.refusal = r
	return true
}

// next is the number of the next operation.
func (d *decision) next() int { return len(d.p.Operations) + 1 }

// put screens an operation and asks its processor.
func (d *decision) put(i Instruction) Answer {
	i.Payment = d.p
	var screening []byte
	if d.env.Screen != nil {
		verdict := d.env.Screen(i)
		if d.env.Flags != nil {
			d.flags = d.env.Flags()
		}
		if verdict.Result == Refused {
			return verdict
		}
		screening = verdict.Screening
	}
	answer := d.env.Ask(i)
	answer.Screening = screening
	return answer
}

// conclude writes down what the processor said of the operation that e
// describes: approved, not answered yet, or refused. An answer that an operation
// of its kind cannot have is a fault. It is not taken for a refusal: nobody knows
// whether money has moved.
func (d *decision) conclude(e Event, a Answer, approved, pending, refused EventKind) {
	e.Answer = answered(a)
	switch a.Result {
	case Approved:
		e.Kind = approved
	case Pending:
		e.Kind = pending
	case Refused:
		e.Kind = refused
	default:
		d.err = fmt.Errorf("payment %s: processor answered operation %d with result %d", d.p.ID, e.Operation, a.Result)
	}
	d.emit(e)
}

// answered is the answer as an event carries it: nil while nothing is known.
func answered(a Answer) *Answer {
	if a.Result == Pending && a.Screening == nil && a.Data == nil {
		return nil
	}
	return &a
}

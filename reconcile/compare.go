// Package reconcile compares what a remote processor has performed with what
// is written here.
package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor/remote"
	"github.com/capstan-pay/capstan/store"
)

// Kind says how the two sides differ.
type Kind string

// The ways in which they differ.
const (
	Unwritten Kind = "unwritten" // they have performed it, here it is not known
	Against   Kind = "against"   // they have performed it, here it is written as failed and not taken back
	Missing   Kind = "missing"   // here it is written as performed, they do not have it
	Differs   Kind = "differs"   // both have it, as something else
	Twice     Kind = "twice"     // they have performed it more than once
)

// Finding is one operation about which the two sides differ.
type Finding struct {
	Kind      Kind           `json:"kind"`
	Processor string         `json:"processor"`
	ID        string         `json:"id"` // of the operation
	Theirs    *remote.Effect `json:"theirs,omitempty"`
	Text      string         `json:"text"`
	Payment   payment.ID     `json:"-"` // zero if it is not known here
	Operation int            `json:"-"`
	Amount    int64          `json:"-"` // as it is written here
}

// ours is an operation that was sent, as far as it is written here.
type ours struct {
	payment  payment.ID
	number   int
	verb     string
	kind     payment.OperationKind
	amount   int64
	currency money.Currency
	sent     bool // to the processor; else it was decided here, or taken over from there
	parent   int
	status   payment.OperationStatus
	at       time.Time
}

// Compare holds effects, all that a processor has performed since a moment,
// against the history. What is under way is no finding: an answer to come
// settles it. Operations that were decided here, and never sent, are left out;
// and so is what was asked for before the moment, unless they list it. Covers
// says which payments the processor has to do with.
func Compare(view store.Audit, effects []remote.Effect, since time.Time, covers func(payment.Method) bool) ([]Finding, error) {
	b := newBooks(effects, since, covers)
	if err := view.Events(b.add); err != nil {
		return nil, err
	}
	return b.compare(effects), nil
}

// compare returns in what the effects and the books differ.
func (b *books) compare(effects []remote.Effect) []Finding {
	var findings []Finding
	seen := map[string]bool{}
	for i := range effects {
		e := &effects[i]
		op := b.written[e.ID]
		find := func(k Kind, format string, args ...any) {
			f := Finding{Kind: k, ID: e.ID, Theirs: e, Text: fmt.Sprintf(format, args...)}
			if op != nil {
				f.Payment, f.Operation = op.payment, op.number
			}
			findings = append(findings, f)
		}
		switch {
		case b.settled[e.ID]:
		case seen[e.ID]:
			find(Twice, "%s of %d %s was performed twice", e.Operation, e.Amount, e.Currency)
		case op == nil:
			find(Unwritten, "%s of %d %s was performed, and is not known here", e.Operation, e.Amount, e.Currency)
		case op.verb != e.Operation || op.amount != e.Amount || string(op.currency) != e.Currency:
			find(Differs, "%s of %d %s was performed, here it is %s of %d %s", e.Operation, e.Amount, e.Currency, op.verb, op.amount, op.currency)
		case !op.belongs(e.Payment):
			find(Differs, "%s of %d %s was performed on %s, which is another payment's", e.Operation, e.Amount, e.Currency, clip(e.Payment))
		case op.status == payment.OpFailed:
			find(Against, "%s of %d %s was performed, here it is written as failed", e.Operation, e.Amount, e.Currency)
		}
		seen[e.ID] = true
	}
	for _, id := range slices.Sorted(maps.Keys(b.written)) {
		if op := b.written[id]; op.sent && op.status == payment.OpApproved && !seen[id] && !b.settled[id] && !op.at.Before(b.since) {
			findings = append(findings, Finding{
				Kind: Missing, ID: id, Payment: op.payment, Operation: op.number, Amount: op.amount,
				Text: fmt.Sprintf("%s of %d is written as performed, they do not have it", op.verb, op.amount),
			})
		}
	}
	return findings
}

// belongs tells whether an authorization, by its name, is of the operation's
// payment. A processor that does not say of which is believed.
func (o *ours) belongs(authorization string) bool {
	return authorization == "" || strings.HasPrefix(authorization, strings.TrimSuffix(payment.OperationID(o.payment, 0), "0"))
}

// clip shortens what somebody else has sent.
func clip(text string) string { return text[:min(len(text), 64)] }

// books are the operations that a processor has to do with, as they are written
// here.
type books struct {
	since  time.Time
	covers func(payment.Method) bool
	listed map[string]bool // by the processor

	written map[string]*ours // by their names
	settled map[string]bool  // by a correction

	// Of the payment whose events are being added:
	of         payment.ID
	operations map[int]*ours
	currency   money.Currency
	covered    bool
}

func newBooks(effects []remote.Effect, since time.Time, covers func(payment.Method) bool) *books {
	b := &books{since: since, covers: covers, listed: make(map[string]bool, len(effects)), written: map[string]*ours{}, settled: map[string]bool{}}
	for i := range effects {
		b.listed[effects[i].ID] = true
	}
	return b
}

// add takes the next event: those of a payment follow one another.
func (b *books) add(id payment.ID, _ int, e payment.Event) error {
	if id != b.of {
		b.of, b.operations = id, map[int]*ours{}
	}
	if e.Intake != nil {
		b.covered, b.currency = b.covers(e.Intake.Method), e.Intake.Currency
	}
	kind, status := e.Kind.Operation()
	if status == 0 || kind == payment.OpCancel || kind == payment.OpIncrement { // which are never sent
		return nil
	}
	op := b.operations[e.Operation]
	if op == nil {
		op = &ours{payment: id, number: e.Operation, kind: kind, amount: e.Amount, currency: b.currency, at: e.At}
		if e.Asked != nil {
			op.parent = e.Asked.Parent
		}
		b.operations[e.Operation] = op
	}
	op.status = status
	name := payment.OperationID(id, e.Operation)
	if op.sent = op.sent || op.status == payment.OpPending; b.covered && (b.listed[name] || op.sent && !op.at.Before(b.since)) {
		b.written[name] = op
	}
	if op.verb = remote.Verb(op.kind); op.kind != payment.OpCorrection {
		return nil
	}
	if op.verb = "refund"; b.operations[op.parent] != nil && b.operations[op.parent].kind == payment.OpAuthorize {
		op.verb = "void"
	}
	if !op.sent { // an operator's word: nothing of that name was ever performed
		delete(b.written, name)
	}
	b.settled[payment.OperationID(id, op.parent)] = op.status != payment.OpFailed
	return nil
}

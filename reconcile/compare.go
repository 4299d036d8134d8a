// Package reconcile compares what a remote processor has performed with what
// is written here.
package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"time"

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
	payment payment.ID
	number  int
	verb    string
	kind    payment.OperationKind
	amount  int64
	parent  int
	status  payment.OperationStatus
	at      time.Time
}

// Compare holds effects, all that a processor has performed since a moment,
// against the history. What is under way is no finding: an answer to come
// settles it. Operations that were decided here, and never sent, are left out;
// and so is what was asked for before the moment, unless they list it. Covers
// says which payments the processor has to do with.
func Compare(view store.Audit, effects []remote.Effect, since time.Time, covers func(payment.Method) bool) ([]Finding, error) {
	listed := make(map[string]bool, len(effects))
	for i := range effects {
		listed[effects[i].ID] = true
	}
	written, settled, err := sent(view, covers, func(id string, at time.Time) bool { return listed[id] || !at.Before(since) })
	if err != nil {
		return nil, err
	}
	var findings []Finding
	seen := map[string]bool{}
	for i := range effects {
		e := &effects[i]
		op := written[e.ID]
		find := func(k Kind, format string, args ...any) {
			f := Finding{Kind: k, ID: e.ID, Theirs: e, Text: fmt.Sprintf(format, args...)}
			if op != nil {
				f.Payment, f.Operation = op.payment, op.number
			}
			findings = append(findings, f)
		}
		switch {
		case settled[e.ID]:
		case seen[e.ID]:
			find(Twice, "%s of %d %s was performed twice", e.Operation, e.Amount, e.Currency)
		case op == nil:
			find(Unwritten, "%s of %d %s was performed, and is not known here", e.Operation, e.Amount, e.Currency)
		case op.verb != e.Operation || op.amount != e.Amount:
			find(Differs, "%s of %d was performed, here it is %s of %d", e.Operation, e.Amount, op.verb, op.amount)
		case op.status == payment.OpFailed:
			find(Against, "%s of %d %s was performed, here it is written as failed", e.Operation, e.Amount, e.Currency)
		}
		seen[e.ID] = true
	}
	for _, id := range slices.Sorted(maps.Keys(written)) {
		if op := written[id]; op.status == payment.OpApproved && !seen[id] && !settled[id] && !op.at.Before(since) {
			findings = append(findings, Finding{
				Kind: Missing, ID: id, Payment: op.payment, Operation: op.number, Amount: op.amount,
				Text: fmt.Sprintf("%s of %d is written as performed, they do not have it", op.verb, op.amount),
			})
		}
	}
	return findings, nil
}

// sent reads the operations that were sent to a processor and are wanted, by
// their names, and those that a correction has settled.
func sent(view store.Audit, covers func(payment.Method) bool, wanted func(id string, at time.Time) bool) (all map[string]*ours, settled map[string]bool, err error) {
	all, settled = map[string]*ours{}, map[string]bool{}
	var of payment.ID
	var operations map[int]*ours
	covered := false
	err = view.Events(func(id payment.ID, _ int, e payment.Event) error {
		if id != of {
			of, operations = id, map[int]*ours{}
		}
		if e.Intake != nil {
			covered = covers(e.Intake.Method)
		}
		status, ok := after[e.Kind]
		if !ok {
			return nil
		}
		op := operations[e.Operation]
		if op == nil {
			op = &ours{payment: id, number: e.Operation, kind: status.kind, amount: e.Amount, at: e.At}
			if e.Asked != nil {
				op.parent = e.Asked.Parent
			}
			operations[e.Operation] = op
		}
		op.status = status.status
		if name := payment.OperationID(id, e.Operation); op.status == payment.OpPending && covered && wanted(name, op.at) {
			all[name] = op
		}
		if op.verb = remote.Verb(op.kind); op.kind != payment.OpCorrection {
			return nil
		}
		if op.verb = "refund"; operations[op.parent] != nil && operations[op.parent].kind == payment.OpAuthorize {
			op.verb = "void"
		}
		settled[payment.OperationID(id, op.parent)] = op.status != payment.OpFailed
		return nil
	})
	return all, settled, err
}

// after says which operation an event belongs to, and how that stands after it.
var after = map[payment.EventKind]struct {
	kind   payment.OperationKind
	status payment.OperationStatus
}{
	payment.AuthorizationPending:  {payment.OpAuthorize, payment.OpPending},
	payment.PayerAwaited:          {payment.OpAuthorize, payment.OpAwaiting},
	payment.HoldAuthorized:        {payment.OpAuthorize, payment.OpApproved},
	payment.AuthorizationDeclined: {payment.OpAuthorize, payment.OpFailed},
	payment.CapturePending:        {payment.OpCapture, payment.OpPending},
	payment.HoldCaptured:          {payment.OpCapture, payment.OpApproved},
	payment.CaptureDeclined:       {payment.OpCapture, payment.OpFailed},
	payment.VoidPending:           {payment.OpVoid, payment.OpPending},
	payment.HoldVoided:            {payment.OpVoid, payment.OpApproved},
	payment.VoidDeclined:          {payment.OpVoid, payment.OpFailed},
	payment.RefundPending:         {payment.OpRefund, payment.OpPending},
	payment.MoneyRefunded:         {payment.OpRefund, payment.OpApproved},
	payment.RefundDeclined:        {payment.OpRefund, payment.OpFailed},
	payment.PayoutPending:         {payment.OpPayout, payment.OpPending},
	payment.MoneyPaidOut:          {payment.OpPayout, payment.OpApproved},
	payment.PayoutDeclined:        {payment.OpPayout, payment.OpFailed},
	payment.CorrectionPending:     {payment.OpCorrection, payment.OpPending},
	payment.CorrectionMade:        {payment.OpCorrection, payment.OpApproved},
	payment.CorrectionDeclined:    {payment.OpCorrection, payment.OpFailed},
}

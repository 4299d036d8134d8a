package payment

import (
	"errors"
	"fmt"
	"time"

	"github.com/capstan-pay/capstan/ledger"
)

// EventKind says what happened.
type EventKind uint8

// The kinds of event. A "pending" one reserves and says that the processor is
// asked; the same operation's outcome follows as an event of its own.
const (
	_ EventKind = iota
	PaymentCreated
	PaymentRevised
	AuthorizationPending
	PayerAwaited
	HoldAuthorized
	AuthorizationDeclined
	CapturePending
	HoldCaptured
	CaptureDeclined
	VoidPending
	HoldVoided
	VoidDeclined
	PaymentCancelled
	HoldExpired
	RefundPending
	MoneyRefunded
	RefundDeclined
	CaptureSettled
	PayoutPending
	MoneyPaidOut
	PayoutDeclined
	CorrectionPending // what a processor has done after all, against its own word, is to be taken back
	CorrectionMade
	CorrectionDeclined
	IncrementPending
	HoldIncremented
	IncrementDeclined
	RefundSettled
	HoldPassed   // an operator has let it go on
	HoldRejected // an operator has not: it is voided next
	eventKindCount
)

var eventNames = [...]string{
	PaymentCreated: "payment_created", PaymentRevised: "payment_revised",
	AuthorizationPending: "authorization_pending", PayerAwaited: "payer_awaited",
	HoldAuthorized: "hold_authorized", AuthorizationDeclined: "authorization_declined",
	CapturePending: "capture_pending", HoldCaptured: "hold_captured", CaptureDeclined: "capture_declined",
	VoidPending: "void_pending", HoldVoided: "hold_voided", VoidDeclined: "void_declined",
	PaymentCancelled: "payment_cancelled", HoldExpired: "hold_expired",
	RefundPending: "refund_pending", MoneyRefunded: "money_refunded", RefundDeclined: "refund_declined",
	CaptureSettled: "capture_settled",
	PayoutPending:  "payout_pending", MoneyPaidOut: "money_paid_out", PayoutDeclined: "payout_declined",
	CorrectionPending: "correction_pending", CorrectionMade: "correction_made", CorrectionDeclined: "correction_declined",
	IncrementPending: "increment_pending", HoldIncremented: "hold_incremented", IncrementDeclined: "increment_declined",
	RefundSettled: "refund_settled", HoldPassed: "hold_passed", HoldRejected: "hold_rejected",
}

// String is the name of the kind in reports, such as "hold_captured".
func (k EventKind) String() string {
	if k == 0 || k >= eventKindCount {
		return fmt.Sprintf("payment.EventKind(%d)", uint8(k))
	}
	return eventNames[k]
}

// EventKinds lists every kind of event.
func EventKinds() []EventKind {
	all := make([]EventKind, 0, eventKindCount-1)
	for k := PaymentCreated; k < eventKindCount; k++ {
		all = append(all, k)
	}
	return all
}

// Event is something that happened to a payment. Events are never changed.
// Which fields count depends on the kind; amounts are in minor units.
type Event struct {
	Kind      EventKind
	At        time.Time
	Operation int // the operation it belongs to; 0 is none

	Amount   int64
	Fee      int64
	Extended int64 // captures: by which the hold grew first; below zero where a declined one's growth is taken back
	Released int64 // what went back to the payer
	Final    bool  // captures: asked to be the last
	Ending   Ending

	// Kept is until when the record is kept of the command that it follows
	// from, on one event of each decision that leaves a record; zero on the
	// others. An auditor wants to find that record.
	Kept time.Time

	// Told is how many deliveries were written with the event. An auditor wants
	// to find them.
	Told int

	Intake *Intake // created, revised
	Asked  *Asked  // on the first event of an operation; later, only its Key counts
	Answer *Answer // what the processor said, where it said something
}

// Always is the Kept of a record that is kept for ever.
var Always = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// Pending tells whether the operation of an event of this kind waits for its
// processor after it.
func (k EventKind) Pending() bool {
	_, status := k.Operation()
	return status == OpPending
}

// ErrIllegal is wrapped by the error for an event that no edge of the state
// machine permits.
var ErrIllegal = errors.New("payment: illegal event")

// Apply folds one event into the payment and returns the ledger entry it
// brings. On an error the payment is not to be used any more.
func (p *Payment) Apply(e Event) (ledger.Entry, error) {
	from := p.Status
	entry, err := p.apply(e)
	if err != nil {
		return nil, err
	}
	if !legal[from][e.Kind][p.Status] {
		return nil, fmt.Errorf("%w: %s takes payment %s from %s to %s", ErrIllegal, e.Kind, p.ID, from, p.Status)
	}
	if p.Status.Final() && p.ClosedAt.IsZero() {
		p.ClosedAt = e.At
	}
	p.Version++
	p.UpdatedAt = e.At
	return entry, nil
}

// Fold rebuilds a payment from its events, oldest first.
func Fold(id ID, tenant, merchant int64, events []Event) (*Payment, error) {
	p := &Payment{ID: id, Tenant: tenant, Merchant: merchant}
	for i := range events {
		if _, err := p.Apply(events[i]); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Payment) apply(e Event) (ledger.Entry, error) {
	switch e.Kind {
	case PaymentCreated, PaymentRevised:
		return nil, p.applyIntake(e)
	case HoldExpired:
		return p.applyExpired(e), nil
	case HoldPassed, HoldRejected:
		return nil, p.applyReview(e)
	}
	op, err := p.operation(e)
	if err != nil {
		return nil, err
	}
	switch e.Kind {
	case AuthorizationPending, PayerAwaited, HoldAuthorized, AuthorizationDeclined:
		return p.applyAuthorization(op, e), nil
	case CapturePending, HoldCaptured, CaptureDeclined, CaptureSettled:
		return p.applyCapture(op, e), nil
	case VoidPending, HoldVoided, VoidDeclined, PaymentCancelled:
		return p.applyVoid(op, e), nil
	case RefundPending, MoneyRefunded, RefundDeclined, RefundSettled:
		return p.applyRefund(op, e), nil
	case PayoutPending, MoneyPaidOut, PayoutDeclined:
		return p.applyPayout(e), nil
	case CorrectionPending, CorrectionMade, CorrectionDeclined:
		return p.applyCorrection(), nil
	case IncrementPending, HoldIncremented, IncrementDeclined:
		return p.applyIncrement(e), nil
	}
	return nil, fmt.Errorf("%w: unknown kind %d", ErrIllegal, e.Kind)
}

func (p *Payment) applyIntake(e Event) error {
	if e.Intake == nil {
		return fmt.Errorf("%w: %s without intake", ErrIllegal, e.Kind)
	}
	if e.Kind == PaymentCreated {
		p.Status, p.CreatedAt = Created, e.At
	}
	p.Intake = *e.Intake
	return nil
}

// operation finds the operation of an event, or adds it when the event is its
// first, and moves its status on.
func (p *Payment) operation(e Event) (*Operation, error) {
	kind, status := e.Kind.Operation()
	if e.Operation == len(p.Operations)+1 && e.Asked != nil {
		p.Operations = append(p.Operations, Operation{
			Number: e.Operation, Kind: kind, Asked: *e.Asked, Amount: e.Amount, Fee: e.Fee, Final: e.Final, At: e.At,
		})
	}
	op := p.Op(e.Operation)
	switch {
	case op == nil || (op.Kind != kind && !(op.Kind == OpCancel && kind == OpVoid)):
		return nil, fmt.Errorf("%w: %s of operation %d, which payment %s lacks", ErrIllegal, e.Kind, e.Operation, p.ID)
	case status == 0 && (op.Status != OpApproved || op.Settled), status != 0 && op.Status >= OpApproved:
		return nil, fmt.Errorf("%w: %s of operation %d of payment %s, which is %s", ErrIllegal, e.Kind, e.Operation, p.ID, op.Status)
	}
	if e.Asked != nil {
		op.Key = e.Asked.Key
	}
	if e.Answer != nil {
		screening := op.Answer.Screening // is found out before the answers
		op.Answer = *e.Answer
		if op.Answer.Screening == nil {
			op.Answer.Screening = screening
		}
	}
	if status != 0 {
		op.Status = status
	}
	if status >= OpApproved {
		op.DoneAt = e.At
	}
	return op, nil
}

// Operation says what kind of operation an event belongs to, 0 if to none, and
// which state that operation has after it; 0 leaves the state as it is: what was
// done has settled.
func (k EventKind) Operation() (OperationKind, OperationStatus) {
	switch k {
	case AuthorizationPending:
		return OpAuthorize, OpPending
	case PayerAwaited:
		return OpAuthorize, OpAwaiting
	case HoldAuthorized:
		return OpAuthorize, OpApproved
	case AuthorizationDeclined:
		return OpAuthorize, OpFailed
	case CapturePending:
		return OpCapture, OpPending
	case HoldCaptured:
		return OpCapture, OpApproved
	case CaptureDeclined:
		return OpCapture, OpFailed
	case CaptureSettled:
		return OpCapture, 0
	case VoidPending:
		return OpVoid, OpPending
	case HoldVoided:
		return OpVoid, OpApproved
	case VoidDeclined:
		return OpVoid, OpFailed
	case PaymentCancelled:
		return OpCancel, OpApproved
	case RefundPending:
		return OpRefund, OpPending
	case MoneyRefunded:
		return OpRefund, OpApproved
	case RefundDeclined:
		return OpRefund, OpFailed
	case RefundSettled:
		return OpRefund, 0
	case PayoutPending:
		return OpPayout, OpPending
	case MoneyPaidOut:
		return OpPayout, OpApproved
	case PayoutDeclined:
		return OpPayout, OpFailed
	case CorrectionPending:
		return OpCorrection, OpPending
	case CorrectionMade:
		return OpCorrection, OpApproved
	case CorrectionDeclined:
		return OpCorrection, OpFailed
	case IncrementPending:
		return OpIncrement, OpPending
	case HoldIncremented:
		return OpIncrement, OpApproved
	case IncrementDeclined:
		return OpIncrement, OpFailed
	}
	return 0, 0
}

// close ends the hold, or the wait for the payer: nothing is left of it.
func (p *Payment) close(e Event, otherwise Status) {
	p.Status, p.Ended = otherwise, e.Ending
	if p.Captured > 0 {
		p.Status = Captured
	}
	if op := p.Authorization(); op != nil && op.Status == OpAwaiting {
		op.Status, op.DoneAt = OpFailed, e.At
	}
}

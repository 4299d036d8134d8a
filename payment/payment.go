package payment

import (
	"fmt"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
)

// Payment is the state of one payment: the fold of its events. All amounts
// are minor units of Currency.
type Payment struct {
	ID       ID
	Tenant   int64
	Merchant int64
	Version  int // how many events it has had

	Intake // as asked for at creation, or last revised

	Status Status
	Ended  Ending
	Review ReviewStatus

	CreatedAt    time.Time
	UpdatedAt    time.Time // of its last event
	AuthorizedAt time.Time // zero while there is no hold
	ExpiresAt    time.Time // the hold's deadline, or the payer's while he is awaited; zero is none
	ClosedAt     time.Time // when Status became final

	Authorized int64 // what the issuer reserved, with its increments
	Extended   int64 // by which captures above it enlarged the hold
	Captured   int64
	Voided     int64 // given back because the merchant said so
	Released   int64 // given back by a last capture, by the deadline or by a decline
	Refunded   int64
	Settled    int64 // the part of Captured that has left transit

	RefundsSettled int64 // the part of Refunded that has left transit

	Operations []Operation // in the order asked; Operations[i].Number is i+1
}

// Intake is what a payment is for and how it may be used.
type Intake struct {
	Dialect     string // which dialect made it; a label, nothing here depends on it
	Currency    money.Currency
	Amount      int64 // asked for, from 1 to MaxAmount; of a hold, what is to be captured
	Fee         int64 // the platform's share, unless a capture names another
	Method      Method
	Policy      Policy
	Reference   string  // the merchant's own name for it
	Description string  // what the payer sees it is for
	Email       string  // the payer's, for lists and receipts
	IP          string  // the payer's, for lists
	Test        bool    // no real money: made with a test key
	Labels      []Label // by which the payment is found, besides its ID
	Details     []byte  // the dialect's own document, not read here
}

// OperationKind says what an operation does.
type OperationKind uint8

// The kinds of operation.
const (
	_ OperationKind = iota
	OpAuthorize
	OpCapture
	OpVoid
	OpCancel
	OpRefund
	OpPayout
	OpCorrection // takes back what its parent did, though it was written down as failed
	OpIncrement
	operationKindCount
)

var operationNames = [...]string{OpAuthorize: "authorize", OpCapture: "capture", OpVoid: "void", OpCancel: "cancel", OpRefund: "refund", OpPayout: "payout", OpCorrection: "correction", OpIncrement: "increment"}

// String is the name of the kind in APIs and reports, such as "capture".
func (k OperationKind) String() string {
	if k == 0 || k >= operationKindCount {
		return fmt.Sprintf("payment.OperationKind(%d)", uint8(k))
	}
	return operationNames[k]
}

// OperationStatus says where an operation stands.
type OperationStatus uint8

// The states of an operation. Approved and Failed are final.
const (
	OpPending  OperationStatus = iota + 1 // the processor has not answered: the outcome is unknown
	OpAwaiting                            // the payer has to act
	OpApproved
	OpFailed
)

// String is the name of the status in APIs and reports, such as "pending".
func (s OperationStatus) String() string {
	if s == 0 || s > OpFailed {
		return fmt.Sprintf("payment.OperationStatus(%d)", uint8(s))
	}
	return [...]string{OpPending: "pending", OpAwaiting: "awaiting_payer", OpApproved: "approved", OpFailed: "declined"}[s]
}

// Operation is one thing that was done to a payment, or tried.
type Operation struct {
	Number int // within the payment, from 1
	Kind   OperationKind
	Status OperationStatus
	Asked

	Amount   int64
	Fee      int64 // captures: the platform's share; refunds: the part of it given back
	Extended int64 // captures: by which the hold was enlarged
	Released int64 // captures: what was given back of the hold by it
	Final    bool  // captures: asked to be the last
	Refunded int64 // captures: given back of it by refunds that name it
	Settled  bool  // captures and refunds: has left transit

	At     time.Time // when it was asked for
	DoneAt time.Time // when it became final; zero before
	Answer Answer    // what the processor said; zero while nothing is known
}

// Asked is who asked for an operation, and how.
type Asked struct {
	Dialect   string  // the dialect that asked
	Reference string  // the merchant's own name for the operation
	Labels    []Label // by which the operation is found
	Details   []byte  // the dialect's own document, not read here
	Parent    int     // refunds: the capture it is for; automatic captures: the authorization; corrections: what they take back; 0 is none
	Key       Key     // set by the decision, of the command whose record a later answer has to reach
}

// Op returns the operation with the given number, or nil.
func (p *Payment) Op(number int) *Operation {
	if number < 1 || number > len(p.Operations) {
		return nil
	}
	return &p.Operations[number-1]
}

// Authorization returns the latest authorization attempt, or nil.
func (p *Payment) Authorization() *Operation {
	for i := len(p.Operations) - 1; i >= 0; i-- {
		if p.Operations[i].Kind == OpAuthorize {
			return &p.Operations[i]
		}
	}
	return nil
}

// Pending returns the first operation whose outcome the processor owes us, or
// nil. An operation that waits for the payer is not pending.
func (p *Payment) Pending() *Operation {
	for i := range p.Operations {
		if p.Operations[i].Status == OpPending {
			return &p.Operations[i]
		}
	}
	return nil
}

// Waits tells whether an operation of the command with this key waits for its
// processor.
func (p *Payment) Waits(k Key) bool {
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Status == OpPending && op.Key == k {
			return true
		}
	}
	return false
}

// inDoubt tells whether a processor owes an answer on which the hold depends.
// It does not depend on refunds and corrections.
func (p *Payment) inDoubt() bool {
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Status == OpPending && op.Kind != OpRefund && op.Kind != OpCorrection {
			return true
		}
	}
	return false
}

// InFlight sums the amounts of pending operations of one kind.
func (p *Payment) InFlight(kind OperationKind) int64 {
	var sum int64
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Kind == kind && op.Status == OpPending {
			sum += op.Amount
		}
	}
	return sum
}

// Remaining is what is left of the hold: neither captured, nor voided, nor
// released, nor reserved by a pending operation. It is 0 when no hold is open.
func (p *Payment) Remaining() int64 {
	if p.Status != Authorized {
		return 0
	}
	return p.held() - p.reserved()
}

// Capturable is the most that a further capture may take: Remaining, and what
// the policy allows above the authorized amount.
func (p *Payment) Capturable() int64 {
	if p.Status != Authorized {
		return 0
	}
	left := p.Policy.ceiling(p.Authorized) - p.Captured - p.Voided - p.reserved()
	return max(left, p.Remaining(), 0)
}

// Refundable is what may still be given back of what was captured.
func (p *Payment) Refundable() int64 {
	return p.Captured - p.Refunded - p.InFlight(OpRefund)
}

// Captures counts the captures that succeeded or are pending.
func (p *Payment) Captures() int {
	count := 0
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Kind == OpCapture && op.Status != OpFailed {
			count++
		}
	}
	return count
}

// held is what the ledger holds for the payment.
func (p *Payment) held() int64 {
	return p.Authorized + p.Extended - p.Captured - p.Voided - p.Released
}

// reserved is what pending operations take from the hold if they succeed.
func (p *Payment) reserved() int64 {
	return p.InFlight(OpCapture) + p.InFlight(OpVoid) + p.InFlight(OpCancel)
}

// source is the account the money comes from and goes back to.
func (p *Payment) source() ledger.Account {
	if p.Method.Kind == WalletMethod {
		return ledger.Account{Merchant: p.Merchant, Kind: ledger.Wallet, Holder: p.Method.User, Currency: p.Currency}
	}
	return p.account(ledger.Acquirer)
}

func (p *Payment) account(kind ledger.Kind) ledger.Account {
	return ledger.Account{Merchant: p.Merchant, Kind: kind, Currency: p.Currency}
}

// Check returns an error when the payment contradicts itself. It is run before
// anything is written and may be run on anything that was read.
func (p *Payment) Check() error {
	var sums Payment
	for i := range p.Operations {
		op := &p.Operations[i]
		if op.Number != i+1 {
			return p.broken("operation %d is numbered %d", i+1, op.Number)
		}
		if op.Refunded > op.Amount {
			return p.broken("refunded %d of operation %d of %d", op.Refunded, op.Number, op.Amount)
		}
		sums.add(op)
	}
	switch {
	case !p.Currency.Known():
		return p.broken("currency %q", p.Currency)
	case p.Amount < 1 || p.Fee < 0:
		return p.broken("amount %d with fee %d", p.Amount, p.Fee)
	case min(p.Authorized, p.Extended, p.Captured, p.Voided, p.Released, p.Refunded, p.Settled, p.RefundsSettled) < 0:
		return p.broken("a total is negative")
	case p.held() < 0:
		return p.broken("captured %d + voided %d + released %d exceed the hold of %d + %d", p.Captured, p.Voided, p.Released, p.Authorized, p.Extended)
	case p.held() < p.reserved():
		return p.broken("pending operations exceed the hold of %d", p.held())
	case p.Status.Final() != (p.Ended != Open) || p.Status.Final() != !p.ClosedAt.IsZero():
		return p.broken("is %s, ended by %s at %s", p.Status, p.Ended, p.ClosedAt)
	case p.Status != Authorized && p.held() != 0:
		return p.broken("is %s with %d still held", p.Status, p.held())
	case p.Status == Authorized && p.held() == 0:
		return p.broken("is %s with nothing held", p.Status)
	case p.Captured > p.Policy.ceiling(p.Authorized):
		return p.broken("captured %d of %d", p.Captured, p.Authorized)
	case p.Refunded+p.InFlight(OpRefund) > p.Captured:
		return p.broken("refunded %d of %d", p.Refunded, p.Captured)
	case sums.Captured != p.Captured || sums.Voided != p.Voided || sums.Extended != p.Extended || sums.Refunded != p.Refunded:
		return p.broken("operations sum to %d captured, %d voided, %d extended and %d refunded, not %d, %d, %d and %d",
			sums.Captured, sums.Voided, sums.Extended, sums.Refunded, p.Captured, p.Voided, p.Extended, p.Refunded)
	case sums.Settled != p.Settled || sums.RefundsSettled != p.RefundsSettled:
		return p.broken("operations sum to %d settled and %d settled of refunds, not %d and %d", sums.Settled, sums.RefundsSettled, p.Settled, p.RefundsSettled)
	case (p.Captured > 0) != (p.Status == Captured) && p.Status != Authorized:
		return p.broken("is %s with %d captured", p.Status, p.Captured)
	case p.HeldUp() && p.Captures() > 0:
		return p.broken("has %d captures, its review is %s", p.Captures(), p.Review)
	case p.Policy.MaxCaptures > 0 && p.Captures() > p.Policy.MaxCaptures:
		return p.broken("has %d captures of at most %d", p.Captures(), p.Policy.MaxCaptures)
	}
	return nil
}

// add counts what an operation moved towards the totals.
func (p *Payment) add(op *Operation) {
	p.Extended += op.Extended
	if op.Status != OpApproved {
		return
	}
	switch op.Kind {
	case OpCapture:
		p.Captured += op.Amount
		if op.Settled {
			p.Settled += op.Amount
		}
	case OpVoid, OpCancel:
		p.Voided += op.Amount
	case OpRefund:
		p.Refunded += op.Amount
		if op.Settled {
			p.RefundsSettled += op.Amount
		}
	}
}

func (p *Payment) broken(format string, args ...any) error {
	return fmt.Errorf("payment %s version %d: "+format, append([]any{p.ID, p.Version}, args...)...)
}

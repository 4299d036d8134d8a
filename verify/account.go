package verify

import (
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

// account is what the history of one payment adds up to.
type account struct {
	id     payment.ID
	report *Report

	tenant, merchant int64
	stated           bool  // there is a state row, which says whose it is
	booked           int64 // the merchant in the postings
	version          int
	status           payment.Status
	review           payment.ReviewStatus
	updated, created time.Time
	over             time.Time // the hold's deadline, or the payer's
	policy           payment.Policy
	currency         money.Currency
	wallet           bool
	authorization    int // the operation of the last one

	authorized, extended, captured, voided, released, refunded, settled int64

	operations []operation
	events     []expected
	timers     []payment.Timer
	records    []promised
	marks      map[listed]bool // that it must have; true was found
	mail       mail
}

// expected is what the postings of one event must add up to, by kind of
// account.
type expected [ledger.Issuance + 1]int64

var moves = func() map[payment.Edge]bool {
	table := map[payment.Edge]bool{}
	for _, e := range payment.Edges() {
		table[e] = true
	}
	return table
}()

func (acc *account) add(format string, args ...any) { acc.report.add(acc.id, format, args...) }

// farthest is how many events may be missing before a number is taken for
// nonsense.
const farthest = 1000

// event folds one event with arithmetic of its own.
func (acc *account) event(sequence int, e *payment.Event) {
	if sequence != acc.version+1 {
		acc.add("event %d follows event %d", sequence, acc.version)
	}
	if sequence < 1 || sequence > acc.version+farthest {
		sequence = acc.version + 1
	}
	acc.version = sequence
	if e.At.Before(acc.updated) {
		acc.add("event %d is older than the one before", sequence)
	}
	acc.updated = e.At
	for len(acc.events) < sequence {
		acc.events = append(acc.events, expected{})
	}
	from := acc.status
	acc.fold(sequence, e)
	if !moves[payment.Edge{From: from, Event: e.Kind, To: acc.status}] {
		acc.add("event %d (%s) takes it from %s to %s, which no edge permits", sequence, e.Kind, from, acc.status)
	}
	if held := acc.held(); held < 0 || acc.status != payment.Authorized && held != 0 {
		acc.add("event %d leaves %d held while it is %s", sequence, held, acc.status)
	}
	if acc.refunded > acc.captured || acc.settled > acc.captured {
		acc.add("event %d: refunded %d and settled %d of %d captured", sequence, acc.refunded, acc.settled, acc.captured)
	}
	if min(e.Amount, e.Fee, e.Released) < 0 || e.Extended < 0 && e.Kind != payment.CaptureDeclined {
		acc.add("event %d has a negative amount", sequence)
	}
	acc.promise(sequence, e)
	acc.mail.promise(sequence, e)
	acc.expectMarks(e)
}

func (acc *account) held() int64 {
	return acc.authorized + acc.extended - acc.captured - acc.voided - acc.released
}

func (acc *account) source() ledger.Kind {
	if acc.wallet {
		return ledger.Wallet
	}
	return ledger.Acquirer
}

func (acc *account) fold(sequence int, e *payment.Event) {
	want := &acc.events[sequence-1]
	op := acc.operation(sequence, e)
	acc.reviewed(sequence, e)
	switch e.Kind {
	case payment.PaymentCreated, payment.PaymentRevised:
		acc.intake(sequence, e)
	case payment.AuthorizationPending:
		acc.status = payment.Authorizing
	case payment.PayerAwaited:
		acc.status, acc.over, acc.authorization = payment.AwaitingPayer, time.Time{}, e.Operation
		if acc.policy.PayerDeadline > 0 {
			acc.over = e.At.Add(acc.policy.PayerDeadline)
		}
	case payment.HoldAuthorized:
		acc.status, acc.authorization = payment.Authorized, e.Operation
		acc.authorized += e.Amount
		acc.over = e.At.Add(acc.policy.HoldFor)
		if acc.policy.FromCreation {
			acc.over = acc.created.Truncate(time.Second).Add(acc.policy.HoldFor)
		}
		want[ledger.Held] += e.Amount
		want[acc.source()] -= e.Amount
	case payment.HoldIncremented:
		acc.authorized += e.Amount
		want[ledger.Held] += e.Amount
		want[acc.source()] -= e.Amount
	case payment.AuthorizationDeclined:
		acc.status = payment.Declined
		if acc.policy.RetryDeclined {
			acc.status = payment.Created
		}
	case payment.CapturePending:
		op.extended = e.Extended
		acc.extended += e.Extended
		want[ledger.Held] += e.Extended
		want[acc.source()] -= e.Extended
	case payment.HoldCaptured:
		acc.capture(op, e, want)
	case payment.CaptureDeclined:
		if e.Extended != -op.extended {
			acc.add("event %d takes back %d of the %d by which operation %d enlarged the hold", sequence, -e.Extended, op.extended, e.Operation)
		}
		acc.extended += e.Extended
		acc.released += e.Released
		want[ledger.Held] += e.Extended - e.Released
		want[acc.source()] += e.Released - e.Extended
		if e.Ending != payment.Open {
			acc.end(payment.Declined)
		}
	case payment.CaptureSettled:
		acc.settle(sequence, op, e)
		acc.settled += op.amount
		want[ledger.InTransit] -= op.amount
		want[ledger.Merchant] += op.amount - op.fee
		want[ledger.PlatformFees] += op.fee
	case payment.HoldVoided:
		acc.voided += e.Amount
		want[ledger.Held] -= e.Amount
		want[acc.source()] += e.Amount
		if acc.held() == 0 {
			acc.end(payment.Voided)
		}
	case payment.PaymentCancelled:
		acc.end(payment.Voided)
	case payment.HoldExpired:
		acc.released += e.Released
		want[ledger.Held] -= e.Released
		want[acc.source()] += e.Released
		acc.end(payment.Expired)
	case payment.PayoutPending:
		acc.status = payment.Authorizing
	case payment.MoneyPaidOut:
		acc.status = payment.PaidOut
		want[ledger.Merchant] -= e.Amount
		want[acc.source()] += e.Amount
	case payment.PayoutDeclined:
		acc.status = payment.Declined
	case payment.MoneyRefunded:
		op.amount, op.fee, op.approved, op.doneAt = e.Amount, e.Fee, true, e.At
		acc.refunded += e.Amount
		want[acc.source()] += e.Amount
		if acc.policy.RefundSettleAfter > 0 {
			want[ledger.InTransit] -= e.Amount
			return
		}
		op.settled = true
		want[ledger.Merchant] -= e.Amount - e.Fee
		want[ledger.PlatformFees] -= e.Fee
	case payment.RefundSettled:
		acc.settle(sequence, op, e)
		want[ledger.InTransit] += op.amount
		want[ledger.Merchant] -= op.amount - op.fee
		want[ledger.PlatformFees] -= op.fee
	}
}

// settle takes an operation out of transit.
func (acc *account) settle(sequence int, op *operation, e *payment.Event) {
	if op.settled || !op.approved {
		acc.add("event %d settles operation %d, which is not in transit", sequence, e.Operation)
	}
	if e.Amount != op.amount || e.Fee != op.fee {
		acc.add("event %d settles %d with a fee of %d of operation %d, which has %d and %d", sequence, e.Amount, e.Fee, e.Operation, op.amount, op.fee)
	}
	op.settled = true
}

func (acc *account) capture(op *operation, e *payment.Event, want *expected) {
	op.amount, op.fee, op.approved, op.doneAt = e.Amount, e.Fee, true, e.At
	acc.extended += e.Extended
	acc.captured += e.Amount
	acc.released += e.Released
	want[ledger.Held] += e.Extended - e.Amount - e.Released
	want[acc.source()] += e.Released - e.Extended
	if acc.policy.SettleAfter > 0 {
		want[ledger.InTransit] += e.Amount
	} else {
		op.settled = true
		acc.settled += e.Amount
		want[ledger.Merchant] += e.Amount - e.Fee
		want[ledger.PlatformFees] += e.Fee
	}
	if e.Ending != payment.Open {
		acc.end(payment.Captured)
	}
}

// end closes the payment: what was captured decides how.
func (acc *account) end(otherwise payment.Status) {
	acc.status = otherwise
	if acc.captured > 0 {
		acc.status = payment.Captured
	}
}

func (acc *account) intake(sequence int, e *payment.Event) {
	if e.Intake == nil {
		acc.add("event %d has no intake", sequence)
		return
	}
	if e.Kind == payment.PaymentCreated {
		acc.status = payment.Created
	} else if acc.authorized > 0 && acc.currency != e.Intake.Currency {
		acc.add("event %d changes the currency of a hold", sequence)
	}
	acc.currency = e.Intake.Currency
	acc.wallet = e.Intake.Method.Kind == payment.WalletMethod
	if e.Kind == payment.PaymentCreated {
		acc.created = e.At
	}
	acc.policy = e.Intake.Policy
}

// posted takes one posting off what its event must have.
func (acc *account) posted(sequence int, p ledger.Posting) {
	if p.Account.Kind < ledger.Held || p.Account.Kind > ledger.Issuance {
		acc.add("event %d posts %d to an account that does not exist", sequence, p.Minor)
		return
	}
	if (p.Account.Kind == ledger.Wallet) != (p.Account.Holder != 0) {
		acc.add("event %d posts to %s of holder %d", sequence, p.Account.Kind, p.Account.Holder)
	}
	if p.Minor == 0 {
		acc.add("event %d posts nothing to %s", sequence, p.Account.Kind)
	}
	if acc.id == 0 {
		if p.Account.Kind != ledger.Wallet && p.Account.Kind != ledger.Issuance {
			acc.add("a posting of %d to %s belongs to no payment", p.Minor, p.Account.Kind)
		}
		return
	}
	if sequence < 1 || sequence > len(acc.events) {
		acc.add("a posting of %d to %s belongs to event %d of %d", p.Minor, p.Account.Kind, sequence, len(acc.events))
		return
	}
	acc.events[sequence-1][p.Account.Kind] -= p.Minor
	if p.Account.Currency != acc.currency {
		acc.add("event %d posts %s, the payment is in %s", sequence, p.Account.Currency, acc.currency)
	}
	if acc.booked == 0 {
		acc.booked = p.Account.Merchant
	} else if acc.booked != p.Account.Merchant {
		acc.add("event %d posts to merchants %d and %d", sequence, acc.booked, p.Account.Merchant)
	}
}

// conclude looks at what is left open, and at what is missing.
func (acc *account) conclude(swept int64) {
	if acc.id == 0 {
		return
	}
	for i := range acc.events {
		for kind, minor := range acc.events[i] {
			if minor != 0 {
				acc.add("the postings of event %d to %s are off by %d", i+1, ledger.Kind(kind), minor)
			}
		}
	}
	if acc.stated && acc.booked != 0 && acc.booked != acc.merchant {
		acc.add("is booked to merchant %d, not %d", acc.booked, acc.merchant)
	}
	acc.agenda()
	acc.missingRecords(swept)
	acc.missingMarks()
}

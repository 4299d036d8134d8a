package verify

import (
	"slices"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/risk"
)

// account is what the history of one payment adds up to.
type account struct {
	tenant, merchant int64
	booked           int64 // the merchant in the postings
	version          int
	status           payment.Status
	updated, created time.Time
	over             time.Time // the hold's deadline
	policy           payment.Policy
	currency         money.Currency
	settles, retries bool
	automatic        bool // captured as soon as it is authorized
	wallet           bool

	authorized, extended, captured, voided, released, refunded, settled int64

	operations []operation
	events     []expected
	timers     []payment.Timer
	stated     bool
}

// operation is what is known of one operation.
type operation struct {
	kind     payment.OperationKind
	begun    int // the sequence of its first event
	pending  bool
	done     bool
	amount   int64
	fee      int64
	extended int64 // by a capture, while it is pending
	settled  bool
	approved bool
	key      payment.Key // while it is pending
	counted  []string    // the counters of risk checks that it counts towards
}

// expected is what the postings of one event must add up to, by kind of
// account.
type expected map[ledger.Kind]int64

var moves = func() map[payment.Edge]bool {
	table := map[payment.Edge]bool{}
	for _, e := range payment.Edges() {
		table[e] = true
	}
	return table
}()

// event folds one event with arithmetic of its own.
func (a *audit) event(id payment.ID, sequence int, e payment.Event) error {
	a.report.Events++
	acc := a.accounts[id]
	if acc == nil {
		acc = &account{}
		a.accounts[id] = acc
	}
	if sequence != acc.version+1 {
		a.report.add(id, "event %d follows event %d", sequence, acc.version)
	}
	acc.version = sequence
	if e.At.Before(acc.updated) {
		a.report.add(id, "event %d is older than the one before", sequence)
	}
	acc.updated = e.At
	a.mail.promise(id, sequence, e)
	for len(acc.events) < sequence {
		acc.events = append(acc.events, expected{})
	}
	from := acc.status
	acc.fold(a, id, sequence, e)
	if !moves[payment.Edge{From: from, Event: e.Kind, To: acc.status}] {
		a.report.add(id, "event %d (%s) takes it from %s to %s, which no edge permits", sequence, e.Kind, from, acc.status)
	}
	if held := acc.held(); held < 0 || acc.status != payment.Authorized && held != 0 {
		a.report.add(id, "event %d leaves %d held while it is %s", sequence, held, acc.status)
	}
	if acc.refunded > acc.captured || acc.settled > acc.captured {
		a.report.add(id, "event %d: refunded %d and settled %d of %d captured", sequence, acc.refunded, acc.settled, acc.captured)
	}
	if min(e.Amount, e.Fee, e.Released) < 0 || e.Extended < 0 && e.Kind != payment.CaptureDeclined {
		a.report.add(id, "event %d has a negative amount", sequence)
	}
	return nil
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

func (acc *account) fold(a *audit, id payment.ID, sequence int, e payment.Event) {
	want := acc.events[sequence-1]
	op := acc.operation(a, id, sequence, e)
	switch e.Kind {
	case payment.PaymentCreated, payment.PaymentRevised:
		acc.intake(a, id, sequence, e)
	case payment.AuthorizationPending:
		acc.status = payment.Authorizing
	case payment.PayerAwaited:
		acc.status = payment.AwaitingPayer
	case payment.HoldAuthorized:
		acc.status = payment.Authorized
		acc.authorized += e.Amount
		acc.over = e.At.Add(acc.policy.HoldFor)
		if acc.policy.FromCreation {
			acc.over = acc.created.Add(acc.policy.HoldFor)
		}
		want[ledger.Held] += e.Amount
		want[acc.source()] -= e.Amount
	case payment.AuthorizationDeclined:
		acc.status = payment.Declined
		if acc.retries {
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
			a.report.add(id, "event %d takes back %d of the %d by which operation %d enlarged the hold", sequence, -e.Extended, op.extended, e.Operation)
		}
		acc.extended += e.Extended
		acc.released += e.Released
		want[ledger.Held] += e.Extended - e.Released
		want[acc.source()] += e.Released - e.Extended
		if e.Ending != payment.Open {
			acc.end(payment.Declined)
		}
	case payment.CaptureSettled:
		if op.settled {
			a.report.add(id, "event %d settles operation %d again", sequence, e.Operation)
		}
		op.settled = true
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
	case payment.MoneyRefunded:
		acc.refunded += e.Amount
		want[acc.source()] += e.Amount
		want[ledger.Merchant] -= e.Amount - e.Fee
		want[ledger.PlatformFees] -= e.Fee
	}
}

func (acc *account) capture(op *operation, e payment.Event, want expected) {
	op.amount, op.fee, op.approved = e.Amount, e.Fee, true
	acc.extended += e.Extended
	acc.captured += e.Amount
	acc.released += e.Released
	want[ledger.Held] += e.Extended - e.Amount - e.Released
	want[acc.source()] += e.Released - e.Extended
	if acc.settles {
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

func (acc *account) intake(a *audit, id payment.ID, sequence int, e payment.Event) {
	if e.Intake == nil {
		a.report.add(id, "event %d has no intake", sequence)
		return
	}
	if e.Kind == payment.PaymentCreated {
		acc.status = payment.Created
	} else if acc.authorized > 0 && acc.currency != e.Intake.Currency {
		a.report.add(id, "event %d changes the currency of a hold", sequence)
	}
	acc.currency = e.Intake.Currency
	acc.wallet = e.Intake.Method.Kind == payment.WalletMethod
	if e.Kind == payment.PaymentCreated {
		acc.created = e.At
	}
	acc.policy = e.Intake.Policy
	acc.settles = e.Intake.Policy.SettleAfter > 0
	acc.retries = e.Intake.Policy.RetryDeclined
	acc.automatic = e.Intake.Policy.AutoCapture
}

// outcomes says of each kind of event which operation it belongs to and how
// that stands after it.
var outcomes = map[payment.EventKind]struct {
	kind          payment.OperationKind
	pending, done bool
}{
	payment.AuthorizationPending:  {payment.OpAuthorize, true, false},
	payment.PayerAwaited:          {payment.OpAuthorize, false, false},
	payment.HoldAuthorized:        {payment.OpAuthorize, false, true},
	payment.AuthorizationDeclined: {payment.OpAuthorize, false, true},
	payment.CapturePending:        {payment.OpCapture, true, false},
	payment.HoldCaptured:          {payment.OpCapture, false, true},
	payment.CaptureDeclined:       {payment.OpCapture, false, true},
	payment.CaptureSettled:        {payment.OpCapture, false, true},
	payment.VoidPending:           {payment.OpVoid, true, false},
	payment.HoldVoided:            {payment.OpVoid, false, true},
	payment.VoidDeclined:          {payment.OpVoid, false, true},
	payment.PaymentCancelled:      {payment.OpVoid, false, true},
	payment.RefundPending:         {payment.OpRefund, true, false},
	payment.MoneyRefunded:         {payment.OpRefund, false, true},
	payment.RefundDeclined:        {payment.OpRefund, false, true},
}

// operation finds the operation of an event and moves it on.
func (acc *account) operation(a *audit, id payment.ID, sequence int, e payment.Event) *operation {
	outcome, has := outcomes[e.Kind]
	if !has {
		return nil
	}
	if e.Operation == len(acc.operations)+1 {
		if e.Asked == nil {
			a.report.add(id, "event %d begins operation %d without saying who asked", sequence, e.Operation)
		}
		acc.operations = append(acc.operations, operation{kind: outcome.kind, begun: sequence, amount: e.Amount, fee: e.Fee})
	}
	if e.Operation < 1 || e.Operation > len(acc.operations) {
		a.report.add(id, "event %d belongs to operation %d of %d", sequence, e.Operation, len(acc.operations))
		return &operation{}
	}
	op := &acc.operations[e.Operation-1]
	if op.kind != outcome.kind {
		a.report.add(id, "event %d (%s) belongs to operation %d, which is of another kind", sequence, e.Kind, e.Operation)
	}
	if op.done && e.Kind != payment.CaptureSettled {
		a.report.add(id, "event %d (%s) comes after operation %d was done", sequence, e.Kind, e.Operation)
	}
	if e.Answer != nil && len(e.Answer.Screening) > 0 {
		names, err := risk.Counted(e.Answer.Screening)
		if err != nil {
			a.report.add(id, "event %d: what the risk checks found cannot be read", sequence)
		}
		op.counted = names
	}
	if e.Asked != nil && e.Asked.Key != (payment.Key{}) && outcome.pending {
		a.pending[e.Asked.Key] = id
		op.key = e.Asked.Key
	}
	if op.pending && !outcome.pending {
		delete(a.pending, op.key)
	}
	op.pending, op.done = outcome.pending, outcome.done
	return op
}

// posted takes one posting off what its event must have.
func (acc *account) posted(r *Report, id payment.ID, sequence int, p ledger.Posting) {
	if sequence < 1 || sequence > len(acc.events) {
		r.add(id, "a posting of %d to %s belongs to event %d of %d", p.Minor, p.Account.Kind, sequence, len(acc.events))
		return
	}
	acc.events[sequence-1][p.Account.Kind] -= p.Minor
	if p.Account.Currency != acc.currency {
		r.add(id, "event %d posts %s, the payment is in %s", sequence, p.Account.Currency, acc.currency)
	}
	if acc.booked == 0 {
		acc.booked = p.Account.Merchant
	} else if acc.booked != p.Account.Merchant {
		r.add(id, "event %d posts to merchants %d and %d", sequence, acc.booked, p.Account.Merchant)
	}
}

// conclude looks at what is left open.
func (acc *account) conclude(r *Report, id payment.ID) {
	for i, left := range acc.events {
		for kind, minor := range left {
			if minor != 0 {
				r.add(id, "the postings of event %d to %s are off by %d", i+1, kind, minor)
			}
		}
	}
	on := map[payment.TimerKind]map[int]bool{}
	for _, t := range acc.timers {
		if on[t.Kind] == nil {
			on[t.Kind] = map[int]bool{}
		}
		on[t.Kind][t.Operation] = true
	}
	pending := false
	for i, op := range acc.operations {
		pending = pending || op.pending
		if op.pending && !on[payment.ProcessorTimer][i+1] {
			r.add(id, "operation %d waits for its processor, but nobody will ask again", i+1)
		}
		if op.approved && !op.settled && !on[payment.SettleTimer][i+1] {
			r.add(id, "operation %d is in transit, but nothing will settle it", i+1)
		}
	}
	ends := slices.ContainsFunc(acc.timers, func(t payment.Timer) bool {
		return t.Kind == payment.DeadlineTimer && t.Due.Equal(acc.over)
	})
	if acc.status == payment.Authorized && !pending && !ends {
		r.add(id, "its hold is open, but its deadline of %s is not on the agenda", acc.over.Format(time.RFC3339Nano))
	}
}

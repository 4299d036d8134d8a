package payment

import (
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
)

// Create makes a payment. With an Attempt its authorization is asked for at
// once. The caller has checked Intake against its dialect's rules; here only
// what would break the state machine is refused, as it is where an intake is
// replaced.
type Create struct {
	Intake
	Attempt *Attempt

	// Denied is the refusal that the dialect's own rules came to. Nothing is
	// created then, but the refusal is kept under the key like any other.
	Denied *Refusal
}

// Attempt is one try for an authorization.
type Attempt struct {
	Secret Secret // a fresh card; zero for a wallet or a stored method

	// Challenge asks the payer to authenticate also where nobody insists.
	// PayerAbsent says that he is not there: an authorization that would have
	// to wait for him is refused with AuthenticationFailed instead.
	// Unchallenged says that he is not to be asked at all.
	Challenge    bool
	PayerAbsent  bool
	Unchallenged bool

	// Payout: nothing is authorized. The money goes the other way, from the
	// merchant to the card. The method's kind is PayeeCard then.
	Payout bool

	Asked
}

// Authorize asks for the authorization of a payment that exists. Where the
// policy lets an authorization follow a declined one, it may also take the
// place of one that waits for the payer.
type Authorize struct {
	Intake *Intake // replaces the payment's before it is tried; nil leaves it
	Edit   Edit    `json:"-"` // makes that intake at the decision; nil does not
	Attempt
}

// PayerAnswer reports what an awaited payer did. Approving sends the
// authorization to its processor.
type PayerAnswer struct {
	Approved bool
	Method   *Method // who pays, where it was not known before; nil leaves it
	Data     []byte  // what is to be kept of it, unless the processor has a document of its own
}

// Revise replaces the payment's intake. Before an authorization was asked for
// anything may differ, and while the payer is awaited too, where the policy lets
// an authorization follow a declined one: that ends the wait. Of a hold from
// which nothing was taken yet, what is to be captured of it may differ where
// OfHold says so: Amount, within what may be captured, Fee and the policy's
// CaptureAt. What only
// describes the payment may always differ.
type Revise struct {
	Intake Intake
	Edit   Edit `json:"-"` // makes the intake at the decision; nil takes Intake
	OfHold bool // the caller's dialect lets what is to be captured of a hold be revised
}

func (c Create) decide(d *decision) {
	if c.Denied != nil {
		r := *c.Denied
		d.refuse(&r)
		return
	}
	if d.refuse(c.Intake.guards()) {
		return
	}
	d.take(PaymentCreated, c.Intake)
	switch {
	case c.Attempt == nil:
	case c.Attempt.Payout:
		d.payOut(*c.Attempt)
	default:
		d.authorize(*c.Attempt)
	}
}

func (c Authorize) decide(d *decision) {
	lapsed := d.expireIfDue()
	waiting := d.p.Status == AwaitingPayer && d.p.Policy.RetryDeclined
	r, intake := &Refusal{}, c.Intake
	if c.Edit != nil && (d.p.Status == Created || waiting) {
		if intake = d.edit(c.Edit); intake == nil {
			return
		}
	}
	if intake != nil {
		r = intake.guards()
	}
	r.when(d.p.Status != Created && !waiting, NotCreated)
	r.when(lapsed, HoldOver)
	if d.refuse(r) {
		return
	}
	d.abandon()
	if intake != nil {
		d.take(PaymentRevised, *intake)
	}
	d.authorize(c.Attempt)
}

func (c Revise) decide(d *decision) {
	p, now := d.p, c.Intake
	lapsed := d.expireIfDue()
	if c.Edit != nil {
		edited := d.edit(c.Edit)
		if edited == nil {
			return
		}
		now = *edited
	}
	waiting := p.Status == AwaitingPayer && p.Policy.RetryDeclined
	changes := p.terms() != now.terms() || p.plan() != now.plan()
	r := now.guards()
	if c.OfHold && p.Status == Authorized && !lapsed && p.Captures() == 0 && !p.inDoubt() && !p.HeldUp() {
		r.when(p.terms() != now.terms(), NotCreated)
		if p.Amount != now.Amount {
			r.Limit, r.Least = p.Capturable(), max(p.Policy.MinCapture, 1)
			r.when(now.Amount < r.Least, AmountTooSmall)
			r.when(now.Amount > r.Limit, AmountTooLarge)
		}
	} else if p.Status != Created && !waiting {
		r.when(changes, NotCreated)
	}
	if d.refuse(r) {
		return
	}
	if changes {
		d.abandon()
	}
	moved := p.Status == Authorized && !now.Policy.CaptureAt.Equal(p.Policy.CaptureAt)
	d.take(PaymentRevised, now)
	if moved && !now.Policy.CaptureAt.IsZero() {
		d.timers = append(d.timers, p.timer(CaptureTimer, now.Policy.CaptureAt, 0))
	}
}

// terms are what an authorization is for, apart from its amount.
type terms struct {
	currency money.Currency
	method   Method
	policy   Policy
}

func (i Intake) terms() terms {
	i.Policy.CaptureAt = time.Time{}
	return terms{i.Currency, i.Method, i.Policy}
}

// plan is what is to be captured, and when.
type plan struct{ amount, fee, at int64 }

func (i Intake) plan() plan { return plan{i.Amount, i.Fee, i.Policy.CaptureAt.UnixMilli()} }

func (c PayerAnswer) decide(d *decision) {
	lapsed := d.expireIfDue()
	op := d.p.Authorization()
	r := &Refusal{}
	r.when(d.p.Status != AwaitingPayer, NotAwaitingPayer)
	r.when(lapsed, HoldOver)
	if d.refuse(r) {
		return
	}
	if c.Method != nil {
		intake := d.p.Intake
		intake.Method = *c.Method
		d.take(PaymentRevised, intake)
	}
	answer := Answer{Result: Refused, Reason: PayerDeclined}
	if c.Approved {
		answer = d.put(Instruction{Operation: op.Number, Kind: OpAuthorize, Amount: d.p.Amount, PayerDone: true})
	}
	if answer.Data == nil {
		answer.Data = c.Data
	}
	d.concludeAuthorization(op.Number, answer, nil)
}

// guards evaluates what no intake may break.
func (i Intake) guards() *Refusal {
	r := &Refusal{Least: 1, Limit: MaxAmount}
	r.when(!i.Currency.Known(), CurrencyMismatch)
	r.when(i.Amount < r.Least, AmountTooSmall)
	r.when(i.Amount > r.Limit, AmountTooLarge)
	r.when(feeTooLarge(i.Fee, i.Amount, i.Policy.FeePercent), FeeTooLarge)
	return r
}

// take makes an intake the payment's.
func (d *decision) take(kind EventKind, i Intake) {
	i.Policy.CaptureAt = instant(i.Policy.CaptureAt)
	d.emit(Event{Kind: kind, Intake: &i})
}

// authorize asks for an authorization as a new operation.
func (d *decision) authorize(a Attempt) {
	number := d.next()
	answer := d.put(Instruction{
		Operation: number, Kind: OpAuthorize, Amount: d.p.Amount, Secret: a.Secret, Challenge: a.Challenge, PayerAbsent: a.PayerAbsent,
		Unchallenged: a.Unchallenged,
	})
	if a.PayerAbsent && answer.Result == PayerRequired {
		answer.Result, answer.Reason = Refused, AuthenticationFailed
	}
	d.concludeAuthorization(number, answer, &a.Asked)
}

// concludeAuthorization writes down what the processor said.
func (d *decision) concludeAuthorization(number int, a Answer, asked *Asked) {
	e := Event{Operation: number, Amount: d.p.Amount, Asked: asked}
	if a.Result == PayerRequired {
		e.Kind, e.Answer = PayerAwaited, answered(a)
		d.emit(e)
		return
	}
	d.conclude(e, a, HoldAuthorized, AuthorizationPending, AuthorizationDeclined)
	if a.Result == Approved && d.p.Policy.AutoCapture && d.err == nil && !d.p.HeldUp() {
		d.autoCapture(number)
	}
}

// autoCapture captures everything of a hold that has just been authorized,
// whatever its deadline. The authorization stays the operation that the
// command made, and a later answer to the capture reaches the command's record.
func (d *decision) autoCapture(authorization int) {
	op := d.p.Op(authorization)
	d.capture(Capture{Final: true}, Asked{Dialect: op.Dialect, Reference: op.Reference, Parent: authorization, Key: op.Key})
	d.made = authorization
}

func (p *Payment) applyAuthorization(op *Operation, e Event) ledger.Entry {
	p.flag(e)
	p.ExpiresAt = time.Time{} // the payer's deadline is over, or a new one is set
	switch e.Kind {
	case AuthorizationPending:
		p.Status = Authorizing
	case PayerAwaited:
		p.Status = AwaitingPayer
		if p.Policy.PayerDeadline > 0 {
			p.ExpiresAt = e.At.Add(p.Policy.PayerDeadline)
		}
	case HoldAuthorized:
		from := e.At
		if p.Policy.FromCreation {
			from = p.CreatedAt.Truncate(time.Second)
		}
		p.Status, p.AuthorizedAt, p.ExpiresAt = Authorized, e.At, from.Add(p.Policy.HoldFor)
		p.Authorized = e.Amount
		return ledger.Move(e.Amount, p.source(), p.account(ledger.Held))
	case AuthorizationDeclined:
		p.Status = Declined
		if p.Policy.RetryDeclined {
			p.Status = Created
			return nil
		}
		p.Ended = EndedByDecline
	}
	return nil
}

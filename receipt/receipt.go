// Package receipt is the page that a payer may be sent: what was paid, to whom,
// when, and what became of it.
//
// The page is one document without scripts and without anything from elsewhere.
// Dialects that have a form of receipt URL of their own render it through Write;
// Desk serves every payment, whatever made it, under a URL that nobody can
// guess.
package receipt

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

// Receipt is what a payer reads about one operation, or about a payment as a
// whole.
type Receipt struct {
	Merchant string
	Logo     string // an image as a data URI; empty shows the merchant's initial
	Contact  string // whom to ask: text, empty is the merchant's name alone

	State    State
	Headline string // such as "Payment successful"
	Amount   money.Amount
	Message  string // what there is to say besides; may be empty
	Test     bool   // no real money

	Sums  []Sum // what became of the amount, where that differs from it
	Facts []Fact
}

// Fact is a line of the receipt: a text, or a moment.
type Fact struct {
	Label, Value string
	At           time.Time // shown instead of Value when it is not zero
}

// Sum is a part of the amount.
type Sum struct {
	Label  string
	Amount money.Amount
}

// State says what became of the money. It sets the badge and its colour.
type State int

// The states.
const (
	Pending  State = iota // nobody knows yet, or the payer has to act
	Paid                  // taken
	Reserved              // held, to be taken later
	Declined              // nothing was taken, and nothing will be
	Refunded              // given back
	Voided                // no longer held
	Expired               // given back, or never held, because time ran out
)

// String is the state in one word, as the badge shows it.
func (s State) String() string {
	return [...]string{"Pending", "Paid", "Reserved", "Declined", "Refunded", "Voided", "Expired"}[s]
}

// Tone is how the badge looks: "good", "bad", "waiting" or "past".
func (s State) Tone() string {
	return [...]string{"waiting", "good", "good", "bad", "past", "past", "past"}[s]
}

// Of is the receipt of an operation of a payment, or with operation 0 of the
// payment as a whole, as it is now, in words of no dialect. An operation that
// the payment does not have counts as 0.
func Of(p *payment.Payment, operation int, m *merchant.Merchant) Receipt {
	r := Receipt{
		Merchant: m.Name, Logo: Logo(m), Contact: contact.Of(m), Test: p.Test,
		Amount: money.Of(p.Amount, p.Currency),
	}
	at, done, failed := p.CreatedAt, time.Time{}, payment.Reason("")
	op := p.Op(operation)
	if op != nil {
		r.State, r.Amount = stateOf(op), money.Of(op.Amount, p.Currency)
		r.Headline = headlines[op.Kind] + " " + outcomes[op.Status]
		r.sum("Refunded", op.Refunded)
		at, done, failed = op.At, op.DoneAt, op.Answer.Reason
	} else {
		r.State = StateOf(p)
		r.Headline = wholes[r.State]
		if p.Captured > 0 && p.Captured != p.Amount { // what was taken is what the payer looks for
			r.Amount = money.Of(p.Captured, p.Currency)
			r.sum("Reserved", p.Amount)
			r.sum("Still reserved", p.Capturable())
		}
		r.sum("Released", p.Voided+p.Released)
		r.sum("Refunded", p.Refunded)
		if op := p.Authorization(); op != nil {
			done, failed = op.DoneAt, op.Answer.Reason
		}
	}
	if r.State == Declined {
		r.Message = explanations[failed]
	}
	r.fact("Date", "", at)
	if done.Sub(at) >= time.Minute { // the page shows minutes
		r.fact("Completed", "", done)
	}
	with := "Paid with"
	if p.Method.Kind == payment.PayeeCard {
		with = "Paid to"
	}
	r.fact(with, method(p.Method), time.Time{})
	r.fact("For", p.Description, time.Time{})
	reference := p.Reference
	if op != nil && op.Reference != "" {
		reference = op.Reference
	}
	r.fact("Reference", reference, time.Time{})
	return r
}

// Add adds a line, unless there is nothing to say.
func (r *Receipt) Add(label, value string) { r.fact(label, value, time.Time{}) }

func (r *Receipt) fact(label, value string, at time.Time) {
	if value != "" || !at.IsZero() {
		r.Facts = append(r.Facts, Fact{label, value, at})
	}
}

func (r *Receipt) sum(label string, minor int64) {
	if minor != 0 {
		r.Sums = append(r.Sums, Sum{label, money.Of(minor, r.Amount.Currency)})
	}
}

// Initial stands for a merchant without a logo.
func (r Receipt) Initial() string {
	name := strings.TrimSpace(r.Merchant)
	if first, size := utf8.DecodeRuneInString(name); size > 0 {
		return string(unicode.ToUpper(first))
	}
	return "·"
}

// StateOf says what became of a payment as a whole.
func StateOf(p *payment.Payment) State {
	held := !p.AuthorizedAt.IsZero()
	switch {
	case p.Status == payment.PaidOut:
		return Paid
	case p.Captured > 0 && p.Refunded == p.Captured:
		return Refunded
	case p.Captured > 0:
		return Paid
	case p.Status == payment.Authorized:
		return Reserved
	case p.Status == payment.Voided && held:
		return Voided
	case p.Status == payment.Expired:
		return Expired
	case p.Status.Final():
		return Declined
	}
	if op := p.Authorization(); op != nil && op.Status == payment.OpFailed {
		return Declined
	}
	return Pending
}

func stateOf(op *payment.Operation) State {
	switch op.Status {
	case payment.OpFailed:
		return Declined
	case payment.OpApproved:
		switch op.Kind {
		case payment.OpAuthorize:
			return Reserved
		case payment.OpCapture, payment.OpPayout:
			return Paid
		case payment.OpRefund:
			return Refunded
		default:
			return Voided
		}
	}
	return Pending
}

var wholes = [...]string{
	Pending: "Payment in progress", Paid: "Payment successful", Reserved: "Amount reserved", Declined: "Payment declined",
	Refunded: "Payment refunded", Voided: "Reservation released", Expired: "Payment expired",
}

var headlines = map[payment.OperationKind]string{
	payment.OpAuthorize: "Reservation", payment.OpCapture: "Payment", payment.OpVoid: "Release", payment.OpCancel: "Cancellation",
	payment.OpRefund: "Refund", payment.OpPayout: "Payout", payment.OpIncrement: "Increase",
}

var outcomes = map[payment.OperationStatus]string{
	payment.OpPending: "in progress", payment.OpAwaiting: "in progress", payment.OpApproved: "successful", payment.OpFailed: "declined",
}

// explanations are what a payer may be told of a decline. Of others he is told
// nothing but that: what a processor or a check found out is the merchant's.
var explanations = map[payment.Reason]string{
	payment.InsufficientFunds:    "There was not enough money.",
	payment.ExpiredCard:          "The card has expired.",
	payment.IncorrectCVC:         "The security code was not right.",
	payment.AuthenticationFailed: "The payer was not authenticated.",
	payment.PayerDeclined:        "The payer declined.",
}

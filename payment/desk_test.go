package payment_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

const week = 7 * 24 * time.Hour

// What a processor says.
var (
	approve  = payment.Answer{Result: payment.Approved}
	decline  = payment.Answer{Result: payment.Refused, Reason: payment.DoNotHonor}
	unknown  = payment.Answer{Result: payment.Pending}
	askPayer = payment.Answer{Result: payment.PayerRequired}
)

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// desk drives one payment and does what an engine does with a decision: it
// keeps the events, posts the entries and notes the timers. After every
// command it holds what is kept against the payment.
type desk struct {
	t       fataler
	now     time.Time
	p       *payment.Payment
	events  []payment.Event
	books   ledger.Balances
	timers  []payment.Timer
	answers []payment.Answer // what the processor says next; then it approves
	asked   []payment.Instruction
	screen  func(payment.Instruction) payment.Answer
	key     payment.Key
	flagged bool // the risk checks want an operator to look at what is asked for
	setBack bool // the clock was
}

func newDesk(t fataler) *desk {
	return &desk{t: t, now: noon, p: &payment.Payment{ID: 7, Tenant: 3, Merchant: 5}, books: ledger.Balances{}}
}

// do decides a command and carries the decision out.
func (d *desk) do(c payment.Command) payment.Decision {
	d.t.Helper()
	before := d.p
	kept := clonePayment(before)
	got, err := payment.Decide(before, c, d.env())
	if err != nil {
		d.t.Fatalf("%T on %s: %v", c, state(before), err)
	}
	if !reflect.DeepEqual(clonePayment(before), kept) {
		d.t.Fatalf("%T changed the payment it was given:\n%+v\nbefore:\n%+v", c, before, kept)
	}
	if len(got.Events) == 0 {
		return got
	}
	d.p = got.Payment
	d.events = append(d.events, got.Events...)
	d.timers = append(d.timers, got.Timers...)
	d.post(got)
	d.check(before, got)
	return got
}

func (d *desk) env() payment.Env {
	env := payment.Env{Now: d.now, Key: d.key, Ask: d.ask, Screen: d.screen}
	if d.flagged {
		if env.Screen == nil {
			env.Screen = func(payment.Instruction) payment.Answer { return approve }
		}
		env.Flags = func() []payment.Label { return []payment.Label{payment.ToReview} }
	}
	return env
}

// ask is the processor: it says what was put in answers, else yes.
func (d *desk) ask(i payment.Instruction) payment.Answer {
	i.Payment = clonePayment(i.Payment)
	d.asked = append(d.asked, i)
	if len(d.answers) == 0 {
		return approve
	}
	answer := d.answers[0]
	d.answers = d.answers[1:]
	return answer
}

func (d *desk) post(got payment.Decision) {
	d.t.Helper()
	if len(got.Entries) != len(got.Events) {
		d.t.Fatalf("%d entries for %d events", len(got.Entries), len(got.Events))
	}
	for i, entry := range got.Entries {
		if err := d.books.Apply(entry); err != nil {
			d.t.Fatalf("%s: %v", got.Events[i].Kind, err)
		}
		for _, posting := range entry {
			if posting.Minor == 0 {
				d.t.Fatalf("%s posts nothing to %s", got.Events[i].Kind, posting.Account.Kind)
			}
		}
	}
}

// after carries out a command with the given answer of the processor first.
func (d *desk) after(a payment.Answer, c payment.Command) *desk {
	d.t.Helper()
	d.says(a).do(c)
	return d
}

// fork is a copy that goes its own way.
func (d *desk) fork() *desk {
	f := *d
	f.events, f.timers, f.answers = slices.Clone(d.events), slices.Clone(d.timers), slices.Clone(d.answers)
	f.books = maps.Clone(d.books)
	return &f
}

// in lets time pass.
func (d *desk) in(wait time.Duration) *desk {
	d.now = d.now.Add(wait)
	return d
}

// says sets what the processor answers next.
func (d *desk) says(answers ...payment.Answer) *desk {
	d.answers = append(d.answers, answers...)
	return d
}

// resolve brings the processor's answer to a pending operation.
func (d *desk) resolve(operation int, a payment.Answer) payment.Decision {
	d.t.Helper()
	return d.do(payment.Resolve{Operation: operation, Answer: a})
}

// balance is the balance of one of the merchant's accounts.
func (d *desk) balance(kind ledger.Kind) int64 {
	return d.books[ledger.Account{Merchant: d.p.Merchant, Kind: kind, Currency: d.p.Currency}]
}

// clonePayment copies a payment so that nothing is shared.
func clonePayment(p *payment.Payment) *payment.Payment {
	c := *p
	c.Details = bytes.Clone(p.Details)
	c.Operations = append([]payment.Operation(nil), p.Operations...)
	for i := range c.Operations {
		op := &c.Operations[i]
		op.Details, op.Answer.Data, op.Answer.Screening = bytes.Clone(op.Details), bytes.Clone(op.Answer.Data), bytes.Clone(op.Answer.Screening)
	}
	return &c
}

// intake is a payment of 100.00 dollars by card, held for a week.
func intake(change ...func(*payment.Intake)) payment.Intake {
	i := payment.Intake{
		Dialect: "test", Currency: "USD", Amount: 100_00, Method: payment.Method{Kind: payment.CardMethod},
		Policy: payment.Policy{HoldFor: week},
	}
	for _, f := range change {
		f(&i)
	}
	return i
}

// policy changes the policy of an intake.
func policy(change func(*payment.Policy)) func(*payment.Intake) {
	return func(i *payment.Intake) { change(&i.Policy) }
}

// created is a payment without an authorization.
func created(t fataler, change ...func(*payment.Intake)) *desk {
	d := newDesk(t)
	d.do(payment.Create{Intake: intake(change...)})
	return d
}

// authorized is a hold of 100.00 dollars, made at noon.
func authorized(t fataler, change ...func(*payment.Intake)) *desk {
	d := newDesk(t)
	d.do(payment.Create{Intake: intake(change...), Attempt: &payment.Attempt{}})
	return d
}

// state says in a line where a payment stands: status, how it ended, totals
// other than zero, operations that wait.
func state(p *payment.Payment) string {
	var b strings.Builder
	b.WriteString(p.Status.String())
	if p.Ended != payment.Open {
		fmt.Fprintf(&b, " by %s", p.Ended)
	}
	for _, total := range []struct {
		name  string
		minor int64
	}{
		{"held", p.Authorized}, {"extended", p.Extended}, {"captured", p.Captured}, {"voided", p.Voided}, {"released", p.Released},
		{"refunded", p.Refunded}, {"left", p.Remaining()},
	} {
		if total.minor != 0 {
			fmt.Fprintf(&b, ", %s %d", total.name, total.minor)
		}
	}
	for _, op := range p.Operations {
		if op.Status == payment.OpPending || op.Status == payment.OpAwaiting {
			fmt.Fprintf(&b, ", %s %d %s", op.Kind, op.Number, op.Status)
		}
	}
	if p.Review != payment.NotReviewed {
		fmt.Fprintf(&b, ", review %s", p.Review)
	}
	return b.String()
}

// outcome says in a line what became of a command: why it was refused, or the
// state after it.
func outcome(d payment.Decision) string {
	if d.Refusal == nil {
		return state(d.Payment)
	}
	said := strings.TrimPrefix(d.Refusal.Error(), "refused: ")
	if d.Refusal.Has(payment.AmountTooLarge) {
		said = strings.Replace(said, "amount_too_large", fmt.Sprintf("amount_too_large (at most %d)", d.Refusal.Limit), 1)
	}
	if d.Refusal.Has(payment.AmountTooSmall) {
		said = strings.Replace(said, "amount_too_small", fmt.Sprintf("amount_too_small (at least %d)", d.Refusal.Least), 1)
	}
	return said
}

// expect compares what became of a command.
func expect(t testing.TB, got payment.Decision, want string) {
	t.Helper()
	if outcome(got) != want {
		t.Errorf("got  %s\nwant %s", outcome(got), want)
	}
}

// scene is a command on a payment, and what becomes of it.
type scene struct {
	name string
	desk *desk
	c    payment.Command
	want string
}

func play(t *testing.T, tests []scene) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { expect(t, test.desk.do(test.c), test.want) })
	}
}

// check holds the payment against its history and its books.
func (d *desk) check(before *payment.Payment, got payment.Decision) {
	d.t.Helper()
	p, fail := d.p, d.t.Fatalf
	if err := p.Check(); err != nil {
		fail("%v", err)
	}
	if p.Captured+p.Voided+p.Released > p.Authorized+p.Extended {
		fail("more taken than held: %s", state(p))
	}
	if percent := cmp.Or(p.Policy.OverCapture, 100); percent != payment.NoCap && money.ExceedsPercent(p.Captured, p.Authorized, max(percent, 100)) {
		fail("more captured than the policy allows: %s", state(p))
	}
	if p.Refunded > p.Captured {
		fail("more refunded than captured: %s", state(p))
	}
	if before.HeldUp() && p.Captures() > 0 && !slices.ContainsFunc(got.Events, func(e payment.Event) bool { return e.Kind == payment.HoldPassed }) {
		fail("captured while it is held up: %s", state(p))
	}
	if before.Status.Final() && p.Status != before.Status {
		fail("%s became %s", before.Status, p.Status)
	}
	if p.UpdatedAt.Before(before.UpdatedAt) {
		fail("time ran backwards: %s after %s", p.UpdatedAt, before.UpdatedAt)
	}
	d.checkBooks()
	d.checkHistory(before, got.Events)
}

// checkBooks compares the accounts with the payment.
func (d *desk) checkBooks() {
	d.t.Helper()
	p := d.p
	for currency, sum := range d.books.Trial() {
		if sum != 0 || currency != p.Currency {
			d.t.Fatalf("trial balance of a payment in %s: %d %s", p.Currency, sum, currency)
		}
	}
	if held, want := d.balance(ledger.Held), p.Authorized+p.Extended-p.Captured-p.Voided-p.Released; held != want {
		d.t.Fatalf("held account has %d, payment says %d", held, want)
	}
	if d.balance(ledger.Held) != 0 && p.Status != payment.Authorized {
		d.t.Fatalf("%d held of a payment that is %s", d.balance(ledger.Held), p.Status)
	}
	earned := d.balance(ledger.Merchant) + d.balance(ledger.PlatformFees) + d.balance(ledger.InTransit)
	if p.Status == payment.PaidOut {
		earned += p.Amount
	}
	if earned != p.Captured-p.Refunded {
		d.t.Fatalf("accounts have %d, payment says %d captured and %d refunded", earned, p.Captured, p.Refunded)
	}
	if transit := d.balance(ledger.InTransit); transit != p.Captured-p.Settled-(p.Refunded-p.RefundsSettled) {
		d.t.Fatalf("%d in transit, payment says %d of %d settled, and of refunds %d of %d", transit, p.Settled, p.Captured, p.RefundsSettled, p.Refunded)
	}
}

// checkHistory checks that every move was a permitted one, that the events
// fold to the payment, and that what a store keeps of them reads back.
func (d *desk) checkHistory(before *payment.Payment, events []payment.Event) {
	d.t.Helper()
	p := clonePayment(before)
	for _, e := range events {
		from := p.Status
		if _, err := p.Apply(e); err != nil {
			d.t.Fatalf("%v", err)
		}
		if !edges[payment.Edge{From: from, Event: e.Kind, To: p.Status}] {
			d.t.Fatalf("%s by %s to %s is no edge", from, e.Kind, p.Status)
		}
		seen[payment.Edge{From: from, Event: e.Kind, To: p.Status}] = true
	}
	stored := make([]payment.Event, len(d.events))
	for i, e := range d.events {
		stored[i] = payment.Event{Kind: e.Kind, At: e.At, Operation: e.Operation, Amount: e.Amount}
		if err := stored[i].DecodeBody(e.AppendBody(nil)); err != nil {
			d.t.Fatalf("%s: %v", e.Kind, err)
		}
		if !reflect.DeepEqual(stored[i], e) {
			d.t.Fatalf("%s does not read back:\n%+v\n%+v", e.Kind, stored[i], e)
		}
	}
	folded, err := payment.Fold(d.p.ID, d.p.Tenant, d.p.Merchant, stored)
	if err != nil {
		d.t.Fatalf("fold: %v", err)
	}
	if !reflect.DeepEqual(clonePayment(folded), clonePayment(d.p)) {
		d.t.Fatalf("folded from its history the payment is\n%+v\nnot\n%+v", folded, d.p)
	}
}

var edges = func() map[payment.Edge]bool {
	set := map[payment.Edge]bool{}
	for _, e := range payment.Edges() {
		set[e] = true
	}
	return set
}()

// seen are the moves that any test has made.
var seen = map[payment.Edge]bool{}

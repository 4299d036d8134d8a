package payment_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

// A payment that contradicts itself is noticed, whatever part of it is wrong.
func TestCheck(t *testing.T) {
	transit := policy(func(p *payment.Policy) { p.SettleAfter = time.Hour })
	open := authorized(t, over(120)).after(approve, capture(60_00)).after(approve, void(10_00)).after(unknown, capture(20_00))
	closed := authorized(t, transit).after(approve, final(60_00)).after(approve, refund(20_00)).after(unknown, refund(10_00))
	for _, sound := range []*desk{open, closed, created(t), authorized(t)} {
		if err := sound.p.Check(); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name  string
		desk  *desk
		spoil func(p *payment.Payment)
	}{
		{"an unknown currency", open, func(p *payment.Payment) { p.Currency = "XXX" }},
		{"no amount", open, func(p *payment.Payment) { p.Amount = 0 }},
		{"a fee below nothing", open, func(p *payment.Payment) { p.Fee = -1 }},
		{"a total below nothing", created(t), func(p *payment.Payment) { p.Authorized, p.Released = -1, -1 }},
		{"more taken than held", open, func(p *payment.Payment) { p.Released = 30_01 }},
		{"more reserved than held", open, func(p *payment.Payment) { p.Released = 10_01 }},
		{"an operation that is missing", open, func(p *payment.Payment) { p.Operations[1].Number = 3 }},
		{"captured without an operation", open, func(p *payment.Payment) { p.Captured++ }},
		{"voided without an operation", open, func(p *payment.Payment) { p.Voided++ }},
		{"extended without an operation", open, func(p *payment.Payment) { p.Extended++ }},
		{"refunded without an operation", closed, func(p *payment.Payment) { p.Refunded++ }},
		{"settled without an operation", closed, func(p *payment.Payment) { p.Settled++ }},
		{"an operation that is not in the totals", closed, func(p *payment.Payment) { p.Operations[1].Settled = true }},
		{"more refunded than captured", closed, func(p *payment.Payment) { p.Operations[2].Amount, p.Refunded = 60_01, 60_01 }},
		{"more refunded than captured, with what waits", closed, func(p *payment.Payment) { p.Operations[3].Amount = 40_01 }},
		{"more refunded than one capture", closed, func(p *payment.Payment) { p.Operations[1].Refunded = 60_01 }},
		{"more captured than the policy allows", authorized(t, over(120)).after(approve, capture(120_00)), func(p *payment.Payment) { p.Policy.OverCapture = 119 }},
		{"more captures than the policy allows", open, func(p *payment.Payment) { p.Policy.MaxCaptures = 1 }},
		{"closed with money held", closed, func(p *payment.Payment) { p.Released-- }},
		{"open with nothing held", authorized(t), func(p *payment.Payment) { p.Released = p.Authorized }},
		{"closed without a reason", closed, func(p *payment.Payment) { p.Ended = payment.Open }},
		{"open with a reason to be closed", open, func(p *payment.Payment) { p.Ended = payment.EndedByVoid }},
		{"closed at no time", closed, func(p *payment.Payment) { p.ClosedAt = time.Time{} }},
		{"open since it was closed", open, func(p *payment.Payment) { p.ClosedAt = noon }},
		{"captured with nothing captured", authorized(t).after(approve, void(0)), func(p *payment.Payment) { p.Status = payment.Captured }},
		{"voided with something captured", closed, func(p *payment.Payment) { p.Status = payment.Voided }},
		{"expired with something captured", closed, func(p *payment.Payment) { p.Status = payment.Expired }},
		{"declined with something captured", closed, func(p *payment.Payment) { p.Status = payment.Declined }},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := clonePayment(test.desk.p)
			test.spoil(p)
			if err := p.Check(); err == nil {
				t.Error("nobody notices")
			} else if !strings.HasPrefix(err.Error(), "payment 7 version ") {
				t.Errorf("the error does not say which payment: %v", err)
			}
		})
	}
}

// A history that no decision would write does not fold.
func TestIllegalEvents(t *testing.T) {
	asked := &payment.Asked{}
	terms := intake()
	transit := policy(func(p *payment.Policy) { p.SettleAfter = time.Hour })
	captured := authorized(t, transit).after(approve, final(60_00))
	refunding := authorized(t, policy(func(p *payment.Policy) { p.RefundSettleAfter = time.Hour })).after(approve, final(60_00))
	for _, test := range []struct {
		name string
		desk *desk
		e    payment.Event
	}{
		{"no kind", authorized(t), payment.Event{Operation: 2, Asked: asked}},
		{"a kind nobody knows", authorized(t), payment.Event{Kind: 99, Operation: 2, Asked: asked}},
		{"created twice", authorized(t), payment.Event{Kind: payment.PaymentCreated, Intake: &terms}},
		{"created without terms", newDesk(t), payment.Event{Kind: payment.PaymentCreated}},
		{"revised before it was created", newDesk(t), payment.Event{Kind: payment.PaymentRevised, Intake: &terms}},
		{"authorized twice", authorized(t), payment.Event{Kind: payment.HoldAuthorized, Operation: 2, Asked: asked, Amount: 1}},
		{"captured before it was authorized", created(t), payment.Event{Kind: payment.HoldCaptured, Operation: 1, Asked: asked, Amount: 1}},
		{"captured by nobody", authorized(t), payment.Event{Kind: payment.HoldCaptured, Operation: 2, Amount: 1}},
		{"captured by an operation out of order", authorized(t), payment.Event{Kind: payment.HoldCaptured, Operation: 3, Asked: asked, Amount: 1}},
		{"captured by the authorization", authorized(t), payment.Event{Kind: payment.HoldCaptured, Operation: 1, Amount: 1}},
		{"captured after it was captured", captured, payment.Event{Kind: payment.HoldCaptured, Operation: 3, Asked: asked, Amount: 1}},
		{"voided by a capture", authorized(t).after(unknown, capture(1)), payment.Event{Kind: payment.HoldVoided, Operation: 2, Amount: 1}},
		{"answered twice", authorized(t).after(approve, capture(1)), payment.Event{Kind: payment.HoldCaptured, Operation: 2, Amount: 1}},
		{"settled before it was captured", authorized(t, transit).after(unknown, capture(1)), payment.Event{Kind: payment.CaptureSettled, Operation: 2}},
		{"settled though it was declined", authorized(t, transit).after(decline, capture(1)), payment.Event{Kind: payment.CaptureSettled, Operation: 2}},
		{"settled twice", captured.fork().after(approve, payment.Settle{Operation: 2}), payment.Event{Kind: payment.CaptureSettled, Operation: 2}},
		{"a refund settled before it was made", refunding.fork().after(unknown, refund(1)), payment.Event{Kind: payment.RefundSettled, Operation: 3}},
		{"a refund settled though it was declined", refunding.fork().after(decline, refund(1)), payment.Event{Kind: payment.RefundSettled, Operation: 3}},
		{"a refund settled twice", refunding.fork().after(approve, refund(1)).after(approve, payment.Settle{Operation: 3}), payment.Event{Kind: payment.RefundSettled, Operation: 3}},
		{"a refund settled that was never in transit", captured.fork().after(approve, refund(1)), payment.Event{Kind: payment.RefundSettled, Operation: 3}},
		{"a capture settled as a refund", captured, payment.Event{Kind: payment.RefundSettled, Operation: 2}},
		{"expired after it was captured", captured, payment.Event{Kind: payment.HoldExpired, Ending: payment.EndedByDeadline}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := clonePayment(test.desk.p).Apply(test.e); !errors.Is(err, payment.ErrIllegal) {
				t.Errorf("got %v", err)
			}
			if _, err := payment.Fold(7, 3, 5, append(test.desk.events, test.e)); !errors.Is(err, payment.ErrIllegal) {
				t.Errorf("folded: %v", err)
			}
		})
	}
}

// A payment's time does not run backwards, and is what a store keeps of it.
func TestTime(t *testing.T) {
	d := newDesk(t)
	d.now = time.Date(2026, 3, 2, 13, 0, 0, 999_999, time.FixedZone("CET", 3600))
	d.do(payment.Create{Intake: intake(), Attempt: &payment.Attempt{}})
	if d.p.CreatedAt != noon || d.p.ExpiresAt != noon.Add(week) {
		t.Errorf("created at %v, expires at %v", d.p.CreatedAt, d.p.ExpiresAt)
	}
	d.in(time.Minute).do(capture(1))
	d.in(-time.Hour).do(capture(1))
	if at := noon.Add(time.Minute); d.p.UpdatedAt != at || d.p.Op(3).At != at || d.p.Op(3).DoneAt != at {
		t.Errorf("an hour earlier the payment is of %v", d.p.UpdatedAt)
	}
}

func TestNothingIsCreatedTwice(t *testing.T) {
	d := authorized(t)
	got, err := payment.Decide(d.p, payment.Create{Intake: intake()}, payment.Env{Now: noon, Ask: d.ask})
	if !errors.Is(err, payment.ErrIllegal) || got.Events != nil {
		t.Errorf("got %v, %+v", err, got)
	}
}

func TestNotFound(t *testing.T) {
	for name, p := range map[string]*payment.Payment{"none": nil, "not created": {ID: 7}} {
		for _, c := range []payment.Command{capture(1), payment.Expire{}, payment.Settle{Operation: 1}, payment.Authorize{}, payment.Resolve{Operation: 1, Answer: approve}} {
			got, err := payment.Decide(p, c, payment.Env{Now: noon})
			if err != nil || got.Payment != nil || got.Events != nil || !got.Refusal.Has(payment.NotFound) {
				t.Errorf("%s, %T: %+v, %v", name, c, got, err)
			}
		}
	}
}

func TestLookUpsFindNothing(t *testing.T) {
	p := created(t).p
	if p.Op(0) != nil || p.Op(1) != nil || p.Op(-1) != nil || p.Authorization() != nil || p.Pending() != nil {
		t.Error("there is an operation")
	}
	if (payment.Outcome{Operation: 1}).Op() != nil || (payment.Outcome{Payment: authorized(t).p, Operation: 1}).Op() == nil {
		t.Error("the outcome's operation")
	}
}

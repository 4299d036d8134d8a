package payment_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
)

// What no sequence of commands can break is in desk.check, which runs after
// every command. Here are the sequences: any command, any answer of the
// processor, any policy, time moving forward and backward, timers firing late.
func TestProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDesk(t)
		d.do(payment.Create{Intake: anyIntake.Draw(t, "intake")})
		t.Repeat(moves(d, t))
		d.finish()
	})
}

// moves are what may happen to a payment.
func moves(d *desk, t *rapid.T) map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"authorize": func(t *rapid.T) {
			d.says(anyAnswer(t, payment.PayerRequired))
			d.flagged = rapid.Bool().Draw(t, "flagged")
			d.do(payment.Authorize{Attempt: payment.Attempt{PayerAbsent: rapid.Bool().Draw(t, "payer absent"), Asked: anyAsked.Draw(t, "asked")}})
			d.answers, d.flagged = nil, false
		},
		"authorize again": func(t *rapid.T) {
			next := anyIntake.Draw(t, "intake")
			next.Currency = d.p.Currency
			d.says(anyAnswer(t, payment.PayerRequired))
			d.do(payment.Authorize{Intake: &next})
			d.answers = nil
		},
		"payer": func(t *rapid.T) {
			c := payment.PayerAnswer{Approved: rapid.Bool().Draw(t, "yes"), Data: anyBytes.Draw(t, "data")}
			if rapid.Bool().Draw(t, "names method") {
				c.Method = &payment.Method{Kind: payment.WalletMethod, User: 11}
			}
			d.says(anyAnswer(t, payment.PayerRequired))
			d.flagged = rapid.Bool().Draw(t, "flagged")
			d.do(c)
			d.answers, d.flagged = nil, false
		},
		"review": func(t *rapid.T) {
			d.says(anyAnswer(t))
			d.do(payment.Review{Passed: rapid.Bool().Draw(t, "passed"), Note: "alice"})
			d.answers = nil
		},
		"revise": func(t *rapid.T) {
			next := d.p.Intake
			next.Details = anyBytes.Draw(t, "details")
			if rapid.Bool().Draw(t, "terms") {
				next.Amount = anyAmount(t, d)
			}
			if rapid.Bool().Draw(t, "schedule") {
				next.Policy.CaptureAt = noon.Add(rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, 24 * time.Hour, week}).Draw(t, "capture at"))
			}
			revise := payment.Revise{Intake: next, OfHold: rapid.Bool().Draw(t, "of the hold")}
			if rapid.Bool().Draw(t, "by an edit") {
				revise.Intake, revise.Edit = payment.Intake{}, func(*payment.Payment) (payment.Intake, *payment.Refusal) { return next, nil }
			}
			d.do(revise)
		},
		"capture": func(t *rapid.T) { d.capture(t, payment.Capture{}) },
		"capture alongside": func(t *rapid.T) {
			d.capture(t, payment.Capture{Alongside: true, DuplicateWithin: 30 * time.Second})
		},
		"void": func(t *rapid.T) {
			d.says(anyAnswer(t))
			d.do(payment.Void{
				Amount: anyAmount(t, d), All: rapid.Bool().Draw(t, "all"), Alongside: rapid.Bool().Draw(t, "alongside"), Asked: anyAsked.Draw(t, "asked"),
			})
			d.answers = nil
		},
		"cancel": func(t *rapid.T) {
			d.says(anyAnswer(t))
			d.do(payment.Cancel{Rest: rapid.Bool().Draw(t, "rest")})
			d.answers = nil
		},
		"refund": func(t *rapid.T) {
			c := payment.Refund{Amount: anyAmount(t, d), SettledOnly: rapid.Bool().Draw(t, "settled only")}
			c.Parent = rapid.IntRange(0, len(d.p.Operations)).Draw(t, "parent")
			c.Fee = anyFee(t)
			d.says(anyAnswer(t))
			d.do(c)
			d.answers = nil
		},
		"increment": func(t *rapid.T) {
			d.says(anyAnswer(t))
			d.do(payment.Increment{Amount: anyAmount(t, d), Most: rapid.IntRange(0, 3).Draw(t, "most"), Asked: anyAsked.Draw(t, "asked")})
			d.answers = nil
		},
		"expire": func(*rapid.T) { d.do(payment.Expire{}) },
		"resolve": func(t *rapid.T) {
			number := rapid.IntRange(0, len(d.p.Operations)+1).Draw(t, "operation")
			if op := d.p.Pending(); op != nil && rapid.Bool().Draw(t, "pending one") {
				number = op.Number
			}
			var also []payment.Result
			if op := d.p.Op(number); op != nil && op.Kind == payment.OpAuthorize {
				also = append(also, payment.PayerRequired)
			}
			answer := anyAnswer(t, also...)
			d.says(anyAnswer(t)) // should it capture by itself
			d.resolve(number, answer)
			d.answers = nil
		},
		"timer": func(t *rapid.T) {
			if len(d.timers) == 0 {
				t.Skip("none is set")
			}
			i := rapid.IntRange(0, len(d.timers)-1).Draw(t, "which")
			timer := d.timers[i]
			if timer.Due.After(d.now) {
				d.now = timer.Due
			}
			if c := timer.Command(); c != nil {
				d.says(anyAnswer(t))
				got := d.do(c)
				d.answers = nil
				if !got.Refusal.Has(payment.OperationPending) {
					d.timers = slices.Delete(d.timers, i, i+1)
				}
			}
		},
		"clock": func(t *rapid.T) {
			steps := []time.Duration{-time.Hour, -time.Second, 0, time.Millisecond, 30 * time.Second, time.Hour, 24 * time.Hour, week}
			step := rapid.SampledFrom(steps).Draw(t, "passes")
			d.setBack = d.setBack || step < 0
			d.in(step)
		},
	}
}

func (d *desk) capture(t *rapid.T, c payment.Capture) {
	c.Amount, c.Fee = anyAmount(t, d), anyFee(t)
	c.Final = rapid.Bool().Draw(t, "final")
	c.NoOverCapture = rapid.Bool().Draw(t, "no over-capture")
	c.MustStayOpen = rapid.Bool().Draw(t, "must stay open")
	c.FeePercent = rapid.SampledFrom([]int64{0, 20}).Draw(t, "fee percent")
	c.Details = anyBytes.Draw(t, "details")
	if rapid.Bool().Draw(t, "revises") {
		c.Revise = []byte("revised")
	}
	d.says(anyAnswer(t))
	d.do(c)
	d.answers = nil
}

// finish lets every processor answer and every timer fire: then no money is
// held any more, and none that was captured is on its way. Where the clock was
// set back a deadline may be missed by its timer, but not by the next look.
func (d *desk) finish() {
	d.t.Helper()
	for range 100 {
		if op := d.p.Pending(); op != nil {
			d.resolve(op.Number, approve)
			continue
		}
		if len(d.timers) == 0 {
			break
		}
		slices.SortStableFunc(d.timers, func(a, b payment.Timer) int { return a.Due.Compare(b.Due) })
		timer := d.timers[0]
		d.timers = d.timers[1:]
		if timer.Due.After(d.now) {
			d.now = timer.Due
		}
		if c := timer.Command(); c != nil {
			d.do(c)
		}
	}
	if d.setBack {
		d.in(week).do(payment.Expire{})
	}
	if op := d.p.Pending(); op != nil || d.balance(ledger.Held) != 0 || d.balance(ledger.InTransit) != 0 || d.p.Settled != d.p.Captured || d.p.RefundsSettled != d.p.Refunded || d.p.Status == payment.Authorized {
		d.t.Fatalf("after everything the payment is %s, in transit %d, settled %d and of refunds %d", state(d.p), d.balance(ledger.InTransit), d.p.Settled, d.p.RefundsSettled)
	}
}

var anyBytes = rapid.SampledFrom([][]byte{nil, []byte("a"), []byte(`{"b":1}`)})

var anyAsked = rapid.Custom(func(t *rapid.T) payment.Asked {
	return payment.Asked{Dialect: "test", Reference: rapid.SampledFrom([]string{"", "r1"}).Draw(t, "reference"), Details: anyBytes.Draw(t, "details")}
})

func anyAnswer(t *rapid.T, also ...payment.Result) payment.Answer {
	results := append([]payment.Result{payment.Approved, payment.Approved, payment.Refused, payment.Pending}, also...)
	a := payment.Answer{Result: rapid.SampledFrom(results).Draw(t, "answer")}
	switch a.Result {
	case payment.Refused:
		a.Reason = rapid.SampledFrom([]payment.Reason{payment.DoNotHonor, payment.AuthorizationLapsed}).Draw(t, "reason")
	case payment.Approved:
		a.Reference, a.AuthCode, a.Data = "ref", "123456", anyBytes.Draw(t, "data")
	}
	return a
}

// anyAmount is one that matters: none, a little, about what is left, far too
// much, or what a dialect makes of 10^30.
func anyAmount(t *rapid.T, d *desk) int64 {
	left := d.p.Remaining()
	near := []int64{0, 1, left / 2, left - 1, left, left + 1, d.p.Capturable(), d.p.Capturable() + 1, d.p.Refundable(), -1, 1<<63 - 1}
	return rapid.SampledFrom(near).Draw(t, "amount")
}

func anyFee(t *rapid.T) *int64 {
	fee := rapid.SampledFrom([]int64{-1, 0, 1, 200, 1 << 62}).Draw(t, "fee")
	if rapid.Bool().Draw(t, "default fee") {
		return nil
	}
	return &fee
}

var anyIntake = rapid.Custom(func(t *rapid.T) payment.Intake {
	i := payment.Intake{
		Dialect: "test", Currency: "USD", Reference: "order", Details: anyBytes.Draw(t, "details"),
		Amount: rapid.SampledFrom([]int64{1, 2, 5, 1000, 1001, 1e15, 1 << 61}).Draw(t, "total"),
		Fee:    rapid.SampledFrom([]int64{0, 0, 1, 200}).Draw(t, "fee"),
		Method: payment.Method{Kind: rapid.SampledFrom([]payment.MethodKind{payment.CardMethod, payment.WalletMethod}).Draw(t, "method"), User: 9},
	}
	i.Fee = min(i.Fee, i.Amount)
	p := &i.Policy
	p.HoldFor = rapid.SampledFrom([]time.Duration{time.Hour, week}).Draw(t, "hold for")
	p.FromCreation = rapid.Bool().Draw(t, "from creation")
	p.AutoCapture = rapid.SampledFrom([]bool{false, false, true}).Draw(t, "auto capture")
	if at := rapid.SampledFrom([]time.Duration{0, 0, time.Minute, time.Hour, week}).Draw(t, "capture at"); at > 0 {
		p.CaptureAt = noon.Add(at)
		p.ScheduledOnly = rapid.Bool().Draw(t, "scheduled only")
	}
	p.MaxCaptures = rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "captures")
	p.OverCapture = rapid.SampledFrom([]int64{0, 100, 120, payment.NoCap}).Draw(t, "over-capture")
	p.MinCapture = rapid.SampledFrom([]int64{0, 0, 100}).Draw(t, "min capture")
	p.FeePercent = rapid.SampledFrom([]int64{0, 20}).Draw(t, "fee percent")
	p.SettleAfter = rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(t, "settle after")
	p.RefundSettleAfter = rapid.SampledFrom([]time.Duration{0, time.Second, week}).Draw(t, "refunds settle after")
	p.ReviewsHold = rapid.Bool().Draw(t, "reviews hold")
	p.RetryDeclined = rapid.Bool().Draw(t, "retry declined")
	p.DeclinedCaptureEnds = rapid.Bool().Draw(t, "declined capture ends")
	p.PayerDeadline = rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(t, "payer deadline")
	p.CancelFor = rapid.SampledFrom([]time.Duration{0, 90 * time.Minute}).Draw(t, "cancel for")
	return i
})

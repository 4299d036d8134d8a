package engine

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/risk"
)

// checks looks up the risk checks that a command will be held against: nil if
// it cannot ask a processor for anything, or none are configured.
func (e *Engine) checks(ctx context.Context, r *payment.Request) (*risk.Checks, error) {
	if e.Checks == nil || r.Screening == payment.NeverScreened {
		return nil, nil
	}
	switch c := r.Command.(type) {
	case payment.Create:
		if c.Attempt == nil {
			return nil, nil
		}
	case payment.Authorize, payment.PayerAnswer, payment.Capture, payment.Void, payment.Cancel, payment.Refund:
	default:
		return nil, nil
	}
	checks, err := e.Checks(ctx, r.Merchant, r.Screening == payment.AlwaysScreened)
	if err != nil {
		return nil, fmt.Errorf("engine: risk checks of merchant %d: %w", r.Merchant, err)
	}
	return checks, nil
}

// screen holds an operation against the risk checks of the command that is
// being decided. What it reads and counts becomes part of the command's change.
func (b *batch) screen(i payment.Instruction) payment.Answer {
	if i.Kind == payment.OpCapture && i.Parent != 0 { // automatic: its authorization was judged for both
		return payment.Answer{Result: payment.Approved, Screening: i.Payment.Op(i.Parent).Answer.Screening}
	}
	checks := b.item.checks
	if checks == nil {
		return payment.Answer{Result: payment.Approved}
	}
	in := inputOf(i.Payment.Intake, i.Kind, b.at(i.Payment))
	in.Amount, in.Again = i.Amount, i.PayerDone
	usage := risk.Usage{}
	for _, c := range checks.Counters(in) {
		if t := b.tally(b.item, c); t != nil {
			usage[c.Name] = t.Tally
		}
	}
	verdict := checks.Evaluate(in, usage)
	for _, c := range checks.Note(in, usage) {
		if t := b.tally(b.item, c); t != nil {
			t.Tally = usage[c.Name]
			b.set(t)
		}
	}
	b.unchallenged, b.review = verdict.Skip3DS, verdict.Review
	answer := payment.Answer{Result: payment.Approved, Message: verdict.Message, Screening: verdict.Document}
	if verdict.Rejected {
		answer.Result, answer.Reason = payment.Refused, reasons[verdict.Reason]
	}
	return answer
}

var toReview = []payment.Label{payment.ToReview}

// reviewed flags the operation that was screened last, if a rule says so.
func (b *batch) reviewed() []payment.Label {
	if !b.review {
		return nil
	}
	b.review = false
	return toReview
}

// at is when an operation of p is judged: as late as anything that is known of
// it.
func (b *batch) at(p *payment.Payment) time.Time {
	if p.UpdatedAt.After(b.now) {
		return p.UpdatedAt
	}
	return b.now
}

// reasons are the verdict's reasons in the words of payments.
var reasons = map[risk.Reason]payment.Reason{
	risk.OverMaximum: payment.LimitMaximum,
	risk.OverVolume:  payment.LimitVolume,
	risk.OverCount:   payment.LimitCount,
	risk.OverPayer:   payment.LimitPayer,
	risk.Stopped:     payment.RiskRejected,
}

// inputOf is what the risk checks know of an operation of a payment.
func inputOf(p payment.Intake, kind payment.OperationKind, at time.Time) risk.Input {
	in := risk.Input{Currency: p.Currency, At: at, IP: p.IP, Email: p.Email}
	switch m := &p.Method; m.Kind {
	case payment.CardMethod:
		in.Card, in.BIN, in.Holder = m.Fingerprint, m.First6, m.Holder
		if m.Fingerprint != "" {
			in.Payer = "card/" + m.Fingerprint
		}
	case payment.WalletMethod:
		if m.User != 0 {
			in.Payer = "user/" + strconv.FormatInt(m.User, 10)
		}
	}
	switch kind {
	case payment.OpAuthorize, payment.OpIncrement:
		if in.Type = risk.Authorization; p.Policy.AutoCapture {
			in.Type = risk.Payment
		}
	case payment.OpCapture:
		in.Type = risk.Capture
	case payment.OpRefund:
		in.Type = risk.Refund
	default:
		in.Type = risk.Void
	}
	return in
}

// foresee is what a command will most probably be judged by, so that its
// counters can be loaded with those of the rest of the batch.
func (b *batch) foresee(p *payment.Payment, c payment.Command) (risk.Input, bool) {
	var intake payment.Intake
	at := b.now
	if p != nil {
		intake, at = p.Intake, b.at(p)
	}
	kind := payment.OpAuthorize
	switch c := c.(type) {
	case payment.Create:
		intake = c.Intake
	case payment.Authorize:
		if c.Intake != nil {
			intake = *c.Intake
		}
	case payment.PayerAnswer:
		if c.Method != nil {
			intake.Method = *c.Method
		}
	case payment.Increment:
		kind = payment.OpIncrement
	case payment.Capture:
		kind = payment.OpCapture
	case payment.Void, payment.Cancel:
		kind = payment.OpVoid
	case payment.Refund:
		kind = payment.OpRefund
	}
	return inputOf(intake, kind, at), intake.Currency != ""
}

package payment_test

import (
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

// TestContradiction: what a processor has done against its own word is taken
// back, once, and moves nothing in the books.
func TestContradiction(t *testing.T) {
	of := func(operation int, a payment.Answer) payment.Resolve {
		return payment.Resolve{Operation: operation, Answer: a}
	}
	declinedCapture := authorized(t).after(decline, capture(60_00))
	for _, test := range []struct {
		name string
		desk *desk
		c    payment.Resolve
		kind payment.EventKind // 0 is nothing
	}{
		{"an authorization", created(t).after(decline, payment.Authorize{}).says(unknown), of(1, approve), payment.CorrectionPending},
		{"an authorization, taken back at once", created(t).after(decline, payment.Authorize{}).says(approve), of(1, approve), payment.CorrectionMade},
		{"a capture", declinedCapture.fork().says(unknown), of(2, approve), payment.CorrectionPending},
		{"a capture, after a void", declinedCapture.fork().after(approve, void(0)).says(unknown), of(2, approve), payment.CorrectionPending},
		{"a capture that is not taken back", declinedCapture.fork().says(decline), of(2, approve), payment.CorrectionDeclined},
		{"a void cannot be taken back", authorized(t).after(decline, void(0)), of(2, approve), payment.CorrectionDeclined},
		{"again, while it is taken back", declinedCapture.fork().after(unknown, of(2, approve)), of(2, approve), 0},
		{"again, after it was taken back", declinedCapture.fork().after(approve, of(2, approve)), of(2, approve), 0},
		{"again, after that was declined", declinedCapture.fork().after(decline, of(2, approve)).says(unknown), of(2, approve), payment.CorrectionPending},
		{"declined once more", declinedCapture.fork(), of(2, decline), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := state(test.desk.p)
			got := test.desk.do(test.c)
			if test.kind == 0 {
				if got.Events != nil {
					t.Errorf("got %+v", got.Events)
				}
				return
			}
			if len(got.Events) != 1 || got.Events[0].Kind != test.kind || got.Entries[0] != nil {
				t.Fatalf("got %+v, %+v", got.Events, got.Entries)
			}
			op := got.Payment.Op(got.Operation)
			if op.Kind != payment.OpCorrection || op.Parent != test.c.Operation || op.Amount != got.Payment.Op(op.Parent).Amount {
				t.Errorf("operation %+v", op)
			}
			if got.Payment.Op(op.Parent).Status != payment.OpFailed {
				t.Errorf("it was %s, and is %s", before, state(got.Payment))
			}
		})
	}
}

// A correction under way keeps nobody from anything.
func TestCorrectionsAreAside(t *testing.T) {
	d := authorized(t).after(decline, capture(60_00)).after(unknown, payment.Resolve{Operation: 2, Answer: approve})
	got := d.says(approve).do(capture(40_00))
	if got.Refusal != nil || got.Payment.Captured != 40_00 {
		t.Errorf("%+v", got)
	}
	if got = d.do(payment.Resolve{Operation: 3, Answer: approve}); got.Payment.Op(3).Status != payment.OpApproved || got.Payment.Captured != 40_00 {
		t.Errorf("%+v", got)
	}
}

// Whatever has become of a payment meanwhile, what was done against the
// processor's word is taken back, and its state is none of that.
func TestCorrectionInEveryState(t *testing.T) {
	retries := policy(func(p *payment.Policy) { p.RetryDeclined = true })
	tried := created(t, retries).after(decline, payment.Authorize{})
	refused := authorized(t).after(decline, capture(60_00))
	over := refused.fork().in(week)
	over.do(payment.Expire{})
	for status, d := range map[payment.Status]*desk{
		payment.Created:       tried,
		payment.Authorizing:   tried.fork().after(unknown, payment.Authorize{}),
		payment.AwaitingPayer: tried.fork().after(askPayer, payment.Authorize{}),
		payment.Declined:      created(t).after(decline, payment.Authorize{}),
		payment.Authorized:    refused,
		payment.Captured:      refused.fork().after(approve, payment.Capture{Final: true}),
		payment.Voided:        refused.fork().after(approve, void(0)),
		payment.Expired:       over,
	} {
		if d.p.Status != status {
			t.Fatalf("it is %s, not %s", d.p.Status, status)
		}
		failed := 2
		if d.p.Op(1).Status == payment.OpFailed {
			failed = 1
		}
		for _, answers := range [][]payment.Answer{{approve}, {decline}, {unknown, approve}, {unknown, decline}} {
			d := d.fork().says(answers[0])
			got := d.do(payment.Resolve{Operation: failed, Answer: approve})
			if len(answers) > 1 {
				got = d.do(payment.Resolve{Operation: got.Operation, Answer: answers[1]})
			}
			if got.Payment.Status != status || len(got.Events) == 0 {
				t.Errorf("%s: %s after %+v", status, state(got.Payment), got.Events)
			}
		}
	}
}

// TestCorrect: what an operator has settled is written down once, in any state,
// and moves nothing.
func TestCorrect(t *testing.T) {
	paidOut := newDesk(t)
	paidOut.do(payment.Create{Intake: intake(), Attempt: &payment.Attempt{Payout: true}})
	for name, d := range map[string]*desk{"hold": authorized(t), "payout": paidOut} {
		before := state(d.p)
		got := d.do(payment.Correct{Operation: 1, Note: "jane: it is so"})
		op := got.Payment.Op(got.Operation)
		if len(got.Events) != 1 || got.Events[0].Kind != payment.CorrectionMade || op.Parent != 1 || op.Answer.Message != "jane: it is so" ||
			len(got.Entries[0]) != 0 || got.Payment.Status.String() != before[:len(got.Payment.Status.String())] {
			t.Errorf("%s, %s: %+v", name, before, got)
		}
		for _, number := range []int{1, 0, -1} {
			if again := d.do(payment.Correct{Operation: number}); !again.Refusal.Has(payment.DuplicateOperation) {
				t.Errorf("%s: operation %d is settled: %+v", name, number, again)
			}
		}
		if unknown := d.do(payment.Correct{Operation: 77}); unknown.Refusal != nil {
			t.Errorf("%s: one that is not known here: %v", name, unknown.Refusal)
		}
	}
}

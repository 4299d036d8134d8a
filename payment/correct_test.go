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

// The names of operations that are not known here are not given to others: a
// processor that knows them would take those for repeats.
func TestCorrectKeepsNames(t *testing.T) {
	for settled, next := range map[int]int{2: 3, 3: 4, 5: 6, 1: 3, 99: 100, 5000: 3} {
		d := authorized(t)
		if got := d.do(payment.Correct{Operation: settled, Note: "x"}); got.Refusal != nil {
			t.Fatal(got.Refusal)
		}
		if got := d.do(capture(1)); got.Operation != next {
			t.Errorf("after operation %d was settled, the next is %d, want %d", settled, got.Operation, next)
		}
	}
}

// What a processor has performed is booked as if it had been asked for here,
// under its name.
func TestAdopt(t *testing.T) {
	adopt := func(operation int, kind payment.OperationKind, amount int64) payment.Adopt {
		return payment.Adopt{Operation: operation, Kind: kind, Amount: amount, Currency: "USD", Note: "jane: restored"}
	}
	for _, c := range []struct {
		name  string
		desk  *desk
		adopt payment.Adopt
		want  string
	}{
		{"a capture", authorized(t), adopt(2, payment.OpCapture, 60_00), "authorized, held 10000, captured 6000, left 4000"},
		{"all of it", authorized(t), adopt(2, payment.OpCapture, 100_00), "captured by capture, held 10000, captured 10000"},
		{"one that follows others", authorized(t), adopt(4, payment.OpCapture, 60_00), "authorized, held 10000, captured 6000, left 4000"},
		{"a part that was voided", authorized(t), adopt(2, payment.OpVoid, 60_00), "authorized, held 10000, voided 6000, left 4000"},
		{"a refund", authorized(t).after(approve, capture(60_00)), adopt(3, payment.OpRefund, 10_00), "authorized, held 10000, captured 6000, refunded 1000, left 4000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := len(c.desk.asked)
			got := c.desk.do(c.adopt)
			if got.Refusal != nil || len(c.desk.asked) != asked {
				t.Fatalf("%v, asked %d", got.Refusal, len(c.desk.asked)-asked)
			}
			op := got.Payment.Op(c.adopt.Operation)
			if op == nil || op.Kind != c.adopt.Kind || op.Amount != c.adopt.Amount || op.Answer.Message != "jane: restored" || op.Status != payment.OpApproved {
				t.Errorf("%+v", op)
			}
			if s := state(got.Payment); s != c.want {
				t.Errorf("it is %s, want %s", s, c.want)
			}
		})
	}
	voided := authorized(t).after(approve, void(0))
	for _, c := range []struct {
		name  string
		desk  *desk
		adopt payment.Adopt
		guard payment.Guard
	}{
		{"a name that is another's", authorized(t).after(approve, capture(1_00)), adopt(2, payment.OpCapture, 1_00), payment.DuplicateOperation},
		{"settled before", authorized(t).after(approve, payment.Correct{Operation: 2}), adopt(2, payment.OpCapture, 1_00), payment.DuplicateOperation},
		{"a name far off", authorized(t), adopt(5000, payment.OpCapture, 1_00), payment.NotFound},
		{"more than is held", authorized(t), adopt(2, payment.OpCapture, 100_01), payment.AmountTooLarge},
		{"nothing", authorized(t), adopt(2, payment.OpCapture, 0), payment.AmountTooSmall},
		{"less than nothing", authorized(t), adopt(2, payment.OpVoid, -1), payment.AmountTooSmall},
		{"of a hold that was voided", voided.fork(), adopt(3, payment.OpCapture, 1), payment.NotCapturable},
		{"a void of it", voided.fork(), adopt(3, payment.OpVoid, 1), payment.NotVoidable},
		{"a refund of it", voided.fork(), adopt(3, payment.OpRefund, 1), payment.NotRefundable},
		{"an authorization", authorized(t), adopt(2, payment.OpAuthorize, 1), payment.NotFound},
		{"other money", authorized(t), payment.Adopt{Operation: 2, Kind: payment.OpCapture, Amount: 1, Currency: "EUR"}, payment.CurrencyMismatch},
		{"while nobody knows what becomes of another", authorized(t).after(unknown, capture(1_00)), adopt(3, payment.OpCapture, 1_00), payment.OperationPending},
	} {
		if got := c.desk.do(c.adopt); !got.Refusal.Has(c.guard) || len(got.Events) != 0 {
			t.Errorf("%s: %v, %+v", c.name, got.Refusal, got.Events)
		}
	}
}

package payment_test

import (
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

// What is known of an operation is kept with it, from whoever it came.
func TestAnswersAreKept(t *testing.T) {
	said := payment.Answer{Result: payment.Approved, Reference: "ref", AuthCode: "123456", Message: "fine", Data: []byte("acquirer's")}
	threeD := payment.PayerAnswer{Approved: true, Data: []byte("3-D")}
	later := payment.Resolve{Operation: 1, Answer: said}
	for _, test := range []struct {
		name string
		desk *desk
		c    payment.Command
		want payment.Answer
	}{
		{"what the processor says", created(t).says(said), payment.Authorize{}, said},
		{"what it says later", created(t).after(unknown, payment.Authorize{}), later, said},
		{"nothing, while nothing is known", created(t).says(unknown), payment.Authorize{}, payment.Answer{}},
		{"what came of the payer", created(t).after(askPayer, payment.Authorize{}), threeD, payment.Answer{Result: payment.Approved, Data: threeD.Data}},
		{"what came of the payer, who said no", created(t).after(askPayer, payment.Authorize{}), payment.PayerAnswer{Data: threeD.Data}, payment.Answer{Result: payment.Refused, Reason: payment.PayerDeclined, Data: threeD.Data}},
		{"what came of the payer, while nothing else is known", created(t).after(askPayer, payment.Authorize{}).says(unknown), threeD, payment.Answer{Result: payment.Pending, Data: threeD.Data}},
		{"what the processor says of the payer", created(t).after(askPayer, payment.Authorize{}).says(said), threeD, said},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.desk.do(test.c).Payment.Op(1).Answer
			if !sameAnswer(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func sameAnswer(a, b payment.Answer) bool {
	return a.Result == b.Result && a.Reason == b.Reason && a.Reference == b.Reference && a.AuthCode == b.AuthCode &&
		a.Message == b.Message && string(a.Data) == string(b.Data) && string(a.Screening) == string(b.Screening)
}

// An operation is screened before its processor hears of it, and once more
// when the payer has acted. What was found stays with it.
func TestScreening(t *testing.T) {
	found := []byte(`{"score":1}`)
	passes := func(payment.Instruction) payment.Answer {
		return payment.Answer{Result: payment.Approved, Screening: found}
	}
	for _, test := range []struct {
		name string
		desk *desk
		play func(d *desk) payment.Decision
	}{
		{"approved", created(t), func(d *desk) payment.Decision { return d.do(payment.Authorize{}) }},
		{"declined by the processor", created(t), func(d *desk) payment.Decision { return d.says(decline).do(payment.Authorize{}) }},
		{"not answered", created(t), func(d *desk) payment.Decision { return d.says(unknown).do(payment.Authorize{}) }},
		{"answered later", created(t), func(d *desk) payment.Decision {
			return d.after(unknown, payment.Authorize{}).resolve(1, approve)
		}},
		{"after the payer's yes", created(t), func(d *desk) payment.Decision {
			return d.after(askPayer, payment.Authorize{}).do(payment.PayerAnswer{Approved: true})
		}},
		{"after the payer's no", created(t), func(d *desk) payment.Decision {
			return d.after(askPayer, payment.Authorize{}).do(payment.PayerAnswer{})
		}},
		{"a capture", authorized(t), func(d *desk) payment.Decision { return d.do(capture(1)) }},
		{"a void", authorized(t), func(d *desk) payment.Decision { return d.do(void(1)) }},
		{"a refund", authorized(t).after(approve, capture(2)), func(d *desk) payment.Decision { return d.do(refund(1)) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			times, want := 0, 1
			if test.name == "after the payer's yes" {
				want = 2
			}
			d := test.desk
			d.screen = func(i payment.Instruction) payment.Answer {
				times++
				return passes(i)
			}
			got := test.play(d)
			if op := got.Payment.Op(got.Operation); string(op.Answer.Screening) != string(found) || times != want {
				t.Errorf("screened %d times, kept %q", times, op.Answer.Screening)
			}
		})
	}

	d := authorized(t)
	d.asked = nil
	d.screen = func(payment.Instruction) payment.Answer {
		return payment.Answer{Result: payment.Refused, Reason: payment.RiskRejected, Screening: found}
	}
	got := d.do(capture(60_00))
	expect(t, got, "authorized, held 10000, left 10000")
	if op := got.Payment.Op(2); op.Status != payment.OpFailed || op.Answer.Reason != payment.RiskRejected || string(op.Answer.Screening) != string(found) {
		t.Errorf("the capture is %+v", op)
	}
	if d.asked != nil {
		t.Error("the processor heard of it")
	}
}

// What a processor is told.
func TestInstructions(t *testing.T) {
	secret := payment.Secret{Number: "4111111111111111", CVC: "123"}
	d := created(t)
	d.after(askPayer, payment.Authorize{Attempt: payment.Attempt{Secret: secret}})
	d.do(payment.PayerAnswer{Approved: true})
	d.do(capture(60_00))
	d.do(payment.Refund{Amount: 5, Asked: payment.Asked{Parent: 2}})
	d.do(final(1))
	d.do(payment.Refund{})
	want := []payment.Instruction{
		{Operation: 1, Kind: payment.OpAuthorize, Amount: 100_00, Secret: secret},
		{Operation: 1, Kind: payment.OpAuthorize, Amount: 100_00, PayerDone: true},
		{Operation: 2, Kind: payment.OpCapture, Amount: 60_00},
		{Operation: 3, Kind: payment.OpRefund, Amount: 5, Parent: 2},
		{Operation: 4, Kind: payment.OpCapture, Amount: 1, Final: true},
		{Operation: 5, Kind: payment.OpRefund, Amount: 59_96},
	}
	if len(d.asked) != len(want) {
		t.Fatalf("%d instructions, want %d", len(d.asked), len(want))
	}
	for i, got := range d.asked {
		if id := got.ID(); id != payment.OperationID(7, want[i].Operation) || got.Payment.ID != 7 {
			t.Errorf("instruction %d is called %s", i, id)
		}
		if got.Payment = nil; got != want[i] {
			t.Errorf("instruction %d: got %+v, want %+v", i, got, want[i])
		}
	}
	if id := payment.OperationID(7, 2); id != "op_7_2" {
		t.Errorf("an operation is called %s", id)
	}
}

// What came of authenticating the payer travels in the answer.
func TestAuthentication(t *testing.T) {
	eci := 5
	for _, want := range []payment.Authentication{
		{Flow: "challenge", Result: "Y"},
		{Flow: "frictionless", Result: "Y", ECI: &eci, CAVV: "AAABBZEEBgAAAAAAAAQGAAAAAAA="},
	} {
		a := payment.Answer{Data: want.Document()}
		got := a.Authentication()
		if got == nil || got.Flow != want.Flow || got.Result != want.Result || got.CAVV != want.CAVV || (got.ECI == nil) != (want.ECI == nil) || got.ECI != nil && *got.ECI != eci {
			t.Errorf("%s was read as %+v", a.Data, got)
		}
	}
	for _, none := range []string{"", "{}", `{"other":1}`, "not a document"} {
		if got := (&payment.Answer{Data: []byte(none)}).Authentication(); got != nil {
			t.Errorf("%q was read as %+v", none, got)
		}
	}
}

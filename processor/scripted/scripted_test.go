package scripted_test

import (
	"context"
	"errors"
	"testing"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/processor/book"
	"github.com/capstan-pay/capstan/processor/cardsim"
	"github.com/capstan-pay/capstan/processor/scripted"
)

// TestSeal: what was performed stays performed, though its answer was lost;
// what was not never is, however late its request arrives.
func TestSeal(t *testing.T) {
	for name, behind := range map[string]processor.Processor{"card": cardsim.Processor{}, "wallet": book.Processor{}} {
		for _, test := range []struct {
			step scripted.Outcome
			sent bool // before it is sealed
			want payment.Result
		}{
			{scripted.LostThenApproved, true, payment.Approved},
			{scripted.LostThenDeclined, true, payment.Refused},
			{scripted.LostThenApproved, false, 0},
			{scripted.Timeout, true, 0},
			{scripted.Timeout, false, 0},
		} {
			script := scripted.NewScript()
			script.Queue(1, payment.OpAuthorize, scripted.Step{Outcome: test.step}, 1)
			p := script.Before(behind)
			subject := &payment.Payment{ID: 7, Merchant: 1}
			instruction := payment.Instruction{Payment: subject, Operation: 1, Kind: payment.OpAuthorize, Amount: 5}
			if a := p.Decide(instruction, nil); a.Result != payment.Pending {
				t.Fatalf("%s, %s: decided %d", name, test.step, a.Result)
			}
			order := processor.Order{ID: instruction.ID(), Kind: payment.OpAuthorize, Merchant: 1, Amount: 5}
			if test.sent {
				if a, err := p.Perform(context.Background(), order); err == nil {
					t.Errorf("%s, %s: answered %d", name, test.step, a.Result)
				}
			}
			answer, err := p.Seal(context.Background(), order)
			if sealed := errors.Is(err, processor.ErrSealed); sealed != (test.want == 0) || answer.Result != test.want {
				t.Errorf("%s, %s: sealing says %d, %v", name, test.step, answer.Result, err)
			}
			late, err := p.Perform(context.Background(), order)
			if want := max(test.want, payment.Approved); err != nil || test.want == 0 && late.Result != payment.Refused || test.want != 0 && late.Result != want {
				t.Errorf("%s, %s: the late request is answered %d, %v", name, test.step, late.Result, err)
			}
		}
	}
}

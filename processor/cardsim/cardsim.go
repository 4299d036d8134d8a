// Package cardsim is a card acquirer that lives inside the sandbox. What it
// answers depends on the test card alone, so every answer can be repeated.
package cardsim

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
)

// Processor simulates the acquirer. Its zero value is ready to use.
type Processor struct{}

// Decide answers by the card's behaviour, or says Pending for a card whose
// behaviour is not to answer at once.
func (Processor) Decide(i payment.Instruction, _ *payment.Payer) payment.Answer {
	b := behaviours[i.Payment.Method.Simulate]
	switch i.Kind {
	case payment.OpAuthorize:
		if b.asksPayer(i) {
			return payment.Answer{Result: payment.PayerRequired}
		}
		a := approve(i.ID())
		if b.decline != "" && !(b.decline == payment.AuthenticationFailed && i.Unchallenged) {
			a = decline(b.decline)
		}
		a.Data = b.authentication(i)
		return a
	case payment.OpPayout:
		if b.decline != "" {
			return decline(b.decline)
		}
	case payment.OpCapture:
		switch {
		case b.captureDecline != "" && (!b.once || captureAttempts(i.Payment) == 0):
			return decline(b.captureDecline)
		case b.captureLost != nil:
			return payment.Answer{Result: payment.Pending}
		}
	case payment.OpRefund:
		switch b.refund {
		case refundLater:
			return payment.Answer{Result: payment.Pending}
		case refundReturns:
			return payment.PresumedRefund()
		}
	}
	return approve(payment.OperationID(i.Payment.ID, i.Operation))
}

// asksPayer tells whether an authorization has to wait for the payer.
func (b behaviour) asksPayer(i payment.Instruction) bool {
	if i.PayerDone || i.Unchallenged || b.plain || b.frictionless != "" {
		return false
	}
	return i.Challenge || b.challenge && !(b.onSession && i.PayerAbsent)
}

// authentication is what came of the payer's authentication, nil if there was
// none: the processor's document that goes with its answer.
func (b behaviour) authentication(i payment.Instruction) []byte {
	switch {
	case i.Unchallenged:
		return nil
	case b.frictionless != "":
		auth := payment.Authentication{Flow: "frictionless", Result: b.frictionless}
		if b.frictionless == "Y" || b.frictionless == "A" {
			auth.ECI, auth.CAVV = eci(i.Payment.Method.Brand, b.frictionless), cavv(i.ID())
		}
		return auth.Document()
	case i.PayerDone:
		return payment.Authentication{Flow: "challenge", Result: "Y"}.Document()
	}
	return nil
}

// eci is the electronic commerce indicator of an authentication that succeeded,
// or that was only attempted.
func eci(brand, result string) *int {
	value := 5
	if brand == "mastercard" || brand == "maestro" {
		value = 2
	}
	if result == "A" {
		value = map[int]int{5: 6, 2: 1}[value]
	}
	return &value
}

// cavv makes up a cardholder authentication value of 20 bytes.
func cavv(id string) string {
	h := fnv.New128a()
	h.Write([]byte(id))
	return base64.StdEncoding.EncodeToString(append(h.Sum(nil), 0, 0, 0, 5))
}

// Perform carries out what Decide put off.
func (Processor) Perform(ctx context.Context, o processor.Order) (payment.Answer, error) {
	if o.Kind == payment.OpRefund && behaviours[o.Method.Simulate].refund != refundAtOnce {
		return payment.Answer{}, errUnderWay
	}
	if lost := behaviours[o.Method.Simulate].captureLost; o.Kind == payment.OpCapture && lost != nil {
		return payment.Answer{}, lost
	}
	return approve(o.ID), nil
}

// Lookup tells what became of an operation.
func (Processor) Lookup(_ context.Context, o processor.Order) (payment.Answer, error) {
	if o.Kind == payment.OpRefund {
		switch behaviours[o.Method.Simulate].refund {
		case refundLater:
			return approve(o.ID), nil
		case refundReturns:
			return decline(payment.GenericDecline), nil
		}
	}
	switch lost := behaviours[o.Method.Simulate].captureLost; lost {
	case nil:
		return payment.Answer{}, processor.ErrNoTrace
	case errBrokenLine:
		return approve(o.ID), nil
	default:
		return payment.Answer{}, lost
	}
}

// Seal tells what became of an operation, or that it will not be performed:
// nothing of it is on its way.
func (p Processor) Seal(ctx context.Context, o processor.Order) (payment.Answer, error) {
	answer, err := p.Lookup(ctx, o)
	if errors.Is(err, processor.ErrNoTrace) {
		err = processor.ErrSealed
	}
	return answer, err
}

func captureAttempts(p *payment.Payment) int {
	count := 0
	for _, op := range p.Operations {
		if op.Kind == payment.OpCapture {
			count++
		}
	}
	return count
}

func decline(why payment.Reason) payment.Answer {
	return payment.Answer{Result: payment.Refused, Reason: why, Message: messages[why]}
}

// approve makes up what an acquirer gives with an approval. It follows from
// the operation's name, so a repeat gets the same.
func approve(id string) payment.Answer {
	h := fnv.New64a()
	h.Write([]byte(id))
	sum := h.Sum64()
	return payment.Answer{
		Result:    payment.Approved,
		Reference: fmt.Sprintf("%07d", sum%10_000_000),
		AuthCode:  fmt.Sprintf("%06d", sum>>24%1_000_000),
	}
}

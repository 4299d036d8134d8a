package remote

import (
	"slices"

	"github.com/capstan-pay/capstan/payment"
)

// Outcome is what a processor says of an operation.
type Outcome string

// The outcomes. Pending is not final; a sealed operation was not performed and
// never will be.
const (
	Approved Outcome = "approved"
	Declined Outcome = "declined"
	Pending  Outcome = "pending"
	Sealed   Outcome = "sealed"
)

// Request is the body of POST /v1/authorize, /v1/capture, /v1/void,
// /v1/refund and /v1/payout.
type Request struct {
	ID       string `json:"id"`                // our name for the operation; also the header Idempotency-Key
	Payment  string `json:"payment"`           // our name for the authorization it belongs to; its own for an authorization and a payout
	Capture  string `json:"capture,omitempty"` // refunds: our name for the capture, if it is for one
	Merchant string `json:"merchant"`
	Amount   int64  `json:"amount"` // minor units of Currency
	Currency string `json:"currency"`
	Final    bool   `json:"final,omitempty"` // captures: what is left of the hold is released

	Reference string `json:"reference,omitempty"` // the processor's own name for the authorization
	Data      []byte `json:"data,omitempty"`      // what the processor said with the authorization, base64
	Card      *Card  `json:"card,omitempty"`      // authorizations and payouts
}

// Card is what a processor is told of a card. Number, CVC and Encoded are sent
// once and kept nowhere.
type Card struct {
	Number   string `json:"number,omitempty"`
	CVC      string `json:"cvc,omitempty"`
	Encoded  string `json:"encoded,omitempty"` // what a terminal read
	Brand    string `json:"brand,omitempty"`
	First6   string `json:"first6,omitempty"`
	Last4    string `json:"last4,omitempty"`
	ExpMonth int    `json:"exp_month,omitempty"`
	ExpYear  int    `json:"exp_year,omitempty"`
	Holder   string `json:"holder,omitempty"`
	Simulate string `json:"simulate,omitempty"` // sandbox only: the name of a test card's behaviour
}

// Effect is one operation that a processor has performed, as a line of a
// journal or of the list to reconcile with.
type Effect struct {
	Operation string `json:"operation"` // authorize, capture, void, refund or payout
	ID        string `json:"id"`
	Payment   string `json:"payment"` // the ID of the authorize operation
	Amount    int64  `json:"amount"`
	Currency  string `json:"currency"`
	At        string `json:"at"` // RFC 3339
}

// Answer is what a processor answers about an operation.
type Answer struct {
	ID        string         `json:"id"`
	Outcome   Outcome        `json:"outcome"`
	Amount    int64          `json:"amount,omitempty"`    // of the operation; 0 is not told
	Reason    payment.Reason `json:"reason,omitempty"`    // of a decline
	Reference string         `json:"reference,omitempty"` // the processor's own name for it
	AuthCode  string         `json:"auth_code,omitempty"` // the issuer's approval code
	Message   string         `json:"message,omitempty"`   // the processor's own words
	Data      []byte         `json:"data,omitempty"`      // comes back with later operations of the payment, base64
}

// List is a page of what a processor has performed.
type List struct {
	Operations []Effect `json:"operations"`
	Next       string   `json:"next,omitempty"` // the cursor of the next page; empty is the last one
}

// Verb is the last part of the path for a kind of operation.
func Verb(kind payment.OperationKind) string {
	if kind == payment.OpCancel {
		kind = payment.OpVoid
	}
	return kind.String()
}

// answer is a final answer in the engine's words; false while it is not final,
// or not one.
func (a Answer) answer() (payment.Answer, bool) {
	out := payment.Answer{
		Reference: clip(a.Reference, 128), AuthCode: clip(a.AuthCode, 32), Message: clip(masked(a.Message), 256), Data: a.Data,
	}
	switch a.Outcome {
	case Approved:
		out.Result = payment.Approved
	case Declined:
		out.Result, out.Reason = payment.Refused, a.Reason
		if !slices.Contains(payment.Reasons(), a.Reason) {
			out.Reason = payment.GenericDecline
		}
	case Sealed:
		out.Result, out.Reason, out.Message = payment.Refused, payment.ProcessingError, notReached
	default:
		return payment.Answer{}, false
	}
	return out, true
}

const notReached = "The request did not reach the processor"

// masked hides what could be the number of a card: a processor's words are
// kept, and shown.
func masked(text string) string {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		end := i
		for end < len(text) && text[end] >= '0' && text[end] <= '9' {
			end++
		}
		switch {
		case end-i >= 12:
			out = append(out, "[number]"...)
		case end == i:
			end++
			fallthrough
		default:
			out = append(out, text[i:end]...)
		}
		i = end
	}
	return string(out)
}

// clip bounds what is kept of a text to so many bytes.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && text[most]&0xC0 == 0x80 { // not inside a character
		most--
	}
	return text[:most]
}

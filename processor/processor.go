// Package processor says how Capstan asks somebody to move money.
//
// A processor that knows the answer by itself decides on the spot, inside the
// commit: that is [Processor.Decide], which does no I/O. One that has to be
// called answers Pending there. The intention is then durable before
// [Processor.Perform] is called, and a call whose outcome is unknown is looked
// up under the same name and never guessed.
package processor

import (
	"context"
	"errors"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

// Processor moves money. Its methods are safe for concurrent use.
type Processor interface {
	// Decide answers at once, or says Pending. It must not block, and gives
	// the same answer however often it is asked about the same operation,
	// payment and payer: a batch that could not be committed is decided again.
	Decide(payment.Instruction, *payment.Payer) payment.Answer

	// Perform carries out a pending operation. An answer is final and is
	// Approved or Refused. An error means that the outcome is not known, but for
	// one that wraps ErrNotSent: this call has sent nothing.
	Perform(context.Context, Order) (payment.Answer, error)

	// Lookup asks what became of an operation. ErrNoTrace means that the
	// processor has never seen it; any other error that nothing is known.
	Lookup(context.Context, Order) (payment.Answer, error)

	// Seal makes sure that an operation which has left no trace is never
	// performed, however late its request arrives. ErrSealed means that it was
	// not, and never will be. If it was performed after all, Seal answers what
	// became of it; any other error means that nothing is known.
	Seal(context.Context, Order) (payment.Answer, error)
}

// ErrNoTrace is what Lookup returns for an operation that never arrived.
var ErrNoTrace = errors.New("processor: no trace of the operation")

// ErrNotSent is wrapped by what Perform returns when nothing was sent.
var ErrNotSent = errors.New("nothing was sent")

// ErrSealed is what Seal returns for an operation that will never be performed.
var ErrSealed = errors.New("processor: the operation is sealed")

// Order is an operation as a processor is told of it.
type Order struct {
	ID            string // our name for the operation: the processor's idempotency key
	Kind          payment.OperationKind
	Merchant      int64
	Authorization string // our name for the authorization it belongs to
	Parent        string // refunds: our name for the capture, empty for the payment as a whole
	Amount        int64
	Currency      money.Currency
	Final         bool
	Method        payment.Method
	Reference     string         // the processor's own name for the authorization
	Data          []byte         // what the processor said with the authorization
	Secret        payment.Secret // authorizations of a fresh card, first attempt only
}

// NewOrder describes operation number of payment p. A correction is a void or
// a refund to whoever is asked to make it.
func NewOrder(p *payment.Payment, number int, secret payment.Secret) Order {
	op := p.Op(number)
	o := Order{
		ID: payment.OperationID(p.ID, number), Kind: op.Kind, Merchant: p.Merchant, Amount: op.Amount, Currency: p.Currency,
		Final: op.Final, Method: p.Method, Secret: secret,
	}
	if op.Parent != 0 {
		o.Parent = payment.OperationID(p.ID, op.Parent)
	}
	if auth := p.Authorization(); auth != nil {
		o.Authorization = payment.OperationID(p.ID, auth.Number)
		o.Reference, o.Data = auth.Answer.Reference, auth.Answer.Data
	}
	if back := p.Op(op.Parent); back != nil && op.Kind == payment.OpCorrection {
		o.Reference, o.Data = "", nil
		if o.Kind = payment.OpRefund; back.Kind == payment.OpAuthorize {
			o.Kind, o.Authorization, o.Parent = payment.OpVoid, o.Parent, ""
		}
	}
	return o
}

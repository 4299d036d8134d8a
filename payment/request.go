package payment

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/capstan-pay/capstan/document"
)

// Key names a command so that it is carried out once, however often it is
// sent. It is the digest of the tenant, the dialect's scope and the caller's
// own key; the zero Key is none.
type Key [16]byte

// NewKey returns the key of a caller's idempotency key within a scope.
func NewKey(tenant int64, scope, value string) Key {
	h := sha256.New()
	var head [16]byte
	binary.BigEndian.PutUint64(head[:8], uint64(tenant))
	binary.BigEndian.PutUint64(head[8:], uint64(len(scope)))
	h.Write(head[:])
	h.Write([]byte(scope))
	h.Write([]byte(value))
	return Key(h.Sum(nil)[:16])
}

// Fingerprint is a keyed digest of a request, to tell a repeat from another
// request under the same key.
type Fingerprint [16]byte

// Request is a command on its way to the engine.
type Request struct {
	Tenant   int64
	Merchant int64
	Payment  ID // zero for Create: the engine makes one
	Command  Command

	// Key makes the request idempotent; the engine makes one when it is zero.
	// Retain is how long it is remembered; 0 is for ever.
	Key         Key
	Fingerprint Fingerprint
	Retain      time.Duration

	// Keeps tells which refusals are the final answer under the key. Others
	// leave the key unused. Nil keeps none.
	Keeps func(*Refusal) bool

	// Context is what the dialect needs to give the same answer again and
	// that is not in the payment's history. It is kept with the key.
	Context []byte

	// Aside is passed on to whoever says what is to be told of the command's
	// effect: what a dialect knows of the request and nobody else has to. It is
	// kept nowhere; after a restart there is none.
	Aside any

	// Documents of the dialect are put together with what the command does, if
	// it is not refused: under the same key, and all or nothing. An error that
	// wraps document.ErrExists or document.ErrMoved says that they could not be,
	// and that nothing was done.
	Documents []document.Document

	// Sees tells which payments the caller's dialect can express. One that it
	// cannot is refused with NotFound, as if it were not there. Nil sees all.
	Sees func(*Payment) bool

	// Screening says whether the operation is put to the risk checks.
	Screening Screening

	// Patience is how long the caller waits for a remote processor's answer
	// before he gets the outcome as pending.
	Patience time.Duration
}

// Screening says when an operation is put to the risk checks.
type Screening uint8

// The ways.
const (
	ScreenedIfConfigured Screening = iota // where there is something to check
	AlwaysScreened                        // also where there is nothing: it has a verdict
	NeverScreened
)

// Outcome is what became of a request.
type Outcome struct {
	// Payment is as it was right after the command, also when the outcome is
	// a repeat; nil when there is none. It must not be changed.
	Payment   *Payment
	Operation int       // the operation the command made; 0 is none
	Refusal   *Refusal  // why nothing was done; nil if it was
	At        time.Time // when it was decided
	Pending   bool      // the processor has not answered: not final
	Replayed  bool      // decided earlier, under the same key
	Silent    bool      // pending, and the call to the processor has ended without an answer; not of a repeat
	Context   []byte    // of the first request under the key
}

// Op returns the operation that the command made, or nil.
func (o Outcome) Op() *Operation {
	if o.Payment == nil {
		return nil
	}
	return o.Payment.Op(o.Operation)
}

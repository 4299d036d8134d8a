package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/capstan-pay/capstan/merchant"
)

// Acts is the log of administration: who changed what, when, and for whom. It
// only ever grows.
type Acts interface {
	// Administer makes an administrative change and keeps the act of it, all
	// or nothing, and returns the act as it is kept. ErrConflict: somebody
	// else's act has this number, so what the change was made of may have
	// changed too. ErrExists: a credential is another merchant's. Nothing is
	// written then.
	Administer(context.Context, Administration) (Act, error)

	// Acts returns up to limit acts with a number below before, the latest
	// first; a before of 0 is no bound, a merchant of 0 is every one.
	Acts(ctx context.Context, merchant, before int64, limit int) ([]Act, error)
}

// Administration is a change to the registry with the act that is kept of it.
type Administration struct {
	Act Act // Number is one more than that of the latest act its author knew; Chain is set by the store

	// Create is a new merchant; it is given an ID, and a tenant of its own when
	// Tenant is 0, and the act is about it. Change is one that is there, whose
	// name, settings and disabled mark are replaced.
	Create *merchant.Merchant
	Change *merchant.Merchant

	// Meta are named values to be set, as PutMeta does.
	Meta map[string][]byte

	// Put are credentials to be kept, each replacing the one of the same
	// merchant with the same lookup.
	Put []merchant.Credential
}

// Act is one thing that an administrator did.
type Act struct {
	Number   int64 // from 1, without a gap
	At       time.Time
	By       string // who, as he proved or claimed to be
	Action   string // such as "merchant.create"
	Merchant int64  // 0: about no merchant
	Subject  string // what it was done to besides: a key, a setting
	Details  []byte // JSON: what it was set to. Never a secret
	Chain    Chain  // ties it to all acts before it
}

// Chain is a digest of an act and of the chain of the one before it, so that
// no act can be changed, or taken out of the middle, unnoticed.
type Chain [sha256.Size]byte

// Follow returns the act's chain, behind that of the act before it; the first
// act follows the zero Chain. The parts are framed by their lengths.
func (a Act) Follow(before Chain) (c Chain) {
	h := sha256.New()
	h.Write(before[:])
	var b [8]byte
	for _, n := range []int64{a.Number, a.At.UnixMilli(), a.Merchant} {
		binary.BigEndian.PutUint64(b[:], uint64(n))
		h.Write(b[:])
	}
	for _, part := range [][]byte{[]byte(a.By), []byte(a.Action), []byte(a.Subject), a.Details} {
		binary.BigEndian.PutUint64(b[:], uint64(len(part)))
		h.Write(b[:])
		h.Write(part)
	}
	h.Sum(c[:0])
	return c
}

package dialect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/merchant"
)

// Key is a secret, or the public half of one, by which a merchant is known, as
// it may be shown again: without what is secret.
type Key struct {
	ID        string // names it among the merchant's keys
	Dialect   string
	Kind      string    // the dialect's own word: "secret_key", "token", ...
	Hint      string    // by which its owner can tell it
	CreatedAt time.Time // zero: not known
	ExpiresAt time.Time // it lets nobody in from then on; zero is never
	Disabled  bool
}

// Usable tells whether the key lets its merchant in at that moment.
func (k Key) Usable(at time.Time) bool {
	return !k.Disabled && (k.ExpiresAt.IsZero() || at.Before(k.ExpiresAt))
}

// KeyKind is a kind of key of which a merchant can be given another.
type KeyKind struct {
	Name   string
	Most   int  // how many may be usable at a time; 0 is no bound
	Public bool // the merchant may make the pair and hand in the public half
	Single bool // there is one at a time: another takes its place at once
}

// KeyKeeper is what a dialect knows of its credentials.
type KeyKeeper interface {
	// KeyKinds lists the kinds, the one that is usually meant first.
	KeyKinds() []KeyKind

	// ListKeys lists the keys in a merchant's credentials, oldest first.
	ListKeys(has []merchant.Credential) ([]Key, error)

	// AddKey makes another key of a kind, or takes the public half of one that
	// the merchant made: what to keep, and the JSON-able object that is shown
	// once. A merchant without credentials of this dialect is given the first.
	AddKey(ctx context.Context, m merchant.Merchant, has []merchant.Credential, kind, public string) (put []merchant.Credential, show any, err error)

	// EndKey ends a key at a moment, or with the zero time disables it for
	// good, and returns the credential that is to be kept for it.
	EndKey(has []merchant.Credential, id string, at time.Time) (merchant.Credential, error)
}

// What AddKey and EndKey may answer.
var (
	ErrNoKey     = errors.New("the merchant has no such key")
	ErrKeyStays  = errors.New("this key cannot be ended: make another, which takes its place")
	ErrNoKind    = errors.New("the dialect has no such kind of key")
	ErrNoPublic  = errors.New("of this kind of key no public half can be handed in")
	ErrBadPublic = errors.New("not an RSA public key of 2048 to 8192 bits, as PEM or base64")
)

// KeyID names a key: a digest of what its credential is found by, and of its
// version where one credential has several.
func KeyID(c merchant.Credential, version string) string {
	h := sha256.New()
	for _, part := range []string{c.Dialect, c.Kind, c.Lookup, version} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return "key_" + hex.EncodeToString(h.Sum(nil)[:8])
}

// RowKeys lists the keys of a dialect that keeps a credential for each.
func RowKeys(has []merchant.Credential, dialect string, kinds ...string) []Key {
	var keys []Key
	for _, c := range has {
		if c.Dialect == dialect && slices.Contains(kinds, c.Kind) {
			keys = append(keys, Key{KeyID(c, ""), c.Dialect, c.Kind, c.Hint, c.CreatedAt, c.ExpiresAt, c.Disabled})
		}
	}
	slices.SortStableFunc(keys, func(a, b Key) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return keys
}

// EndRow does what EndKey promises for a dialect that keeps a credential for
// each key.
func EndRow(has []merchant.Credential, dialect, id string, at time.Time, kinds ...string) (merchant.Credential, error) {
	for _, c := range has {
		if c.Dialect != dialect || !slices.Contains(kinds, c.Kind) || KeyID(c, "") != id {
			continue
		}
		if at.IsZero() {
			c.Disabled = true
		} else if c.ExpiresAt.IsZero() || at.Before(c.ExpiresAt) {
			c.ExpiresAt = at
		}
		return c, nil
	}
	return merchant.Credential{}, ErrNoKey
}

// Hint is what may be shown of a secret: what all of its kind begin with, and
// its last four characters.
func Hint(prefix, secret string) string { return prefix + "..." + secret[max(0, len(secret)-4):] }

package webhook

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/signature"
)

// SealPurpose is what a merchant's signing keys are sealed for.
const SealPurpose = "webhook signing keys"

// What signing keys are called among the keys of a merchant: each is a
// credential of its own, which nobody is let in by.
const (
	keeperName = "webhook"
	keyKind    = "signing_key"
)

// mostKeys is how many signing keys a merchant may have at a time: a message
// carries two signatures for each.
const mostKeys = 8

// Registry is what signing keys need of a store.
type Registry interface {
	Credentials(ctx context.Context, merchant int64) ([]merchant.Credential, error)
	PutCredential(ctx context.Context, c merchant.Credential) error
}

// SigningKeys are the keys of merchants that want their messages signed as the
// Standard Webhooks specification says, whatever else their dialects do. They
// are administered like the keys of a dialect.
type SigningKeys struct {
	Registry Registry
	Keys     *keyring.Keyring
	Clock    clock.Clock // of the business
}

var _ dialect.KeyKeeper = (*SigningKeys)(nil)

// Overlap is how long the keys before the fresh ones are valid.
const Overlap = 24 * time.Hour

// Handed is what a merchant is handed of a fresh key, once.
type Handed struct {
	Secret    string `json:"secret"`     // whsec_...: verifies v1
	PublicKey string `json:"public_key"` // whpk_...: verifies v1a
}

// pair is what is sealed of a key: the secret of v1 and the private key of v1a.
type pair struct {
	Secret  string `json:"secret"`
	Private string `json:"private"`
}

// Name is what the keeper of these keys is called beside the dialects.
func (k *SigningKeys) Name() string { return keeperName }

// KeyKinds implements dialect.KeyKeeper.
func (k *SigningKeys) KeyKinds() []dialect.KeyKind {
	return []dialect.KeyKind{{Name: keyKind, Most: mostKeys}}
}

// ListKeys implements dialect.KeyKeeper.
func (k *SigningKeys) ListKeys(has []merchant.Credential) ([]dialect.Key, error) {
	return dialect.RowKeys(has, keeperName, keyKind), nil
}

// AddKey implements dialect.KeyKeeper.
func (k *SigningKeys) AddKey(_ context.Context, m merchant.Merchant, _ []merchant.Credential, kind, public string) ([]merchant.Credential, any, error) {
	switch {
	case kind != keyKind:
		return nil, nil, dialect.ErrNoKind
	case public != "":
		return nil, nil, dialect.ErrNoPublic
	}
	fresh := pair{Secret: signature.NewSecret()}
	h := Handed{Secret: fresh.Secret}
	fresh.Private, h.PublicKey = signature.NewKey()
	text, err := json.Marshal(fresh)
	if err != nil {
		return nil, nil, err
	}
	c := merchant.Credential{Merchant: m.ID, Dialect: keeperName, Kind: keyKind, Hint: dialect.Hint("whpk_", h.PublicKey), CreatedAt: k.Clock.Now()}
	var name [8]byte
	rand.Read(name[:])
	c.Lookup = hex.EncodeToString(name[:])
	c.Sealed, err = k.Keys.Seal(SealPurpose, text)
	return []merchant.Credential{c}, h, err
}

// EndKey implements dialect.KeyKeeper.
func (k *SigningKeys) EndKey(has []merchant.Credential, id string, at time.Time) (merchant.Credential, error) {
	return dialect.EndRow(has, keeperName, id, at, keyKind)
}

// Rotate gives a merchant a fresh key; those he has are valid for Overlap more,
// but no more of them than he may have.
func (k *SigningKeys) Rotate(ctx context.Context, m merchant.Merchant) (Handed, error) {
	now := k.Clock.Now()
	has, err := k.usable(ctx, m.ID, now)
	if err != nil {
		return Handed{}, err
	}
	put, shown, err := k.AddKey(ctx, m, has, keyKind, "")
	if err != nil {
		return Handed{}, err
	}
	for i, c := range has { // the latest first
		over := now.Add(Overlap)
		if i+1 >= mostKeys {
			over = now
		}
		if c.ExpiresAt.IsZero() || over.Before(c.ExpiresAt) {
			c.ExpiresAt = over
			put = append(put, c)
		}
	}
	for _, c := range put {
		if err := k.Registry.PutCredential(ctx, c); err != nil {
			return Handed{}, err
		}
	}
	return shown.(Handed), nil
}

// usable are the credentials of a merchant's signing keys that are good at a
// moment, the latest first.
func (k *SigningKeys) usable(ctx context.Context, merchantID int64, at time.Time) ([]merchant.Credential, error) {
	has, err := k.Registry.Credentials(ctx, merchantID)
	has = slices.DeleteFunc(has, func(c merchant.Credential) bool {
		return c.Dialect != keeperName || c.Kind != keyKind || !c.Usable(at)
	})
	slices.SortStableFunc(has, func(a, b merchant.Credential) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return has, err
}

// of returns what a merchant's messages are signed with at a moment; nil if he
// has no keys.
func (k *SigningKeys) of(ctx context.Context, merchantID int64, at time.Time) (*signature.Standard, error) {
	if k == nil {
		return nil, nil
	}
	has, err := k.usable(ctx, merchantID, at)
	if err != nil || len(has) == 0 {
		return nil, err
	}
	s := &signature.Standard{}
	for _, c := range has {
		text, err := k.Keys.Open(SealPurpose, c.Sealed)
		if err != nil {
			return nil, fmt.Errorf("webhook: a signing key of merchant %d: %w", merchantID, err)
		}
		var p pair
		if err := json.Unmarshal(text, &p); err != nil {
			return nil, fmt.Errorf("webhook: a signing key of merchant %d: %w", merchantID, err)
		}
		secret, err := signature.ParseSecret(p.Secret)
		if err != nil {
			return nil, err
		}
		key, err := signature.ParseKey(p.Private)
		if err != nil {
			return nil, err
		}
		s.Secrets, s.Keys = append(s.Secrets, secret), append(s.Keys, ed25519.PrivateKey(key))
	}
	return s, nil
}

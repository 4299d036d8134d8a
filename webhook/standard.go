package webhook

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/signature"
)

// SealPurpose is what a merchant's signing keys are sealed for.
const SealPurpose = "webhook signing keys"

// The credential that carries them. Its look-up is the merchant's number.
const (
	credentialDialect = "webhook"
	credentialKind    = "signing_keys"
)

// Registry is what signing keys need of a store.
type Registry interface {
	Credential(ctx context.Context, dialect, kind, lookup string) (*merchant.Credential, error)
	PutCredential(ctx context.Context, c merchant.Credential) error
}

// SigningKeys are the keys of merchants that want their messages signed as the
// Standard Webhooks specification says, whatever else their dialects do.
type SigningKeys struct {
	Registry Registry
	Keys     *keyring.Keyring
}

// Overlap is how long the keys before the fresh ones are valid.
const Overlap = 24 * time.Hour

// Handed is what a merchant is handed of fresh keys, once.
type Handed struct {
	Secret    string `json:"secret"`     // whsec_...: verifies v1
	PublicKey string `json:"public_key"` // whpk_...: verifies v1a
}

// signing is a merchant's keys as they are sealed, the latest first.
type signing struct {
	Version int    `json:"v"`
	Pairs   []pair `json:"pairs"`
}

// pair is a secret and a private key. Until is when they are over, in
// milliseconds of Unix time; 0 is never.
type pair struct {
	Secret  string `json:"secret"`
	Private string `json:"private"`
	Until   int64  `json:"until,omitempty"`
}

// Rotate gives a merchant fresh keys; those he has are valid for Overlap more.
func (k *SigningKeys) Rotate(ctx context.Context, merchantID int64, now time.Time) (Handed, error) {
	kept, err := k.load(ctx, merchantID)
	if err != nil {
		return Handed{}, err
	}
	fresh := pair{Secret: signature.NewSecret()}
	h := Handed{Secret: fresh.Secret}
	fresh.Private, h.PublicKey = signature.NewKey()
	over := now.Add(Overlap).UnixMilli()
	pairs := []pair{fresh}
	for _, p := range kept.Pairs {
		if p.Until == 0 || p.Until > over {
			p.Until = over
		}
		if p.Until > now.UnixMilli() {
			pairs = append(pairs, p)
		}
	}
	text, err := json.Marshal(signing{Version: 1, Pairs: pairs})
	if err != nil {
		return Handed{}, err
	}
	sealed, err := k.Keys.Seal(SealPurpose, text)
	if err != nil {
		return Handed{}, err
	}
	return h, k.Registry.PutCredential(ctx, merchant.Credential{
		Merchant: merchantID, Dialect: credentialDialect, Kind: credentialKind, Lookup: strconv.FormatInt(merchantID, 10), Sealed: sealed,
	})
}

// of returns what a merchant's messages are signed with at a moment; nil if he
// has no keys.
func (k *SigningKeys) of(ctx context.Context, merchantID int64, at time.Time) (*signature.Standard, error) {
	if k == nil {
		return nil, nil
	}
	kept, err := k.load(ctx, merchantID)
	if err != nil || len(kept.Pairs) == 0 {
		return nil, err
	}
	s := &signature.Standard{}
	for _, p := range kept.Pairs {
		if p.Until != 0 && p.Until <= at.UnixMilli() {
			continue
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

func (k *SigningKeys) load(ctx context.Context, merchantID int64) (signing, error) {
	var kept signing
	c, err := k.Registry.Credential(ctx, credentialDialect, credentialKind, strconv.FormatInt(merchantID, 10))
	if err != nil || c == nil || c.Disabled {
		return kept, err
	}
	text, err := k.Keys.Open(SealPurpose, c.Sealed)
	if err != nil {
		return kept, fmt.Errorf("webhook: signing keys of merchant %d: %w", merchantID, err)
	}
	return kept, json.Unmarshal(text, &kept)
}

// messageID names a message to whoever gets it, the same at every attempt.
func messageID(keys *keyring.Keyring, n outbox.NoticeID) string {
	name := binary.BigEndian.AppendUint64(nil, uint64(n.Payment))
	name = append(binary.BigEndian.AppendUint32(name, uint32(n.Version)), byte(n.Number))
	sum := keys.MAC("webhook message id", name, []byte(n.Dialect))
	return "msg_" + hex.EncodeToString(sum[:12])
}

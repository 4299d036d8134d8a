package signature

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Standard signs as the Standard Webhooks specification says
// (standardwebhooks.com): with HMAC-SHA256 (v1) under secrets, with Ed25519
// (v1a) under keys, one signature for each that is valid.
type Standard struct {
	Secrets [][]byte
	Keys    []ed25519.PrivateKey
}

// How secrets and keys are written.
const (
	secretPrefix  = "whsec_"
	privatePrefix = "whsk_"
	publicPrefix  = "whpk_"
)

// Sign sets webhook-id, webhook-timestamp and webhook-signature. The id is that
// of the message, the same at every attempt; it must not contain a dot.
func (s Standard) Sign(h http.Header, id string, at time.Time, body []byte) {
	seconds := strconv.FormatInt(at.Unix(), 10)
	signed := append([]byte(id+"."+seconds+"."), body...)
	var b []byte
	for _, secret := range s.Secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write(signed)
		b = base64.StdEncoding.AppendEncode(append(b, " v1,"...), mac.Sum(nil))
	}
	for _, key := range s.Keys {
		b = base64.StdEncoding.AppendEncode(append(b, " v1a,"...), ed25519.Sign(key, signed))
	}
	h["webhook-id"] = []string{id}
	h["webhook-timestamp"] = []string{seconds}
	h["webhook-signature"] = []string{strings.TrimPrefix(string(b), " ")}
}

// NewSecret returns a fresh secret as it is handed out: whsec_ and base64.
func NewSecret() string {
	secret := make([]byte, 32)
	rand.Read(secret)
	return secretPrefix + base64.StdEncoding.EncodeToString(secret)
}

var errSecret = errors.New("signature: not a secret of Standard Webhooks")

// ParseSecret reads a secret, with its prefix or without.
func ParseSecret(text string) ([]byte, error) {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, secretPrefix))
	if err != nil || len(secret) < 24 || len(secret) > 64 { // as the specification says
		return nil, errSecret
	}
	return secret, nil
}

// NewKey returns a fresh key pair: the private key, whsk_ and base64 of its
// seed, and the public key that is handed out, whpk_ and base64.
func NewKey() (private, public string) {
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed)
	key := ed25519.NewKeyFromSeed(seed)
	return privatePrefix + base64.StdEncoding.EncodeToString(seed), PublicKey(key)
}

// PublicKey is the public half of a key as it is handed out.
func PublicKey(key ed25519.PrivateKey) string {
	return publicPrefix + base64.StdEncoding.EncodeToString(key[ed25519.SeedSize:])
}

// ParseKey reads a private key, with its prefix or without.
func ParseKey(text string) (ed25519.PrivateKey, error) {
	seed, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, privatePrefix))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errSecret
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

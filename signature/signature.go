// Package signature signs messages so that whoever gets them can tell that
// they are ours and as they were sent: with HMAC under secrets of which several
// may be valid, with RSA, and by the Standard Webhooks specification. It knows
// the bytes only, not what they say.
package signature

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
)

// RSA returns the base64 of RSASSA-PKCS1-v1_5 with SHA-256 over message, the
// same for the same message.
func RSA(key *rsa.PrivateKey, message []byte) (string, error) {
	sum := sha256.Sum256(message)
	signed, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	return base64.StdEncoding.EncodeToString(signed), err
}

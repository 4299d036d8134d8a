package alipay

import (
	"crypto"
	"crypto/rsa"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/dialect"
)

// clientID is the caller's name, empty if there is none.
func clientID(h http.Header) string { return h.Get("Client-Id") }

// authenticate finds out who sent a request and verifies that he did. It
// returns the body as it was sent, or what is wrong.
func (d *Dialect) authenticate(r *http.Request, c *call) ([]byte, *result) {
	id := clientID(r.Header)
	if id == "" || len(id) > maxClientID {
		return nil, &clientInvalid
	}
	found, err := d.findClient(r.Context(), id)
	if err != nil {
		d.Logger.Error("alipay: client could not be looked up", "error", err)
		return nil, &unknownException
	}
	if found == nil {
		return nil, &clientInvalid
	}
	c.client = found
	c.memo.Merchant = found.merchant

	signature, ok := parseSignature(r.Header.Get("Signature"))
	if !ok || !strings.EqualFold(signature.algorithm, "RSA256") {
		return nil, &signatureInvalid
	}
	key := found.publicKey(signature.version, c.now)
	if key == nil {
		return nil, &keyNotFound
	}
	at := strings.TrimSpace(r.Header.Get("Request-Time"))
	if at == "" {
		return nil, &paramIllegal
	}
	body, err := dialect.ReadBody(r)
	if err != nil {
		return nil, &paramIllegal // too large, or cut off: nothing can be verified
	}
	value, ok := decodeSignature(signature.value)
	if !ok {
		return nil, &signatureInvalid
	}
	sum := digest(r.Method, c.target, id, at, body)
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], value) != nil {
		return nil, &signatureInvalid
	}
	sent, ok := parseRequestTime(at)
	if !ok || r.Header.Get("Encrypt") != "" {
		return nil, &paramIllegal
	}
	if tolerance := found.settings.timeTolerance; tolerance > 0 && c.now.Sub(sent).Abs() > tolerance {
		return nil, &paramIllegal
	}
	return body, nil
}

// publicKey returns the public key of a version, or the newest one if none is
// named; nil if there is none that is good at that moment.
func (c *client) publicKey(version string, at time.Time) *rsa.PublicKey {
	if version == "" {
		newest := 0
		for number, key := range c.keys {
			if number > newest && key.good(at) {
				newest = number
			}
		}
		return c.keys[newest].PublicKey
	}
	number, err := strconv.ParseUint(version, 10, 31)
	if key, ok := c.keys[int(number)]; err == nil && ok && key.good(at) {
		return key.PublicKey
	}
	return nil
}

// acceptable tells whether a request is JSON and whether JSON may be the
// answer. The official SDKs send Content-Type twice, and accept text types
// only; both pass.
func acceptable(h http.Header) bool {
	for _, line := range h["Content-Type"] {
		for value := range strings.SplitSeq(line, ",") {
			if value = strings.TrimSpace(value); value != "" && !isJSON(value) {
				return false
			}
		}
	}
	given := false
	for _, line := range h["Accept"] {
		for value := range strings.SplitSeq(line, ",") {
			if value = strings.TrimSpace(value); value == "" {
				continue
			}
			given = true
			if accepts(value) {
				return true
			}
		}
	}
	return !given
}

// isJSON tells whether a Content-Type is JSON. Of its parameters the charset
// alone counts, which is UTF-8 if there is one.
func isJSON(contentType string) bool {
	kind, parameters, _ := strings.Cut(contentType, ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return false
	}
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "charset") && !strings.EqualFold(strings.Trim(strings.TrimSpace(value), `"`), "UTF-8") {
			return false
		}
	}
	return true
}

// accepts tells whether one item of an Accept header is content with JSON, or
// with any kind of text.
func accepts(item string) bool {
	kind, parameters, _ := strings.Cut(item, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	for p := range strings.SplitSeq(parameters, ";") {
		name, weight, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(name, "q") && strings.HasPrefix(weight, "0") && strings.Trim(weight, "0.") == "" {
			return false // "q=0": not this one
		}
	}
	switch kind {
	case "*/*", "application/*", "application/json":
		return true
	}
	return strings.HasPrefix(kind, "text/")
}

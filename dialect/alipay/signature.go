package alipay

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/url"
	"strings"
)

// digest hashes what is signed, of a request and of an answer alike:
//
//	METHOD SP path[?query] LF client-id . time . body
//
// The body is the bytes as they travel, never parsed and written again.
func digest(method, target, client, at string, body []byte) [sha256.Size]byte {
	h := sha256.New()
	for _, part := range [...]string{method, " ", target, "\n", client, ".", at, "."} {
		io.WriteString(h, part)
	}
	h.Write(body)
	return [sha256.Size]byte(h.Sum(nil))
}

// encodeSignature is base64 with padding, then percent-encoding. The API's
// documents call it base64UrlEncode; it is not RFC 4648's base64url.
func encodeSignature(raw []byte) string {
	text := base64.StdEncoding.EncodeToString(raw)
	b := make([]byte, 0, len(text)+64)
	for i := range len(text) {
		switch c := text[i]; c {
		case '+':
			b = append(b, "%2B"...)
		case '/':
			b = append(b, "%2F"...)
		case '=':
			b = append(b, "%3D"...)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// decodeSignature reads a signature's value: percent-encoded base64, plain
// base64, or base64url without padding.
func decodeSignature(value string) ([]byte, bool) {
	if strings.Contains(value, "%") {
		decoded, err := url.PathUnescape(value) // leaves "+" alone
		if err != nil {
			return nil, false
		}
		value = decoded
	}
	value = strings.TrimRight(value, "=")
	value = strings.NewReplacer("-", "+", "_", "/").Replace(value)
	raw, err := base64.RawStdEncoding.DecodeString(value)
	return raw, err == nil && len(raw) > 0
}

// signatureHeader is what a Signature header says.
type signatureHeader struct {
	algorithm string // "RSA256" when it says nothing
	version   string // of the key; empty when it says nothing
	value     string
}

// parseSignature reads the pairs of a Signature header, in any order. It
// reports false when there is no "signature=" part.
func parseSignature(header string) (signatureHeader, bool) {
	s := signatureHeader{algorithm: "RSA256"}
	var seen struct{ algorithm, version, value bool }
	for part := range strings.SplitSeq(header, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch name = strings.TrimSpace(name); {
		case strings.EqualFold(name, "algorithm") && !seen.algorithm:
			seen.algorithm, s.algorithm = true, value
		case strings.EqualFold(name, "keyVersion") && !seen.version:
			seen.version, s.version = true, value
		case strings.EqualFold(name, "signature") && !seen.value:
			seen.value, s.value = true, value
		}
	}
	return s, seen.value
}

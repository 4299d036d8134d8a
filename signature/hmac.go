package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// Timestamped returns a signature of the form t=<Unix seconds>,v1=<hex>: v1 is
// HMAC-SHA256 of the seconds, a dot and the body. There is one v1 for each
// secret that is valid, so that a receiver may change from one to the other at
// any time between.
func Timestamped(at time.Time, body []byte, secrets ...string) string {
	head := strconv.AppendInt(nil, at.Unix(), 10)
	b := append([]byte("t="), head...)
	head = append(head, '.')
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(head)
		mac.Write(body)
		b = hex.AppendEncode(append(b, ",v1="...), mac.Sum(nil))
	}
	return string(b)
}

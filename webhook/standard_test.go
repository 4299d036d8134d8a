package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/signature"
	"github.com/capstan-pay/capstan/webhook"
)

// A merchant with keys gets Standard Webhooks headers beside the dialect's own:
// one id for all attempts, a fresh time and signature for each, under the keys
// that are valid then.
func TestStandardHeaders(t *testing.T) {
	var keys *webhook.SigningKeys
	r := newRig(t, func(c *webhook.Config) {
		keys = &webhook.SigningKeys{Registry: c.Store.(webhook.Registry), Keys: keyring.Fixed("test"), Clock: c.Clock}
		c.Signing = keys
	})
	s := newSink(t, status(500))
	r.hold(s.URL)
	r.advance(0)
	for _, m := range s.messages() {
		if m.header.Get("webhook-signature") != "" {
			t.Error("signed without keys")
		}
	}
	first, err := keys.Rotate(t.Context(), merchant.Merchant{ID: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.advance(time.Minute) // the second attempts
	second, err := keys.Rotate(t.Context(), merchant.Merchant{ID: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.advance(time.Hour) // the third
	r.clock.Advance(r.clock.Offset() + webhook.Overlap)
	s.set(nil)
	r.hold(s.URL)
	r.advance(0)
	ids := map[string]int{}
	for i, m := range s.messages() {
		if i < 2 {
			continue
		}
		id, at := m.header.Get("webhook-id"), m.header.Get("webhook-timestamp")
		ids[id]++
		signatures := strings.Fields(m.header.Get("webhook-signature"))
		by := func(text string) bool {
			secret, err := signature.ParseSecret(text)
			if err != nil {
				t.Fatal(err)
			}
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(id + "." + at + "." + m.body))
			want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
			for _, got := range signatures {
				if got == want {
					return true
				}
			}
			return false
		}
		wantFirst, wantSecond, count := i < 6, i >= 4, 2
		if i == 4 || i == 5 {
			count = 4
		}
		if by(first.Secret) != wantFirst || by(second.Secret) != wantSecond || len(signatures) != count || at != m.header.Get("X-Signed-At") {
			t.Errorf("message %d: by the first %t, by the second %t, %d signatures, at %s", i, by(first.Secret), by(second.Secret), len(signatures), at)
		}
	}
	if len(ids) != 4 { // two notices of each payment
		t.Errorf("ids %v", ids)
	}
}

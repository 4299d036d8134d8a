package capstan_test

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/sandbox"
)

// merged is a dialect's part of some credentials with another key in it.
func merged(t *testing.T, dialect string, c sandbox.Credentials, fresh json.RawMessage) sandbox.Credentials {
	t.Helper()
	part := map[string]*json.RawMessage{"alipay": &c.Alipay, "wepay": &c.WePay, "intents": &c.Intents, "begateway": &c.Begateway}[dialect]
	have, more := map[string]any{}, map[string]any{}
	for text, into := range map[*map[string]any]json.RawMessage{&have: *part, &more: fresh} {
		if err := json.Unmarshal(into, text); err != nil {
			t.Fatal(err)
		}
	}
	maps.Copy(have, more)
	text, err := json.Marshal(have)
	if err != nil {
		t.Fatal(err)
	}
	*part = text
	return c
}

// TestKeyRotation: in every dialect a new secret is good beside the old one
// until the overlap is over by the business clock, to the instant, and alone
// from then on; one that is disabled is refused at once.
func TestKeyRotation(t *testing.T) {
	for _, dialect := range []string{"alipay", "wepay", "intents", "begateway"} {
		t.Run(dialect, func(t *testing.T) {
			s := capstantest.Run(t)
			desk := s.Desk().As("test")
			hour := int64(3600)
			issued, err := desk.AddKey(t.Context(), s.Credentials.Merchant, admin.NewKey{Dialect: dialect, Replace: true, Overlap: &hour})
			if err != nil || len(issued.Ending) != 1 {
				t.Fatalf("%+v, %v", issued, err)
			}
			old, fresh := client(t, s, dialect, s.Credentials), client(t, s, dialect, merged(t, dialect, s.Credentials, issued.Credentials))
			attempt := 0
			tries := func(who string, c drive.Client, good bool) {
				t.Helper()
				attempt++
				r, err := c.Authorize(t.Context(), 2000, string(rune('a'+attempt)))
				if done := err == nil && r.Verdict == drive.Done; done != good {
					t.Errorf("%s key: good is %t, want %t: %v %s", who, done, good, err, r.Answer)
				}
			}
			tries("the old", old, true)
			tries("the new", fresh, true)
			s.Advance(t, time.Hour-time.Second)
			tries("the old", old, true)
			s.Advance(t, time.Second)
			tries("the old", old, false)
			tries("the new", fresh, true)

			keys, err := desk.Keys(t.Context(), s.Credentials.Merchant)
			if err != nil {
				t.Fatal(err)
			}
			status := map[string]int{}
			for _, k := range keys {
				if k.Dialect != dialect || k.Kind != issued.Kind {
					continue
				}
				status[k.Status]++
				if k.Status == "active" {
					if _, err := desk.DisableKey(t.Context(), s.Credentials.Merchant, k.ID); err != nil {
						t.Error(err)
					}
				}
			}
			if status["active"] != 1 || status["expired"] != 1 {
				t.Errorf("keys are %v", status)
			}
			tries("the disabled", fresh, false)
		})
	}
}

func client(t *testing.T, s *capstantest.Server, dialect string, c sandbox.Credentials) drive.Client {
	t.Helper()
	d, err := drive.New(dialect, c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

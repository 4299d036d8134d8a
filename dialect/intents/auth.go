package intents

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/throttle"
)

// The kinds of API key, by what they begin with (section 2).
const (
	kindSecret      = "secret_key"
	kindPublishable = "publishable_key"
)

// account is who a key lets in: a merchant in one mode. The two modes see
// disjoint data.
type account struct {
	*merchant.Access
	test        bool
	publishable bool
	scope       string // of idempotency keys: account and mode
	sees        func(*payment.Payment) bool

	window   time.Duration // how long a hold lives
	patience time.Duration // how long a call waits for a remote processor
	lockWait time.Duration // how long it waits for another operation of the intent
	rate     throttle.Rule // of the merchant's requests through all dialects
	over     int64         // percent of a hold that may be captured where it was asked for; 0 is 100
}

// authenticate finds who is asking.
func (x *exchange) authenticate(ctx context.Context) *problem {
	key := apiKey(x.r.Header["Authorization"])
	if key == "" {
		return &problem{status: http.StatusUnauthorized, message: "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."}
	}
	kind, _, known := keyKind(key)
	if known {
		sum := x.d.Keys.MAC(keyPurpose, []byte(key))
		var lookup [2 * len(sum)]byte
		hex.Encode(lookup[:], sum[:])
		access, err := x.d.Merchants.Find(ctx, Name, kind, string(lookup[:]))
		if err != nil {
			return x.fault(err)
		}
		if access != nil {
			value, err := access.Once(x.d.account)
			if err != nil {
				return x.fault(err)
			}
			x.account = value.(*account)
			return nil
		}
	}
	return &problem{status: http.StatusUnauthorized, message: "Invalid API Key provided: " + maskedKey(key)}
}

// keyPurpose is what API keys are hashed for.
const keyPurpose = "intents api key"

// newAccount reads what a credential and its merchant's settings say.
func (d *Dialect) newAccount(a *merchant.Access) (any, error) {
	acc := &account{Access: a, publishable: a.Credential.Kind == kindPublishable, test: string(a.Credential.Data) == modeTest}
	mode := "live"
	if acc.test {
		mode = "test"
	}
	acc.sees = func(p *payment.Payment) bool { return expressible(p) && d.live(p) != acc.test }
	acc.scope = "intents " + strconv.FormatInt(a.ID, 10) + " " + mode
	if acc.publishable {
		acc.scope += " publishable" // it is in everybody's hands: no answer of the secret key is repeated to it, and none of its keys is used up
	}
	acc.set(&a.Merchant)
	return acc, nil
}

// apiKey takes the key out of an Authorization header: Bearer with the key, or
// Basic with the key as user, encoded or in clear. Empty is no key.
func apiKey(header []string) string {
	if len(header) != 1 {
		return ""
	}
	scheme, key, _ := strings.Cut(header[0], " ")
	key = strings.TrimSpace(key)
	switch {
	case len(scheme) == 6 && strings.EqualFold(scheme, "bearer"):
		return key
	case len(scheme) != 5 || !strings.EqualFold(scheme, "basic"):
		return ""
	}
	if _, _, clear := keyKind(key); clear {
		return strings.TrimSuffix(key, ":")
	}
	plain, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return ""
	}
	user, _, _ := strings.Cut(string(plain), ":")
	return user
}

// keyKind tells what a key is by what it begins with.
func keyKind(key string) (kind string, test, ok bool) {
	if len(key) < 8 || key[2] != '_' || key[7] != '_' {
		return "", false, false
	}
	switch key[3:7] {
	case modeTest:
		test = true
	case modeLive:
	default:
		return "", false, false
	}
	switch key[:2] {
	case "sk":
		return kindSecret, test, true
	case "pk":
		return kindPublishable, test, true
	}
	return "", false, false
}

// maskedKey is what an error says of a key that is wrong: its beginning and end.
func maskedKey(key string) string {
	if len(key) < 16 {
		return "****"
	}
	return strings.ToValidUTF8(key[:8]+"****"+key[len(key)-4:], "?")
}

// secretKeyRequired is what a publishable key hears where it may not go.
func secretKeyRequired() *problem {
	return &problem{
		status: http.StatusUnauthorized, code: "secret_key_required",
		message: "This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list of your API keys in the credentials that your merchant account was given.",
	}
}

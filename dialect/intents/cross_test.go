package intents_test

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/intents"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
)

// A payment that was authorized through another dialect can be read and
// captured here by the same merchant.
func TestAuthorizedElsewhere(t *testing.T) {
	for _, dialect := range []string{"wepay", "begateway"} {
		t.Run(dialect, func(t *testing.T) {
			s := capstantest.Run(t, inMemory)
			c := newClient(t, s)
			other, err := drive.New(dialect, s.Credentials)
			if err != nil {
				t.Fatal(err)
			}
			hold, err := other.Authorize(t.Context(), 5000, "a")
			if err != nil || hold.Verdict != drive.Done {
				t.Fatalf("%+v, %v", hold, err)
			}
			id := idElsewhere(t, s, hold.ID)
			a := c.get(id)
			if a.status != http.StatusOK || a.Status != "requires_capture" || a.Amount != 5000 || a.Capturable != 5000 || a.Currency != "usd" ||
				a.Capture != "manual" || len(a.Metadata) != 0 || a.Method == nil || a.Charge == nil {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if charge := c.do(http.MethodGet, "/v1/charges/"+*a.Charge, "", ""); charge.status != http.StatusOK {
				t.Errorf("charge: %d %s", charge.status, charge.body)
			}
			if method := c.do(http.MethodGet, "/v1/payment_methods/"+*a.Method, "", ""); method.status != http.StatusOK {
				t.Errorf("method: %d %s", method.status, method.body)
			}
			// The seed's limit counts here, whatever the other dialect permits.
			if a := c.capture(id, "amount_to_capture=5001", ""); a.status != http.StatusBadRequest || a.Error.Code != "amount_too_large" {
				t.Errorf("too much: %d %s", a.status, a.body)
			}
			if a := c.do(http.MethodPost, "/v1/payment_intents/"+id, "metadata[a]=1", ""); a.status != http.StatusBadRequest || a.Error.Code != "payment_intent_unexpected_state" {
				t.Errorf("update: %d %s", a.status, a.body)
			}
			if a := c.do(http.MethodPost, "/v1/payment_intents/"+id+"/confirm", "", ""); a.status != http.StatusBadRequest {
				t.Errorf("confirm: %d %s", a.status, a.body)
			}
			first := c.capture(id, "amount_to_capture=4000&metadata[b]=2", "k")
			if first.status != http.StatusOK || first.Status != "succeeded" || first.Received != 4000 || first.Metadata["b"] != "2" {
				t.Fatalf("%d %s", first.status, first.body)
			}
			if again := c.capture(id, "amount_to_capture=4000&metadata[b]=2", "k"); again.body != first.body || again.header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("repeat: %d %s", again.status, again.body)
			}
			if after, err := other.Query(t.Context(), hold.ID); err != nil || after.Status != http.StatusOK {
				t.Errorf("%+v, %v", after, err)
			}
			if got := s.Balances(t, "USD"); got["held"] != 0 {
				t.Errorf("books: %v", got)
			}
		})
	}
}

// idElsewhere is how this dialect calls a payment of another one.
func idElsewhere(t *testing.T, s *capstantest.Server, id string) string {
	t.Helper()
	var got struct{ IDs map[string]*string }
	s.Control(t, http.MethodGet, "/_sandbox/payments/"+id, nil, &got)
	if got.IDs[intents.Name] == nil {
		t.Fatalf("%s has no name here: %v", id, got.IDs)
	}
	return *got.IDs[intents.Name]
}

// made puts a payment of the default merchant into the store as another
// dialect would, and returns it.
func made(t *testing.T, s *capstantest.Server, change func(*payment.Intake)) *payment.Payment {
	t.Helper()
	intake := payment.Intake{
		Dialect: "wepay", Currency: "USD", Amount: 5000, Reference: "order-9", Details: []byte(`{"v":1,"metadata":{"not":"ours"}}`),
		Method: payment.Method{Kind: payment.CardMethod, Brand: "mastercard", Last4: "4444"}, Policy: payment.Policy{HoldFor: time.Hour},
	}
	change(&intake)
	command := payment.Create{Intake: intake, Attempt: &payment.Attempt{Asked: payment.Asked{Dialect: intake.Dialect}}}
	if intake.Method.Kind == payment.WalletMethod {
		command.Attempt = nil
	}
	out, err := s.Engine.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Command: command})
	if err != nil || out.Refusal != nil {
		t.Fatalf("create: %v %v", out.Refusal, err)
	}
	return out.Payment
}

// What this dialect has no words for is as unknown as what does not exist.
func TestInexpressible(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	d := s.Dialect(intents.Name)
	for name, change := range map[string]func(*payment.Intake){
		"a wallet":              func(i *payment.Intake) { i.Method = payment.Method{Kind: payment.WalletMethod} },
		"a currency without it": func(i *payment.Intake) { i.Currency = "IQD" },
		"nine digits":           func(i *payment.Intake) { i.Amount = 100_000_000 },
		"nine digits here":      func(i *payment.Intake) { i.Currency, i.Amount = "ISK", 1_000_000 },
	} {
		t.Run(name, func(t *testing.T) {
			p := made(t, s, change)
			if got := d.PaymentID(p); got != "" {
				t.Errorf("it is called %s", got)
			}
			twin := *p
			twin.Currency, twin.Amount, twin.Method.Kind = "USD", 1, payment.CardMethod
			id := d.PaymentID(&twin)
			for path, method := range map[string]string{"": http.MethodGet, "/capture": http.MethodPost, "/cancel": http.MethodPost, "/confirm": http.MethodPost} {
				want := c.do(method, "/v1/payment_intents/pi_x"+path, "", "")
				got := c.do(method, "/v1/payment_intents/"+id+path, "", "")
				if got.status != http.StatusNotFound || got.body != strings.ReplaceAll(want.body, "pi_x", id) {
					t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
				}
			}
		})
	}
}

// Another merchant's payments are unknown, in every way of asking.
func TestOtherMerchants(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	id := c.hold("")
	charge := *c.get(id).Charge
	var fresh struct {
		Intents struct {
			Secret string `json:"secret_key"`
		}
	}
	s.Control(t, http.MethodPost, "/_sandbox/merchants", map[string]any{}, &fresh)
	stranger := *c
	stranger.key = fresh.Intents.Secret
	for _, path := range []string{"/v1/payment_intents/" + id, "/v1/charges/" + charge, "/v1/payment_methods/" + *c.get(id).Method} {
		if a := stranger.do(http.MethodGet, path, "", ""); a.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := stranger.capture(id, "", ""); a.status != http.StatusNotFound {
		t.Errorf("capture: %d %s", a.status, a.body)
	}
	// The same key of two merchants names two requests.
	mine, theirs := c.capture(id, "", "k"), stranger.do(http.MethodPost, "/v1/payment_intents", "amount=1&currency=usd", "k")
	if mine.status != http.StatusOK || theirs.status != http.StatusOK {
		t.Errorf("%d %s, %d %s", mine.status, mine.body, theirs.status, theirs.body)
	}
}

// Test and live keys of one merchant see disjoint payments and have keys of
// their own.
func TestModes(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	live := *c
	live.key = "sk_live_0123456789abcdefghijklmnop"
	sum := s.Keys.MAC("intents api key", []byte(live.key))
	err := s.Store.PutCredential(t.Context(), merchant.Credential{
		Merchant: 1, Dialect: intents.Name, Kind: "secret_key", Lookup: hex.EncodeToString(sum[:]), Data: []byte("live"),
	})
	if err != nil {
		t.Fatal(err)
	}
	id := c.hold("")
	if a := live.get(id); a.status != http.StatusNotFound {
		t.Errorf("a test payment is seen: %s", a.body)
	}
	if a := live.capture(id, "", "k"); a.status != http.StatusNotFound {
		t.Errorf("a test payment is captured: %s", a.body)
	}
	if a := live.do(http.MethodPost, "/v1/payment_intents", "amount=1&currency=usd&payment_method=pm_card_visa", ""); a.Error.Code != "resource_missing" || !strings.Contains(a.Error.Message, "test mode") {
		t.Errorf("a test card: %s", a.body)
	}
	real := live.do(http.MethodPost, "/v1/payment_intents", "amount=1&currency=usd", "k2")
	if real.status != http.StatusOK || !strings.Contains(real.body, `"livemode": true`) {
		t.Fatalf("%s", real.body)
	}
	if a := c.get(real.ID); a.status != http.StatusNotFound {
		t.Errorf("a live payment is seen: %s", a.body)
	}
	if a := c.do(http.MethodPost, "/v1/payment_intents", "amount=2&currency=usd", "k2"); a.status != http.StatusOK {
		t.Errorf("a key of the other mode counts: %s", a.body)
	}
}

package intents_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
)

// seedMembers are the members of the seed's sample, in its order.
var seedMembers = strings.Fields(`id object created currency customer amount status description metadata livemode shipping merchant_order_id
	client_secret last_payment_error next_action payment_method_types payment_method_options payment_method receipt_email canceled_at
	cancellation_reason confirmation_method 3ds_status amount_capturable return_url quantity latest_charge merchant_user_id amount_received
	capture_method invoice setup_future_usage`)

// Every answer has all of the seed's members, in its order, and then others.
func TestSeedMembers(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	for name, body := range map[string]string{
		"created":  "amount=100&currency=usd",
		"captured": "amount=100&currency=usd&confirm=true&payment_method=pm_card_visa",
		"waiting":  "amount=100&currency=usd&confirm=true&payment_method=pm_card_threeDSecure2Required",
	} {
		text := c.do(http.MethodPost, "/v1/payment_intents", body, "").body
		d := json.NewDecoder(strings.NewReader(text))
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
		for i, want := range seedMembers {
			member, err := d.Token()
			if err != nil || member != want {
				t.Fatalf("%s: member %d is %v (%v), want %s", name, i, member, err, want)
			}
			var value any
			if err := d.Decode(&value); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What each declining card is told as (section 9).
func TestDeclines(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	for _, test := range []struct{ token, code, decline, message string }{
		{"visa_chargeDeclined", "card_declined", "generic_decline", "Your card was declined."},
		{"chargeDeclined", "card_declined", "generic_decline", "Your card was declined."},
		{"visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds", "Your card has insufficient funds."},
		{"chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds", "Your card has insufficient funds."},
		{"visa_chargeDeclinedLostCard", "card_declined", "lost_card", "Your card was declined."},
		{"visa_chargeDeclinedStolenCard", "card_declined", "stolen_card", "Your card was declined."},
		{"visa_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded", "Your card was declined for making repeated attempts too frequently or exceeding its amount limit."},
		{"chargeDeclinedExpiredCard", "expired_card", "expired_card", "Your card has expired."},
		{"chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect."},
		{"chargeDeclinedProcessingError", "processing_error", "processing_error", "An error occurred while processing your card. Try again in a little bit."},
		{"chargeCustomerFail", "card_declined", "generic_decline", "Your card was declined."},
		{"radarBlock", "card_declined", "fraudulent", "Your card was declined."},
	} {
		a := c.do(http.MethodPost, "/v1/payment_intents", "amount=100&currency=usd&confirm=true&payment_method=pm_card_"+test.token, "")
		e := a.Error
		if a.status != http.StatusPaymentRequired || e.Type != "card_error" || e.Code != test.code || e.Decline != test.decline || e.Message != test.message ||
			e.Intent == nil || e.Intent.Status != "requires_payment_method" || e.Intent.Method != nil || e.Intent.Charge == nil || *e.Intent.Charge != e.Charge {
			t.Errorf("%s: %d %s", test.token, a.status, a.body)
		}
	}
	for _, token := range []string{"visa", "visa_debit", "mastercard", "amex", "discover", "diners", "jcb", "unionpay", "pendingRefund", "refundFail", "createDispute"} {
		if a := c.do(http.MethodPost, "/v1/payment_intents", "amount=100&currency=usd&confirm=true&payment_method=pm_card_"+token, ""); a.Status != "succeeded" {
			t.Errorf("%s: %d %s", token, a.status, a.body)
		}
	}
}

func TestTooLarge(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	body := "amount=100&currency=usd&description=" + strings.Repeat("x", 1<<20)
	if a := c.do(http.MethodPost, "/v1/payment_intents", body, ""); a.status != http.StatusRequestEntityTooLarge || a.Error.Type != "invalid_request_error" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestHead(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	id := c.hold("")
	if a := c.do(http.MethodHead, "/v1/payment_intents/"+id, "", ""); a.status != http.StatusOK || a.body != "" || a.header.Get("Request-Id") == "" {
		t.Errorf("%d %q %v", a.status, a.body, a.header)
	}
}

// A server that was started again replays what it answered before.
func TestReplayAfterRestart(t *testing.T) {
	s := capstantest.Run(t)
	c := newClient(t, s)
	id := c.hold("&metadata[order]=7")
	first := c.capture(id, "amount_to_capture=1", "k")
	declined := c.do(http.MethodPost, "/v1/payment_intents", "amount=100&currency=usd&confirm=true&payment_method=pm_card_chargeDeclined", "d")
	s.Stop()
	again := capstantest.Run(t, capstantest.On(s.Store))
	c = newClient(t, again)
	if a := c.capture(id, "amount_to_capture=1", "k"); a.body != first.body || a.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := c.do(http.MethodPost, "/v1/payment_intents", "amount=100&currency=usd&confirm=true&payment_method=pm_card_chargeDeclined", "d"); a.body != declined.body || a.status != http.StatusPaymentRequired {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// The first exchange under a key is named in all its repeats.
func TestOriginalRequest(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	id := c.hold("")
	first := c.capture(id, "", "k")
	if name := first.header.Get("Request-Id"); name == "" || first.header.Get("Original-Request") != name {
		t.Errorf("first: %v", first.header)
	}
	seen := map[string]bool{first.header.Get("Request-Id"): true}
	for range 3 {
		again := c.capture(id, "", "k")
		if again.header.Get("Original-Request") != first.header.Get("Request-Id") || seen[again.header.Get("Request-Id")] {
			t.Errorf("again: %v", again.header)
		}
		seen[again.header.Get("Request-Id")] = true
	}
}

// No card number, security code or API key gets into the database, a log or an
// answer.
func TestSecretsStaySecret(t *testing.T) {
	var log lockedBuffer
	s := capstantest.Run(t, capstantest.With(func(c *capstan.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}))
	c := newClient(t, s)
	card := "&payment_method_data[type]=card&payment_method_data[card][exp_month]=12&payment_method_data[card][exp_year]=2030&payment_method_data[card][cvc]=7391&payment_method_data[card][number]="
	var said strings.Builder
	for i, number := range []string{"378282246310005", "4000000000000002", "4242424242424241", "4000000000003220"} {
		a := c.do(http.MethodPost, "/v1/payment_intents", "amount=100&currency=usd&confirm=true"+card+number, "key"+string(rune('a'+i)))
		said.WriteString(a.body)
	}
	stored := c.do(http.MethodPost, "/v1/payment_methods", "type=card&card[number]=5555555555554444&card[exp_month]=12&card[exp_year]=2030&card[cvc]=7391", "stored")
	later := c.do(http.MethodPost, "/v1/payment_intents", "amount=100&currency=usd"+card+"6011111111111117", "later")
	said.WriteString(stored.body + later.body)
	keys := keysOf(s)
	said.Write(s.Stored(t))
	said.WriteString(log.String())
	for _, secret := range []string{"378282246310005", "4000000000000002", "4242424242424241", "4000000000003220", "5555555555554444", "6011111111111117", "7391", keys.Secret, keys.Publishable} {
		if at := strings.Index(said.String(), secret); at >= 0 {
			t.Errorf("%s got out: %q", secret, said.String()[max(0, at-60):at+60])
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

package wepay_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// TestPairs: of two things that are wrong at once the one whose stage comes
// first in the order of section 4 answers, and alone; two of the amounts answer
// together, in the order of the schema.
func TestPairs(t *testing.T) {
	w := newWorld(t)
	now := w.server.Clock.Now().Unix()
	w.do(http.MethodPost, "/payments", strings.ReplaceAll(payment2000, "{account}", w.app.AccountID), "used")
	const (
		past      = "capture_at BODY PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE"
		far       = "capture_at BODY PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE"
		over      = "payment_method/credit_card/expiration_year BODY PARAM_VALUE_IS_INVALID"
		stopped   = "account_id BODY MERCHANT_ACCOUNT_CANNOT_ACCEPT_PAYMENTS"
		account   = "account_id BODY RESOURCE_NOT_ACCESSIBLE"
		token     = "payment_method/token/id BODY RESOURCE_NOT_ACCESSIBLE"
		used      = "Unique-Key HEADER UNIQUE_KEY_ALREADY_USED"
		fee       = "fee_amount BODY FEE_EXCEEDS_PAYMENT_AMOUNT_THRESHOLD_PERCENTAGE"
		large     = "amounts/amount BODY PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE"
		currency  = "amounts/currency BODY PARAM_VALUE_IS_INVALID"
		share     = "amounts/fee_amount BODY FEE_EXCEEDS_PAYMENT_AMOUNT_THRESHOLD_PERCENTAGE"
		reference = "reference_id BODY PARAM_VALUE_IS_INVALID"
	)
	create := func(changes ...string) string { return strings.NewReplacer(changes...).Replace(payment2000) }
	ahead := func(days int64) string { return fmt.Sprintf(`2000,"capture_at":%d`, now+days*24*60*60) }
	for _, pair := range []struct {
		name, path, key, body string
		stopped               bool
		want                  []string
	}{
		{name: "past, account", path: "/payments", body: create("2000", ahead(-1), "{account}", "x"), want: []string{past}},
		{name: "far, account", path: "/payments", body: create("2000", ahead(8), "{account}", "x"), want: []string{far}},
		{name: "card over, account", path: "/payments", body: create("2030", "2020", "{account}", "x"), want: []string{over}},
		{name: "past, token", path: "/payments", body: create("2000", ahead(-1), visa, `{"token":{"id":"x"}}`), want: []string{past}},
		{name: "past, stopped", path: "/payments", body: create("2000", ahead(-1)), stopped: true, want: []string{past}},
		{name: "past, fee", path: "/payments", body: create("2000", ahead(-1)+`,"fee_amount":401`), want: []string{past}},
		{name: "far, fee", path: "/payments", body: create("2000", ahead(8)+`,"fee_amount":401`), want: []string{far}},
		{name: "far, card over", path: "/payments", body: create("2000", ahead(8), "2030", "2020"), want: []string{over, far}},
		{name: "past, key", path: "/payments", key: "used", body: create("2000", ahead(-1)), want: []string{past}},
		{name: "account, stopped", path: "/payments", body: create("{account}", "x"), stopped: true, want: []string{account}},
		{name: "token, stopped", path: "/payments", body: create(visa, `{"token":{"id":"x"}}`), stopped: true, want: []string{token}},
		{name: "stopped, key", path: "/payments", key: "used", body: create("2000", "2001"), stopped: true, want: []string{stopped}},
		{name: "stopped, fee", path: "/payments", body: create("2000", `2000,"fee_amount":401`), stopped: true, want: []string{stopped}},
		{name: "key, fee", path: "/payments", key: "used", body: create("2000", `2000,"fee_amount":401`), want: []string{used}},
		{name: "fee", path: "/payments", body: create("2000", `2000,"fee_amount":401`), want: []string{fee}},

		{name: "update: past, unknown", path: "/payments/x", body: fmt.Sprintf(`{"capture_at":%d}`, now-1), want: []string{past}},
		{name: "update: far, unknown", path: "/payments/x", body: fmt.Sprintf(`{"capture_at":%d}`, now+8*24*60*60), want: []string{far}},
		{name: "update: far, state", path: "/payments/{captured}", body: fmt.Sprintf(`{"capture_at":%d}`, now+8*24*60*60), want: []string{far}},
		{name: "update: past, key", path: "/payments/{held}", key: "used", body: fmt.Sprintf(`{"capture_at":%d}`, now-1), want: []string{past}},
		{name: "update: far, reference", path: "/payments/{held}", body: fmt.Sprintf(`{"capture_at":%d,"reference_id":""}`, now+8*24*60*60), want: []string{far, reference}},
		{name: "update: far, amounts", path: "/payments/{held}", body: fmt.Sprintf(`{"capture_at":%d,"amounts":{"amount":2001,"currency":"USD"}}`, now+8*24*60*60), want: []string{far}},
		{name: "update: amount, currency, fee", path: "/payments/{held}", body: `{"amounts":{"amount":2001,"currency":"CAD","fee_amount":401}}`, want: []string{large, currency, share}},
		{name: "update: amount, fee", path: "/payments/{held}", body: `{"amounts":{"amount":2001,"currency":"USD","fee_amount":401}}`, want: []string{large, share}},
		{name: "update: currency, fee", path: "/payments/{held}", body: `{"amounts":{"amount":999,"currency":"CAD"}}`, want: []string{currency, share}},
		{name: "update: amount by a terminal, currency", path: "/payments/{present}", body: `{"amounts":{"amount":2401,"currency":"CAD"}}`, want: []string{large, currency}},
	} {
		t.Run(pair.name, func(t *testing.T) {
			if pair.key == "" && pair.path == "/payments" {
				pair.key = "fresh"
			}
			w.set("wepay.account_can_accept_payments", !pair.stopped)
			status, _, body := w.send(ask{method: http.MethodPost, path: pair.path, key: pair.key, body: pair.body})
			var got problemShape
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.all(), pair.want) {
				t.Errorf("%d %q, want %q", status, got.all(), pair.want)
			}
		})
	}
}

// TestARepeatIsAnswered: a request that was carried out is answered under its
// key by what it made, also where it would be refused by now: its client may
// never have heard.
func TestARepeatIsAnswered(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	w := &world{client: newClient(t, s, s.Credentials)}
	for name, method := range map[string]string{"card": visa, "token": byToken(w.token())} {
		body := fmt.Sprintf(`{"account_id":%q,"amount":2000,"currency":"USD","payment_method":%s,"fee_amount":400}`, w.app.AccountID, method)
		first := w.do(http.MethodPost, "/payments", body, name)
		w.set("wepay.account_can_accept_payments", false)
		w.set("wepay.account_currency", "CAD")
		w.set("wepay.fee_threshold_percent", 1)
		if again := w.do(http.MethodPost, "/payments", body, name); first.ID == "" || again.status != http.StatusOK || again.ID != first.ID {
			t.Errorf("by a %s: first %s\nagain %d %s", name, first.body, again.status, again.body)
		}
		w.set("wepay.account_can_accept_payments", true)
		w.set("wepay.account_currency", nil)
		w.set("wepay.fee_threshold_percent", nil)
	}
}

// TestUnknownCancellation: while nobody knows whether a payment was canceled,
// what depends on that is not refused for good; when the acquirer has declined
// to cancel it, the payment can be captured.
func TestUnknownCancellation(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	w := &world{client: newClient(t, s, s.Credentials)}
	p := w.authorize("1", "")
	w.set("wepay.processor_patience_ms", 10)
	s.Control(t, http.MethodPost, "/_sandbox/processor", map[string]any{"operation": "void", "outcome": "lost_then_declined"}, nil)
	cancel := func() reply { return w.do(http.MethodPost, "/payments/"+p.ID+"/cancel", `{"cancel_reason":"x"}`, "") }
	if r := cancel(); r.status != http.StatusInternalServerError {
		t.Fatalf("%d %s", r.status, r.body)
	}
	for name, r := range map[string]reply{
		"capture": w.capture(p.ID, "", "later"), "cancel": cancel(),
		"update": w.do(http.MethodPost, "/payments/"+p.ID, `{"amounts":{"amount":1500,"currency":"USD"}}`, ""),
	} {
		if r.status != http.StatusInternalServerError || r.ErrorCode != "UNEXPECTED_ERROR" {
			t.Errorf("%s meanwhile: %d %s", name, r.status, r.body)
		}
	}
	s.Advance(t, time.Hour)
	if r := w.capture(p.ID, "", "later"); r.why() != "PROCESSING" {
		t.Errorf("then: %d %s", r.status, r.body)
	}
}

package wepay_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/wepay"
	"github.com/capstan-pay/capstan/payment"
)

// elsewhere makes a payment of the default merchant through another dialect.
func elsewhere(t *testing.T, s *capstantest.Server, change func(*payment.Intake)) *payment.Payment {
	t.Helper()
	intake := payment.Intake{
		Dialect: "intents", Currency: "USD", Amount: 5000, Reference: "order-9", Details: []byte(`{"custom_data":{"not":"ours"}}`),
		Method: payment.Method{Kind: payment.CardMethod, Brand: "mastercard", Last4: "4444"},
		Policy: payment.Policy{HoldFor: 24 * time.Hour},
	}
	change(&intake)
	out, err := s.Engine.Do(t.Context(), payment.Request{
		Tenant: 1, Merchant: 1, Command: payment.Create{Intake: intake, Attempt: &payment.Attempt{Asked: payment.Asked{Dialect: intake.Dialect}}},
	})
	if err != nil || out.Refusal != nil || out.Payment.Status != payment.Authorized && out.Payment.Status != payment.Captured {
		t.Fatalf("create: %v %v %v", out.Payment, out.Refusal, err)
	}
	return out.Payment
}

// idOf is what this dialect would call a payment, also one that it cannot
// express: the id of a twin in dollars.
func idOf(s *capstantest.Server, p *payment.Payment) string {
	twin := *p
	twin.Currency, twin.Method.Kind = "USD", payment.CardMethod
	return s.Dialect(wepay.Name).PaymentID(&twin)
}

// TestCapturedHere: a payment that was authorized elsewhere, read and captured
// here.
func TestCapturedHere(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)
	p := elsewhere(t, s, func(*payment.Intake) {})
	id := s.Dialect(wepay.Name).PaymentID(p)
	r := c.do(http.MethodGet, "/payments/"+id+"?expand=payment_method", "", "")
	if r.status != http.StatusOK || r.Status != "pending" || r.why() != "PENDING_CAPTURE" || r.Amount != 5000 || *r.ReferenceID != "order-9" ||
		string(r.CustomData) != "null" || r.InitiatedBy != "none" || r.AutoCapture || *r.PaymentMethod.CardBrand != "mastercard" || *r.PaymentMethod.LastFour != "4444" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	r = c.capture(id, `{"amounts":{"amount":5001,"currency":"USD"}}`, "")
	if r.why() != "PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE" {
		t.Errorf("%s", r.body)
	}
	// Its hold settles at once, but the first answer never says completed.
	r = c.capture(id, `{"amounts":{"amount":4000,"currency":"USD","fee_amount":800},"custom_data":{"n":1}}`, "k")
	if r.status != http.StatusOK || r.Status != "pending" || r.why() != "PROCESSING" || r.Amount != 4000 || r.TxnrMerchant != nil || string(r.CustomData) != `{"n":1}` {
		t.Errorf("%d %s", r.status, r.body)
	}
	for name, r := range map[string]reply{"query": c.get(id), "repeat": c.capture(id, `{"amounts":{"amount":4000,"currency":"USD","fee_amount":800},"custom_data":{"n":1}}`, "k")} {
		if r.status != http.StatusOK || r.Status != "completed" || r.Amount != 4000 || r.TxnrMerchant == nil || string(r.CustomData) != `{"n":1}` {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if r := c.capture(id, "", ""); r.why() != "PAYMENT_CANNOT_BE_CAPTURED" {
		t.Errorf("%s", r.body)
	}
	if got := s.Balances(t, "USD"); got["merchant"] != 3200 || got["platform_fees"] != 800 || got["held"] != 0 {
		t.Errorf("books %v", got)
	}
}

// TestUnknownHere: what this dialect has no words for looks like an id that
// does not exist, and cannot be captured or cancelled.
func TestUnknownHere(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)
	var user struct {
		UserID string `json:"user_id"`
	}
	s.Control(t, http.MethodPost, "/_sandbox/wallet/users", map[string]any{"balance": map[string]string{"currency": "USD", "value": "100000"}}, &user)
	unknown := c.get("nobody")
	for name, change := range map[string]func(*payment.Intake){
		"euros": func(i *payment.Intake) { i.Currency = "EUR" },
		"wallet": func(i *payment.Intake) {
			i.Dialect, i.Method = "alipay", payment.Method{Kind: payment.WalletMethod, User: 1}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := elsewhere(t, s, change)
			if id := s.Dialect(wepay.Name).PaymentID(p); id != "" {
				t.Errorf("it is called %s", id)
			}
			id := idOf(s, p)
			for what, r := range map[string]reply{
				"query": c.get(id), "capture": c.capture(id, "", ""), "capture with key": c.capture(id, "", "k"),
				"cancel": c.do(http.MethodPost, "/payments/"+id+"/cancel", `{"cancel_reason":"x"}`, ""),
			} {
				if r.status != http.StatusForbidden || string(r.body) != string(unknown.body) {
					t.Errorf("%s: %d %s", what, r.status, r.body)
				}
			}
			now, err := s.Engine.Payment(t.Context(), 1, 1, p.ID)
			if err != nil || now.Status != payment.Authorized || now.Version != p.Version {
				t.Errorf("it was touched: %+v %v", now, err)
			}
		})
	}
}

// TestNarrowedHere: this dialect permits less than some that authorize.
func TestNarrowedHere(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)

	generous := idOf(s, elsewhere(t, s, func(i *payment.Intake) { i.Policy.OverCapture = 130 }))
	if r := c.capture(generous, `{"amounts":{"amount":5001,"currency":"USD"}}`, ""); r.why() != "PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE" {
		t.Errorf("more than a card that was not present: %s", r.body)
	}
	if r := c.capture(generous, `{"amounts":{"amount":5000,"currency":"USD","fee_amount":1001}}`, ""); r.why() != "FEE_EXCEEDS_PAYMENT_AMOUNT_THRESHOLD_PERCENTAGE" {
		t.Errorf("a fee of more than a fifth: %s", r.body)
	}
	if r := c.capture(generous, `{"amounts":{"amount":5000,"currency":"USD","fee_amount":1000}}`, ""); r.status != http.StatusOK {
		t.Errorf("%s", r.body)
	}

	present := idOf(s, elsewhere(t, s, func(i *payment.Intake) { i.Policy.OverCapture, i.Method.Present = 130, true }))
	if r := c.capture(present, `{"amounts":{"amount":6500,"currency":"USD"}}`, ""); r.status != http.StatusOK || r.Amount != 6500 {
		t.Errorf("a card that was present: %s", r.body)
	}

	small := idOf(s, elsewhere(t, s, func(i *payment.Intake) { i.Amount = 50 }))
	if r := c.capture(small, `{"amounts":{"amount":50,"currency":"USD"}}`, ""); r.why() != "PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE" {
		t.Errorf("less than this dialect has: %s", r.body)
	}
	if r := c.capture(small, "{}", ""); r.status != http.StatusOK || r.Amount != 50 {
		t.Errorf("all there is: %s", r.body)
	}

	// What is left of a hold that was partly captured elsewhere.
	open := elsewhere(t, s, func(*payment.Intake) {})
	if _, err := s.Engine.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Payment: open.ID, Command: payment.Capture{Amount: 1000, Dialect: "intents"}}); err != nil {
		t.Fatal(err)
	}
	if r := c.get(idOf(s, open)); r.why() != "PENDING_CAPTURE" || r.Amount != 5000 {
		t.Errorf("%s", r.body)
	}
	if r := c.capture(idOf(s, open), `{"amounts":{"amount":4001,"currency":"USD"}}`, ""); r.why() != "PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE" {
		t.Errorf("%s", r.body)
	}
	if r := c.capture(idOf(s, open), "", ""); r.status != http.StatusOK || r.Amount != 5000 || r.why() != "PROCESSING" {
		t.Errorf("%s", r.body)
	}
}

// TestDeclinedCaptureElsewhere: another dialect may let a declined capture be
// tried again. That is not a capture, and must not look like one.
func TestDeclinedCaptureElsewhere(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)
	id := idOf(s, elsewhere(t, s, func(i *payment.Intake) { i.Method.Simulate = "capture_declined_once" }))
	for _, key := range []string{"k", "k"} { // the second is a repeat
		if r := c.capture(id, "", key); r.status != http.StatusBadRequest || r.why() != "PAYMENT_CANNOT_BE_CAPTURED" {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if r := c.get(id); r.why() != "PENDING_CAPTURE" {
		t.Errorf("%s", r.body)
	}
	if r := c.capture(id, "", "another"); r.status != http.StatusOK || r.why() != "PROCESSING" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// TestReadElsewhere: the sandbox shows a payment under the id it has here.
func TestReadElsewhere(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)
	p := c.authorize("create", "")
	var shown struct {
		Status string
		IDs    map[string]*string
	}
	s.Control(t, http.MethodGet, "/_sandbox/payments/"+p.ID, nil, &shown)
	if shown.Status != "authorized" || shown.IDs["wepay"] == nil || *shown.IDs["wepay"] != p.ID {
		t.Errorf("%+v", shown)
	}
	if r := c.get(strings.ToUpper(p.ID)); r.status != http.StatusForbidden {
		t.Errorf("an id in capitals: %d %s", r.status, r.body)
	}
}

package sandbox_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/alipay"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

// waiting makes a wallet payment that waits at the cashier, as the wallet
// dialect makes them, and returns its id there.
func waiting(t *testing.T, s *capstantest.Server, back string, change func(*payment.Intake)) string {
	t.Helper()
	details, err := json.Marshal(map[string]any{"v": 1, "redirect": back})
	if err != nil {
		t.Fatal(err)
	}
	intake := payment.Intake{
		Dialect: "alipay", Currency: "USD", Amount: 1234, Details: details, Description: "Two <b>tickets</b>", Reference: "order",
		Method: payment.Method{Kind: payment.WalletMethod}, Policy: payment.Policy{HoldFor: 24 * time.Hour, PayerDeadline: time.Hour},
	}
	if change != nil {
		change(&intake)
	}
	out, err := s.Engine.Do(t.Context(), payment.Request{
		Tenant: 1, Merchant: 1, Command: payment.Create{Intake: intake, Attempt: &payment.Attempt{Asked: payment.Asked{Dialect: "alipay"}}},
	})
	if err != nil || out.Refusal != nil || out.Payment.Status != payment.AwaitingPayer {
		t.Fatalf("create: %+v %v", out, err)
	}
	return s.Dialect(alipay.Name).PaymentID(out.Payment)
}

// visit calls the cashier's page of an order as a browser does; no members is a
// GET.
func visit(t *testing.T, s *capstantest.Server, order string, members url.Values) (*http.Response, string) {
	t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if members != nil {
		method, body = http.MethodPost, strings.NewReader(members.Encode())
	}
	q, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/_sandbox/wallet/orders/"+order, body)
	if err != nil {
		t.Fatal(err)
	}
	if members != nil {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := browser.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if kind := r.Header.Get("Content-Type"); kind != "text/html; charset=utf-8" || r.Header.Get("Content-Security-Policy") == "" {
		t.Fatalf("%s %s: %v", r.Status, text, r.Header)
	}
	return r, string(text)
}

// The cashier asks while the order waits, takes one answer, and says what
// became of the order from then on.
func TestCashier(t *testing.T) {
	s := capstantest.Run(t)
	var rich struct {
		UserID string `json:"user_id"`
	}
	s.Control(t, http.MethodPost, "/_sandbox/wallet/users", map[string]any{"balance": map[string]any{"currency": "USD", "value": "1233"}}, &rich)
	answers := func(decision string) url.Values { return url.Values{"decision": {decision}} }
	poor := answers("approve")
	poor.Set("user_id", rich.UserID)
	for _, test := range []struct {
		name, back string
		answer     url.Values
		status     payment.Status
		after      string
	}{
		{"approved", "", answers("approve"), payment.Authorized, "You have approved this payment."},
		{"declined", "", answers("decline"), payment.Declined, "This payment did not go through."},
		{"approved by somebody with too little money", "", poor, payment.Declined, "This payment did not go through."},
		{"approved and sent back", "https://shop.example/done?order=7&x=%22", answers("approve"), payment.Authorized, "You have approved this payment."},
		{"declined and sent back", "http://shop.example", answers("decline"), payment.Declined, "This payment did not go through."},
		{"an address that is no page's", "javascript:alert(1)", answers("approve"), payment.Authorized, "You have approved this payment."},
	} {
		t.Run(test.name, func(t *testing.T) {
			order := waiting(t, s, test.back, nil)
			for name, members := range map[string]url.Values{"GET": nil, "a form of nothing": {}, "no decision": answers("maybe")} {
				r, text := visit(t, s, order, members)
				if r.StatusCode != http.StatusOK || !strings.Contains(text, "12.34 USD") || !strings.Contains(text, "Sandbox merchant") ||
					!strings.Contains(text, "Two &lt;b&gt;tickets&lt;/b&gt;") || !strings.Contains(text, "reserved now and taken later") || !strings.Contains(text, `value="approve"`) {
					t.Errorf("%s: %s %s", name, r.Status, text)
				}
			}
			r, text := visit(t, s, order, test.answer)
			want := http.StatusOK
			if strings.HasPrefix(test.back, "http") {
				want = http.StatusSeeOther
			}
			if at := r.Header.Get("Location"); r.StatusCode != want || want == http.StatusSeeOther && at != test.back || want == http.StatusOK && (at != "" || !strings.Contains(text, test.after)) {
				t.Errorf("%s, to %q: %s", r.Status, at, text)
			}
			id, _ := s.Dialect(alipay.Name).ParsePaymentID(order)
			if p, err := s.Engine.Payment(context.Background(), 1, 1, id); err != nil || p.Status != test.status {
				t.Errorf("the payment is %s, want %s, %v", p.Status, test.status, err)
			}
			for _, members := range []url.Values{nil, answers("approve"), answers("decline")} {
				if r, text := visit(t, s, order, members); r.StatusCode != http.StatusOK || !strings.Contains(text, test.after) || strings.Contains(text, "<form") {
					t.Errorf("afterwards: %s %s", r.Status, text)
				}
			}
		})
	}
	var more struct {
		Accounts []struct {
			Account string
			Balance int64
		}
	}
	s.Control(t, http.MethodGet, "/_sandbox/ledger", nil, &more)
	for _, a := range more.Accounts {
		if a.Account == "held" && a.Balance != 3*1234 {
			t.Errorf("held is %d", a.Balance)
		}
	}
}

// What is no order that waits, and answers that cannot be taken.
func TestCashierWithoutOrder(t *testing.T) {
	s := capstantest.Run(t)
	for _, id := range []string{"x", "20260115251733552425745318080371287421585093712"} {
		if r, text := visit(t, s, id, nil); r.StatusCode != http.StatusNotFound || !strings.Contains(text, "There is no such order.") {
			t.Errorf("%s: %s", r.Status, text)
		}
	}
	order := waiting(t, s, "", func(i *payment.Intake) { i.Currency, i.Amount, i.Policy.AutoCapture = money.Currency("JPY"), 500, true })
	if _, text := visit(t, s, order, nil); !strings.Contains(text, "500 JPY") || strings.Contains(text, "taken later") {
		t.Errorf("%s", text)
	}
	if r, text := visit(t, s, order, url.Values{"decision": {"approve"}, "user_id": {"999"}}); r.StatusCode != http.StatusBadRequest || !strings.Contains(text, "unknown user_id") {
		t.Errorf("%s: %s", r.Status, text)
	}
	s.Advance(t, 2*time.Hour)
	if r, text := visit(t, s, order, url.Values{"decision": {"approve"}}); r.StatusCode != http.StatusOK || !strings.Contains(text, "This order is closed.") {
		t.Errorf("%s: %s", r.Status, text)
	}
	if r, _ := visit(t, s, strings.Repeat("9", 2000), nil); r.StatusCode != http.StatusNotFound {
		t.Errorf("%s", r.Status)
	}
}

// The control under the same address stays JSON, also as curl sends it.
func TestOrderControl(t *testing.T) {
	s := capstantest.Run(t)
	for kind, want := range map[string]string{"": "authorized", "application/json": "authorized", "application/x-www-form-urlencoded": "authorized", "text/plain": "authorized"} {
		order := waiting(t, s, "https://shop.example/", nil)
		for _, call := range []struct {
			body   string
			status int
			want   string
		}{
			{` {"decision":"perhaps"}`, 400, `{"error":"decision must be approve or decline"}`},
			{` {"decision":"approve"}`, 200, `{"status":"` + want + `"}`},
			{`{"decision":"approve"}`, 409, `{"error":"no cashier order waits under that id"}`},
		} {
			q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/_sandbox/wallet/orders/"+order, strings.NewReader(call.body))
			if err != nil {
				t.Fatal(err)
			}
			q.Header.Set("Content-Type", kind)
			r, err := http.DefaultClient.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r.Body)
			r.Body.Close()
			if got := strings.TrimSpace(string(text)); err != nil || r.StatusCode != call.status || got != call.want {
				t.Errorf("%q %s: %s %s, %v", kind, call.body, r.Status, got, err)
			}
		}
	}
}

package browser

import (
	"encoding/json"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/alipay"
	"github.com/capstan-pay/capstan/payment"
)

var checkout = template.Must(template.New("shop").Parse(`<!doctype html><title>Shop</title><link rel="icon" href="data:,">
{{if .}}<form method="POST" action="{{.}}"><button>Pay</button></form>{{else}}Thank you for your order{{end}}`))

// A payer of a wallet payment is sent to the sandbox's cashier as
// redirectActionForm says, by a form of no members, answers, and comes back.
func TestAlipayCashier(t *testing.T) {
	var cashier string
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := cashier
		if r.URL.Path != "/" {
			to = ""
		}
		_ = checkout.Execute(w, to)
	}))
	defer shop.Close()
	s := capstantest.Run(t, capstantest.Reachable())
	order := func(t *testing.T, back string) string {
		details, err := json.Marshal(map[string]any{"v": 1, "redirect": back})
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Engine.Do(t.Context(), payment.Request{
			Tenant: 1, Merchant: 1, Command: payment.Create{Attempt: &payment.Attempt{Asked: payment.Asked{Dialect: alipay.Name}}, Intake: payment.Intake{
				Dialect: alipay.Name, Currency: "USD", Amount: 1234_56, Details: details, Description: "<script>alert(1)</script>" + strings.Repeat("W", 200),
				Method: payment.Method{Kind: payment.WalletMethod}, Policy: payment.Policy{HoldFor: 24 * time.Hour, PayerDeadline: time.Hour},
			}},
		})
		if err != nil || out.Refusal != nil {
			t.Fatalf("%+v %v", out.Refusal, err)
		}
		return s.URL + "/_sandbox/wallet/orders/" + s.Dialect(alipay.Name).PaymentID(out.Payment)
	}
	for look, options := range map[string][]Option{"desktop": nil, "phone": {Phone}, "dark": {Dark}} {
		tab := New(t, options...)
		tab.Go(order(t, ""))
		tab.Shows("Sandbox cashier", "Sandbox merchant", "1234.56 USD", "<script>alert(1)</script>", "reserved now", "Approve", "Decline")
		tab.sound(s.URL, "alipay-cashier-"+look)
	}
	for button, want := range map[string]string{"yes": "You have approved this payment.", "no": "This payment did not go through."} {
		t.Run(button, func(t *testing.T) {
			cashier = order(t, shop.URL+"/done?order=7")
			tab := New(t)
			tab.Go(shop.URL)
			tab.Click("button")
			tab.Shows("1234.56 USD", "Approve")
			tab.Click("button." + button)
			tab.Shows("Thank you for your order")
			if at := tab.Address(); at != shop.URL+"/done?order=7" {
				t.Errorf("sent back to %s", at)
			}
			tab = New(t)
			tab.Go(cashier)
			tab.Shows(want)
			tab.sound(s.URL, "alipay-cashier-"+button)

			cashier = order(t, "")
			tab.Go(cashier)
			tab.Click("button." + button)
			tab.Shows(want)
		})
	}
}

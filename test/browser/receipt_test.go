package browser

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/begateway"
)

func TestMain(m *testing.M) { Main(m) }

// shop is a begateway shop on a server that a browser can reach.
type shop struct {
	*testing.T
	*capstantest.Server
	begateway.Credentials
}

func newShop(t *testing.T) shop {
	s := capstantest.Run(t, capstantest.Reachable())
	text, err := json.Marshal(s.Credentials.Begateway)
	if err != nil {
		t.Fatal(err)
	}
	shop := shop{T: t, Server: s}
	if err := json.Unmarshal(text, &shop.Credentials); err != nil {
		t.Fatal(err)
	}
	return shop
}

type transaction struct {
	UID, Status string
	ReceiptURL  string `json:"receipt_url"`
	RedirectURL string `json:"redirect_url"`
}

func (s shop) post(path, request string) transaction {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.URL+"/transactions/"+path, strings.NewReader(`{"request":`+request+`}`))
	if err != nil {
		s.Fatal(err)
	}
	r.SetBasicAuth(s.ShopID, s.SecretKey)
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	var body struct{ Transaction transaction }
	if err != nil || json.Unmarshal(text, &body) != nil || body.Transaction.UID == "" {
		s.Fatalf("%s: %s %v", path, text, err)
	}
	return body.Transaction
}

func (s shop) pay(path string, amount int64, currency, card string) transaction {
	s.Helper()
	return s.post(path, fmt.Sprintf(`{"amount":%d,"currency":%q,"description":"Two tickets, row 7","tracking_id":"order-1042","test":true,
		"credit_card":{"number":%q,"verification_value":"123","holder":"John Doe","exp_month":"05","exp_year":"2030"}}`, amount, currency, card))
}

const (
	goodCard     = "4200000000000000"
	declinedCard = "4005550000000019"
)

// sound checks what every page must be.
func (tab *Tab) sound(origin, name string) {
	tab.t.Helper()
	if tab.Status() != http.StatusOK {
		tab.t.Errorf("%s: status %d", name, tab.Status())
	}
	tab.Fits()
	tab.Alone(origin)
	tab.Shot(name)
}

func TestReceipts(t *testing.T) {
	s := newShop(t)
	hold := s.pay("authorizations", 1_234_567, "USD", goodCard)
	capture := s.post("captures", `{"parent_uid":"`+hold.UID+`","amount":123456}`)
	void := s.post("voids", `{"parent_uid":"`+hold.UID+`","amount":100000}`)
	refund := s.post("refunds", `{"parent_uid":"`+capture.UID+`","amount":3456,"reason":"One came back"}`)
	for _, test := range []struct {
		name  string
		of    transaction
		shows []string
	}{
		{"success", s.pay("payments", 4999, "USD", goodCard), []string{"Payment successful", "49.99 USD", "Paid", "Visa •••• 0000", "Two tickets, row 7", "order-1042", "15 January 2026, 12:00 UTC", "no money was moved"}},
		{"failure", s.pay("payments", 4999, "USD", declinedCard), []string{"Payment failed", "49.99 USD", "Declined", "Payment was declined", "Visa •••• 0019"}},
		{"jpy", s.pay("payments", 1500, "JPY", goodCard), []string{"Payment successful", "1500 JPY"}},
		{"kwd", s.pay("payments", 1005, "KWD", goodCard), []string{"Payment successful", "1.005 KWD"}},
		{"bhd", s.pay("payments", 12_345_678_901, "BHD", goodCard), []string{"Payment successful", "12345678.901 BHD"}},
		{"hold", hold, []string{"Payment successful", "1234.56 USD", "Paid", "Reserved\n12345.67 USD", "Still reserved\n10111.11 USD", "Released\n1000.00 USD", "Refunded\n34.56 USD"}},
		{"capture", capture, []string{"Capture successful", "1234.56 USD", "Refunded\n34.56 USD"}},
		{"void", void, []string{"Void successful", "1000.00 USD", "Voided"}},
		{"refund", refund, []string{"Refund successful", "34.56 USD", "Refunded"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for look, options := range map[string][]Option{"desktop": nil, "phone": {Phone}, "dark": {Dark}, "paper": {Paper}} {
				tab := New(t, options...)
				tab.Go(test.of.ReceiptURL)
				tab.Shows(append(test.shows, test.of.UID)...)
				tab.sound(s.URL, test.name+"-"+look)
			}
		})
	}
}

var pdfPages = regexp.MustCompile(`/Type\s*/Page\b`)

// A receipt prints on one page.
func TestPrint(t *testing.T) {
	s := newShop(t)
	tab := New(t, Dark)
	tab.Go(s.pay("payments", 4999, "USD", goodCard).ReceiptURL)
	pdf := tab.Print("receipt")
	if !bytes.HasPrefix(pdf, []byte("%PDF-")) || len(pdfPages.FindAll(pdf, -1)) != 1 {
		t.Errorf("%d bytes with %d pages", len(pdf), len(pdfPages.FindAll(pdf, -1)))
	}
}

// A shop's logo is shown, and long names, however hostile, break nothing.
func TestLogoAndLongNames(t *testing.T) {
	s := newShop(t)
	logo := "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 44 44"><rect width="44" height="44" fill="#0a7"/><script>alert(1)</script></svg>`))
	s.Control(t, http.MethodPatch, "/_sandbox/settings", map[string]any{"settings": map[string]any{
		"receipt.logo": logo, "receipt.contact": strings.Repeat("verylongaddress", 8) + "@example.com",
	}}, nil)
	of := s.post("payments", `{"amount":2305843009213693951,"currency":"USD","description":"<script>alert(1)</script>`+strings.Repeat("W", 200)+`","tracking_id":"`+strings.Repeat("x", 255)+
		`","credit_card":{"number":"`+goodCard+`","exp_month":"05","exp_year":"2030"}}`)
	for look, options := range map[string][]Option{"desktop": nil, "phone": {Phone}} {
		tab := New(t, options...)
		tab.Go(of.ReceiptURL)
		tab.Shows("<script>alert(1)</script>", "23058430092136939.51 USD", "verylongaddress@example.com")
		tab.sound(s.URL, "long-"+look)
	}
}

// Every payment has a receipt under the shared form of URL, and an address that
// is not whole leads to a page that says so.
func TestSharedReceipt(t *testing.T) {
	s := newShop(t)
	id, ok := s.Dialect(begateway.Name).ParsePaymentID(s.pay("payments", 4999, "EUR", goodCard).UID)
	if !ok {
		t.Fatal("the uid is not read")
	}
	merchants, err := s.Store.Merchants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Engine.Payment(t.Context(), merchants[0].Tenant, merchants[0].ID, id)
	if err != nil {
		t.Fatal(err)
	}
	tab := New(t, Phone)
	tab.Go(s.Receipts.URL(p, 0))
	tab.Shows("Payment successful", "49.99 EUR", "Paid", "Visa •••• 0000")
	tab.sound(s.URL, "shared")

	tab = New(t)
	tab.Go(strings.TrimRight(s.Receipts.URL(p, 0), "0123456789_-") + "A")
	tab.Shows("No such receipt")
	if tab.Status() != http.StatusNotFound {
		t.Errorf("status %d", tab.Status())
	}
	tab.Forgive("404")
	tab.Fits()
	tab.Shot("none")
}

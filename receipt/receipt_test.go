package receipt

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// made is a payment after some commands, each a minute later than the one
// before it, an expiry at its time.
func made(t *testing.T, answer payment.Result, commands ...payment.Command) *payment.Payment {
	t.Helper()
	p := &payment.Payment{ID: 7, Tenant: 3, Merchant: 5}
	create := payment.Create{
		Intake: payment.Intake{
			Dialect: "any", Currency: "KWD", Amount: 10_500, Description: "Tea", Reference: "order 1",
			Method: payment.Method{Kind: payment.CardMethod, Brand: "mastercard", Last4: "4444"},
			Policy: payment.Policy{HoldFor: time.Hour, PayerDeadline: time.Hour},
		},
		Attempt: &payment.Attempt{},
	}
	for i, c := range append([]payment.Command{create}, commands...) {
		at := noon.Add(time.Duration(i) * time.Minute)
		if _, ok := c.(payment.Expire); ok {
			at = p.ExpiresAt
		}
		d, err := payment.Decide(p, c, payment.Env{
			Now: at,
			Ask: func(i payment.Instruction) payment.Answer {
				if i.Kind == payment.OpAuthorize {
					return payment.Answer{Result: answer, Reason: payment.InsufficientFunds}
				}
				return payment.Answer{Result: payment.Approved}
			},
		})
		if err != nil || d.Refusal != nil {
			t.Fatal(err, d.Refusal)
		}
		p = d.Payment
	}
	return p
}

var shop = &merchant.Merchant{ID: 5, Tenant: 3, Name: "Tea & <Co>"}

func TestStates(t *testing.T) {
	capture := payment.Capture{Amount: 10_500}
	for _, test := range []struct {
		name      string
		p         *payment.Payment
		operation int
		state     State
		headline  string
		amount    int64
		message   string
		sums      string
	}{
		{"held", made(t, payment.Approved), 0, Reserved, "Amount reserved", 10_500, "", ""},
		{"its authorization", made(t, payment.Approved), 1, Reserved, "Reservation successful", 10_500, "", ""},
		{"pending", made(t, payment.Pending), 0, Pending, "Payment in progress", 10_500, "", ""},
		{"payer awaited", made(t, payment.PayerRequired), 0, Pending, "Payment in progress", 10_500, "", ""},
		{"payer declined", made(t, payment.PayerRequired, payment.PayerAnswer{}), 0, Declined, "Payment declined", 10_500, "The payer declined.", ""},
		{"declined", made(t, payment.Refused), 0, Declined, "Payment declined", 10_500, "There was not enough money.", ""},
		{"declined authorization", made(t, payment.Refused), 1, Declined, "Reservation declined", 10_500, "There was not enough money.", ""},
		{"captured", made(t, payment.Approved, capture), 0, Paid, "Payment successful", 10_500, "", ""},
		{"its capture", made(t, payment.Approved, capture), 2, Paid, "Payment successful", 10_500, "", ""},
		{"captured in part, and closed", made(t, payment.Approved, payment.Capture{Amount: 500, Final: true}), 0, Paid, "Payment successful", 500, "", "Reserved 10.500 KWD, Released 10.000 KWD"},
		{"captured in part", made(t, payment.Approved, payment.Capture{Amount: 500}), 0, Paid, "Payment successful", 500, "", "Reserved 10.500 KWD, Still reserved 10.000 KWD"},
		{"captured in part, which was refunded", made(t, payment.Approved, payment.Capture{Amount: 500, Final: true}, payment.Refund{}), 0, Refunded, "Payment refunded", 500, "", "Reserved 10.500 KWD, Released 10.000 KWD, Refunded 0.500 KWD"},
		{"voided", made(t, payment.Approved, payment.Void{Amount: 10_500}), 0, Voided, "Reservation released", 10_500, "", "Released 10.500 KWD"},
		{"its void", made(t, payment.Approved, payment.Void{Amount: 10_500}), 2, Voided, "Release successful", 10_500, "", ""},
		{"refunded in part", made(t, payment.Approved, capture, payment.Refund{Amount: 500}), 0, Paid, "Payment successful", 10_500, "", "Refunded 0.500 KWD"},
		{"refunded", made(t, payment.Approved, capture, payment.Refund{}), 0, Refunded, "Payment refunded", 10_500, "", "Refunded 10.500 KWD"},
		{"its refund", made(t, payment.Approved, capture, payment.Refund{Amount: 1, Asked: payment.Asked{Parent: 2}}), 3, Refunded, "Refund successful", 1, "", ""},
		{"the refunded capture", made(t, payment.Approved, capture, payment.Refund{Amount: 1, Asked: payment.Asked{Parent: 2}}), 2, Paid, "Payment successful", 10_500, "", "Refunded 0.001 KWD"},
		{"expired", made(t, payment.Approved, payment.Expire{}), 0, Expired, "Payment expired", 10_500, "", "Released 10.500 KWD"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := test.p
			r := Of(p, test.operation, shop)
			var sums []string
			for _, s := range r.Sums {
				sums = append(sums, s.Label+" "+s.Amount.String())
			}
			if r.State != test.state || r.Headline != test.headline || r.Amount != money.Of(test.amount, "KWD") || r.Message != test.message || strings.Join(sums, ", ") != test.sums {
				t.Errorf("%s %q %s %q %q", r.State, r.Headline, r.Amount, r.Message, sums)
			}
		})
	}
}

func TestFacts(t *testing.T) {
	p := made(t, payment.PayerRequired, payment.PayerAnswer{})
	r := Of(p, 0, shop)
	r.Add("Payment", "x-1")
	r.Add("Nothing", "")
	var got []string
	for _, f := range r.Facts {
		got = append(got, f.Label+"="+f.Value+f.At.Format(time.TimeOnly))
	}
	const want = "Date=12:00:00, Completed=12:01:00, Paid with=Mastercard •••• 444400:00:00, For=Tea00:00:00, Reference=order 100:00:00, Payment=x-100:00:00"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("%s", s)
	}
	for m, want := range map[payment.Method]string{
		{}:                         "",
		{Kind: payment.CardMethod}: "Card",
		{Kind: payment.CardMethod, Brand: "other", Last4: "1"}: "Card •••• 1",
		{Kind: payment.WalletMethod, User: 1}:                  "Wallet",
	} {
		if got := method(m); got != want {
			t.Errorf("%+v is shown as %q, want %q", m, got, want)
		}
	}
}

func TestAmounts(t *testing.T) {
	for _, test := range []struct {
		of   money.Amount
		want string
	}{
		{money.Of(0, "USD"), "0.00"}, {money.Of(7, "USD"), "0.07"}, {money.Of(99_999, "USD"), "999.99"}, {money.Of(100_000, "USD"), "1 000.00"},
		{money.Of(123_456_789, "USD"), "1 234 567.89"}, {money.Of(500, "JPY"), "500"}, {money.Of(1000, "JPY"), "1 000"}, {money.Of(1_234_567, "KRW"), "1 234 567"},
		{money.Of(1005, "KWD"), "1.005"}, {money.Of(1_000_000, "BHD"), "1 000.000"},
	} {
		n := digits(test.of)
		if got := strings.Join(n.Groups, " "); got != test.want || n.Plain != strings.ReplaceAll(got, " ", "") {
			t.Errorf("%s is shown as %q (%q), want %q", test.of, got, n.Plain, test.want)
		}
	}
}

func TestLogo(t *testing.T) {
	const good = "data:image/png;base64,iVBORw0KGgo="
	for uri, want := range map[string]string{
		good: good, "": "", "https://example.com/logo.png": "", "data:text/html;base64,PHA+": "", "data:image/png;base64,": "",
		"data:image/png;base64,\"><script>": "", "data:image/png;base64," + strings.Repeat("AAAA", logoLimit): "",
	} {
		text, err := json.Marshal(uri)
		if err != nil {
			t.Fatal(err)
		}
		if got := Logo(&merchant.Merchant{Settings: map[string]json.RawMessage{logo.Name: text}}); got != want {
			t.Errorf("%.60s: %.60s", uri, got)
		}
	}
	for name, want := range map[string]string{"": "·", "  tea": "T", "ящик": "Я", "1 shop": "1"} {
		if got := (Receipt{Merchant: name}).Initial(); got != want {
			t.Errorf("%q begins with %q", name, got)
		}
	}
}

// book is a desk's payments: one.
type book struct{ p *payment.Payment }

func (b book) Payment(_ context.Context, tenant, merchant int64, id payment.ID) (*payment.Payment, error) {
	if b.p == nil || tenant != b.p.Tenant || merchant != b.p.Merchant || id != b.p.ID {
		return nil, nil
	}
	return b.p, nil
}

// registry knows one merchant.
type registry struct{ m *merchant.Merchant }

func (r registry) Merchant(_ context.Context, id int64) (*merchant.Merchant, error) {
	if r.m.ID != id {
		return nil, nil
	}
	return r.m, nil
}

func (registry) Credential(context.Context, string, string, string) (*merchant.Credential, error) {
	return nil, nil
}

func newDesk(p *payment.Payment, root string) *Desk {
	return &Desk{
		Payments: book{p}, Merchants: merchant.NewDirectory(registry{shop}, func() time.Time { return noon }), Keys: keyring.Fixed(root),
		Logger: slog.New(slog.DiscardHandler), PublicURL: "https://pay.test", Name: func(*payment.Payment) string { return "the-name" },
	}
}

func (d *Desk) get(method, url string) *httptest.ResponseRecorder {
	reply := httptest.NewRecorder()
	d.ServeHTTP(reply, httptest.NewRequest(method, strings.TrimPrefix(url, "https://pay.test"), nil))
	return reply
}

func TestDesk(t *testing.T) {
	p := made(t, payment.Approved, payment.Capture{Amount: 10_500})
	d := newDesk(p, "a")
	reply := d.get(http.MethodGet, d.URL(p, 2))
	body := reply.Body.String()
	for _, want := range []string{"Tea &amp; &lt;Co&gt;", `value="10.500 KWD"`, "Payment successful", "the-name", "Mastercard •••• 4444"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in %s", want, body)
		}
	}
	h := reply.Header()
	if reply.Code != http.StatusOK || h.Get("Cache-Control") != "no-store" || !strings.HasPrefix(h.Get("X-Robots-Tag"), "noindex") ||
		h.Get("Referrer-Policy") != "no-referrer" || strings.Contains(h.Get("Content-Security-Policy"), "unsafe") ||
		!strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'; ") {
		t.Errorf("%d %v", reply.Code, h)
	}
	if strings.Contains(body, "no money was moved") || strings.Contains(body, "<script") || strings.Contains(body, "http") {
		t.Errorf("%s", body)
	}
	d.Sandbox = true
	if body := d.get(http.MethodGet, d.URL(p, 0)).Body.String(); !strings.Contains(body, "no money was moved") {
		t.Errorf("%s", body)
	}
	if reply := d.get(http.MethodPost, d.URL(p, 0)); reply.Code != http.StatusMethodNotAllowed || reply.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", reply.Code)
	}
	if reply := d.get(http.MethodHead, d.URL(p, 0)); reply.Code != http.StatusOK {
		t.Errorf("HEAD: %d", reply.Code)
	}
}

// No URL opens a receipt but the one that was given out.
func TestURLsCannotBeMadeUp(t *testing.T) {
	p := made(t, payment.Approved, payment.Capture{Amount: 10_500})
	d := newDesk(p, "a")
	url := d.URL(p, 2)
	if len(url) != len("https://pay.test"+Path)+46 || url == d.URL(p, 0) || url != newDesk(p, "a").URL(p, 2) || url == newDesk(p, "b").URL(p, 2) {
		t.Error(url, d.URL(p, 0))
	}
	others := []string{newDesk(p, "b").URL(p, 2), "https://pay.test" + Path, url + "A", url[:len(url)-1], url + "/", url + "=", d.URL(p, 3)}
	for i := len("https://pay.test" + Path); i < len(url); i++ {
		for _, digit := range "AB" {
			if byte(digit) != url[i] {
				others = append(others, url[:i]+string(digit)+url[i+1:])
			}
		}
	}
	for _, other := range others {
		reply := d.get(http.MethodGet, other)
		if reply.Code != http.StatusNotFound || !strings.Contains(reply.Body.String(), "No such receipt") || reply.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d", other, reply.Code)
		}
	}
	stranger := *p
	stranger.Merchant = 6
	if reply := d.get(http.MethodGet, d.URL(&stranger, 2)); reply.Code != http.StatusNotFound {
		t.Errorf("of a merchant who is not there: %d", reply.Code)
	}
	if reply := newDesk(nil, "a").get(http.MethodGet, url); reply.Code != http.StatusNotFound {
		t.Errorf("of a payment that is not there: %d", reply.Code)
	}
}

func FuzzParse(f *testing.F) {
	d := newDesk(nil, "a")
	good := d.token(5, 7, 2)
	f.Add(good)
	f.Add("")
	f.Add(strings.Repeat("A", 46))
	f.Fuzz(func(t *testing.T, token string) {
		merchant, id, operation, ok := d.parse(token)
		if ok && d.token(merchant, id, operation) != token {
			t.Errorf("%q is read as %d %d %d", token, merchant, id, operation)
		}
	})
}

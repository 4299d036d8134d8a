package intents

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/card"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

// Every guard of the core has its place in the order, once.
func TestRefusalsCoverEveryGuard(t *testing.T) {
	seen := map[payment.Guard]int{}
	for _, r := range refusals {
		seen[r.guard]++
		if r.told == nil {
			t.Errorf("%s is told as nothing", r.guard)
		}
	}
	for _, g := range payment.Guards() {
		if seen[g] != 1 {
			t.Errorf("%s has %d lines", g, seen[g])
		}
	}
}

// Every reason of a processor has its line, and says something.
func TestDeclinesCoverEveryReason(t *testing.T) {
	for _, reason := range payment.Reasons() {
		if why, ok := declines[reason]; !ok || why.code == "" || why.message == "" || why.kind == "" {
			t.Errorf("%s is told as %+v", reason, why)
		}
	}
	if len(declines) != len(payment.Reasons()) {
		t.Errorf("%d lines for %d reasons", len(declines), len(payment.Reasons()))
	}
}

// The order in which callers hear of several failed guards (section 7), and
// which refusals keep the key (section 3, last column).
func TestOrderOfRefusals(t *testing.T) {
	for _, test := range []struct {
		failed []payment.Guard
		want   payment.Guard
		kept   bool
	}{
		{[]payment.Guard{payment.AmountTooLarge, payment.NotCapturable}, payment.NotCapturable, true},
		{[]payment.Guard{payment.AmountTooSmall, payment.NotCapturable, payment.HoldOver}, payment.HoldOver, true},
		{[]payment.Guard{payment.OperationPending, payment.NotCapturable, payment.AmountTooLarge}, payment.OperationPending, false},
		{[]payment.Guard{payment.CannotStayOpen, payment.AmountTooLarge}, payment.AmountTooLarge, true},
		{[]payment.Guard{payment.CannotStayOpen, payment.AmountTooSmall}, payment.AmountTooSmall, true},
		{[]payment.Guard{payment.CannotStayOpen}, payment.CannotStayOpen, true},
		{[]payment.Guard{payment.NotFound}, payment.NotFound, true},
		{[]payment.Guard{payment.Busy}, payment.Busy, false},
		{[]payment.Guard{payment.InProcess}, payment.InProcess, false},
	} {
		refusal := payment.Refuse(test.failed...)
		order := make([]payment.Guard, len(refusals))
		for i := range refusals {
			order[i] = refusals[i].guard
		}
		if got, _ := refusal.First(order...); got != test.want {
			t.Errorf("of %v callers hear %s, want %s", test.failed, got, test.want)
		}
		if got := keeps(refusal); got != test.kept {
			t.Errorf("%v is kept: %v", test.failed, got)
		}
	}
}

// The wire's smallest units are ISO 4217's but for two currencies, and every
// zero-decimal and three-decimal currency of section 10 is one of ours.
func TestCurrencies(t *testing.T) {
	zero := strings.Fields("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF")
	three := strings.Fields("BHD JOD KWD OMR TND")
	for _, code := range strings.Split(strings.ToUpper(supportedCurrencies()), ", ") {
		c := money.Currency(code)
		decimals := 2
		switch {
		case slices.Contains(zero, code):
			decimals = 0
		case slices.Contains(three, code):
			decimals = 3
		}
		major := int64(1) // one whole unit of the currency in its smallest unit
		for range c.Decimals() {
			major *= 10
		}
		want := int64(1)
		for range decimals {
			want *= 10
		}
		if got := scaleOf(c).wire(major); got != want {
			t.Errorf("one %s is %d on the wire, want %d", code, got, want)
		}
		if back, ok := scaleOf(c).minor(want); !ok || back != major {
			t.Errorf("%d %s on the wire are %d, want %d", want, code, back, major)
		}
	}
	if _, ok := scaleOf("ISK").minor(150); ok {
		t.Error("half a krona was taken")
	}
	for _, code := range []string{"usd", "USD", "Usd"} {
		if c, ok := parseCurrency(code); !ok || c != "USD" {
			t.Errorf("%s is %s, %v", code, c, ok)
		}
	}
	for _, code := range []string{"", "us", "usdd", "zzz", "iqd", "ußd"} {
		if c, ok := parseCurrency(code); ok {
			t.Errorf("%q is %s", code, c)
		}
	}
}

func TestAPIKeys(t *testing.T) {
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, test := range []struct{ name, header, want string }{
		{"bearer", "Bearer sk_test_a", "sk_test_a"},
		{"any letter case", "bEARER sk_test_a", "sk_test_a"},
		{"basic", "Basic " + encoded("sk_test_a:"), "sk_test_a"},
		{"basic without a colon", "Basic " + encoded("sk_test_a"), "sk_test_a"},
		{"basic in clear", "Basic sk_test_a", "sk_test_a"},
		{"basic in clear with a colon", "basic sk_test_a:", "sk_test_a"},
		{"publishable", "Bearer pk_live_a", "pk_live_a"},
		{"nothing", "", ""},
		{"no key", "Bearer ", ""},
		{"another scheme", "Digest sk_test_a", ""},
		{"no base64", "Basic %%%", ""},
		{"a key alone", "sk_test_a", ""},
	} {
		if got := apiKey([]string{test.header}); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	if got := apiKey([]string{"Bearer a", "Bearer b"}); got != "" {
		t.Errorf("two headers gave %q", got)
	}
	for key, want := range map[string]string{
		"sk_test_0123456789abcdwxyz": "sk_test_****wxyz", "short": "****", "": "****", "sk_test_0123": "****", "a\xff23456789012345": "a?234567****2345",
	} {
		if got := maskedKey(key); got != want {
			t.Errorf("%q is shown as %q, want %q", key, got, want)
		}
	}
}

func FuzzAPIKey(f *testing.F) {
	for _, seed := range []string{"Bearer sk_test_a", "Basic c2s6", "basic sk_live_:", "", "Basic"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		key := apiKey([]string{header})
		keyKind(key)
		if shown := maskedKey(key); len(shown) > 20 {
			t.Errorf("%q shows %q", key, shown)
		}
	})
}

func TestVersions(t *testing.T) {
	for v, want := range map[string]bool{
		"2026-08-26": true, "2026-08-26.dahlia": true, "2019-02-11": true, "2026-8-26": false, "2026-13-01": false, "2026-00-01": false,
		"2026-08-32": false, "2026-08-26.": false, "2026-08-26.Dahlia": false, "latest": false, "": false, "2026-08-26dahlia": false,
	} {
		if got := wellFormedVersion(v); got != want {
			t.Errorf("%q: %v", v, got)
		}
	}
}

// Every test card is a card number, and every behaviour it should have it has.
func TestTokens(t *testing.T) {
	for token, number := range tokens {
		if !card.Valid(number) {
			t.Errorf("%s stands for no card number", token)
		}
	}
}

func TestRoutes(t *testing.T) {
	for _, test := range []struct {
		method, path string
		want         route
		id           string
	}{
		{"POST", "/v1/payment_intents", createRoute, ""},
		{"GET", "/v1/payment_intents/pi_x", retrieveRoute, "pi_x"},
		{"HEAD", "/v1/payment_intents/pi_x", retrieveRoute, "pi_x"},
		{"POST", "/v1/payment_intents/pi_x", updateRoute, "pi_x"},
		{"POST", "/v1/payment_intents/pi_x/confirm", confirmRoute, "pi_x"},
		{"POST", "/v1/payment_intents/pi_x/capture", captureRoute, "pi_x"},
		{"POST", "/v1/payment_intents/pi_x/cancel", cancelRoute, "pi_x"},
		{"GET", "/v1/charges/ch_x", chargeRoute, "ch_x"},
		{"GET", "/v1/refunds/re_x", refundRoute, "re_x"},
		{"GET", "/v1/payment_methods/pm_x", methodRoute, "pm_x"},
		{"GET", "/v1/payment_intents", intentsRoute, ""},
		{"GET", "/v1/payment_intents/search", searchRoute, ""},
		{"POST", "/v1/payment_intents/search", unknownRoute, ""},
		{"GET", "/v1/payment_intents/search/x", unknownRoute, ""},
		{"GET", "/v1/test_helpers", unknownRoute, ""},
		{"GET", "/v1/test_helpers/", unknownRoute, ""},
		{"GET", "/v1/payment_intents/pi_x/capture", unknownRoute, ""},
		{"POST", "/v1/payment_intents/", unknownRoute, ""},
		{"POST", "/v1/payment_intents/pi_x/", unknownRoute, ""},
		{"POST", "/v1/payment_intents/pi_x/capture/", unknownRoute, ""},
		{"POST", "/v1/payment_intents/pi_x/capture/x", unknownRoute, ""},
		{"POST", "/v1/payment_intents//capture", unknownRoute, ""},
		{"DELETE", "/v1/payment_intents/pi_x", unknownRoute, ""},
		{"POST", "/v1/charges/ch_x/capture", chargeCaptureRoute, "ch_x"},
		{"GET", "/v1", unknownRoute, ""},
		{"GET", "/v1/", unknownRoute, ""},
	} {
		if got, id := match(test.method, test.path); got != test.want || id != test.id {
			t.Errorf("%s %s: %d %q", test.method, test.path, got, id)
		}
	}
	for r, it := range callTable() {
		if r == int(unknownRoute) {
			continue
		}
		if it.operation == "" || it.serve == nil {
			t.Errorf("call %d is not served", r)
		}
		if got, id := match(it.method, it.path("pi_x")); got != route(r) || it.id != (id == "pi_x") {
			t.Errorf("%s %s leads to %d", it.method, it.path("pi_x"), got)
		}
	}
}

package card_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/card"
	"github.com/capstan-pay/capstan/keyring"
)

func TestInspect(t *testing.T) {
	inspector := card.Inspector{MAC: keyring.Fixed("a").MAC}
	for number, brand := range map[string]string{
		"4242424242424242": "visa", "4000056655665556": "visa", "5555555555554444": "mastercard", "2223003122003222": "mastercard",
		"378282246310005": "amex", "6011111111111117": "discover", "3056930009020004": "diners", "3566002020360505": "jcb",
		"6200000000000005": "unionpay", "9112300000000000": "belkart", "2200000000000004": "mir", "6759649826438453": "maestro",
	} {
		m, err := inspector.Inspect(number)
		if err != nil || m.Brand != brand || m.Last4 != number[len(number)-4:] || m.First6 != number[:6] || len(m.Fingerprint) != 64 {
			t.Errorf("%s...: %+v, %v", number[:6], m, err)
		}
		if strings.Contains(m.Fingerprint, number) {
			t.Error("the fingerprint shows the number")
		}
	}
	a, _ := inspector.Inspect("4242424242424242")
	b, _ := inspector.Inspect("4242424242424242")
	c, _ := card.Inspector{MAC: keyring.Fixed("b").MAC}.Inspect("4242424242424242")
	if a.Fingerprint != b.Fingerprint || a.Fingerprint == c.Fingerprint {
		t.Error("fingerprints: equal for equal numbers, keyed by the store")
	}
	for _, number := range []string{
		"", "4242", "4242424242424241", "42424242424242420000", "4242 4242 4242 4242", "４242424242424242", "424242424242424x", "-242424242424242",
	} {
		if _, err := inspector.Inspect(number); !errors.Is(err, card.ErrNumber) || number != "" && strings.Contains(err.Error(), number) {
			t.Errorf("%q: %v", number, err)
		}
	}
}

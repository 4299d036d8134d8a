package money_test

import (
	"testing"

	"github.com/capstan-pay/capstan/money"
)

func TestParseCurrency(t *testing.T) {
	for _, test := range []struct {
		code     string
		known    bool
		decimals int
	}{
		{"USD", true, 2}, {"EUR", true, 2}, {"BYN", true, 2},
		{"JPY", true, 0}, {"KRW", true, 0}, {"VND", true, 0}, {"ISK", true, 0}, {"XOF", true, 0},
		{"BHD", true, 3}, {"IQD", true, 3}, {"KWD", true, 3}, {"TND", true, 3},
		{"usd", false, 2}, {"US", false, 2}, {"USDT", false, 2}, {"", false, 2},
		{"XAU", false, 2}, // a metal
		{"XTS", false, 2}, // for tests
		{"HRK", false, 2}, // withdrawn
	} {
		t.Run(test.code, func(t *testing.T) {
			c, err := money.ParseCurrency(test.code)
			if (err == nil) != test.known || test.known && string(c) != test.code {
				t.Errorf("got %q, %v", c, err)
			}
			if got := money.Currency(test.code).Known(); got != test.known {
				t.Errorf("known: %t", got)
			}
			if got := money.Currency(test.code).Decimals(); got != test.decimals {
				t.Errorf("decimals: %d", got)
			}
		})
	}
}

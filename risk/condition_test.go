package risk

import (
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/money"
)

var noon = time.Date(2026, 10, 5, 12, 0, 0, 0, time.UTC)

// ruled is a compiled condition of begateway's words, with its sets.
type ruled struct {
	*expression
	sets setsOfBINs
}

func (r ruled) holds(in Input) truth { return r.expression.holds(in.normal(), nil, r.sets) }

func conditioned(text string) (ruled, error) {
	sets := map[string][]string{"Risky": {"411111"}, "Wide": {"5", "41"}, "Other": {"4111112", "42"}}
	r := ruled{sets: setsOfBINs{}}
	for name, bins := range sets {
		r.sets[name] = setOf(bins)
	}
	source, err := inWords(text, sets)
	if err == nil {
		r.expression, err = compileExpression(source, sets)
	}
	return r, err
}

func TestCondition(t *testing.T) {
	paid := func(amount int64, c money.Currency) Input {
		return Input{Type: Payment, Amount: amount, Currency: c, At: noon, Card: stamp, BIN: "411111", Holder: "Jane Doe", IP: "203.0.113.7"}
	}
	wallet := Input{Type: Capture, Amount: 10001, Currency: "USD", At: noon}
	for _, c := range []struct {
		condition string
		in        Input
		want      truth
	}{
		{"Transaction amount more than 100", paid(100_00, "USD"), no},
		{"Transaction amount more than 100", paid(100_01, "USD"), yes},
		{"Transaction amount more than 100", paid(100, "JPY"), no},
		{"Transaction amount more than 100", paid(101, "JPY"), yes},
		{"Transaction amount more than 100", paid(100_000, "BHD"), no},
		{"Transaction amount more than 100", paid(100_001, "BHD"), yes},
		{"Transaction amount more than 99.99", paid(99_99, "USD"), no},
		{"Transaction amount more than 99.99", paid(100_00, "USD"), yes},
		{"Transaction amount more than 99.999", paid(100, "JPY"), yes},
		{"Transaction amount more than 99.999", paid(99, "JPY"), no},
		{"Transaction amount more or equal than 100", paid(99_99, "USD"), no},
		{"Transaction amount more or equal than 100", paid(100_00, "USD"), yes},
		{"Transaction amount more than 999999999999.999", paid(1<<62, "JPY"), yes},
		{"Transaction currency is EUR", paid(1, "EUR"), yes},
		{"Transaction currency is EUR", paid(1, "USD"), no},
		{"transaction CURRENCY is eur", paid(1, "EUR"), yes},
		{"Transaction type is payment", paid(1, "EUR"), yes},
		{"Transaction type is Capture", paid(1, "EUR"), no},
		{"BIN is in Risky", paid(1, "EUR"), yes},
		{"BIN is in Wide", paid(1, "EUR"), yes},
		{"BIN is in Other", paid(1, "EUR"), no},
		{"BIN is in Risky", wallet, unknown},
		{"BIN is in Risky AND Transaction currency is EUR", wallet, no},
		{"Transaction currency is USD AND BIN is in Risky", wallet, unknown},
		{"Transaction amount more than 100 AND Transaction currency is EUR", paid(100_01, "EUR"), yes},
		{"Transaction amount more than 100 AND Transaction currency is EUR", paid(100_01, "USD"), no},
		{"Transaction amount more than 100 AND Transaction currency is EUR", paid(50_00, "EUR"), no},
		{"Payment transaction count more than 1 per IP address in 24 hours", paid(1, "EUR"), no},
		{"Payment transaction count more or equal than 1 per card in 1 hour", paid(1, "EUR"), yes},
		{"Capture transaction count more or equal than 1 per card in 1 hour", paid(1, "EUR"), no},
		{"Payment transaction count more or equal than 1 per email in 1 hour", paid(1, "EUR"), unknown},
		{"Unique CardHolder count more than 5 in 36 hours", paid(1, "EUR"), no},
		{"Unique CardHolder count more or equal than 1 per IP address in 36 hours", paid(1, "EUR"), yes},
	} {
		checks, err := conditioned(c.condition)
		if err != nil {
			t.Errorf("%s: %v", c.condition, err)
		} else if got := checks.holds(c.in); got != c.want {
			t.Errorf("%q of %s %s is %d, want %d", c.condition, c.in.Type, money.Of(c.in.Amount, c.in.Currency), got, c.want)
		}
	}
}

func TestConditionRefuses(t *testing.T) {
	for condition, want := range map[string]string{
		"":                                                             "clause 1: is empty",
		"Transaction":                                                  `"Transaction" begins no clause`,
		"Transaction amount":                                           `expected "more than"`,
		"Transaction amount less than 5":                               `expected "more than"`,
		"Transaction amount more than":                                 "expected an amount",
		"Transaction amount more than -5":                              "must be major units",
		"Transaction amount more than +5":                              "must be major units",
		"Transaction amount more than 5.":                              "must be major units",
		"Transaction amount more than .5":                              "must be major units",
		"Transaction amount more than 5.0000":                          "must be major units",
		"Transaction amount more than 1e3":                             "must be major units",
		"Transaction amount more than 1_000":                           "must be major units",
		"Transaction amount more than 1000000000000":                   "must be major units",
		"Transaction amount more than 5 USD":                           `"USD" is not expected`,
		"Transaction currency is":                                      "expected a currency",
		"Transaction currency is EURO":                                 `"EURO" is no ISO 4217 currency`,
		"Transaction type is sale":                                     `"sale" begins no clause and is no transaction type`,
		"BIN is in":                                                    "expected the name of a set",
		"Failed transaction count more than 5 per card in 1 hour":      `"Failed" begins no clause`,
		"Payment count more than 5 per card in 1 hour":                 `expected "transaction count"`,
		"Payment transaction count more than 5 in 1 hour":              `expected "per"`,
		"Payment transaction count more than 5 per shop in 1 hour":     `expected "IP address", "card" or "email"`,
		"Payment transaction count more than 0 per card in 1 hour":     "the count must be a whole number from 1 to 1000",
		"Payment transaction count more than 1001 per card in 1 hour":  "the count must be",
		"Payment transaction count more than 5 per card in 9999 hours": "the hours must be a whole number from 1 to 8784",
		"Payment transaction count more than 5 per card in 2 days":     `expected "hours"`,
		"Payment transaction count more than 5 per card":               `expected "in"`,
		"Transaction type is void and Transaction type is refund":      `"and" is not expected`,
		"Transaction type is void AND":                                 `"AND" is not expected`,
	} {
		if parsed, err := inWords(condition, nil); err == nil {
			t.Errorf("%q is read as %s", condition, parsed)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %q, want %q", condition, err, want)
		}
	}
}

func FuzzCondition(f *testing.F) {
	for _, s := range []string{
		"Transaction amount more than 100 AND Transaction currency is EUR", "BIN is in Risky", "BIn is iN Risky",
		"Transaction amount more or equal than 99.999", "Transaction type is capture",
		"Payment transaction count more than 5 per IP address in 24 hours",
		"Unique CardHolder count more than 5 in 36 hours", "Refund transaction count more or equal than 1 per email in 1 hour",
	} {
		f.Add(s, int64(100_00))
	}
	f.Fuzz(func(t *testing.T, text string, amount int64) {
		parsed, err := conditioned(text)
		if err != nil {
			return
		}
		in := Input{Type: Payment, Amount: amount, Currency: "USD", At: noon, Card: stamp, BIN: "411111", Holder: "J", IP: "::1", Email: "a@b"}
		held := parsed.holds(in)
		if held == unknown {
			t.Errorf("%q is not known of an operation that says everything", text)
		}
		// Spacing and case of all but the names of sets say nothing.
		if !strings.Contains(strings.ToUpper(text), "BIN") {
			again, err := conditioned(strings.Join(strings.Split(strings.ToLower(text), " and "), " AND "))
			if err != nil || again.holds(in) != held {
				t.Errorf("%q in lower case is read differently: %v", text, err)
			}
		}
	})
}

package intents

import (
	"math"
	"slices"
	"strings"

	"github.com/capstan-pay/capstan/money"
)

// scale turns the engine's minor units, ISO 4217's, into those of the wire:
// wire = minor * times / per. It is 1 to 1 for all currencies but two.
type scale struct{ times, per int64 }

// scales are the currencies whose smallest unit on the wire is not ISO 4217's
// (section 10): the krona has two decimals here, the ariary none.
var scales = map[money.Currency]scale{"ISK": {100, 1}, "MGA": {1, 100}}

// unsupported are currencies with three decimals that the wire does not have
// (section 10 lists the others).
var unsupported = map[money.Currency]bool{"IQD": true, "LYD": true}

func scaleOf(c money.Currency) scale {
	if c == "ISK" || c == "MGA" {
		return scales[c]
	}
	return scale{1, 1}
}

// wire is an amount as it is shown.
func (s scale) wire(minor int64) int64 {
	if s.times == s.per {
		return minor
	}
	if minor > math.MaxInt64/s.times {
		return math.MaxInt64
	}
	return minor * s.times / s.per
}

// minor is an amount as the engine counts it; false for one that it has no
// unit for. What is beyond all amounts stays so.
func (s scale) minor(wire int64) (int64, bool) {
	switch {
	case s.times == s.per:
		return wire, true
	case wire%s.times != 0:
		return 0, false
	}
	return min(max(wire/s.times, math.MinInt64/s.per), math.MaxInt64/s.per) * s.per, true
}

// parseCurrency reads a currency code in any letter case.
func parseCurrency(code string) (money.Currency, bool) {
	c, err := money.ParseCurrency(strings.ToUpper(code))
	return c, err == nil && len(code) == 3 && !unsupported[c]
}

// supportedCurrencies lists what parseCurrency accepts, as an error text does.
func supportedCurrencies() string {
	var codes []string
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			for c := 'A'; c <= 'Z'; c++ {
				if code := string([]rune{a, b, c}); money.Currency(code).Known() && !unsupported[money.Currency(code)] {
					codes = append(codes, strings.ToLower(code))
				}
			}
		}
	}
	slices.Sort(codes)
	return strings.Join(codes, ", ")
}

// appendLower appends a currency code in lower case.
func appendLower(b []byte, c money.Currency) []byte {
	for i := range len(c) {
		b = append(b, c[i]|0x20)
	}
	return b
}

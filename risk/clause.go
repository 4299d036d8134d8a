package risk

import (
	"math/bits"

	"github.com/capstan-pay/capstan/money"
)

// amountMore is "Transaction amount more [or equal] than <major units>". The
// bound is digits / 10^scale, so that nothing is rounded.
type amountMore struct {
	digits  uint64
	scale   int
	orEqual bool
}

var pow10 = [...]uint64{1, 10, 100, 1000}

func (c amountMore) holds(in *Input, _ Usage) truth {
	// minor/10^decimals > digits/10^scale
	leftHigh, left := bits.Mul64(uint64(max(in.Amount, 0)), pow10[c.scale])
	right := c.digits * pow10[in.Currency.Decimals()] // 15 digits and 3 more: no overflow
	return truthOf(leftHigh > 0 || left > right || c.orEqual && left == right)
}

func (amountMore) window() window { return window{} }

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// currencyIs is "Transaction currency is <currency>".
type currencyIs money.Currency

func (c currencyIs) holds(in *Input, _ Usage) truth { return truthOf(in.Currency == money.Currency(c)) }
func (currencyIs) window() window                   { return window{} }

// typeIs is "Transaction type is <type>".
type typeIs Type

func (c typeIs) holds(in *Input, _ Usage) truth { return truthOf(in.Type == Type(c)) }
func (typeIs) window() window                   { return window{} }

// binIn is "BIN is in <set>": the prefixes of the set.
type binIn map[string]bool

func (c binIn) holds(in *Input, _ Usage) truth {
	if in.BIN == "" {
		return unknown
	}
	for n := range min(len(in.BIN), 6) {
		if c[in.BIN[:n+1]] {
			return yes
		}
	}
	return no
}

func (binIn) window() window { return window{} }

// countMore is "... count more [or equal] than <n> ... in <n> hours". The
// operation itself is among those counted.
type countMore struct {
	of    window
	limit int // holds from this many on
}

func (c countMore) holds(in *Input, u Usage) truth {
	name := c.of.name(in)
	if name == "" {
		return unknown
	}
	t := u[name]
	return truthOf(c.of.count(in, &t) >= c.limit)
}

func (c countMore) window() window { return c.of }

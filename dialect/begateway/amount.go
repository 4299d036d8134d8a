package begateway

import (
	"math"
	"strconv"
	"strings"
)

// readAmount reads an amount of minor units: a whole number above 0, or a
// string of its digits. There is no bound on its size: one of more digits than
// 64 bits hold is read as the largest that they do, which is above every
// limit. The text is the fault; empty is none.
func readAmount(v value) (minor int64, text string) {
	if v.blank() {
		return 0, textNotPositive
	}
	digits, negative := strings.CutPrefix(v.text(), "-")
	n := parseNumeral(digits)
	switch {
	case n.whole == "":
		return 0, textNotNumber
	case n.fraction, strings.HasPrefix(n.exponent, "-"), n.exponent != "" && v.isString():
		return 0, textNotInteger // 50.0 is refused like 50.5
	}
	minor = scaled(n.whole, n.exponent)
	if negative || minor == 0 {
		return 0, textNotPositive
	}
	return minor, ""
}

// scaled is whole times ten to the power of exponent, or the largest 64-bit
// number if that is less.
func scaled(whole, exponent string) int64 {
	minor, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return math.MaxInt64
	}
	power, err := strconv.ParseInt("0"+strings.TrimPrefix(exponent, "+"), 10, 64)
	if err != nil {
		power = math.MaxInt64
	}
	for ; power > 0 && minor > 0; power-- {
		if minor > math.MaxInt64/10 {
			return math.MaxInt64
		}
		minor *= 10
	}
	return minor
}

// numeral is a decimal number without a sign, taken apart.
type numeral struct {
	whole    string // digits; empty if it is no number at all
	fraction bool   // whether it has one
	exponent string // with its sign
}

func parseNumeral(s string) numeral {
	whole, rest := cutDigits(s)
	n := numeral{whole: whole}
	if strings.HasPrefix(rest, ".") {
		fraction, after := cutDigits(rest[1:])
		if fraction == "" {
			return numeral{}
		}
		n.fraction, rest = true, after
	}
	if rest != "" && (rest[0] == 'e' || rest[0] == 'E') {
		sign := ""
		if rest = rest[1:]; rest != "" && (rest[0] == '+' || rest[0] == '-') {
			sign, rest = rest[:1], rest[1:]
		}
		exponent, after := cutDigits(rest)
		if exponent == "" {
			return numeral{}
		}
		n.exponent, rest = sign+exponent, after
	}
	if rest != "" {
		return numeral{}
	}
	return n
}

func cutDigits(s string) (digits, rest string) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// Package money holds amounts as whole minor units of an ISO 4217 currency.
//
// There is no floating point and no conversion here. An amount of 100 USD
// is one dollar, of 100 JPY a hundred yen, of 1000 BHD one dinar.
package money

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// Amount is a number of minor units of one currency. The zero value is no
// money in no currency.
type Amount struct {
	Minor    int64
	Currency Currency
}

// ErrOverflow is returned when a sum or product leaves the 64-bit range.
var ErrOverflow = errors.New("money: amount out of range")

// Of returns minor units of currency c.
func Of(minor int64, c Currency) Amount { return Amount{Minor: minor, Currency: c} }

// String renders the amount in major units with the currency's own number of
// decimals, for people and logs: "12.34 USD", "1234 JPY".
func (a Amount) String() string {
	digits := a.Currency.Decimals()
	if digits == 0 {
		return fmt.Sprintf("%d %s", a.Minor, a.Currency)
	}
	scale := pow10[digits]
	sign, minor := "", a.Minor
	whole, rest := minor/scale, minor%scale
	if minor < 0 {
		sign, whole, rest = "-", -whole, -rest
	}
	return fmt.Sprintf("%s%d.%0*d %s", sign, whole, digits, rest, a.Currency)
}

var pow10 = [...]int64{1, 10, 100, 1000}

// Sum adds minor amounts and reports ErrOverflow instead of wrapping round.
func Sum(minors ...int64) (int64, error) {
	var sum int64
	for _, m := range minors {
		next := sum + m
		if (m > 0 && next < sum) || (m < 0 && next > sum) {
			return 0, ErrOverflow
		}
		sum = next
	}
	return sum, nil
}

// ExceedsPercent tells whether part is more than percent hundredths of whole:
// part*100 > whole*percent, in 128-bit integers, so nothing is rounded and
// nothing overflows. All three must not be negative.
func ExceedsPercent(part, whole, percent int64) bool {
	if part < 0 || whole < 0 || percent < 0 {
		panic("money: ExceedsPercent of a negative number")
	}
	leftHigh, leftLow := bits.Mul64(uint64(part), 100)
	rightHigh, rightLow := bits.Mul64(uint64(whole), uint64(percent))
	if leftHigh != rightHigh {
		return leftHigh > rightHigh
	}
	return leftLow > rightLow
}

// Percent returns the largest amount p with p*100 <= whole*percent, capped at
// the 64-bit range. Both must not be negative.
func Percent(whole, percent int64) int64 {
	if whole < 0 || percent < 0 {
		panic("money: Percent of a negative number")
	}
	high, low := bits.Mul64(uint64(whole), uint64(percent))
	if high >= 100 {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, 100)
	return int64(min(quotient, math.MaxInt64))
}

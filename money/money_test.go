package money_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-pay/capstan/money"
)

func TestString(t *testing.T) {
	for _, test := range []struct {
		name   string
		amount money.Amount
		want   string
	}{
		{"dollars and cents", money.Of(12_34, "USD"), "12.34 USD"},
		{"one cent", money.Of(1, "USD"), "0.01 USD"},
		{"nothing", money.Of(0, "USD"), "0.00 USD"},
		{"less than nothing", money.Of(-5, "USD"), "-0.05 USD"},
		{"a dollar owed", money.Of(-1_00, "USD"), "-1.00 USD"},
		{"no decimals", money.Of(1234, "JPY"), "1234 JPY"},
		{"three decimals", money.Of(1, "BHD"), "0.001 BHD"},
		{"an unknown currency has two", money.Of(100, "XXX"), "1.00 XXX"},
		{"the most", money.Of(math.MaxInt64, "USD"), "92233720368547758.07 USD"},
		{"the least", money.Of(math.MinInt64, "USD"), "-92233720368547758.08 USD"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.amount.String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestSum(t *testing.T) {
	const top, bottom = math.MaxInt64, math.MinInt64
	for _, test := range []struct {
		name   string
		minors []int64
		want   int64
		err    error
	}{
		{"nothing", nil, 0, nil},
		{"several", []int64{1, -2, 4}, 3, nil},
		{"up to the top", []int64{top - 1, 1}, top, nil},
		{"over the top by one", []int64{top, 1}, 0, money.ErrOverflow},
		{"down to the bottom", []int64{bottom + 1, -1}, bottom, nil},
		{"under the bottom by one", []int64{bottom, -1}, 0, money.ErrOverflow},
		{"top and bottom", []int64{top, bottom}, -1, nil},
		{"twice the bottom", []int64{bottom, bottom}, 0, money.ErrOverflow},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := money.Sum(test.minors...)
			if got != test.want || !errors.Is(err, test.err) {
				t.Errorf("got %d, %v; want %d, %v", got, err, test.want, test.err)
			}
		})
	}
}

func TestSumIsExactOrAnError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		want := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
		got, err := money.Sum(a, b)
		if (err == nil) != want.IsInt64() || err == nil && got != want.Int64() {
			t.Fatalf("%d + %d = %d, %v", a, b, got, err)
		}
	})
}

func TestExceedsPercent(t *testing.T) {
	for _, test := range []struct {
		name                 string
		part, whole, percent int64
		want                 bool
	}{
		{"a fifth", 20, 100, 20, false},
		{"one above a fifth", 21, 100, 20, true},
		{"a fifth of an odd amount, rounded down", 20, 104, 20, false},
		{"a fifth of an odd amount, rounded up", 21, 104, 20, true},
		{"120 percent", 120_00, 100_00, 120, false},
		{"one above 120 percent", 120_01, 100_00, 120, true},
		{"nothing of nothing", 0, 0, 20, false},
		{"something of nothing", 1, 0, 20, true},
		{"products that do not fit 64 bits", math.MaxInt64, math.MaxInt64, 100, false},
		{"the same, above", math.MaxInt64, math.MaxInt64, 99, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := money.ExceedsPercent(test.part, test.whole, test.percent); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

var anyMinor = rapid.OneOf(rapid.Int64Range(0, 1000), rapid.Int64Range(0, math.MaxInt64), rapid.Just(int64(math.MaxInt64)))

func TestExceedsPercentIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part, whole, percent := anyMinor.Draw(t, "part"), anyMinor.Draw(t, "whole"), anyMinor.Draw(t, "percent")
		left := new(big.Int).Mul(big.NewInt(part), big.NewInt(100))
		right := new(big.Int).Mul(big.NewInt(whole), big.NewInt(percent))
		if got, want := money.ExceedsPercent(part, whole, percent), left.Cmp(right) > 0; got != want {
			t.Fatalf("%d of %d against %d %%: %t", part, whole, percent, got)
		}
	})
}

func TestPercent(t *testing.T) {
	for _, test := range []struct {
		name                 string
		whole, percent, want int64
	}{
		{"120 percent", 100_00, 120, 120_00},
		{"rounded down", 99, 20, 19},
		{"of nothing", 0, 120, 0},
		{"no percent", 100, 0, 0},
		{"all of the most", math.MaxInt64, 100, math.MaxInt64},
		{"more than the most", math.MaxInt64, 101, math.MaxInt64},
		{"far more than the most", math.MaxInt64, math.MaxInt64, math.MaxInt64},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := money.Percent(test.whole, test.percent); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestPercentIsTheLargestThatDoesNotExceed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole, percent := anyMinor.Draw(t, "whole"), anyMinor.Draw(t, "percent")
		product := new(big.Int).Mul(big.NewInt(whole), big.NewInt(percent))
		want := product.Quo(product, big.NewInt(100))
		if !want.IsInt64() {
			want = big.NewInt(math.MaxInt64)
		}
		got := money.Percent(whole, percent)
		if got != want.Int64() {
			t.Fatalf("%d %% of %d: %d, want %s", percent, whole, got, want)
		}
		if money.ExceedsPercent(got, whole, percent) || got < math.MaxInt64 && !money.ExceedsPercent(got+1, whole, percent) {
			t.Fatalf("%d %% of %d: %d is not the bound of ExceedsPercent", percent, whole, got)
		}
	})
}

func TestNegativeNumbersHaveNoPercentage(t *testing.T) {
	for name, f := range map[string]func(){
		"part":               func() { money.ExceedsPercent(-1, 1, 1) },
		"whole":              func() { money.ExceedsPercent(1, -1, 1) },
		"percent":            func() { money.ExceedsPercent(1, 1, -1) },
		"whole to share":     func() { money.Percent(-1, 1) },
		"percent of a whole": func() { money.Percent(1, -1) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("did not panic")
				}
			}()
			f()
		})
	}
}

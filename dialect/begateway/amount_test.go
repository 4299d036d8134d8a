package begateway

import (
	"math"
	"math/big"
	"strings"
	"testing"
)

func TestReadAmount(t *testing.T) {
	million := "1" + strings.Repeat("0", 30)
	for _, test := range []struct {
		raw   string
		minor int64
		text  string
	}{
		{`50`, 50, ""},
		{`"50"`, 50, ""},
		{`"0050"`, 50, ""},
		{`9007199254740993`, 9007199254740993, ""},
		{`9223372036854775807`, math.MaxInt64, ""},
		{`9223372036854775808`, math.MaxInt64, ""},
		{million, math.MaxInt64, ""},
		{`"` + million + `"`, math.MaxInt64, ""},
		{`1e30`, math.MaxInt64, ""},
		{`5e1`, 50, ""},
		{`5E+1`, 50, ""},
		{`1e99999999999999999999999`, math.MaxInt64, ""},
		{``, 0, textNotPositive},
		{`null`, 0, textNotPositive},
		{`""`, 0, textNotPositive},
		{`"  "`, 0, textNotPositive},
		{`0`, 0, textNotPositive},
		{`0e99999999999999999999999`, 0, textNotPositive},
		{`-0`, 0, textNotPositive},
		{`-5`, 0, textNotPositive},
		{`"-5"`, 0, textNotPositive},
		{`-` + million, 0, textNotPositive},
		{`50.5`, 0, textNotInteger},
		{`50.0`, 0, textNotInteger},
		{`-50.5`, 0, textNotInteger},
		{`500e-1`, 0, textNotInteger},
		{`5.0e1`, 0, textNotInteger},
		{`"50.5"`, 0, textNotInteger},
		{`"5e1"`, 0, textNotInteger},
		{`"abc"`, 0, textNotNumber},
		{`"50 USD"`, 0, textNotNumber},
		{`"50."`, 0, textNotNumber},
		{`"5e"`, 0, textNotNumber},
		{`".5"`, 0, textNotNumber},
		{`"+50"`, 0, textNotNumber},
		{`"--50"`, 0, textNotNumber},
		{`" 50"`, 0, textNotNumber},
		{`"0x10"`, 0, textNotNumber},
		{`"1_000"`, 0, textNotNumber},
		{`"٥٠"`, 0, textNotNumber},
		{`true`, 0, textNotNumber},
		{`false`, 0, textNotNumber},
		{`{}`, 0, textNotNumber},
		{`[50]`, 0, textNotNumber},
	} {
		minor, text := readAmount(value(test.raw))
		if minor != test.minor || text != test.text {
			t.Errorf("%s: %d %q, want %d %q", test.raw, minor, text, test.minor, test.text)
		}
	}
}

// Whatever number comes, the amount is what exact arithmetic says, or the
// largest 64-bit number if it is more.
func FuzzReadAmount(f *testing.F) {
	for _, seed := range []string{`50`, `"50"`, `50.0`, `1e30`, `"-1"`, `12e-3`, `9223372036854775808`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		v, ok := readDocument([]byte(body))
		if !ok {
			return
		}
		minor, text := readAmount(v)
		if (minor > 0) == (text != "") {
			t.Fatalf("%s: %d %q", body, minor, text)
		}
		if _, exponent, _ := strings.Cut(strings.ToLower(body), "e"); text != "" || len(exponent) > 4 {
			return // math/big would take its time
		}
		exact, ok := new(big.Rat).SetString(v.text())
		if !ok || !exact.IsInt() {
			t.Fatalf("%s was read as %d", body, minor)
		}
		if want := exact.Num(); want.IsInt64() && want.Int64() != minor || !want.IsInt64() && minor != math.MaxInt64 {
			t.Fatalf("%s was read as %d", body, minor)
		}
	})
}

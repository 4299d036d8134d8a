package telemetry

import (
	"testing"
)

func TestReadable(t *testing.T) {
	for _, c := range []struct {
		what, name string
		shown      bool
	}{
		{"a UUID", "2b1e4d0c-6f3a-4a59-8c56-5d1a9e7c0f42", true},
		{"a word and a number", "order-6735-capture", true},
		{"nothing", "", true},
		{"a card number", "4929907390318794", false},
		{"a card number in groups", "4929-9073-9031-8794", false},
		{"a card number in more digits", "00049299073903187941", false},
		{"a card number behind a word", "order4929907390318794x", false},
		{"digits that are no card number", "2026112112345", true},
		{"a secret key", "sk_test_0123456789abcdef0123456789abcdef", false},
		{"a secret of 43 characters", "K5UdW-tLd7VCUEXqqIxRCrSWGaLBHyi19rTqE8Jh48I", false},
		{"a token of 64 characters", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", false},
		{"a line break", "a\nb", false},
		{"JSON", `{"a":1}`, false},
		{"not ASCII", "été", false},
	} {
		want := ""
		if c.shown {
			want = c.name
		}
		if got := readable(c.name); got != want {
			t.Errorf("%s: shown as %q", c.what, got)
		}
	}
}

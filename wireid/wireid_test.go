package wireid_test

import (
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

var (
	codec = wireid.New([]byte("sixteen byte key"))
	day   = time.Date(2026, 1, 15, 23, 59, 59, 0, time.UTC)
)

// forms are the ways to write an id, how each is read, and what it looks like.
var forms = map[string]struct {
	write func(*wireid.Codec, wireid.Name) string
	read  func(*wireid.Codec, string) (wireid.Name, bool)
	looks *regexp.Regexp
}{
	"uuid": {(*wireid.Codec).UUID, (*wireid.Codec).ParseUUID,
		regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)},
	"base62": {func(c *wireid.Codec, n wireid.Name) string { return c.Base62("pi_", n) },
		func(c *wireid.Codec, s string) (wireid.Name, bool) { return c.ParseBase62("pi_", s) },
		regexp.MustCompile(`^pi_[0-9A-Za-z]{24}$`)},
	"digits": {func(c *wireid.Codec, n wireid.Name) string { return c.Digits(n, day) }, (*wireid.Codec).ParseDigits,
		regexp.MustCompile(`^20260115[0-9]{39}$`)},
	"hyphenated": {(*wireid.Codec).Hyphenated, (*wireid.Codec).ParseHyphenated,
		regexp.MustCompile(`^[0-9]{1,27}-[0-9a-f]{10}$`)},
}

func anyName(t *rapid.T) wireid.Name {
	return wireid.Name{
		Kind:      wireid.Kind(rapid.IntRange(1, int(wireid.Other)).Draw(t, "kind")),
		Payment:   payment.ID(rapid.Int64Min(1).Draw(t, "payment")),
		Operation: rapid.IntRange(0, 65535).Draw(t, "operation"),
		Part:      rapid.IntRange(0, 255).Draw(t, "part"),
	}
}

// TestRoundTrip: what is written is read back, looks as it must, and is written
// the same again.
func TestRoundTrip(t *testing.T) {
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				n := anyName(t)
				id := form.write(codec, n)
				if !form.looks.MatchString(id) {
					t.Fatalf("%q does not look like one", id)
				}
				if got, ok := form.read(codec, id); !ok || got != n {
					t.Fatalf("%q reads as %+v, %t; want %+v", id, got, ok, n)
				}
			})
		})
	}
}

// TestOtherIDsAreNotRead: an id with one character changed, of another store or
// made up is no id of ours.
func TestOtherIDsAreNotRead(t *testing.T) {
	other := wireid.New([]byte("another 16 bytes"))
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				id := []byte(form.write(codec, anyName(t)))
				at := rapid.IntRange(8, len(id)-1).Draw(t, "at") // digits do not read the day
				to := rapid.SampledFrom([]byte("0123456789abcdefABCZz-_ /")).Draw(t, "to")
				if id[at] == to {
					t.Skip()
				}
				id[at] = to
				if n, ok := form.read(codec, string(id)); ok {
					t.Fatalf("%q reads as %+v", id, n)
				}
				if n, ok := form.read(other, form.write(codec, anyName(t))); ok {
					t.Fatalf("another store reads %+v", n)
				}
			})
		})
	}
	for _, id := range []string{"", "-", "x", "pi_", "pi_3C", "0-0000000000", "1-310b0da80b", "00000000-0000-0000-0000-000000000", "２０２６"} {
		for name, form := range forms {
			if n, ok := form.read(codec, id); ok {
				t.Errorf("%s: %q reads as %+v", name, id, n)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, form := range forms {
		f.Add(form.write(codec, wireid.Name{Kind: wireid.Payment, Payment: 1}))
	}
	f.Fuzz(func(t *testing.T, id string) {
		for name, form := range forms {
			n, ok := form.read(codec, id)
			if ok && name != "digits" && form.write(codec, n) != id {
				t.Errorf("%s: %q reads as %+v, which is written %q", name, id, n, form.write(codec, n))
			}
		}
	})
}

func BenchmarkUUID(b *testing.B) {
	for b.Loop() {
		codec.UUID(wireid.Name{Kind: wireid.Payment, Payment: 1 << 60})
	}
}

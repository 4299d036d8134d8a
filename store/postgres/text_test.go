package postgres

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// What is kept is a text for PostgreSQL, and comes back as it was.
func TestTextsComeBack(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a é \x02": "a é \x02", "a\x00b": "a\x0100b", "\x01": "\x0101", "\x0100": "\x010100", "\xff\xfe": "\x01ff\x01fe", "\uFFFD": "\uFFFD",
	} {
		if got := storable(text); got != want || plain(got) != text {
			t.Errorf("%q is kept as %q, want %q, and comes back as %q", text, got, want, plain(got))
		}
	}
	if text := "\x01zz \x01"; plain(text) != text {
		t.Errorf("%q is read as %q", text, plain(text))
	}
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.SampledFrom([]byte("\x00\x010af\xc3\xa9\xff"))).Draw(t, "text"))
		kept := storable(text)
		if !utf8.ValidString(kept) || strings.ContainsRune(kept, 0) || plain(kept) != text {
			t.Fatalf("%q is kept as %q", text, kept)
		}
	})
}

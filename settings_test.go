package capstan

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/merchant"
)

var update = flag.Bool("update", false, "rewrite docs/settings.md")

// TestSettingsPage: docs/settings.md lists every setting there is, with its
// type and default.
func TestSettingsPage(t *testing.T) {
	const page = "docs/settings.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := bytes.Cut(text, []byte(" -->\n"))
	if !found {
		t.Fatal("the page has lost the comment that the table follows")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s -->\n\n| setting | values | default | meaning |\n|---|---|---|---|\n", before)
	for _, d := range Settings().Sorted() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, d.Type, shown(d), d.Meaning)
	}
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if b.String() != string(text) {
		t.Error("docs/settings.md is not what is declared: go test . -run TestSettingsPage -update, and read the difference")
	}
}

// shown is a default as the page shows it: JSON as code, words as they are.
func shown(d merchant.Declaration) string {
	if d.Check([]byte(d.Default)) == nil {
		return "`" + d.Default + "`"
	}
	return d.Default
}

// TestDefaultsAreLegal: a default that is not in words may be set.
func TestDefaultsAreLegal(t *testing.T) {
	for _, d := range Settings().Sorted() {
		if json.Valid([]byte(d.Default)) && d.Check([]byte(d.Default)) != nil {
			t.Errorf("%s: its default %s may not be set", d.Name, d.Default)
		}
		if d.Name == "" || d.Type == "" || d.Meaning == "" || strings.HasSuffix(d.Meaning, ".") {
			t.Errorf("%q is not described", d.Name)
		}
	}
}

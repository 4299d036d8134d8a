package risk

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"testing"
)

// TestDocumentation carries out the worked example of docs/risk.md.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/risk.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(name string) []byte {
		m := regexp.MustCompile("(?s)\n```json " + name + "\n(.*?)\n```\n").FindSubmatch(page)
		if m == nil {
			t.Fatalf("docs/risk.md has no block %q", name)
		}
		return m[1]
	}
	strict := func(name string, into any) {
		dec := json.NewDecoder(bytes.NewReader(block(name)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(into); err != nil {
			t.Fatalf("block %q: %v", name, err)
		}
	}
	config, err := Parse(block("configuration"))
	if err != nil {
		t.Fatal(err)
	}
	checks, err := config.Compile(Setup{Names: Levels{}})
	if err != nil {
		t.Fatal(err)
	}
	var in Input
	var usage Usage
	strict("operation", &in)
	strict("counters", &usage)
	var want bytes.Buffer
	if err := json.Compact(&want, block("verdict")); err != nil {
		t.Fatal(err)
	}
	if got := checks.Evaluate(in, usage).Document; !bytes.Equal(got, want.Bytes()) {
		t.Errorf("the verdict is\n%s\nnot\n%s", got, &want)
	}
}

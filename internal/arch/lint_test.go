package arch

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the rules in .golangci.yml")

// The linter enforces the same arrows as the test does.
func TestLinterHasTheRules(t *testing.T) {
	const name, begin, end = root + "/.golangci.yml", "      rules: # from internal/arch: go test ./internal/arch -update\n", "      # end of the rules from internal/arch\n"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s does not have the lines around the rules", name)
	}
	if got == Depguard() {
		return
	}
	if !*update {
		t.Fatalf("%s has other rules than internal/arch: run go test ./internal/arch -update", name)
	}
	if err := os.WriteFile(name, []byte(before+begin+Depguard()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

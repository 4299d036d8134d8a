package arch

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

func TestArrowsPointDown(t *testing.T) {
	for _, f := range tree(t) {
		if f.test {
			continue
		}
		rule, ok := RuleFor(f.pkg())
		if !ok {
			t.Errorf("%s: no rule says what package %s may import: add one to internal/arch", f.path, f.pkg())
			continue
		}
		f.imports(func(spec *ast.ImportSpec, imported string) {
			below, ours := strings.CutPrefix(imported, Module)
			below = strings.TrimPrefix(below, "/")
			if ours && !rule.Allows(below) {
				t.Errorf("%s: imports %q: %s", f.position(spec), below, rule.Because)
			}
		})
	}
}

// Every rule still speaks of something, or of what is planned.
func TestRulesNameWhatTheyAllow(t *testing.T) {
	for _, r := range Rules {
		if r.Because == "" {
			t.Errorf("rule for %q gives no reason", r.Packages)
		}
		for _, p := range strings.Fields(r.Imports) {
			if _, ok := RuleFor(strings.Replace(p, "*", "x", 1)); !ok && p != "**" {
				t.Errorf("rule for %q allows %q, which has no rule", r.Packages, p)
			}
		}
	}
	for _, r := range Rules { // arrows point down: no cycles
		seen := map[string]bool{}
		var visit func(string)
		visit = func(p string) {
			if seen[p] {
				return
			}
			seen[p] = true
			below, _ := RuleFor(p)
			for _, next := range strings.Fields(below.Imports) {
				if next == r.Packages && next != p {
					t.Errorf("%q is above and below %q", r.Packages, p)
				}
				if next != "**" {
					visit(next)
				}
			}
		}
		if r.Imports != "**" {
			visit(r.Packages)
		}
	}
}

// The core decides without asking anybody.
func TestCoreIsPure(t *testing.T) {
	pure := []string{"money", "ledger", "payment", "outbox", "risk", "wireid", "card"}
	outside := []string{
		"context", "crypto/rand", "database/sql", "io/fs", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http",
		"os", "os/exec", "os/signal", "syscall",
	}
	for _, f := range tree(t) {
		if f.test || !slices.Contains(pure, f.pkg()) {
			continue
		}
		f.imports(func(spec *ast.ImportSpec, imported string) {
			if slices.Contains(outside, imported) {
				t.Errorf("%s: imports %q: the core does no I/O, asks no clock and draws no numbers", f.position(spec), imported)
			}
		})
		ast.Inspect(f.File, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s: starts a goroutine in the core", f.position(g))
			}
			return true
		})
	}
}

// tellsTime lists who may ask the machine for the time, and why. All others
// are given a clock.
var tellsTime = map[string]string{
	"clock":               "is the clock",
	"bench":               "measures real time",
	"dialect/dialecttest": "bounds real waits of tests",
	"store/storetest":     "bounds a test in real time",
	"internal/*":          "tools and tests",
}

func TestTimeComesFromTheClock(t *testing.T) {
	for _, f := range tree(t) {
		excused := f.test
		for p := range tellsTime {
			excused = excused || matches(p, f.pkg())
		}
		if excused {
			continue
		}
		f.uses(func(n ast.Node, name string) {
			if name == "time.Now" || name == "time.Since" || name == "time.Until" {
				t.Errorf("%s: %s: take a clock.Clock", f.position(n), name)
			}
		})
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	comment, code := map[string]string{}, map[string]string{}
	for _, f := range tree(t) {
		if f.test {
			continue
		}
		code[f.pkg()] = f.Name.Name
		if f.Doc == nil {
			continue
		}
		if comment[f.pkg()] != "" {
			t.Errorf("%s: package comment in two files", f.path)
		}
		comment[f.pkg()] = f.Doc.Text()
	}
	for pkg, name := range code {
		want := "Package " + name + " "
		if name == "main" {
			want = "Command " + pkg[strings.LastIndexByte(pkg, '/')+1:] + " "
		}
		if !strings.HasPrefix(comment[pkg], want) {
			t.Errorf("package %q has no comment that begins with %q", pkg, want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, f := range tree(t) {
		switch name := strings.TrimSuffix(f.Name.Name, "_test"); name {
		case "util", "utils", "common", "helper", "helpers", "misc", "base", "shared", "types", "models":
			t.Errorf("%s: a package called %s says nothing", f.path, name)
		}
	}
}

// tooLong is the number of lines that no file may have.
const tooLong = 700

func TestFilesAreShort(t *testing.T) {
	for _, f := range tree(t) {
		if f.lines > tooLong && !ast.IsGenerated(f.File) {
			t.Errorf("%s has %d lines: more than one subject?", f.path, f.lines)
		}
	}
}

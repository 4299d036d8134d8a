package mutation

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func bench(t *testing.T) Bench {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program many times")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return Bench{root, t.TempDir()}
}

// TestTestsNotice: each mutation makes a test fail.
func TestTestsNotice(t *testing.T) {
	for _, m := range mutations {
		t.Run(strings.ReplaceAll(m.Name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			program, err := bench(t).Mutate(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			for _, test := range strings.Fields(m.Tests) {
				verdict, err := program.Run(t.Context(), test)
				switch {
				case err != nil:
					t.Fatal(err)
				case verdict.Failed:
					return
				case !verdict.Passed:
					t.Fatalf("%s of %s did not end:\n%s", test, m.Package, verdict.Output)
				}
			}
			t.Errorf("unnoticed by %s of %s", m.Tests, m.Package)
		})
	}
}

// TestSoundProgramPasses: those tests are there, and pass while nothing is
// broken.
func TestSoundProgramPasses(t *testing.T) {
	tests := map[string][]string{}
	for _, m := range mutations {
		tests[m.Package] = append(tests[m.Package], strings.Fields(m.Tests)...)
	}
	for pkg, tests := range tests {
		t.Run(strings.TrimPrefix(pkg, "./"), func(t *testing.T) {
			t.Parallel()
			program, err := bench(t).Build(t.Context(), pkg)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(tests)
			for _, test := range slices.Compact(tests) {
				if verdict, err := program.Run(t.Context(), test); err != nil || !verdict.Passed {
					t.Errorf("%s: %v\n%s", test, err, verdict.Output)
				}
			}
		})
	}
}

func TestApply(t *testing.T) {
	m := Mutation{File: "x.go", Changes: []Change{{"a", "b"}, {"bc", "d"}}}
	if got, err := m.Apply("ac"); err != nil || got != "d" {
		t.Errorf("%q, %v", got, err)
	}
	for _, source := range []string{"", "aac", "ax"} {
		if got, err := m.Apply(source); err == nil {
			t.Errorf("%q became %q", source, got)
		}
	}
}

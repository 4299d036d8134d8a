// Package mutation breaks the program on purpose, one line at a time, and
// wants a test to fail. A rule that can be broken without a test that fails is
// a rule that nobody keeps.
//
// The source is not touched: the compiler is given the changed file in place
// of the one on disk (go build -overlay).
package mutation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Mutation is one way to break the program, and who has to notice.
type Mutation struct {
	Name    string
	File    string   // below the module's root
	Changes []Change // made one after the other
	Package string   // whose tests have to notice, such as "./payment"
	Tests   string   // the names of those tests, separated by spaces: one has to fail
}

// Change replaces a text that is there exactly once.
type Change struct{ Old, New string }

// Apply makes the changes in a source text. A text that is not there, or more
// than once, is an error: the source has moved on, and the mutation with it.
func (m Mutation) Apply(source string) (string, error) {
	for _, c := range m.Changes {
		if n := strings.Count(source, c.Old); n != 1 {
			return "", fmt.Errorf("%s has %d times what is to be changed:\n%s", m.File, n, c.Old)
		}
		source = strings.Replace(source, c.Old, c.New, 1)
	}
	return source, nil
}

// Verdict is what a test said of a program. Neither passed nor failed means
// that it could not be run to its end.
type Verdict struct {
	Passed, Failed bool
	Output         string
}

// Bench tests the module at Root, building in the folder Temp.
type Bench struct{ Root, Temp string }

// Mutate builds the tests of m's package with m in place. A mutation that
// cannot be made, or does not compile, is an error.
func (b Bench) Mutate(ctx context.Context, m Mutation) (*Program, error) {
	path := filepath.Join(b.Root, filepath.FromSlash(m.File))
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	changed, err := m.Apply(string(source))
	if err != nil {
		return nil, err
	}
	instead, list := filepath.Join(b.Temp, "changed.go"), filepath.Join(b.Temp, "overlay.json")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: instead}})
	if err = errors.Join(err, os.WriteFile(instead, []byte(changed), 0o600), os.WriteFile(list, overlay, 0o600)); err != nil {
		return nil, err
	}
	return b.Build(ctx, m.Package, "-overlay", list)
}

// Program is the tests of a package.
type Program struct{ path, folder string }

// Build builds the tests of a package.
func (b Bench) Build(ctx context.Context, pkg string, flags ...string) (*Program, error) {
	p := &Program{filepath.Join(b.Temp, "tests.exe"), filepath.Join(b.Root, filepath.FromSlash(pkg))}
	build := exec.CommandContext(ctx, "go", append(append([]string{"test", "-c", "-o", p.path}, flags...), pkg)...)
	build.Dir = b.Root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the tests of %s: %w\n%s", pkg, err, out)
	}
	return p, nil
}

// Run runs one test, such as "TestStore/a_key_is_taken_once".
func (p *Program) Run(ctx context.Context, test string) (Verdict, error) {
	pattern := "^" + strings.ReplaceAll(test, "/", "$/^") + "$"
	run := exec.CommandContext(ctx, p.path, "-test.run", pattern, "-test.timeout", "180s", "-test.v")
	run.Dir = p.folder
	out, err := run.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return Verdict{}, err
	}
	said := func(word string) bool { return strings.Contains(string(out), "--- "+word+": "+test+" (") }
	return Verdict{Passed: err == nil && said("PASS"), Failed: err != nil && said("FAIL"), Output: string(out)}, nil
}

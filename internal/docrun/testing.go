package docrun

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Need skips a test where a program that a page uses is not there, and fails it
// where CI=true.
func Need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil && os.Getenv("CI") == "true" {
			t.Fatal(err)
		} else if err != nil {
			t.Skip(err)
		}
	}
}

// Test executes the examples of the page in a file, in a fresh folder if the
// page has none. A page without examples is a mistake.
func Test(t *testing.T, file string, p Page) {
	t.Helper()
	Need(t, "sh", "curl")
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	examples := Parse(string(page))
	if len(examples) == 0 {
		t.Fatalf("%s has no examples", file)
	}
	if p.Folder == "" {
		p.Folder = t.TempDir()
	}
	wrong, err := p.Run(examples)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range wrong {
		t.Errorf("%s, %v", file, w)
	}
}

// Build builds the program and returns the value of PATH with which a page's
// shell finds it: Env: []string{docrun.Build(t)}.
func Build(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(folder, "capstan"), "github.com/capstan-pay/capstan/cmd/capstan")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, text)
	}
	return "PATH=" + folder + string(os.PathListSeparator) + os.Getenv("PATH")
}

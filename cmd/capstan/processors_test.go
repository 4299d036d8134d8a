package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/internal/docrun"
)

// TestProcessorsPage: the processor that docs/processors.md shows compiles,
// keeps the protocol, and is short; the page's commands do what it says.
func TestProcessorsPage(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	const file = "../../docs/processors.md"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	program := regexp.MustCompile("(?s)```go\n(.*?)```").FindSubmatch(page)
	if program == nil {
		t.Fatal("the page has no processor")
	}
	if n := strings.Count(string(program[1]), "\n"); n > 130 {
		t.Errorf("it has %d lines", n)
	}
	folder := t.TempDir()
	for name, text := range map[string]string{"processor.go": string(program[1]), "go.mod": "module processor\n\ngo 1.26\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	own, other := free(t), free(t)
	docrun.Test(t, file, docrun.Page{
		Folder: folder,
		Env:    []string{docrun.Build(t), "GOCACHE=" + strings.TrimSpace(string(cache))},
		Real:   map[string]string{"127.0.0.1:9000": own, "127.0.0.1:9001": other, "127.0.0.1:8080": free(t), "127.0.0.1:8081": free(t)},
	})
}

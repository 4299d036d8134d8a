package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/internal/docrun"
	"github.com/capstan-pay/capstan/internal/pgtest"
)

// TestPages carries out the commands of the operator's pages, one page after
// the other, with free ports in place of those that they name.
func TestPages(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	docrun.Need(t, "bash", "curl")
	block := regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
	for page, least := range map[string]int{"operations.md": 9, "admin.md": 2, "verify.md": 3} {
		t.Run(page, func(t *testing.T) {
			text, err := os.ReadFile("../../docs/" + page)
			if err != nil {
				t.Fatal(err)
			}
			script := "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"
			blocks := block.FindAllStringSubmatch(string(text), -1)
			if len(blocks) < least {
				t.Fatalf("only %d blocks", len(blocks))
			}
			for _, b := range blocks {
				script += b[1]
			}
			script = strings.NewReplacer("127.0.0.1:8080", free(t), "127.0.0.1:8081", free(t),
				"postgres://capstan@db.example.com/capstan", pgtest.URL(t)).Replace(script)
			dir := t.TempDir()
			self, err := os.Executable()
			if err == nil {
				err = os.Symlink(self, filepath.Join(dir, "capstan")) // the test is the program, under that name
			}
			if err != nil {
				t.Fatal(err)
			}
			c := exec.CommandContext(t.Context(), "bash", "-x", "-c", script)
			c.Dir = t.TempDir()
			c.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "NO_PROXY=127.0.0.1")
			c.WaitDelay = 10 * time.Second
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// free returns an address on which nobody listens.
func free(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/capstan-pay/capstan/store/sqlite"
)

// command is a call of the real program: this test is it, under that name.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &exec.Cmd{Path: self, Args: append([]string{"capstan"}, args...), Env: os.Environ()}
}

// TestBackupKilled kills backups at every stage: under the final name there is
// a whole copy or nothing, and the next backup goes through.
func TestBackupKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "capstan.db")
	st, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close() // a backup is made beside a writer
	bulk := make([]byte, 1<<20)
	rand.Read(bulk)
	for i := range 24 {
		if _, err := st.PutMeta(t.Context(), fmt.Sprint("bulk ", i), bulk, false); err != nil {
			t.Fatal(err)
		}
	}
	whole, killed := 0, 0
	began := time.Now()
	if err := command(t, "backup", "--store", path, "--to", filepath.Join(dir, "first.db")).Run(); err != nil {
		t.Fatal(err)
	}
	takes := time.Since(began)
	const rounds = 15
	for round := range rounds {
		to := filepath.Join(dir, fmt.Sprintf("copy-%d.db", round))
		c := command(t, "backup", "--store", path, "--to", to)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(takes * time.Duration(round) / rounds)
		_ = c.Process.Kill()
		_ = c.Wait()
		if _, err := os.Stat(to); err != nil {
			killed++
			if text, err := command(t, "backup", "--store", path, "--to", to).CombinedOutput(); err != nil {
				t.Fatalf("the backup after one that was killed: %v: %s", err, text)
			}
		} else {
			whole++
		}
		copied, err := sqlite.OpenReadOnly(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 24 {
			if got, err := copied.Meta(t.Context(), fmt.Sprint("bulk ", i)); err != nil || !bytes.Equal(got, bulk) {
				t.Fatalf("round %d: value %d is not whole: %v", round, i, err)
			}
		}
		if err := copied.Close(); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{to, to + ".partial", to + "-wal", to + "-shm"} {
			_ = os.Remove(name)
		}
	}
	t.Logf("%d killed before they were there, %d after", killed, whole)
	if killed == 0 {
		t.Error("no backup was killed in the middle")
	}
}

// TestHelp: every command and its parts have help with an example.
func TestHelp(t *testing.T) {
	parser, err := kong.New(&commands{}, kong.Name("capstan"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, leaf := range parser.Model.Leaves(true) {
		seen++
		path := strings.Fields(strings.TrimPrefix(leaf.Path(), "capstan "))
		var words []string
		for _, word := range path {
			if !strings.HasPrefix(word, "<") && !strings.HasPrefix(word, "[") {
				words = append(words, word)
			}
		}
		var out, problems bytes.Buffer
		if code := run(t.Context(), append(words, "--help"), &out, &problems); code != exitOK {
			t.Errorf("%v --help: exit code %d: %s", words, code, &problems)
		}
		text := strings.Join(strings.Fields(out.String()), " ")
		if !strings.Contains(text, "Example") || !strings.Contains(text, "capstan "+strings.Join(words, " ")+" ") {
			t.Errorf("%v --help has no example:\n%s", words, &out)
		}
		if leaf.Help == "" {
			t.Errorf("%v has no description", words)
		}
	}
	if seen < 18 {
		t.Errorf("only %d commands", seen)
	}
}

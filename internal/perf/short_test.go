package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The test's own program is the no-op server when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-noop" {
		fmt.Fprintln(os.Stderr, serveNoop(os.Args[2]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// Under a little of every load the server makes no error. Nothing is said
// about times: this runs on machines that are busy with other things.
func TestShortForm(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes of its own")
	}
	profile, document := filepath.Join(t.TempDir(), "cpu.pprof"), filepath.Join(t.TempDir(), "performance.md")
	const text = "# Performance\n" + beginMark + endMark
	if err := os.WriteFile(document, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), settings{short: true, folder: t.TempDir(), profile: profile, write: document})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(profile); err != nil || info.Size() == 0 {
		t.Errorf("no profile was written: %v", err)
	}
	if left, err := os.ReadFile(document); err != nil || string(left) != text {
		t.Errorf("the short form rewrote the document: %v %s", err, left)
	}
}

func TestRewrite(t *testing.T) {
	document := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(document, []byte("before\n"+beginMark+endMark+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := rewrite(document, made().report()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(document)
	if err != nil || !strings.Contains(string(text), "no-op ceiling") || !strings.HasPrefix(string(text), "before\n") || !strings.HasSuffix(string(text), "after\n") {
		t.Errorf("%v: %s", err, text)
	}
}

package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTour: the tour passes, and ends as README.md shows.
func TestTour(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)The tour ends with\n\n```\n(.*?)```").FindSubmatch(readme)
	if shown == nil {
		t.Fatal("README.md does not show how the tour ends")
	}
	var out, problems bytes.Buffer
	if code := run(t.Context(), []string{"tour"}, &out, &problems); code != exitOK {
		t.Fatalf("exit code %d: %s", code, &problems)
	}
	trim := func(text string) string { return regexp.MustCompile(` +\n`).ReplaceAllString(text, "\n") }
	if want := trim(string(shown[1])); !strings.HasSuffix(trim(out.String()), want) {
		tail := strings.Split(out.String(), "\n")
		t.Errorf("ends with\n%s\nREADME.md says\n%s", strings.Join(tail[max(0, len(tail)-10):], "\n"), want)
	}
}

// TestTourIsKept: with --keep the server stays until it is told to stop, which
// is no failure.
func TestTourIsKept(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	out := &watched{text: "Interrupt to stop it.", then: interrupt}
	var problems bytes.Buffer
	if code := run(ctx, []string{"tour", "--keep"}, out, &problems); code != exitOK {
		t.Errorf("exit code %d: %s", code, &problems)
	}
	if !strings.Contains(out.String(), "credentials are in") || !strings.HasSuffix(out.String(), " 0 findings.\n") {
		t.Error(out.String())
	}
}

// watched is an output that does something once a text was written.
type watched struct {
	bytes.Buffer
	text string
	then func()
}

func (w *watched) Write(b []byte) (int, error) {
	n, err := w.Buffer.Write(b)
	if bytes.Contains(b, []byte(w.text)) {
		w.then()
	}
	return n, err
}

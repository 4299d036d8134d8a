package dialect_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/dialect"
)

// TestRescue: a panic becomes the generic answer, and its value stays out of
// the log, since it may be a part of the request.
func TestRescue(t *testing.T) {
	var log bytes.Buffer
	s := dialect.Services{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	answer := func() (text string) {
		defer s.Rescue("x", func() { text = "failed" })
		panic(errors.New("4929907390318794"))
	}
	if got := answer(); got != "failed" {
		t.Errorf("answered %q", got)
	}
	if !strings.Contains(log.String(), "rescue_test.go") || strings.Contains(log.String(), "4929907390318794") {
		t.Errorf("logged %s", log.String())
	}
	sound := func() (text string) {
		defer s.Rescue("x", func() { text = "failed" })
		return "fine"
	}
	if got := sound(); got != "fine" {
		t.Errorf("answered %q", got)
	}
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("a broken-off connection is not a fault: %v", p)
		}
	}()
	defer s.Rescue("x", func() { t.Error("answered a broken-off connection") })
	panic(http.ErrAbortHandler)
}

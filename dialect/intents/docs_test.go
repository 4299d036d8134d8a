package intents_test

import (
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/docrun"
)

// TestDocumentation runs the examples of docs/dialects/intents.md.
func TestDocumentation(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	docrun.Test(t, "../../docs/dialects/intents.md", docrun.Page{
		Folder: t.TempDir(), Env: []string{"SK=" + keysOf(s).Secret},
		Real: map[string]string{"localhost:8080": strings.TrimPrefix(s.URL, "http://")},
	})
}

package capstan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/docrun"
)

// TestPages executes the examples of pages against a sandbox. Their shell has
// the secret key of intents as KEY.
func TestPages(t *testing.T) {
	for _, page := range []string{"docs/sandbox.md", "docs/risk.md", "docs/timers.md"} {
		t.Run(page, func(t *testing.T) {
			s := capstantest.Run(t)
			var intents struct {
				SecretKey string `json:"secret_key"`
			}
			if err := json.Unmarshal(s.Credentials.Intents, &intents); err != nil {
				t.Fatal(err)
			}
			docrun.Test(t, page, docrun.Page{
				Env:  []string{"KEY=" + intents.SecretKey},
				Real: map[string]string{"localhost:8080": strings.TrimPrefix(s.URL, "http://")},
			})
		})
	}
}

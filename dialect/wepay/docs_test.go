package wepay_test

import (
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/docrun"
)

// TestDocumentation runs the examples of docs/dialects/wepay.md.
func TestDocumentation(t *testing.T) {
	s := capstantest.Run(t)
	c := newClient(t, s, s.Credentials)
	docrun.Test(t, "../../docs/dialects/wepay.md", docrun.Page{
		Folder: t.TempDir(), Env: []string{"APP=" + c.app.AppID, "TOKEN=" + c.app.AppToken, "ACCOUNT=" + c.app.AccountID},
		Real: map[string]string{"localhost:8080": strings.TrimPrefix(s.URL, "http://")},
	})
}

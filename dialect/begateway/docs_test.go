package begateway_test

import (
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/docrun"
)

// TestDocumentation runs the examples of docs/dialects/begateway.md.
func TestDocumentation(t *testing.T) {
	s := capstantest.Run(t)
	c := newShop(t, s)
	docrun.Test(t, "../../docs/dialects/begateway.md", docrun.Page{
		Folder: t.TempDir(), Env: []string{"SHOP=" + c.ShopID + ":" + c.SecretKey},
		Real: map[string]string{"localhost:8080": strings.TrimPrefix(s.URL, "http://")},
	})
}

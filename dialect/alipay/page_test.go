package alipay_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/docrun"
)

// TestPage runs the example of docs/dialects/alipay.md as it stands there: a
// capture that a shell signs.
func TestPage(t *testing.T) {
	docrun.Need(t, "sh", "openssl", "curl")
	page, err := os.ReadFile("../../docs/dialects/alipay.md")
	if err != nil {
		t.Fatal(err)
	}
	example := between(string(page), "```sh\n", "```")
	if !strings.Contains(example, "/v2/payments/capture") {
		t.Fatalf("the example is %q", example)
	}
	s := capstantest.Run(t)
	c := newShop(t, s)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "merchant.pem"), []byte(c.PrivateKey), 0o600); err != nil {
		t.Fatal(err)
	}
	shell := exec.CommandContext(t.Context(), "sh", "-eu", "-c", example)
	shell.Dir = folder
	shell.Env = append(os.Environ(), "PAYMENT="+c.hold("hold", ""), "CLIENT="+c.ClientID, "BASE="+s.URL)
	out, err := shell.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), `{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"},"captureRequestId":"cap-1",`) {
		t.Errorf("%s %v", out, err)
	}
	if got := s.Balances(t, "USD"); got["merchant"] != 1000 {
		t.Errorf("books %v", got)
	}
}

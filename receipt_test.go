package capstan_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
)

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// TestReceiptDocumentation sets what docs/receipts.md sets, and reads the
// receipt of a payment of every dialect where that page says it is.
func TestReceiptDocumentation(t *testing.T) {
	page, err := os.ReadFile("docs/receipts.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)\n```json settings\n(.*?)\n```\n").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/receipts.md has no settings")
	}
	s := capstantest.Run(t, capstantest.Reachable())
	s.Control(t, http.MethodPatch, "/_sandbox/settings", json.RawMessage(block[1]), nil)
	for name, client := range clients(t, s) {
		hold, err := client.Authorize(t.Context(), 2000, "receipt-"+name)
		if err != nil || hold.Verdict != drive.Done {
			t.Fatalf("%s: %+v %v", name, hold, err)
		}
		var answer struct {
			ReceiptURL string `json:"receipt_url"`
		}
		s.Control(t, http.MethodGet, "/_sandbox/payments/"+hold.ID, nil, &answer)
		if !strings.HasPrefix(answer.ReceiptURL, s.URL+"/_receipts/") {
			t.Fatalf("%s: receipt at %q", name, answer.ReceiptURL)
		}
		code, text := fetch(t, answer.ReceiptURL)
		for _, want := range []string{"Amount reserved", "20.00 USD", hold.ID, "help@tea.example", "data:image/svg&#43;xml;base64,"} {
			if code != http.StatusOK || !strings.Contains(text, want) {
				t.Errorf("%s: no %q: %d %s", name, want, code, text)
			}
		}
	}
	if code, text := fetch(t, s.URL+"/_receipts/"+strings.Repeat("A", 46)); code != http.StatusNotFound || !strings.Contains(text, "No such receipt") {
		t.Errorf("%d %s", code, text)
	}
}

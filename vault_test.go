package capstan_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/document"
)

// TestVaultPage carries out the example of docs/vault.md, with a number that
// occurs nowhere else, and looks for the number wherever the server writes.
func TestVaultPage(t *testing.T) {
	page, err := os.ReadFile("docs/vault.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(name string) string {
		m := regexp.MustCompile("(?s)\n```json " + name + "\n(.*?)\n```\n").FindSubmatch(page)
		if m == nil {
			t.Fatalf("docs/vault.md has no block %q", name)
		}
		return string(m[1])
	}
	written := &log{}
	s := capstantest.Run(t, capstantest.With(func(c *capstan.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(written, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}))
	var shop struct {
		ID  string `json:"shop_id"`
		Key string `json:"secret_key"`
	}
	if err := json.Unmarshal(s.Credentials.Begateway, &shop); err != nil {
		t.Fatal(err)
	}
	header := map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(shop.ID+":"+shop.Key))}
	type answer struct {
		Transaction struct {
			Status string
			Card   struct{ Token, Stamp string } `json:"credit_card"`
		}
		Response struct{ Message string }
	}
	var answers string
	charge := func(body string) (a answer) {
		t.Helper()
		if err := s.AdvanceClock(t.Context(), 31*24*time.Hour); err != nil {
			t.Fatal(err)
		}
		_, text := call(t, s.URL, http.MethodPost, "/transactions/payments", header, body)
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatal(err, text)
		}
		answers += text
		return a
	}
	first := charge(strings.Replace(block("POST /transactions/payments"), "4200000000000000", canaryCard, 1))
	token := first.Transaction.Card.Token
	second := charge(strings.Replace(block("POST /transactions/payments with the token"), "TOKEN", token, 1))
	if first.Transaction.Status != "successful" || second.Transaction.Status != "successful" || second.Transaction.Card != first.Transaction.Card {
		t.Errorf("%+v, then %+v", first, second)
	}
	if unknown := charge(block("POST /transactions/payments with the token")); unknown.Response.Message != "Token does not exist." {
		t.Errorf("a token nobody has: %+v", unknown)
	}
	// A sealed part that does not open is our fault, and says nothing.
	kept := document.Name{Tenant: 1, Merchant: 1, Dialect: "vault", Kind: "card", ID: token}
	paper, err := s.Store.Document(t.Context(), kept)
	if err != nil || paper == nil {
		t.Fatalf("%v: the card is not there", err)
	}
	paper.Sealed[len(paper.Sealed)-1] ^= 1
	if err := s.Store.PutDocument(t.Context(), paper); err != nil {
		t.Fatal(err)
	}
	if broken := charge(strings.Replace(block("POST /transactions/payments with the token"), "TOKEN", token, 1)); broken.Transaction.Status != "" {
		t.Errorf("a card that does not open: %+v", broken)
	}

	stored := s.Stored(t)
	places := map[string][]byte{"store": stored, "log": written.text.Bytes(), "answers": []byte(answers)}
	for place, content := range places {
		if bytes.Contains(content, []byte(canaryCard)) {
			t.Errorf("the card number is in %s", place)
		}
		if place == "log" && bytes.Contains(content, []byte(token)) {
			t.Errorf("the token is in %s", place)
		}
	}
	if len(places["log"]) == 0 || !strings.Contains(string(places["log"]), "vault: open a card") {
		t.Error("the log does not say what was wrong")
	}
}

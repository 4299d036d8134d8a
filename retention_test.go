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
	"github.com/capstan-pay/capstan/store"
)

// TestRetentionPage carries out the example of docs/retention.md.
func TestRetentionPage(t *testing.T) {
	page, err := os.ReadFile("docs/retention.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(name string) string {
		m := regexp.MustCompile("(?s)\n```" + name + "\n(.*?)\n```\n").FindSubmatch(page)
		if m == nil {
			t.Fatalf("docs/retention.md has no block %q", name)
		}
		return string(m[1])
	}
	s := capstantest.Run(t)
	var intents struct {
		Key string `json:"secret_key"`
	}
	if err := json.Unmarshal(s.Credentials.Intents, &intents); err != nil {
		t.Fatal(err)
	}
	create := func() (id string, replayed bool) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1/payment_intents", strings.NewReader(block("form POST /v1/payment_intents")))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Authorization", "Bearer "+intents.Key)
		request.Header.Set("Idempotency-Key", "order-7")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s %s %v", response.Status, text, err)
		}
		var intent struct{ ID string }
		if err := json.Unmarshal(text, &intent); err != nil {
			t.Fatal(err)
		}
		return intent.ID, response.Header.Get("Idempotent-Replayed") == "true"
	}
	records := func() (n int) {
		t.Helper()
		err := s.Store.Audit(t.Context(), func(view store.Audit) error {
			return view.Records(func(store.Record) error { n++; return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	first, _ := create()
	if again, replayed := create(); again != first || !replayed || records() != 1 {
		t.Errorf("again: another payment %t, replayed %t, %d records", again != first, replayed, records())
	}
	var clock map[string]any
	if err := json.Unmarshal([]byte(block("json POST /_sandbox/clock")), &clock); err != nil {
		t.Fatal(err)
	}
	s.Control(t, http.MethodPost, "/_sandbox/clock", clock, nil)
	if n := records(); n != 0 {
		t.Errorf("%d records are left", n)
	}
	if later, replayed := create(); later == first || replayed {
		t.Error("the key is not new")
	}
}

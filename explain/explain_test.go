package explain_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/explain"
)

var update = flag.Bool("update", false, "rewrite the stories in testdata")

// shop is a client of the begateway dialect.
type shop struct {
	t                 *testing.T
	s                 *capstantest.Server
	ShopID, SecretKey string
}

func newShop(t *testing.T, s *capstantest.Server) *shop {
	t.Helper()
	var c struct {
		ShopID    string `json:"shop_id"`
		SecretKey string `json:"secret_key"`
	}
	if err := json.Unmarshal(s.Credentials.Begateway, &c); err != nil {
		t.Fatal(err)
	}
	return &shop{t, s, c.ShopID, c.SecretKey}
}

// post sends a request and returns the uid of the transaction in its answer,
// empty if there is none.
func (c *shop) post(path, body string) string {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.s.URL+"/transactions/"+path, strings.NewReader(`{"request":`+body+`}`))
	if err != nil {
		c.t.Fatal(err)
	}
	r.SetBasicAuth(c.ShopID, c.SecretKey)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	var told struct{ Transaction struct{ UID string } }
	if err != nil || json.Unmarshal(text, &told) != nil {
		c.t.Fatalf("%s: %s %v", path, text, err)
	}
	return told.Transaction.UID
}

const card = `"credit_card":{"number":"4200000000000000","verification_value":"731","holder":"Jane Doe","exp_month":"12","exp_year":"2040"}`

// numbers are what differs between runs: the port of the sink, how long it
// took to answer, keys that are drawn, and when a delivery is tried again, which
// is drawn too.
var numbers = regexp.MustCompile(`127\.0\.0\.1:\d+|\d+ ms|kept under [0-9a-f]{32}|\S+ \S+       authorization.successful is delivered`)

// compare holds a story against testdata.
func compare(t *testing.T, s *explain.Story, file string) {
	t.Helper()
	var text strings.Builder
	if err := s.Write(&text); err != nil {
		t.Fatal(err)
	}
	got := numbers.ReplaceAllStringFunc(text.String(), func(n string) string {
		switch {
		case strings.HasSuffix(n, " ms"):
			return "N ms"
		case strings.HasPrefix(n, "kept"):
			return "kept under KEY"
		case strings.HasSuffix(n, "delivered"):
			return "SOON                          authorization.successful is delivered"
		}
		return "SINK"
	})
	if *update {
		if err := os.WriteFile("testdata/"+file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/" + file)
	if err != nil || got != string(want) {
		t.Errorf("%s is now (%v):\n%s", file, err, got)
	}
	for _, secret := range []string{"4200000000000000", "731", "hush"} {
		document, err := json.Marshal(s)
		if err != nil || strings.Contains(got, secret) || strings.Contains(string(document), secret) {
			t.Errorf("the story has %q, %v", secret, err)
		}
	}
}

// TestStory: a hold under risk checks, told of to an endpoint that fails at
// first, captured in part, refunded, and a refused capture.
func TestStory(t *testing.T) {
	s, sink := capstantest.Run(t), capstantest.NewSink(t)
	s.Control(t, http.MethodPut, "/_sandbox/risk", map[string]any{"limits": []any{map[string]any{"currency": "USD", "max": 5000, "period": "day", "count": 10}}}, nil)
	shop := newShop(t, s)
	sink.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	hold := shop.post("authorizations", fmt.Sprintf(`{"amount":1000,"currency":"USD","description":"A book","tracking_id":"order \u001b[2J7","notification_url":%q,%s}`,
		strings.Replace(sink.URL, "http://", "http://user:hush@", 1)+"/notify?token=hush", card))
	sink.Wait(t, 1)
	captured := shop.post("captures", fmt.Sprintf(`{"parent_uid":%q,"amount":700}`, hold))
	shop.post("refunds", fmt.Sprintf(`{"parent_uid":%q,"amount":200,"reason":"returned"}`, captured))
	story, err := s.Desk().Explain(t.Context(), captured)
	for deadline := time.Now().Add(10 * time.Second); err == nil && len(story.Notices[0].Deliveries[0].Attempts) == 0; { // it is written down after the answer
		if time.Now().After(deadline) {
			t.Fatal("the attempt is not in the story")
		}
		time.Sleep(10 * time.Millisecond)
		story, err = s.Desk().Explain(t.Context(), captured)
	}
	if err != nil {
		t.Fatal(err)
	}
	if story.About != 2 {
		t.Errorf("it is about operation %d", story.About)
	}
	compare(t, story, "captured.txt")

	// What was posted is what the books say.
	sums := map[string]int64{}
	for _, e := range story.Events {
		var sum int64
		for _, p := range e.Postings {
			sums[p.Account] += p.Minor
			sum += p.Minor
		}
		if sum != 0 {
			t.Errorf("the postings of event %d sum to %d", e.Number, sum)
		}
	}
	books := s.Balances(t, "USD")
	for account, sum := range sums {
		if account != "acquirer" && books[account] != sum {
			t.Errorf("%s is %d by the story, %d by the books", account, sum, books[account])
		}
	}

	// Each dialect's id leads to the same story, and the sandbox says the same.
	var shown struct{ IDs map[string]*string }
	s.Control(t, http.MethodGet, "/_sandbox/payments/"+hold, nil, &shown)
	for dialect, id := range shown.IDs {
		if (id == nil) != (story.IDs[dialect] == nil) || id != nil && *id != *story.IDs[dialect] {
			t.Errorf("%s calls it otherwise", dialect)
		}
		if id == nil {
			continue
		}
		if same, err := s.Desk().Explain(t.Context(), *id); err != nil || same.Payment != story.Payment || same.About != 0 {
			t.Errorf("%s: %v", *id, err)
		}
	}
	if same, err := s.Desk().Explain(t.Context(), "op_"+story.Payment+"_3"); err != nil || same.About != 3 {
		t.Errorf("by the name at the processor: %v", err)
	}
}

// TestUnknownOutcome: while nobody knows, the story says when the processor is
// asked again, and who waits.
func TestUnknownOutcome(t *testing.T) {
	s := capstantest.Run(t)
	s.Control(t, http.MethodPatch, "/_sandbox/settings", map[string]any{"settings": map[string]any{"begateway.processor_patience_ms": 50}}, nil)
	shop := newShop(t, s)
	hold := shop.post("authorizations", `{"amount":1000,"currency":"USD","description":"A book",`+card+`}`)
	s.Control(t, http.MethodPost, "/_sandbox/processor", map[string]any{"operation": "capture", "outcome": "lost_then_approved"}, nil)
	shop.post("captures", fmt.Sprintf(`{"parent_uid":%q,"amount":1000}`, hold))
	story, err := s.Desk().Explain(t.Context(), hold)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, story, "unknown.txt")
	if !slices.ContainsFunc(story.Timers, func(t explain.Timer) bool { return t.Kind == "processor" && t.Operation == 2 }) {
		t.Errorf("timers are %+v", story.Timers)
	}
	if !slices.ContainsFunc(story.Commands, func(c explain.Command) bool { return c.Pending && c.Operation == 2 }) {
		t.Errorf("commands are %+v", story.Commands)
	}
}

// TestNoStory: what is no id of a payment here is said to be none.
func TestNoStory(t *testing.T) {
	s := capstantest.Run(t)
	for _, id := range []string{"", "x", "pi_x", "0", "-1", "1", "op_1", "op_x_y", "op_1_1", s.Credentials.Merchant, strings.Repeat("9", 200), "9223372036854775808"} {
		if story, err := s.Desk().Explain(t.Context(), id); err == nil || story != nil {
			t.Errorf("%q has a story: %+v", id, story)
		}
	}
}

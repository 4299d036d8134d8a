package begateway_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
)

var (
	seedHash = regexp.MustCompile(`https?://[^/"]+(/customer/transactions/)[0-9]+-[0-9a-f]{10}/[0-9a-f]{60,64}"`)
	seedUID  = regexp.MustCompile(`"[0-9]+-[0-9a-f]{10}"`)
	seedRef  = regexp.MustCompile(`"ref_id":"[0-9]{7}"`)
)

// unnamed puts fixed names in the place of ids, hashes and the host.
func unnamed(body string) string {
	body = seedHash.ReplaceAllString(body, `https://HOST${1}UID/HASH"`)
	return seedRef.ReplaceAllString(seedUID.ReplaceAllString(body, `"UID"`), `"ref_id":"REF"`)
}

// The three examples of the capture page (seed 003), as printed there, are
// what a server answers in the situations they show: a rule about euros, a
// capture of a terminal 152 before this one in the month, and for the failed
// one a maximum below the amount and a black card.
func TestPublishedExamples(t *testing.T) {
	levels := `"levels":{"shop":"1_123_My Shop","merchant":"1_John Doe","psp":"eComCharge"},`
	rule := `"rules":[{"level":"shop","alias":"more_100_eur","action":"reject","condition":"Transaction amount more than 100 AND Transaction currency is EUR"}]`
	for _, test := range []struct {
		example string
		before  int64  // captured earlier in the month
		risk    string // STAMP is the card's
		settled bool   // a transaction of the processor's follows
	}{
		{"success", 90, "", true},
		{"failed_be_protected", 100, `{` + levels + `"limits":[{"currency":"USD","max":40}],"lists":{"black":{"card":["STAMP"]}},` + rule + `}`, false},
		{"successful_be_protected", 90, `{` + levels + `"limits":[{"currency":"USD","max":1000,"volume":100000,"count":100}],` + rule + `}`, true},
	} {
		t.Run(test.example, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", "seed", test.example+".json"))
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			if err := json.Compact(&want, text); err != nil {
				t.Fatal(err)
			}
			s := capstantest.Run(t)
			c := client{s, authorization(t, s.Credentials.Begateway)}
			s.Control(t, http.MethodPatch, "/_sandbox/settings", map[string]any{"settings": map[string]any{"begateway.gateway_id": 152}}, nil)
			if test.risk != "" { // counting begins with a configuration
				s.Control(t, http.MethodPut, "/_sandbox/risk", json.RawMessage(`{"limits":[{"currency":"USD","max":1000}]}`), nil)
			}
			parent := c.hold(t, 1000)
			if r, err := c.post("captures", fmt.Sprintf(`{"parent_uid":%q,"amount":%d}`, parent, test.before)); err != nil || r.Transaction.Status != "successful" {
				t.Fatalf("%+v %v", r, err)
			}
			if test.risk != "" {
				s.Control(t, http.MethodPut, "/_sandbox/risk", json.RawMessage(strings.Replace(test.risk, "STAMP", c.stamp(t, parent), 1)), nil)
			}
			held := c.Balances(t, "USD")["held"]
			got := c.ask(t, http.MethodPost, "/transactions/captures", `{"request":{"parent_uid":"`+parent+`","amount":50}}`)
			if unnamed(got) != unnamed(want.String()) {
				t.Errorf("got  %s\nwant %s", unnamed(got), unnamed(want.String()))
			}
			if moved := held - c.Balances(t, "USD")["held"]; test.settled != (moved == 50) || !test.settled && moved != 0 {
				t.Errorf("%d was moved", moved)
			}
		})
	}
}

func (c client) stamp(t *testing.T, uid string) string {
	var shown struct {
		Transaction struct {
			Card struct{ Stamp string } `json:"credit_card"`
		}
	}
	if err := json.Unmarshal([]byte(c.ask(t, http.MethodGet, "/transactions/"+uid, "")), &shown); err != nil {
		t.Fatal(err)
	}
	return shown.Transaction.Card.Stamp
}

// ask returns the body of a reply that is 200.
func (c client) ask(t *testing.T, method, path, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", c.authorization)
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s %v", method, path, reply.StatusCode, text, err)
	}
	return string(text)
}

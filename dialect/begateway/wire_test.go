package begateway_test

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/begateway"
	"github.com/capstan-pay/capstan/dialect/dialecttest"
)

// TestWire plays the transcripts. They are authenticated as the default
// merchant where they do not say otherwise; a line "As: shop:key" stands for
// that shop's Authorization. Request ids are random.
func TestWire(t *testing.T) {
	dialecttest.Play(t, "testdata", dialecttest.Options{
		Ignore: []string{"x-request-id"},
		Prepare: func(s *capstantest.Server, r *dialecttest.Request) {
			for i, h := range r.Header {
				if h[0] == "As" {
					r.Header[i] = [2]string{"Authorization", basic(h[1])}
				}
			}
			r.Add("Authorization", authorization(t, s.Credentials.Begateway))
			r.Add("Content-Type", "application/json")
			r.Add("Accept", "application/json")
		},
	})
}

func authorization(t testing.TB, credentials json.RawMessage) string {
	var c begateway.Credentials
	if err := json.Unmarshal(credentials, &c); err != nil {
		t.Fatal(err)
	}
	return basic(c.ShopID + ":" + c.SecretKey)
}

func basic(userinfo string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo))
}

// Every route of section 1 has a transcript.
func TestRoutesHaveTranscripts(t *testing.T) {
	var asked strings.Builder
	err := filepath.WalkDir("testdata", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".txtar" {
			return err
		}
		text, err := os.ReadFile(path)
		asked.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range []string{
		"POST /transactions/captures", "POST /transactions/authorizations", "POST /transactions/payments", "POST /transactions/voids", "POST /transactions/refunds",
		`GET /transactions/\S+`, `GET /v2/transactions/tracking_id/\S+`, `GET /customer/transactions/\S+/\S+`, `GET /transactions/tracking_id/\S+`,
		"POST /credit_cards", `POST /credit_cards/\S+`, "POST /v2/credit_cards", `PUT /v2/credit_cards/\S+`,
		"POST /transactions/credits", "POST /transactions/payouts", `GET /process/\S+`, `POST /process/\S+/return`, `POST /process/\S+/acs`,
		`POST /async/transactions/(captures|authorizations|payments|voids|refunds|credits)`, `GET /async/status/\S+`, `GET /async/result/\S+`,
		`POST /transactions/\S+/renotify`, "POST /services/credit_cards/charges",
		"POST /ctp/api/checkouts", `GET /ctp/api/checkouts/\S+`, "POST /products", `GET /beyag/payments/\S+`, `GET /beyag/transactions/\S+`,
	} {
		if !regexp.MustCompile(`(?m)^-- request --\n` + route + `$`).MatchString(asked.String()) {
			t.Errorf("%s has no transcript", route)
		}
	}
}

package begateway_test

import (
	"encoding/base64"
	"encoding/json"
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

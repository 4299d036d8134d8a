package clients_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/clock"
)

// The reference library of Standard Webhooks takes what the server sends, with
// the merchant's latest secret and with the one before, and nothing that was
// changed.
func TestStandardWebhooks(t *testing.T) {
	s, sink := capstantest.Run(t, capstantest.At(clock.System{})), capstantest.NewSink(t)
	var old, fresh struct{ Secret string }
	s.Control(t, http.MethodPost, "/_sandbox/webhooks/keys", map[string]string{}, &old)
	s.Control(t, http.MethodPost, "/_sandbox/webhooks/keys", map[string]string{}, &fresh)
	var shop struct {
		ID  string `json:"shop_id"`
		Key string `json:"secret_key"`
	}
	if err := json.Unmarshal(s.Credentials.Begateway, &shop); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/transactions/authorizations", strings.NewReader(fmt.Sprintf(
		`{"request":{"amount":100,"currency":"USD","description":"x","notification_url":%q,"credit_card":{"number":"4200000000000000","holder":"J","exp_month":"05","exp_year":"2040"}}}`, sink.URL)))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(shop.ID, shop.Key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	message := sink.Wait(t, 1)[0]
	for name, secret := range map[string]string{"the latest": fresh.Secret, "the one before": old.Secret} {
		library, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := library.Verify(message.Body, message.Header); err != nil {
			t.Errorf("with %s: %v", name, err)
		}
		if err := library.Verify(append([]byte(" "), message.Body...), message.Header); err == nil {
			t.Errorf("with %s another body is taken", name)
		}
	}
	other, err := standardwebhooks.NewWebhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	if other.Verify(message.Body, message.Header) == nil {
		t.Error("another secret verifies")
	}
}

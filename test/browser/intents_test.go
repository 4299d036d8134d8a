package browser

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
)

// A payer of a payment intent is led to the 3-D Secure test page, answers, and
// comes back to the shop.
func TestIntentsChallenge(t *testing.T) {
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<!doctype html><title>Shop</title><body>Thank you for your order"))
	}))
	defer back.Close()
	s := capstantest.Run(t, capstantest.Reachable())
	for button, want := range map[string]string{"approve": "succeeded", "fail": "failed"} {
		t.Run(button, func(t *testing.T) {
			form := url.Values{
				"amount": {"4999"}, "currency": {"usd"}, "confirm": {"true"}, "return_url": {back.URL + "/order?id=7"}, "payment_method_data[type]": {"card"},
				"payment_method_data[card][number]": {"4000000000003220"}, "payment_method_data[card][exp_month]": {"5"},
				"payment_method_data[card][exp_year]": {"2030"}, "payment_method_data[card][cvc]": {"123"},
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1/payment_intents", strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			var key struct {
				SecretKey string `json:"secret_key"`
			}
			credentials, err := json.Marshal(s.Credentials.Intents)
			if err != nil || json.Unmarshal(credentials, &key) != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+key.SecretKey)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			reply, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer reply.Body.Close()
			text, err := io.ReadAll(reply.Body)
			var intent struct {
				NextAction struct {
					Redirect struct{ URL string } `json:"redirect_to_url"`
				} `json:"next_action"`
			}
			if err != nil || json.Unmarshal(text, &intent) != nil || intent.NextAction.Redirect.URL == "" {
				t.Fatalf("%v %s", err, text)
			}
			tab := New(t, Phone)
			tab.Go(intent.NextAction.Redirect.URL)
			tab.Shows("3-D Secure", "49.99 USD", "Complete authentication", "Fail authentication")
			tab.sound(s.URL, "intents-challenge")
			tab.Click(`button[value="` + button + `"]`)
			tab.Shows("Thank you for your order")
			if at := tab.Address(); !strings.HasPrefix(at, back.URL+"/order?id=7&") || !strings.Contains(at, "redirect_status="+want) {
				t.Errorf("sent back to %s", at)
			}
		})
	}
}

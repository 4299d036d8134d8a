package intents_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
)

// client asks a server as a merchant's backend does.
type client struct {
	t   testing.TB
	url string
	key string
}

func newClient(t testing.TB, s *capstantest.Server) *client {
	return &client{t: t, url: s.URL, key: keysOf(s).Secret}
}

// answer is a reply and what most tests look at in it.
type answer struct {
	status int
	header http.Header
	body   string
	intent
	Error struct {
		Type, Code, Param, Message, Charge string
		Decline                            string  `json:"decline_code"`
		Intent                             *intent `json:"payment_intent"`
	}
}

type intent struct {
	ID         string
	Status     string
	Amount     int64
	Capturable int64 `json:"amount_capturable"`
	Received   int64 `json:"amount_received"`
	Currency   string
	Metadata   map[string]string
	Order      *string `json:"merchant_order_id"`
	Method     *string `json:"payment_method"`
	Charge     *string `json:"latest_charge"`
	Capture    string  `json:"capture_method"`
	Reason     *string `json:"cancellation_reason"`
}

func (c *client) do(method, path, body, key string) answer {
	c.t.Helper()
	return c.ask(method, path, "application/x-www-form-urlencoded", body, key)
}

// send is do for a body of JSON.
func (c *client) send(method, path, body string) answer {
	c.t.Helper()
	return c.ask(method, path, "application/json", body, "")
}

func (c *client) ask(method, path, kind, body, key string) answer {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	if body != "" {
		r.Header.Set("Content-Type", kind)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Error(err)
		return answer{}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Error(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, body: string(text)}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &a); err != nil {
			c.t.Errorf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return a
}

// hold makes an intent of 10000 with a hold, and returns its id.
func (c *client) hold(more string) string {
	c.t.Helper()
	a := c.do(http.MethodPost, "/v1/payment_intents", "amount=10000&currency=usd&capture_method=manual&confirm=true&payment_method=pm_card_visa"+more, "")
	if a.status != http.StatusOK || a.Status != "requires_capture" {
		c.t.Fatalf("%d %s", a.status, a.body)
	}
	return a.ID
}

func (c *client) capture(id, body, key string) answer {
	c.t.Helper()
	return c.do(http.MethodPost, "/v1/payment_intents/"+id+"/capture", body, key)
}

func (c *client) get(id string) answer {
	c.t.Helper()
	return c.do(http.MethodGet, "/v1/payment_intents/"+id, "", "")
}

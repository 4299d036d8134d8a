package intents_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
)

const storedCard = "type=card&card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2030&card[cvc]=123"

// A repeat gets the first answer, whatever has become of the objects that it is
// about (section 4).
func TestRepeatsAfterChanges(t *testing.T) {
	const keys = "&metadata[k%d]=v"
	many := func(n int) (body string) {
		for i := range n {
			body += fmt.Sprintf(keys, i)
		}
		return body
	}
	for _, test := range []struct {
		name string
		// ask prepares the request under the key, and what happens after it.
		ask func(make func(path, body string) string, c *client) (path, body string, then func())
	}{
		{"a payment method that is detached", func(make func(path, body string) string, c *client) (string, string, func()) {
			pm := make("payment_methods", storedCard)
			make("payment_methods/"+pm+"/attach", "customer="+make("customers", ""))
			return "payment_methods/" + pm + "/detach", "", func() {}
		}},
		{"a payment method that is attached to another customer", func(make func(path, body string) string, c *client) (string, string, func()) {
			pm, one, other := make("payment_methods", storedCard), make("customers", ""), make("customers", "")
			return "payment_methods/" + pm + "/attach", "customer=" + one, func() {
				make("payment_methods/"+pm+"/detach", "")
				make("payment_methods/"+pm+"/attach", "customer="+other)
			}
		}},
		{"a payment method whose metadata is full", func(make func(path, body string) string, c *client) (string, string, func()) {
			pm := make("payment_methods", storedCard+many(49))
			return "payment_methods/" + pm, "metadata[a]=1", func() { make("payment_methods/"+pm, "metadata[a]=&metadata[b]=1") }
		}},
		{"an intent whose method belongs to somebody meanwhile", func(make func(path, body string) string, c *client) (string, string, func()) {
			pm := make("payment_methods", storedCard)
			return "payment_intents", "amount=100&currency=usd&payment_method=" + pm, func() {
				make("payment_methods/"+pm+"/attach", "customer="+make("customers", ""))
			}
		}},
		{"a customer whose metadata is full", func(make func(path, body string) string, c *client) (string, string, func()) {
			cus := make("customers", many(49)[1:])
			return "customers/" + cus, "metadata[a]=1", func() { make("customers/"+cus, "metadata[a]=&metadata[b]=1") }
		}},
		{"a customer that is deleted", func(make func(path, body string) string, c *client) (string, string, func()) {
			cus := make("customers", "")
			return "customers/" + cus, "name=Jo", func() { c.do(http.MethodDelete, "/v1/customers/"+cus, "", "") }
		}},
		{"a test clock that is further on", func(make func(path, body string) string, c *client) (string, string, func()) {
			clock := "test_helpers/test_clocks/" + make("test_helpers/test_clocks", "frozen_time=1800000000") + "/advance"
			return clock, "frozen_time=1800000100", func() { make(clock, "frozen_time=1800000200") }
		}},
		{"the last endpoint that there may be", func(make func(path, body string) string, c *client) (string, string, func()) {
			const it = "url=https://shop.test/hook&enabled_events[]=*"
			for range 15 {
				make("webhook_endpoints", it)
			}
			return "webhook_endpoints", it, func() {}
		}},
		{"an endpoint whose metadata is full", func(make func(path, body string) string, c *client) (string, string, func()) {
			we := make("webhook_endpoints", "url=https://shop.test/hook&enabled_events[]=*"+many(49))
			return "webhook_endpoints/" + we, "metadata[a]=1", func() { make("webhook_endpoints/"+we, "metadata[a]=&metadata[b]=1") }
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClient(t, capstantest.Run(t, inMemory))
			make := func(path, body string) string {
				t.Helper()
				a := c.do(http.MethodPost, "/v1/"+path, body, "")
				if a.status != http.StatusOK {
					t.Fatalf("%s: %d %s", path, a.status, a.body)
				}
				return a.ID
			}
			path, body, then := test.ask(make, c)
			first := c.do(http.MethodPost, "/v1/"+path, body, "key")
			if first.status != http.StatusOK {
				t.Fatalf("%d %s", first.status, first.body)
			}
			then()
			again := c.do(http.MethodPost, "/v1/"+path, body, "key")
			if again.body != first.body || again.status != first.status || again.header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("%d %v %s", again.status, again.header, again.body)
			}
		})
	}
}

// What an object does not permit is the final answer under a key; a parameter
// that is wrong is not (section 4).
func TestRefusalsOfResources(t *testing.T) {
	c := newClient(t, capstantest.Run(t, inMemory))
	pm := c.do(http.MethodPost, "/v1/payment_methods", storedCard, "").ID
	cus := c.do(http.MethodPost, "/v1/customers", "", "").ID
	clock := c.do(http.MethodPost, "/v1/test_helpers/test_clocks", "frozen_time=1800000000", "").ID
	for _, test := range []struct {
		name, path, body, message string
		kept                      bool
	}{
		{"nothing to detach", "payment_methods/" + pm + "/detach", "", "The payment method you provided is not attached", true},
		{"a clock that is set back", "test_helpers/test_clocks/" + clock + "/advance", "frozen_time=1", "A test clock can only be advanced", true},
		{"no such object", "customers/cus_x", "name=Jo", "No such customer: 'cus_x'", true},
		{"an unknown parameter", "customers/" + cus, "x=1", "Received unknown parameter", false},
		{"a text that is too long", "customers/" + cus, "name=" + strings.Repeat("n", 257), "Invalid name", false},
		{"an endpoint's bad URL", "webhook_endpoints", "url=nowhere&enabled_events[]=*", "Not a valid URL", false},
		{"no time", "test_helpers/test_clocks/" + clock + "/advance", "", "Missing required param", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			key := test.name
			first := c.do(http.MethodPost, "/v1/"+test.path, test.body, key)
			again := c.do(http.MethodPost, "/v1/"+test.path, test.body, key)
			if first.status < 400 || !strings.HasPrefix(first.Error.Message, test.message) || again.body != first.body {
				t.Errorf("%d %s %s", first.status, first.body, again.body)
			}
			if kept := again.header.Get("Idempotent-Replayed") == "true"; kept != test.kept {
				t.Errorf("kept: %v", kept)
			}
		})
	}
}

// A DELETE that is refused has done nothing.
func TestRefusedDelete(t *testing.T) {
	c := newClient(t, capstantest.Run(t, inMemory))
	clock := c.do(http.MethodPost, "/v1/test_helpers/test_clocks", "frozen_time=1800000000", "").ID
	cus := c.do(http.MethodPost, "/v1/customers", "test_clock="+clock, "").ID
	pm := c.do(http.MethodPost, "/v1/payment_methods/pm_card_visa/attach", "customer="+cus, "").ID
	for _, path := range []string{"/v1/test_helpers/test_clocks/" + clock, "/v1/customers/" + cus} {
		if a := c.do(http.MethodDelete, path+"?x=1", "", ""); a.Error.Code != "parameter_unknown" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := c.do(http.MethodGet, "/v1/customers/"+cus, "", ""); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	var method struct{ Customer string }
	if c.into(&method, http.MethodGet, "/v1/payment_methods/"+pm, ""); method.Customer != cus {
		t.Errorf("the method is %q's", method.Customer)
	}
}

package intents_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// thing is any object of the API as tests look at it.
type thing struct {
	ID, Object, Email, Name string
	Customer                *string
	Deleted                 bool
	Frozen                  int64 `json:"frozen_time"`
	Status                  string
	Metadata                map[string]string
	Card                    struct {
		Last4 string
		Month int `json:"exp_month"`
	}
}

func (c *client) thing(method, path, body string) (it thing) {
	c.t.Helper()
	c.into(&it, method, path, body)
	return it
}

const cardData = "type=card&card[number]=4242424242424242&card[exp_month]=03&card[exp_year]=2030&card[cvc]=7391"

// A stored payment method pays as often as it is asked to, once it belongs to
// the customer it is used for.
func TestStoredMethods(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	jo := c.thing(http.MethodPost, "/v1/customers", "email=jo@example.com&name=Jo&metadata[n]=1")
	card := c.thing(http.MethodPost, "/v1/payment_methods", cardData+"&metadata[a]=b&billing_details[name]=Jo")
	if card.Object != "payment_method" || card.Card.Last4 != "4242" || card.Card.Month != 3 || card.Customer != nil || card.Metadata["a"] != "b" {
		t.Fatalf("%+v", card)
	}
	if got := c.thing(http.MethodPost, "/v1/payment_methods/"+card.ID+"/attach", "customer="+jo.ID); got.Customer == nil || *got.Customer != jo.ID {
		t.Fatalf("%+v", got)
	}
	for range 2 {
		a := c.do(http.MethodPost, "/v1/payment_intents", "amount=100&currency=usd&confirm=true&off_session=true&customer="+jo.ID+"&payment_method="+card.ID, "")
		if a.Status != "succeeded" || *a.Method != card.ID {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if l := c.list("/v1/payment_intents?customer=" + jo.ID); len(l.Data) != 2 {
		t.Errorf("%+v", l)
	}
	if l := c.list("/v1/payment_methods?type=card&customer=" + jo.ID); !slices.Equal(l.ids(), []string{card.ID}) {
		t.Errorf("%+v", l)
	}
	if a := c.do(http.MethodPost, "/v1/payment_intents", "amount=100&currency=usd&confirm=true&payment_method="+card.ID, ""); a.status != 400 || a.Error.Param != "payment_method" {
		t.Errorf("without its customer: %d %s", a.status, a.body)
	}
	ann := c.thing(http.MethodPost, "/v1/customers", "")
	if a := c.do(http.MethodPost, "/v1/payment_methods/"+card.ID+"/attach", "customer="+ann.ID, ""); a.status != 400 {
		t.Errorf("attached twice: %d %s", a.status, a.body)
	}
	if got := c.thing(http.MethodPost, "/v1/payment_methods/"+card.ID, "metadata[a]=&metadata[c]=d"); got.Metadata["c"] != "d" || len(got.Metadata) != 1 {
		t.Errorf("%+v", got)
	}
	if got := c.thing(http.MethodPost, "/v1/payment_methods/"+card.ID+"/detach", ""); got.Customer != nil {
		t.Errorf("%+v", got)
	}
	if a := c.do(http.MethodPost, "/v1/payment_methods/"+card.ID+"/detach", "", ""); a.status != 400 {
		t.Errorf("detached twice: %d %s", a.status, a.body)
	}
	if l := c.list("/v1/payment_methods?customer=" + jo.ID); len(l.Data) != 0 {
		t.Errorf("%+v", l)
	}
}

// setup_future_usage gives the method to the customer when the intent is
// authorized, not before, and never after a decline (section 5, member 32).
func TestSetupFutureUsage(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	jo := c.thing(http.MethodPost, "/v1/customers", "")
	data := "payment_method_data[type]=card&payment_method_data[card][exp_month]=3&payment_method_data[card][exp_year]=2030&payment_method_data[card][cvc]=123&payment_method_data[card][number]="
	owner := func(id string) string {
		if m := c.thing(http.MethodGet, "/v1/payment_methods/"+id, ""); m.Customer != nil {
			return *m.Customer
		}
		return ""
	}
	intent := "amount=100&currency=usd&setup_future_usage=off_session&" + data
	t.Run("at once", func(t *testing.T) {
		a := c.do(http.MethodPost, "/v1/payment_intents", intent+"4242424242424242&confirm=true&customer="+jo.ID, "k")
		if a.Status != "succeeded" || owner(*a.Method) != jo.ID {
			t.Errorf("%d %s", a.status, a.body)
		}
		if b := c.do(http.MethodPost, "/v1/payment_intents", "amount=5&currency=usd&confirm=true&customer="+jo.ID+"&payment_method="+*a.Method, ""); b.Status != "succeeded" {
			t.Errorf("%d %s", b.status, b.body)
		}
	})
	t.Run("after a challenge", func(t *testing.T) {
		a := c.do(http.MethodPost, "/v1/payment_intents", intent+"4000000000003220&confirm=true&return_url=https://shop.test/&customer="+jo.ID, "")
		if a.Status != "requires_action" || owner(*a.Method) != "" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		c.challenge(a, "approve")
		if got := c.get(a.ID); got.Status != "succeeded" || owner(*a.Method) != jo.ID {
			t.Errorf("%s belongs to %q", got.body, owner(*a.Method))
		}
	})
	t.Run("declined", func(t *testing.T) {
		before := len(c.list("/v1/payment_methods?customer=" + jo.ID).Data)
		a := c.do(http.MethodPost, "/v1/payment_intents", intent+"4000000000000002&confirm=true&customer="+jo.ID, "")
		if a.status != http.StatusPaymentRequired || len(c.list("/v1/payment_methods?customer="+jo.ID).Data) != before {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("no customer", func(t *testing.T) {
		a := c.do(http.MethodPost, "/v1/payment_intents", intent+"4242424242424242&confirm=true", "")
		if a.Status != "succeeded" || owner(*a.Method) != "" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if got := c.thing(http.MethodPost, "/v1/payment_methods/"+*a.Method+"/attach", "customer="+jo.ID); *got.Customer != jo.ID {
			t.Errorf("%+v", got)
		}
	})
	t.Run("detached afterwards", func(t *testing.T) {
		a := c.do(http.MethodPost, "/v1/payment_intents", intent+"4242424242424242&confirm=true&customer="+jo.ID, "")
		c.thing(http.MethodPost, "/v1/payment_methods/"+*a.Method+"/detach", "")
		if owner(*a.Method) != "" {
			t.Error("it belongs to the customer again")
		}
	})
	t.Run("not asked for", func(t *testing.T) {
		a := c.do(http.MethodPost, "/v1/payment_intents", "amount=100&currency=usd&confirm=true&customer="+jo.ID+"&"+data+"4242424242424242", "")
		if b := c.do(http.MethodPost, "/v1/payment_methods/"+*a.Method+"/attach", "customer="+jo.ID, ""); b.status != 400 {
			t.Errorf("%d %s", b.status, b.body)
		}
	})
}

// challenge answers the 3-D Secure page of an intent.
func (c *client) challenge(a answer, outcome string) *http.Response {
	c.t.Helper()
	at := strings.Index(a.body, capstantest.PublicURL+"/v1/3ds/")
	target, _, _ := strings.Cut(a.body[at+len(capstantest.PublicURL):], `"`)
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+target, strings.NewReader("outcome="+outcome))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer w.Body.Close()
	return w
}

// Customers are made, found, changed and deleted; the modes and other merchants
// do not see them.
func TestCustomers(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	jo := c.thing(http.MethodPost, "/v1/customers", "email=jo@example.com")
	ann := c.thing(http.MethodPost, "/v1/customers", "email=ann@example.com&address[city]=Vilnius")
	if l := c.list("/v1/customers"); !slices.Equal(l.ids(), []string{ann.ID, jo.ID}) {
		t.Errorf("%+v", l)
	}
	if l := c.list("/v1/customers?limit=1&email=jo@example.com"); !slices.Equal(l.ids(), []string{jo.ID}) || l.More {
		t.Errorf("%+v", l)
	}
	if got := c.thing(http.MethodPost, "/v1/customers/"+jo.ID, "email=new@example.com&metadata[k]=v"); got.Email != "new@example.com" || got.Metadata["k"] != "v" {
		t.Errorf("%+v", got)
	}
	card := c.thing(http.MethodPost, "/v1/payment_methods/pm_card_visa/attach", "customer="+jo.ID)
	if got := c.thing(http.MethodDelete, "/v1/customers/"+jo.ID, ""); !got.Deleted || got.ID != jo.ID {
		t.Errorf("%+v", got)
	}
	if got := c.thing(http.MethodGet, "/v1/payment_methods/"+card.ID, ""); got.Customer != nil {
		t.Errorf("%+v", got)
	}
	if a := c.do(http.MethodGet, "/v1/customers/"+jo.ID, "", ""); a.status != http.StatusNotFound || a.Error.Message != "No such customer: '"+jo.ID+"'" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := c.do(http.MethodPost, "/v1/payment_intents", "amount=5&currency=usd&customer="+jo.ID, ""); a.status != 400 || a.Error.Code != "resource_missing" || a.Error.Param != "customer" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Advancing a test clock past the deadline ends the holds that live on it, and
// no others.
func TestClocks(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	clock := c.thing(http.MethodPost, "/v1/test_helpers/test_clocks", "frozen_time=1800000000&name=one")
	if clock.Object != "test_helpers.test_clock" || clock.Status != "ready" || clock.Frozen != 1800000000 {
		t.Fatalf("%+v", clock)
	}
	on := c.thing(http.MethodPost, "/v1/customers", "test_clock="+clock.ID)
	mine, partly, other := c.hold("&customer="+on.ID), c.hold("&payment_method_options[card][request_multicapture]=if_available&customer="+on.ID), c.hold("")
	c.capture(partly, "amount_to_capture=4000&final_capture=false", "")
	week := 7 * 24 * time.Hour
	path := "/v1/test_helpers/test_clocks/" + clock.ID
	c.thing(http.MethodPost, path+"/advance", "frozen_time=1800604799")
	if p := c.get(mine); p.Status != "requires_capture" {
		t.Fatalf("%s", p.body)
	}
	if got := c.thing(http.MethodPost, path+"/advance", "frozen_time=1800604800"); got.Frozen != 1800000000+int64(week/time.Second) {
		t.Errorf("%+v", got)
	}
	if p := c.get(mine); p.Status != "canceled" || *p.Reason != "automatic" {
		t.Errorf("%s", p.body)
	}
	if l := c.list("/v1/refunds?payment_intent=" + mine); len(l.Data) != 1 {
		t.Errorf("%+v", l)
	}
	if p := c.get(partly); p.Status != "succeeded" || p.Received != 4000 {
		t.Errorf("%s", p.body)
	}
	if p := c.get(other); p.Status != "requires_capture" {
		t.Errorf("%s", p.body)
	}
	if a := c.do(http.MethodPost, path+"/advance", "frozen_time=1800000000", ""); a.status != 400 || a.Error.Param != "frozen_time" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if l := c.list("/v1/test_helpers/test_clocks"); !slices.Equal(l.ids(), []string{clock.ID}) {
		t.Errorf("%+v", l)
	}
	if got := c.thing(http.MethodDelete, path, ""); !got.Deleted {
		t.Errorf("%+v", got)
	}
	if a := c.do(http.MethodGet, "/v1/customers/"+on.ID, "", ""); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
}

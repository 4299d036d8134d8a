package intents_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// hook is a webhook endpoint as its owner knows it.
type hook struct {
	ID, Secret, Status string
	API                *string `json:"api_version"`
}

// listen makes an endpoint for all events, or those that are named.
func (c *client) listen(target string, more string) hook {
	c.t.Helper()
	if more == "" {
		more = "&enabled_events[]=*"
	}
	var h hook
	c.into(&h, http.MethodPost, "/v1/webhook_endpoints", "url="+url.QueryEscape(target)+more)
	return h
}

// into sends a request that must succeed and reads the answer.
func (c *client) into(to any, method, path, body string) {
	c.t.Helper()
	a := c.do(method, path, body, "")
	if a.status != http.StatusOK {
		c.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), to); err != nil {
		c.t.Fatal(err)
	}
}

// event is what an endpoint gets.
type event struct {
	ID, Object, Type string
	API              string `json:"api_version"`
	Created          int64
	Live             bool `json:"livemode"`
	Pending          int  `json:"pending_webhooks"`
	Request          struct {
		ID  *string
		Key *string `json:"idempotency_key"`
	}
	Data struct {
		Object   json.RawMessage
		Previous json.RawMessage `json:"previous_attributes"`
	}
}

// object is what all objects of events have of what tests look at.
type object struct {
	ID, Object, Status string
	Refunded           int64 `json:"amount_refunded"`
	Capturable         int64 `json:"amount_capturable"`
}

func (e *event) object(t *testing.T) (o object) {
	t.Helper()
	var sum struct {
		object
		Refunded json.RawMessage `json:"refunded"`
	}
	if err := json.Unmarshal(e.Data.Object, &sum); err != nil {
		t.Fatal(err)
	}
	return sum.object
}

// events reads and verifies messages against a secret.
func events(t *testing.T, messages []capstantest.Message, secret string) []event {
	t.Helper()
	all := make([]event, len(messages))
	for i, m := range messages {
		signed := m.Header.Get("Stripe-Signature")
		if m.Method != http.MethodPost || m.Header.Get("Content-Type") != "application/json; charset=utf-8" || m.Header.Get("Wooshpay-Signature") != signed {
			t.Errorf("%s with %v", m.Method, m.Header)
		}
		if secret != "" && !signedWith(signed, m.Body, secret) {
			t.Errorf("the signature %q is not by %s", signed, secret)
		}
		if err := json.Unmarshal(m.Body, &all[i]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// signedWith tells whether one of the signatures is by a secret, as section 11
// says it is made.
func signedWith(header string, body []byte, secret string) bool {
	at, rest, _ := strings.Cut(strings.TrimPrefix(header, "t="), ",")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(at + "."))
	mac.Write(body)
	return slices.Contains(strings.Split(rest, ","), "v1="+hex.EncodeToString(mac.Sum(nil)))
}

// Every row of the table of section 11: what is told of, in which order, and
// how the object stood then.
func TestEventsOfEveryMoment(t *testing.T) {
	hold := func(c *client) string { return c.hold("") }
	multi := func(c *client) string {
		return c.hold("&payment_method_options[card][request_multicapture]=if_available")
	}
	create := func(more string) func(*client) string {
		return func(c *client) string {
			a := c.do(http.MethodPost, "/v1/payment_intents", "amount=10000&currency=usd"+more, "")
			if a.ID == "" {
				a.ID = a.Error.Intent.ID
			}
			return a.ID
		}
	}
	call := func(verb, body string) func(*capstantest.Server, *client, string) {
		return func(_ *capstantest.Server, c *client, id string) {
			c.do(http.MethodPost, "/v1/payment_intents/"+id+"/"+verb, body, "")
		}
	}
	for _, test := range []struct {
		name  string
		first func(*client) string // what is not looked at
		then  func(*capstantest.Server, *client, string)
		want  []string // type and status of the object
	}{
		{"create", nil, func(_ *capstantest.Server, c *client, _ string) { create("&payment_method=pm_card_visa")(c) },
			[]string{"payment_intent.created requires_confirmation"}},
		{"3-D Secure starts", create("&payment_method=pm_card_threeDSecure2Required"), call("confirm", ""), []string{"payment_intent.requires_action requires_action"}},
		{"authorized, manual", create("&capture_method=manual&payment_method=pm_card_visa"), call("confirm", ""),
			[]string{"charge.succeeded succeeded", "payment_intent.amount_capturable_updated requires_capture"}},
		{"automatic success", create("&payment_method=pm_card_visa"), call("confirm", ""), []string{"charge.succeeded succeeded", "payment_intent.succeeded succeeded"}},
		{"decline", create("&payment_method=pm_card_chargeDeclined"), call("confirm", ""), []string{"charge.failed failed", "payment_intent.payment_failed requires_payment_method"}},
		{"decline without a charge", create("&payment_method=pm_card_authenticationRequired"), call("confirm", "off_session=true"),
			[]string{"payment_intent.payment_failed requires_payment_method"}},
		{"final capture", hold, call("capture", "amount_to_capture=4000"), []string{"charge.captured succeeded", "payment_intent.succeeded succeeded"}},
		{"non-final capture", multi, call("capture", "amount_to_capture=4000&final_capture=false"),
			[]string{"charge.captured succeeded", "payment_intent.amount_capturable_updated requires_capture"}},
		{"cancel of a hold", hold, call("cancel", ""), []string{"charge.refunded succeeded", "payment_intent.canceled canceled"}},
		{"cancel without a hold", create(""), call("cancel", ""), []string{"payment_intent.canceled canceled"}},
		{"cancel after a capture", func(c *client) string {
			id := multi(c)
			c.capture(id, "amount_to_capture=4000&final_capture=false", "")
			return id
		}, call("cancel", ""), []string{"payment_intent.succeeded succeeded"}},
		{"expiry", hold, func(s *capstantest.Server, _ *client, _ string) { s.Advance(t, 8*24*time.Hour) }, []string{"charge.expired succeeded", "payment_intent.canceled canceled"}},
		{"a capture that is refused", func(c *client) string {
			return create("&capture_method=manual&confirm=true&payment_method=pm_card_captureDeclined")(c)
		}, call("capture", ""), nil},
		{"an update", create(""), call("", "description=x"), nil},
		{"an update that ends a challenge", create("&confirm=true&payment_method=pm_card_threeDSecure2Required"), func(_ *capstantest.Server, c *client, id string) {
			c.do(http.MethodPost, "/v1/payment_intents/"+id, "amount=5", "")
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, sink := capstantest.Run(t, inMemory), capstantest.NewSink(t)
			c := newClient(t, s)
			id := ""
			if test.first != nil {
				id = test.first(c)
			}
			h := c.listen(sink.URL, "")
			test.then(s, c, id)
			s.Advance(t, 0)
			var got []string
			for _, e := range events(t, sink.Messages(), h.Secret) {
				got = append(got, e.Type+" "+e.object(t).Status)
			}
			slices.Sort(got) // deliveries of one moment may overtake each other
			want := slices.Sorted(slices.Values(test.want))
			if !slices.Equal(got, want) {
				t.Errorf("told of %v, want %v", got, want)
			}
			var list struct{ Data []event }
			c.into(&list, http.MethodGet, "/v1/events", "")
			for i, e := range list.Data {
				if want := test.want[len(test.want)-1-i]; e.Type+" "+e.object(t).Status != want {
					t.Errorf("the list has %s, want %s", e.Type, want)
				}
			}
			if len(list.Data) != len(test.want) {
				t.Errorf("%d events are listed", len(list.Data))
			}
		})
	}
}

// An event says which request caused it; one of the server's own says none.
func TestEventsNameTheirRequest(t *testing.T) {
	s, sink := capstantest.Run(t), capstantest.NewSink(t)
	c := newClient(t, s)
	id, other := c.hold(""), c.hold("")
	h := c.listen(sink.URL, "&enabled_events[]=payment_intent.succeeded&enabled_events[]=payment_intent.canceled")
	a := c.capture(id, "", "the key")
	c.capture(id, "", "the key") // a replay tells nothing
	s.Advance(t, 8*24*time.Hour)
	got := events(t, sink.Messages(), h.Secret)
	if len(got) != 2 {
		t.Fatalf("%d events", len(got))
	}
	if r := got[0].Request; r.ID == nil || *r.ID != a.header.Get("Request-Id") || r.Key == nil || *r.Key != "the key" || got[0].Pending != 1 || got[0].Live {
		t.Errorf("%+v", got[0])
	}
	if r := got[1].Request; r.ID != nil || r.Key != nil || got[1].object(t).ID != other {
		t.Errorf("%+v", got[1])
	}
	var one event
	c.into(&one, http.MethodGet, "/v1/events/"+got[0].ID, "")
	if string(one.Data.Object) == "" || one.Type != "payment_intent.succeeded" || one.Pending != 0 {
		t.Errorf("%+v", one)
	}
	if a := c.do(http.MethodGet, "/v1/events/"+id, "", ""); a.status != http.StatusNotFound || a.Error.Param != "id" || a.Error.Message != "No such event: '"+id+"'" {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.Advance(t, 31*24*time.Hour)
	if a := c.do(http.MethodGet, "/v1/events/"+got[0].ID, "", ""); a.status != http.StatusNotFound {
		t.Errorf("after 31 days %d", a.status)
	}
	var list struct{ Data []event }
	if c.into(&list, http.MethodGet, "/v1/events", ""); len(list.Data) != 0 {
		t.Errorf("after 31 days %d events are listed", len(list.Data))
	}
}

// Eighteen deliveries in 72 hours, each signed when it is sent, with the same
// body; redirects are not followed and count as failures.
func TestEventsAreRepeated(t *testing.T) {
	s, sink := capstantest.Run(t), capstantest.NewSink(t)
	c := newClient(t, s)
	id := c.hold("")
	h := c.listen(sink.URL, "&enabled_events[]=payment_intent.canceled")
	var at []time.Time
	sink.Answer(func(w http.ResponseWriter, r *http.Request) {
		at = append(at, s.Clock.Now())
		if len(at)%2 == 0 {
			http.Redirect(w, r, sink.URL+"/elsewhere", http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	c.do(http.MethodPost, "/v1/payment_intents/"+id+"/cancel", "", "")
	s.Advance(t, 0)
	s.Advance(t, 80*time.Hour)
	if len(at) != 18 {
		t.Fatalf("%d attempts, want 18", len(at))
	}
	bodies := map[string]bool{}
	for i, m := range sink.Messages() {
		bodies[string(m.Body)] = true
		events(t, []capstantest.Message{m}, h.Secret)
		if want := "t=" + strconv.FormatInt(at[i].Unix(), 10); !strings.HasPrefix(m.Header.Get("Stripe-Signature"), want+",") {
			t.Errorf("attempt %d is signed %s, want %s", i+1, m.Header.Get("Stripe-Signature"), want)
		}
		if i == 0 {
			continue
		}
		want := 43650 * time.Second
		if i <= 12 {
			want = 10 * time.Second << (i - 1)
		}
		if got := at[i].Sub(at[i-1]); got != want {
			t.Errorf("retry %d after %s, want %s", i, got, want)
		}
	}
	if whole := at[17].Sub(at[0]); whole != 72*time.Hour || len(bodies) != 1 {
		t.Errorf("over %s, %d bodies", whole, len(bodies))
	}
	var failed struct{ Data []event }
	if c.into(&failed, http.MethodGet, "/v1/events?delivery_success=false", ""); len(failed.Data) != 1 {
		t.Errorf("%d failed events", len(failed.Data))
	}
	if c.into(&failed, http.MethodGet, "/v1/events?delivery_success=true", ""); len(failed.Data) != 0 {
		t.Errorf("%d delivered events", len(failed.Data))
	}
}

// While both secrets are valid a message is signed with both.
func TestSecretsRoll(t *testing.T) {
	s, sink := capstantest.Run(t), capstantest.NewSink(t)
	c := newClient(t, s)
	old := c.listen(sink.URL, "&enabled_events[]=payment_intent.created")
	var fresh hook
	c.into(&fresh, http.MethodPost, "/v1/webhook_endpoints/"+old.ID+"/roll_secret", "overlap_seconds=60")
	if fresh.ID != old.ID || len(fresh.Secret) != len("whsec_")+32 || fresh.Secret == old.Secret {
		t.Fatalf("%+v after %+v", fresh, old)
	}
	create := func(want ...string) {
		t.Helper()
		before := len(sink.Messages())
		c.do(http.MethodPost, "/v1/payment_intents", "amount=1&currency=usd", "")
		m := sink.Wait(t, before+1)[before]
		signed := m.Header.Get("Stripe-Signature")
		if strings.Count(signed, "v1=") != len(want) {
			t.Errorf("signed %s", signed)
		}
		for _, secret := range want {
			if !signedWith(signed, m.Body, secret) {
				t.Errorf("not signed with %s", secret)
			}
		}
	}
	create(fresh.Secret, old.Secret)
	s.Advance(t, time.Minute)
	create(fresh.Secret)
	c.into(&old, http.MethodPost, "/v1/webhook_endpoints/"+old.ID+"/roll_secret", "overlap_seconds=0")
	create(old.Secret)
	for _, body := range []string{"overlap_seconds=-1", "overlap_seconds=604801"} {
		if a := c.do(http.MethodPost, "/v1/webhook_endpoints/"+old.ID+"/roll_secret", body, ""); a.status != 400 || a.Error.Param != "overlap_seconds" {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

// Disabled and deleted endpoints are told nothing, also of what is on its way.
func TestEndpointsStop(t *testing.T) {
	s, sink := capstantest.Run(t), capstantest.NewSink(t)
	c := newClient(t, s)
	create := func() { c.do(http.MethodPost, "/v1/payment_intents", "amount=1&currency=usd", "") }
	sink.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	h := c.listen(sink.URL, "")
	create()
	sink.Wait(t, 1)
	var now hook
	if c.into(&now, http.MethodPost, "/v1/webhook_endpoints/"+h.ID, "disabled=true"); now.Status != "disabled" || now.Secret != "" {
		t.Errorf("%+v", now)
	}
	create()
	s.Advance(t, time.Minute)
	if got := len(sink.Messages()); got != 1 {
		t.Errorf("%d messages to a disabled endpoint", got)
	}
	c.into(&now, http.MethodPost, "/v1/webhook_endpoints/"+h.ID, "disabled=false")
	create()
	sink.Wait(t, 2)
	if a := c.do(http.MethodDelete, "/v1/webhook_endpoints/"+h.ID, "", "x"); a.status != 200 || !strings.Contains(a.body, `"deleted": true`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.Advance(t, time.Hour)
	if got := len(sink.Messages()); got != 2 {
		t.Errorf("%d messages after the endpoint was deleted", got)
	}
	if a := c.do(http.MethodDelete, "/v1/webhook_endpoints/"+h.ID, "", ""); a.status != 404 || a.Error.Param != "webhook_endpoint" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// The secret of an endpoint is shown once, also to a repeat of the request that
// made it, and is nowhere in clear.
func TestEndpointSecretsStaySecret(t *testing.T) {
	s := capstantest.Run(t)
	c := newClient(t, s)
	body := "url=https://shop.test/hook&enabled_events[]=*"
	first, again := c.do(http.MethodPost, "/v1/webhook_endpoints", body, "k"), c.do(http.MethodPost, "/v1/webhook_endpoints", body, "k")
	if first.status != 200 || first.body != again.body || again.header.Get("Idempotent-Replayed") != "true" {
		t.Fatalf("%d %s\n%d %s", first.status, first.body, again.status, again.body)
	}
	var h hook
	if err := json.Unmarshal([]byte(first.body), &h); err != nil || !strings.HasPrefix(h.Secret, "whsec_") {
		t.Fatal(h, err)
	}
	if a := c.do(http.MethodGet, "/v1/webhook_endpoints/"+h.ID, "", ""); strings.Contains(a.body, "secret") {
		t.Errorf("shown again: %s", a.body)
	}
	if a := c.do(http.MethodPost, "/v1/webhook_endpoints", body+"&description=x", "k"); a.status != 400 || a.Error.Type != "idempotency_error" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if strings.Contains(string(s.Stored(t)), h.Secret) {
		t.Error("the secret is in the database")
	}
}

// Events are paged as all lists are.
func TestEventPages(t *testing.T) {
	s, sink := capstantest.Run(t, inMemory), capstantest.NewSink(t)
	c := newClient(t, s)
	c.listen(sink.URL, "")
	for i := range 13 {
		c.do(http.MethodPost, "/v1/payment_intents", "amount=1&currency=usd&confirm=true&payment_method=pm_card_visa&metadata[n]="+fmt.Sprint(i), "")
		s.Advance(t, time.Second)
	}
	type page struct {
		Data []event
		More bool `json:"has_more"`
		URL  string
	}
	var all []string
	after := ""
	for {
		var p page
		c.into(&p, http.MethodGet, "/v1/events?limit=7"+after, "")
		for _, e := range p.Data {
			all = append(all, e.ID)
		}
		if !p.More {
			break
		}
		after = "&starting_after=" + all[len(all)-1]
	}
	if len(all) != 39 || len(slices.Compact(slices.Sorted(slices.Values(all)))) != 39 {
		t.Fatalf("%d events", len(all))
	}
	for _, test := range []struct {
		at, limit int
		want      []string
		more      bool
	}{{20, 5, all[15:20], true}, {3, 5, all[:3], false}, {5, 5, all[:5], false}, {0, 5, nil, false}} {
		var p page
		c.into(&p, http.MethodGet, fmt.Sprintf("/v1/events?limit=%d&ending_before=%s", test.limit, all[test.at]), "")
		var got []string
		for _, e := range p.Data {
			got = append(got, e.ID)
		}
		if !slices.Equal(got, test.want) || p.More != test.more {
			t.Errorf("before %d: %v, %t", test.at, got, p.More)
		}
	}
	var p page
	if c.into(&p, http.MethodGet, "/v1/events?type=charge.succeeded&limit=100", ""); len(p.Data) != 13 || p.More {
		t.Errorf("%d of one type", len(p.Data))
	}
	if c.into(&p, http.MethodGet, "/v1/events?types[]=charge.succeeded&types[]=payment_intent.created&limit=100", ""); len(p.Data) != 26 {
		t.Errorf("%d of two types", len(p.Data))
	}
	start := s.Clock.Now().Add(-13 * time.Second).Unix()
	if c.into(&p, http.MethodGet, fmt.Sprintf("/v1/events?created[gt]=%d&created[lte]=%d&limit=100", start, start+2), ""); len(p.Data) != 6 {
		t.Errorf("%d in two seconds", len(p.Data))
	}
	if c.into(&p, http.MethodGet, fmt.Sprintf("/v1/events?created=%d&limit=100", start), ""); len(p.Data) != 3 {
		t.Errorf("%d in one second", len(p.Data))
	}
	for query, want := range map[string]string{
		"starting_after=evt_x": "starting_after", "ending_before=evt_x": "ending_before", "limit=0": "limit", "limit=101": "limit", "limit=x": "limit",
		"starting_after=" + all[0] + "&ending_before=" + all[1]: "ending_before", "nonsense=1": "nonsense", "created[x]=1": "created[x]",
	} {
		if a := c.do(http.MethodGet, "/v1/events?"+query, "", ""); a.status != 400 || a.Error.Param != want {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}

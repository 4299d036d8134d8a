package begateway_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// shop is the default merchant as a client of this API.
type shop struct {
	t *testing.T
	s *capstantest.Server

	ShopID    string `json:"shop_id"`
	SecretKey string `json:"secret_key"`
	PublicKey string `json:"public_key"`
}

func newShop(t *testing.T, s *capstantest.Server) *shop {
	t.Helper()
	c := &shop{t: t, s: s}
	if err := json.Unmarshal(s.Credentials.Begateway, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// call sends a request and returns the answer's body and its transaction.
func (c *shop) call(method, path, body string) ([]byte, map[string]any) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.s.URL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		c.t.Fatal(err)
	}
	request.SetBasicAuth(c.ShopID, c.SecretKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	var answer struct{ Transaction map[string]any }
	if err != nil || json.Unmarshal(text, &answer) != nil || answer.Transaction == nil {
		c.t.Fatalf("%s %s: %s %s %v", method, path, response.Status, text, err)
	}
	return text, answer.Transaction
}

// create asks for an authorization or payment that is told of at a URL.
func (c *shop) create(path, card, url string) map[string]any {
	c.t.Helper()
	_, made := c.call("POST", "/transactions/"+path, fmt.Sprintf(`{"request":{"amount":1000,"currency":"USD","description":"A book","tracking_id":"order 7","duplicate_check":false,
		"notification_url":%q,"credit_card":{"number":%q,"verification_value":"123","holder":"Jane Doe","exp_month":"12","exp_year":"2040"}}}`, url, card))
	return made
}

const goodCard = "4200000000000000"

// verify holds a notification against section 9.
func (c *shop) verify(m capstantest.Message) {
	c.t.Helper()
	if m.Method != http.MethodPost || m.Header.Get("Content-Type") != "application/json" {
		c.t.Errorf("%s with content type %q", m.Method, m.Header.Get("Content-Type"))
	}
	user, password, _ := (&http.Request{Header: m.Header}).BasicAuth()
	if user != c.ShopID || password != c.SecretKey {
		c.t.Errorf("Basic credentials are those of %q", user)
	}
	der, err := base64.StdEncoding.DecodeString(c.PublicKey)
	if err != nil {
		c.t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		c.t.Fatal(err)
	}
	signed, err := base64.StdEncoding.DecodeString(m.Header.Get("Content-Signature"))
	sum := sha256.Sum256(m.Body)
	if err != nil || rsa.VerifyPKCS1v15(key.(*rsa.PublicKey), crypto.SHA256, sum[:], signed) != nil {
		c.t.Errorf("the signature %q is wrong: %v", m.Header.Get("Content-Signature"), err)
	}
}

// A notification is what a query shows at that moment, sent with the shop's
// credentials and its signature (section 9).
func TestNotification(t *testing.T) {
	s, sink := capstantest.Run(t), capstantest.NewSink(t)
	c := newShop(t, s)
	hold := c.create("authorizations", goodCard, sink.URL+"/notify?order=7")
	got := sink.Wait(t, 1)
	c.verify(got[0])
	if got[0].Path != "/notify?order=7" {
		t.Errorf("sent to %s", got[0].Path)
	}
	shown, _ := c.call("GET", "/transactions/"+hold["uid"].(string), "")
	if !bytes.Equal(got[0].Body, shown) {
		t.Errorf("the notification is\n%s\nand a query\n%s", got[0].Body, shown)
	}

	// Captures are told of only where they say so, or the shop does.
	capture := fmt.Sprintf(`{"request":{"parent_uid":%q,"amount":100%%s}}`, hold["uid"])
	c.call("POST", "/transactions/captures", fmt.Sprintf(capture, ""))
	_, second := c.call("POST", "/transactions/captures", fmt.Sprintf(capture, `,"duplicate_check":false,"notification_url":"`+sink.URL+`/capture"`))
	got = sink.Wait(t, 2)
	shown, _ = c.call("GET", "/transactions/"+second["uid"].(string), "")
	if c.verify(got[1]); got[1].Path != "/capture" || !bytes.Equal(got[1].Body, shown) {
		t.Errorf("the capture's notification to %s is\n%s\nand a query\n%s", got[1].Path, got[1].Body, shown)
	}
	s.Control(t, http.MethodPatch, "/_sandbox/settings", map[string]any{"settings": map[string]any{"begateway.notify_children": true}}, nil)
	c.call("POST", "/transactions/captures", fmt.Sprintf(capture, `,"duplicate_check":false`))
	if got = sink.Wait(t, 3); got[2].Path != "/notify?order=7" {
		t.Errorf("with notify_children sent to %s", got[2].Path)
	}

	c.create("payments", goodCard, sink.URL)
	c.create("authorizations", "4005550000000019", sink.URL) // declined
	s.Advance(t, 0)
	if got = sink.Messages(); len(got) != 5 {
		t.Fatalf("%d notifications, want 5", len(got))
	}
	for _, m := range got[3:] {
		c.verify(m)
	}

	var log struct {
		Webhooks []struct {
			Target, Dialect, Type, State, Body string
			Attempt, Status                    int
			Headers                            http.Header
		}
	}
	s.Control(t, http.MethodGet, "/_sandbox/webhooks?merchant="+s.Credentials.Merchant, nil, &log)
	if len(log.Webhooks) != 5 {
		t.Fatalf("the sandbox shows %d deliveries", len(log.Webhooks))
	}
	for i, w := range log.Webhooks {
		want := []string{"authorization.successful", "capture.successful", "capture.successful", "payment.successful", "authorization.failed"}[i]
		at := slices.IndexFunc(got, func(m capstantest.Message) bool { return string(m.Body) == w.Body }) // those of two payments overtake each other
		if at < 0 {
			t.Fatalf("delivery %d has a body that did not arrive: %+v", i, w)
		}
		sent := got[at]
		if w.Type != want || w.Dialect != "begateway" || w.State != "delivered" || w.Attempt != 1 || w.Status != 200 ||
			w.Headers.Get("Content-Signature") != sent.Header.Get("Content-Signature") || w.Target != sink.URL+sent.Path && w.Target+"/" != sink.URL+sent.Path {
			t.Errorf("delivery %d is shown as %+v", i, w)
		}
	}
}

// A notification that is not answered with 200 is sent again up to fifteen
// times, at the moments of section 9's formula.
func TestNotificationIsRepeated(t *testing.T) {
	s, sink := capstantest.Run(t), capstantest.NewSink(t)
	c := newShop(t, s)
	var at []time.Time
	sink.Answer(func(w http.ResponseWriter, _ *http.Request) {
		at = append(at, s.Clock.Now())
		w.WriteHeader(http.StatusCreated) // another 2xx does not do
	})
	c.create("authorizations", goodCard, sink.URL)
	s.Advance(t, 0)
	s.Advance(t, 48*time.Hour)
	if len(at) != 16 {
		t.Fatalf("%d attempts, want 16", len(at))
	}
	for n := 1; n <= 15; n++ {
		whole := int64(2.12 * float64(n))
		least, wait := whole*whole*whole, at[n].Sub(at[n-1])
		if seconds := int64(wait / time.Second); seconds < least || seconds > least+29*int64(n+1) || (seconds-least)%int64(n+1) != 0 {
			t.Errorf("retry %d came after %s: %d s is the least", n, wait, least)
		}
	}
	bodies := map[string]bool{}
	for _, m := range sink.Messages() {
		c.verify(m)
		bodies[string(m.Body)] = true
	}
	if len(bodies) != 1 {
		t.Errorf("%d different bodies", len(bodies))
	}
}

package wepay_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
)

const rawCard = `{"card_number":"4003830171874018","expiration_month":4,"expiration_year":2030,"cvv":"987"}`

// token makes a token of a card, as the page of a platform does: without an
// App-Token.
func (c *client) token() string {
	c.t.Helper()
	page := *c
	page.app.AppToken = "-"
	r := page.do(http.MethodPost, "/tokens", `{"resource":"payment_methods","payment_methods":{"type":"credit_card","credit_card":`+rawCard+`}}`, "")
	if r.status != http.StatusOK {
		c.t.Fatalf("tokenize: %d %s", r.status, r.body)
	}
	return r.ID
}

// pay makes a delayed payment of 2000 with a method.
func (c *client) pay(method, key string) reply {
	c.t.Helper()
	body := fmt.Sprintf(`{"account_id":%q,"amount":2000,"currency":"USD","payment_method":%s,"auto_capture":false}`, c.app.AccountID, method)
	return c.do(http.MethodPost, "/payments", body, key)
}

func byToken(id string) string { return fmt.Sprintf(`{"token":{"id":%q}}`, id) }

func byMethod(id string) string {
	return fmt.Sprintf(`{"type":"payment_method_id","payment_method_id":%q}`, id)
}

// TestAPageTokenizesOnly: an App-Id without an App-Token opens POST /tokens and
// nothing else, and a wrong token opens nothing.
func TestAPageTokenizesOnly(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)
	p := c.authorize("1", "")
	page, wrong, unknown := *c, *c, *c
	page.app.AppToken, wrong.app.AppToken = "-", "stage_no"
	unknown.app.AppToken, unknown.app.AppID = "-", "999999"
	const body = `{"resource":"payment_methods","payment_methods":{"credit_card":` + rawCard + `}}`
	for what, r := range map[string]reply{
		"a page reads": page.get(p.ID), "a page captures": page.capture(p.ID, "", ""), "a page keeps": page.do(http.MethodPost, "/payment_methods", `{"credit_card":`+rawCard+`}`, ""),
		"a page lists": page.do(http.MethodGet, "/payments", "", ""), "a wrong token": wrong.do(http.MethodPost, "/tokens", body, ""),
		"nobody's app": unknown.do(http.MethodPost, "/tokens", body, ""),
	} {
		if r.status != http.StatusForbidden || r.why() != "INVALID_CREDENTIALS" {
			t.Errorf("%s: %d %s", what, r.status, r.body)
		}
	}
	if r := page.do(http.MethodPost, "/tokens", body, ""); r.status != http.StatusOK {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := page.do(http.MethodPost, "/tokens", body, "k"); r.status != http.StatusOK {
		t.Errorf("with a key: %d %s", r.status, r.body)
	}
	if r := c.authorize("k", ""); r.status != http.StatusOK {
		t.Errorf("a page has used up a key: %s", r.body)
	}
}

// TestATokenIsGoodOnce: for one payment, whoever is faster; its repeat is
// answered all the same; and for half an hour.
func TestATokenIsGoodOnce(t *testing.T) {
	s := capstantest.Run(t)
	c := newClient(t, s, s.Credentials)
	token := c.token()
	first := c.pay(byToken(token), "k1")
	if first.status != http.StatusOK || first.Status != "pending" || first.why() != "PENDING_CAPTURE" {
		t.Fatalf("%d %s", first.status, first.body)
	}
	if again := c.pay(byToken(token), "k1"); again.status != http.StatusOK || again.ID != first.ID {
		t.Errorf("the repeat: %d %s", again.status, again.body)
	}
	unknown := c.pay(byToken("nobody"), "k2")
	for what, r := range map[string]reply{
		"another payment": c.pay(byToken(token), "k3"), "another request under the key": c.pay(byToken("nobody"), "k1"), "a stranger": another(t, s).pay(byToken(c.token()), "k1"),
	} {
		if r.status != http.StatusForbidden || !bytes.Equal(r.body, unknown.body) {
			t.Errorf("%s: %d %s, want %s", what, r.status, r.body, unknown.body)
		}
	}
	raced := c.token()
	count := parallel(32, func(i int) string {
		r := c.pay(byToken(raced), fmt.Sprint("race", i))
		return fmt.Sprint(r.status, " ", r.why())
	})
	if count["200 PENDING_CAPTURE"] != 1 || count["403 RESOURCE_NOT_ACCESSIBLE"] != 31 {
		t.Errorf("answers %v", count)
	}
	late := c.token()
	s.Advance(t, 30*time.Minute-time.Second)
	if r := c.pay(byToken(late), "in_time"); r.status != http.StatusOK {
		t.Errorf("in time: %d %s", r.status, r.body)
	}
	late = c.token()
	s.Advance(t, 30*time.Minute)
	if r := c.pay(byToken(late), "late"); r.status != http.StatusForbidden {
		t.Errorf("too late: %d %s", r.status, r.body)
	}
	audit(t, s)
}

// TestAMethodIsChargedAgain: a payment method pays as often as it is named,
// until it is deleted; what a terminal read pays once.
func TestAMethodIsChargedAgain(t *testing.T) {
	s := capstantest.Run(t)
	c := newClient(t, s, s.Credentials)
	token := c.token()
	body := fmt.Sprintf(`{"type":"credit_card","token":{"id":%q},"credit_card":{"card_on_file":true,"card_holder":{"holder_name":"Jo Park","email":"jo@example.com","address":{"country":"US","postal_code":"94025"}}},"custom_data":{"a":[1.50,"<"]}}`, token)
	m := c.do(http.MethodPost, "/payment_methods", body, "m1")
	if m.status != http.StatusOK || m.Status != "unverified" || string(m.CustomData) != `{"a":[1.50,"<"]}` {
		t.Fatalf("%d %s", m.status, m.body)
	}
	if again := c.do(http.MethodPost, "/payment_methods", body, "m1"); !bytes.Equal(again.body, m.body) {
		t.Errorf("the repeat: %d %s", again.status, again.body)
	}
	if r := c.do(http.MethodPost, "/payment_methods", body, "m2"); r.status != http.StatusForbidden {
		t.Errorf("the token again: %d %s", r.status, r.body)
	}
	for i := range 3 {
		r := c.pay(byMethod(m.ID), fmt.Sprint("p", i))
		if r.status != http.StatusOK || r.why() != "PENDING_CAPTURE" || r.PaymentMethod.ID != m.ID {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	if r := c.do(http.MethodGet, "/payments?payment_method_id="+m.ID, "", ""); bytes.Count(r.body, []byte(`"resource":"payments"`)) != 3 {
		t.Errorf("listed %s", r.body)
	}
	if r := c.do(http.MethodGet, "/payment_methods/"+m.ID, "", ""); !bytes.Equal(r.body, m.body) {
		t.Errorf("read\n%s\nmade\n%s", r.body, m.body)
	}
	if r := c.do(http.MethodDelete, "/payment_methods/"+m.ID, "", ""); r.status != http.StatusOK || r.Status != "deleted" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := c.do(http.MethodDelete, "/payment_methods/"+m.ID, "", ""); r.Status != "deleted" {
		t.Errorf("deleted again: %d %s", r.status, r.body)
	}
	if r := c.pay(byMethod(m.ID), "p9"); r.status != http.StatusBadRequest || r.why() != "PARAM_VALUE_IS_INVALID" {
		t.Errorf("a deleted one pays: %d %s", r.status, r.body)
	}
	if r := c.pay(byMethod(m.ID), "p0"); r.status != http.StatusOK || r.PaymentMethod.ID != m.ID {
		t.Errorf("a repeat after it was deleted: %d %s", r.status, r.body)
	}

	present := c.do(http.MethodPost, "/payment_methods", `{"encoded_payment_method":"dGVybWluYWwgcmVhZGluZw=="}`, "")
	first := c.pay(byMethod(present.ID), "t1")
	if first.status != http.StatusOK || first.why() != "PENDING_CAPTURE" {
		t.Fatalf("%d %s", first.status, first.body)
	}
	if r := c.pay(byMethod(present.ID), "t2"); r.status != http.StatusBadRequest {
		t.Errorf("a reading pays twice: %d %s", r.status, r.body)
	}
	if r := c.pay(byMethod(present.ID), "t1"); r.ID != first.ID {
		t.Errorf("the repeat: %d %s", r.status, r.body)
	}
	if r := c.capture(first.ID, `{"amounts":{"amount":2400,"currency":"USD"}}`, ""); r.status != http.StatusOK || r.Amount != 2400 {
		t.Errorf("a card that was present: %d %s", r.status, r.body)
	}

	// A payment's own method can be read, and pays nothing else.
	own := c.authorize("own", "").PaymentMethod.ID
	if r := c.do(http.MethodGet, "/payment_methods/"+own, "", ""); r.status != http.StatusOK || r.ID != own {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := c.pay(byMethod(own), "own2"); r.status != http.StatusBadRequest || r.why() != "PARAM_VALUE_IS_INVALID" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := c.do(http.MethodDelete, "/payment_methods/"+own, "", ""); r.ErrorCode != "PAYMENT_METHOD_CANNOT_BE_DELETED" {
		t.Errorf("%d %s", r.status, r.body)
	}
	audit(t, s)
}

// TestKeptCardsStaySealed: no number, code, token or reading is in the database
// or in the log, whatever they were put into.
func TestKeptCardsStaySealed(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&lockedWriter{w: &log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := capstantest.Run(t, capstantest.With(func(c *capstan.Config) { c.Logger = logger }))
	c := newClient(t, s, s.Credentials)
	used, unused := c.token(), c.token()
	c.pay(byToken(used), "1")
	c.do(http.MethodPost, "/payment_methods", `{"credit_card":`+rawCard+`}`, "2")
	c.do(http.MethodPost, "/payment_methods", `{"encoded_payment_method":"c2VjcmV0IHJlYWRpbmc="}`, "3")
	for _, holder := range []string{`"holder_name":"4003830171874018"`, `"email":"x4003830171874018@example.com"`, `"address":{"line1":"4003830171874018"}`} {
		card := strings.Replace(rawCard, `"cvv"`, `"card_holder":{`+holder+`},"cvv"`, 1)
		if r := c.do(http.MethodPost, "/payment_methods", `{"credit_card":`+card+`}`, "4"); r.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", holder, r.status, r.body)
		}
		if r := c.pay(`{"credit_card":`+card+`}`, "5"); r.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", holder, r.status, r.body)
		}
		if r := c.pay(strings.Replace(byToken(unused), `}}`, `},"credit_card":{"card_holder":{`+holder+`}}}`, 1), "6"); r.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", holder, r.status, r.body)
		}
	}
	stayOut(t, s, &log, map[string]string{
		"card number": "4003830171874018", "code": `"987"`, "reading": "c2VjcmV0IHJlYWRpbmc", "used token": used, "token": unused,
	})
}

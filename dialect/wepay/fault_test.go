package wepay_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/store/memory"
)

// TestStoreFails: while nothing can be written every request that would write
// is answered 500 with no details (row 21), does nothing, and is carried out
// under the same key when the store is back; a commit whose answer is lost is
// looked up and told as it is.
func TestStoreFails(t *testing.T) {
	var full, lost atomic.Bool
	st := faulty.New(memory.Open(), func(c faulty.Call) faulty.Fault {
		switch {
		case c == faulty.Commit && full.Load():
			return faulty.Fault{Err: fmt.Errorf("rehearsed: %w", store.ErrFull)}
		case c == faulty.Commit && lost.CompareAndSwap(true, false):
			return faulty.Fault{Err: fmt.Errorf("rehearsed: %w", store.ErrUnknown), Fate: faulty.Written}
		}
		return faulty.Fault{}
	})
	s := capstantest.Run(t, capstantest.On(st))
	c := newClient(t, s, s.Credentials)
	method := c.do(http.MethodPost, "/payment_methods", `{"credit_card":`+rawCard+`}`, "").ID
	token := c.token()
	captured, canceled, lostly := c.authorize("1", "").ID, c.authorize("2", "").ID, c.authorize("3", "").ID

	asks := []struct{ path, body, key string }{
		{"/payments", strings.Replace(payment2000, "{account}", c.app.AccountID, 1), "k1"},
		{"/payments", fmt.Sprintf(`{"account_id":%q,"amount":2000,"currency":"USD","payment_method":%s}`, c.app.AccountID, byToken(token)), "k2"},
		{"/payments", fmt.Sprintf(`{"account_id":%q,"amount":2000,"currency":"USD","payment_method":%s}`, c.app.AccountID, byMethod(method)), "k3"},
		{"/payments/" + captured, `{"reference_id":"x"}`, "k4"},
		{"/payments/" + captured + "/capture", `{"amounts":{"amount":1500,"currency":"USD"}}`, "k5"},
		{"/payments/" + canceled + "/cancel", `{"cancel_reason":"x"}`, "k6"},
		{"/payment_methods", `{"credit_card":` + rawCard + `}`, "k7"},
		{"/notification_preferences", `{"callback_uri":"http://127.0.0.1:1/","topic":"payments.created"}`, "k8"},
	}
	full.Store(true)
	for _, a := range asks {
		if r := c.do(http.MethodPost, a.path, a.body, a.key); r.status != http.StatusInternalServerError || r.ErrorCode != "UNEXPECTED_ERROR" || !strings.HasSuffix(string(r.body), `"details":[]}`) {
			t.Errorf("%s %s: %d %s", a.path, a.key, r.status, r.body)
		}
	}
	if r := c.get(captured); r.status != http.StatusOK || r.why() != "PENDING_CAPTURE" {
		t.Errorf("what can be read: %d %s", r.status, r.body)
	}
	full.Store(false)
	for _, a := range asks {
		first := c.do(http.MethodPost, a.path, a.body, a.key)
		if again := c.do(http.MethodPost, a.path, a.body, a.key); first.status != http.StatusOK || again.status != http.StatusOK || again.ID != first.ID {
			t.Errorf("%s %s: %d %s, then %d %s", a.path, a.key, first.status, first.body, again.status, again.body)
		}
	}
	lost.Store(true)
	if r := c.capture(lostly, "", "k9"); r.status != http.StatusOK || r.why() != "PROCESSING" || lost.Load() {
		t.Errorf("a commit whose answer is lost: %d %s", r.status, r.body)
	}
	if got := s.Balances(t, "USD"); got["in_transit"] != 3*2000+1500+2000 || got["held"] != 0 {
		t.Errorf("books %v", got)
	}
	audit(t, s)
}

package wepay_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
)

// TestOddStrings: any string is a name that a platform may give, also where a
// database would rather not; it comes back, and what was named is found by it.
func TestOddStrings(t *testing.T) {
	s := capstantest.Run(t)
	c := newClient(t, s, s.Credentials)
	for i, odd := range []string{"a\x00b", "\x00", "😀" + strings.Repeat("é", 254), "\u202eabc", `"\` + "\n", "%00%", "'; drop table payments; --", " ", "\u2028", "<&>"} {
		text, err := json.Marshal(odd)
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`,"reference_id":%s,"custom_data":{"k":%[1]s,%[1]s:1},"order":{"id":%[1]s},"rbits":[%[1]s]`, text)
		p := c.authorize(fmt.Sprint("k", i), body)
		if p.ReferenceID == nil || *p.ReferenceID != odd || string(p.CustomData) != fmt.Sprintf(`{"k":%s,%[1]s:1}`, text) {
			t.Errorf("%q: %s", odd, p.body)
		}
		found := c.do(http.MethodGet, "/payments?reference_id="+url.QueryEscape(odd), "", "")
		if !strings.Contains(string(found.body), p.ID) {
			t.Errorf("%q is not found: %s", odd, found.body)
		}
		if r := c.do(http.MethodPost, "/payments/"+p.ID, fmt.Sprintf(`{"reference_id":%s,"custom_data":{"x":%[1]s}}`, text), fmt.Sprint("u", i)); r.status != http.StatusOK {
			t.Errorf("%q: update: %s", odd, r.body)
		}
		if r := c.do(http.MethodPost, "/payments/"+p.ID+"/cancel", fmt.Sprintf(`{"cancel_reason":%s}`, text), ""); r.status != http.StatusOK {
			t.Errorf("%q: cancel: %s", odd, r.body)
		}
		holder := fmt.Sprintf(`{"credit_card":{"card_number":"4003830171874018","expiration_month":4,"expiration_year":2030,"card_holder":{"holder_name":%s,"email":%[1]s,"address":{"line1":%[1]s}}},"custom_data":{"x":%[1]s}}`, text)
		if r := c.do(http.MethodPost, "/payment_methods", holder, ""); r.status != http.StatusOK || string(r.CustomData) != fmt.Sprintf(`{"x":%s}`, text) {
			t.Errorf("%q: payment method: %d %s", odd, r.status, r.body)
		}
		for _, path := range []string{"/payments/", "/payment_methods/", "/notification_preferences/", "/notifications/", "/transaction_records/", "/refunds/"} {
			if r := c.do(http.MethodGet, path+url.PathEscape(odd), "", ""); r.status != http.StatusForbidden {
				t.Errorf("GET %s%q: %d %s", path, odd, r.status, r.body)
			}
		}
	}
}

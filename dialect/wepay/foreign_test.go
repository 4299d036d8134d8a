package wepay_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// TestForeignIsUnknown: the bytes do not tell whether something exists,
// wherever an id may be given, and the stranger does nothing to it.
func TestForeignIsUnknown(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	owner, stranger := newClient(t, s, s.Credentials), another(t, s)
	sink := capstantest.NewSink(t)
	preference := owner.subscribe(sink.URL, "payments.created")[0]
	p := owner.authorize("create", "")
	notification := received(t, sink, 1)[0].ID
	settled := owner.authorize("settled", `,"fee_amount":100`)
	owner.capture(settled.ID, "", "")
	s.Advance(t, time.Second)
	refund := owner.do(http.MethodPost, "/refunds", fmt.Sprintf(`{"payment_id":%q,"refund_reason":"x","amounts":{"currency":"USD","total_amount":500}}`, settled.ID), "refund")
	record := owner.records("", 10)[0].ID
	method := owner.do(http.MethodPost, "/payment_methods", `{"credit_card":`+rawCard+`}`, "").ID
	token := owner.token()

	const nobody = "00000000-0000-0000-0000-0000767bf5cd"
	for _, ask := range []struct{ name, method, path, body, key, id string }{
		{"query", "GET", "/payments/{id}", "", "", p.ID},
		{"query expanded", "GET", "/payments/{id}?expand=payment_method", "", "", p.ID},
		{"update", "POST", "/payments/{id}", `{"reference_id":"x"}`, "", p.ID},
		{"update in the past", "POST", "/payments/{id}", `{"capture_at":1}`, "", p.ID},
		{"capture", "POST", "/payments/{id}/capture", "", "", p.ID},
		{"capture with key", "POST", "/payments/{id}/capture", `{"amounts":{"amount":100,"currency":"USD"}}`, "k", p.ID},
		{"capture too much", "POST", "/payments/{id}/capture", `{"amounts":{"amount":9999,"currency":"CAD"}}`, "", p.ID},
		{"capture a settled one", "POST", "/payments/{id}/capture", "", "", settled.ID},
		{"cancel", "POST", "/payments/{id}/cancel", `{"cancel_reason":"x"}`, "", p.ID},
		{"cancel a settled one", "POST", "/payments/{id}/cancel", `{"cancel_reason":"x"}`, "", settled.ID},
		{"refund", "POST", "/refunds", `{"payment_id":"{id}","refund_reason":"x"}`, "r", settled.ID},
		{"refund of what is not settled", "POST", "/refunds", `{"payment_id":"{id}","refund_reason":"x"}`, "r", p.ID},
		{"query refund", "GET", "/refunds/{id}", "", "", refund.ID},
		{"list refunds", "GET", "/refunds?payment_id={id}", "", "", settled.ID},
		{"query record", "GET", "/transaction_records/{id}", "", "", record},
		{"list records", "GET", "/transaction_records?account_id={id}", "", "", owner.app.AccountID},
		{"list payments", "GET", "/payments?owner_id={id}", "", "", owner.app.AccountID},
		{"list by method", "GET", "/payments?payment_method_id={id}", "", "", method},
		{"query method", "GET", "/payment_methods/{id}", "", "", method},
		{"query a payment's method", "GET", "/payment_methods/{id}", "", "", p.PaymentMethod.ID},
		{"delete method", "DELETE", "/payment_methods/{id}", "", "", method},
		{"delete a payment's method", "DELETE", "/payment_methods/{id}", "", "", p.PaymentMethod.ID},
		{"keep by token", "POST", "/payment_methods", `{"token":{"id":"{id}"}}`, "", token},
		{"pay by token", "POST", "/payments", `{"account_id":"{account}","amount":2000,"currency":"USD","payment_method":{"token":{"id":"{id}"}}}`, "t", token},
		{"pay by method", "POST", "/payments", `{"account_id":"{account}","amount":2000,"currency":"USD","payment_method":{"payment_method_id":"{id}"}}`, "m", method},
		{"pay by a payment's method", "POST", "/payments", `{"account_id":"{account}","amount":2000,"currency":"USD","payment_method":{"payment_method_id":"{id}"}}`, "m", p.PaymentMethod.ID},
		{"pay into an account", "POST", "/payments", `{"account_id":"{id}","amount":2000,"currency":"USD","payment_method":` + visa + `}`, "a", owner.app.AccountID},
		{"query notification", "GET", "/notifications/{id}", "", "", notification},
		{"list notifications", "GET", "/notifications?object_id={id}", "", "", p.ID},
		{"query preference", "GET", "/notification_preferences/{id}", "", "", preference},
		{"update preference", "POST", "/notification_preferences/{id}", `{"status":"inactive"}`, "", preference},
		{"delete preference", "DELETE", "/notification_preferences/{id}", "", "", preference},
	} {
		t.Run(ask.name, func(t *testing.T) {
			by := func(id string) reply {
				fill := strings.NewReplacer("{id}", id, "{account}", stranger.app.AccountID)
				return stranger.do(ask.method, fill.Replace(ask.path), fill.Replace(ask.body), ask.key)
			}
			foreign, unknown := by(ask.id), by(nobody)
			if !bytes.Equal(foreign.body, unknown.body) || foreign.status != unknown.status {
				t.Errorf("%d %s\n%d %s", foreign.status, foreign.body, unknown.status, unknown.body)
			}
			noticed := strings.HasPrefix(ask.name, "list by") || ask.name == "list notifications" || ask.name == "update in the past"
			if !noticed && foreign.status != http.StatusForbidden {
				t.Errorf("%d %s", foreign.status, foreign.body)
			}
			for _, name := range []string{"X-Correlation-Id", "Date"} {
				foreign.header.Del(name)
				unknown.header.Del(name)
			}
			if !maps.EqualFunc(foreign.header, unknown.header, slices.Equal) {
				t.Errorf("headers %v and %v", foreign.header, unknown.header)
			}
		})
	}
	for what, r := range map[string]reply{
		"capture": owner.capture(p.ID, "", ""), "token": owner.pay(byToken(token), "still"), "method": owner.pay(byMethod(method), "still_too"),
		"preference": owner.do(http.MethodGet, "/notification_preferences/"+preference, "", ""),
	} {
		if r.status != http.StatusOK || r.Status == "inactive" {
			t.Errorf("the stranger did something to the %s: %d %s", what, r.status, r.body)
		}
	}
}

package begateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/verify"
)

// A credit takes money from the shop and is told of; the books and the audit
// agree; no other dialect has words for it, and its receipt says what it is.
func TestCredit(t *testing.T) {
	s, sink := capstantest.Run(t), capstantest.NewSink(t)
	c := newShop(t, s)
	paid := c.create("payments", goodCard, "")
	token := paid["credit_card"].(map[string]any)["token"]
	_, credit := c.call("POST", "/transactions/credits", fmt.Sprintf(`{"request":{"amount":2500,"currency":"USD","description":"A prize","notification_url":%q,"credit_card":{"token":%q}}}`, sink.URL, token))
	if books := s.Balances(t, "USD"); books["merchant"] != 1000-2500 || books["held"] != 0 || books["acquirer"] != -1000+2500 {
		t.Errorf("books: %v", books)
	}
	if m := sink.Wait(t, 1)[0]; !strings.Contains(string(m.Body), `"credit":{`) {
		t.Errorf("told %s", m.Body)
	}
	var known struct {
		Status string
		IDs    map[string]*string
	}
	s.Control(t, "GET", "/_sandbox/payments/"+credit["uid"].(string), nil, &known)
	if known.Status != "paid_out" || known.IDs["begateway"] == nil || known.IDs["alipay"] != nil || known.IDs["wepay"] != nil || known.IDs["intents"] != nil {
		t.Errorf("%+v", known)
	}
	report, err := verify.Audit(t.Context(), s.Store)
	if err != nil || !report.Clean() {
		t.Errorf("%v %v", report.Findings, err)
	}
}

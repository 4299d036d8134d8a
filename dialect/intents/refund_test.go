package intents_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// refunded is a refund as a test looks at it.
type refunded struct {
	ID, Object, Status string
	Amount             int64
	Charge             *string
	Intent             string `json:"payment_intent"`
	Reason             *string
	Failure            string `json:"failure_reason"`
	Metadata           map[string]string
}

// refund asks for a refund and reads the answer.
func (c *client) refund(body, key string) (refunded, answer) {
	c.t.Helper()
	a := c.do(http.MethodPost, "/v1/refunds", body, key)
	var r refunded
	if err := json.Unmarshal([]byte(a.body), &r); err != nil {
		c.t.Fatal(err)
	}
	return r, a
}

// pay makes an intent of 10000 that is captured at once.
func (c *client) pay(token string) answer {
	c.t.Helper()
	a := c.do(http.MethodPost, "/v1/payment_intents", "amount=10000&currency=usd&confirm=true&payment_method=pm_card_"+token, "")
	if a.status != http.StatusOK || a.Status != "succeeded" {
		c.t.Fatalf("%d %s", a.status, a.body)
	}
	return a
}

// charged is the charge of an intent as a test looks at it.
type charged struct {
	Amount, AmountCaptured, AmountRefunded int64
	Refunded, Captured                     bool
}

func (c *client) charge(id string) (got charged) {
	c.t.Helper()
	var charge struct {
		Amount     int64
		Captured   bool
		Refunded   bool
		OfCaptured int64 `json:"amount_captured"`
		OfRefunded int64 `json:"amount_refunded"`
	}
	c.into(&charge, http.MethodGet, "/v1/charges/"+id, "")
	return charged{charge.Amount, charge.OfCaptured, charge.OfRefunded, charge.Refunded, charge.Captured}
}

// Captured money goes back in parts, by the intent or by its charge, and never
// more than was captured.
func TestRefundInParts(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	p := c.pay("visa")
	r, a := c.refund("payment_intent="+p.ID+"&amount=3000&reason=duplicate&metadata[why]=twice", "")
	if a.status != http.StatusOK || r.Object != "refund" || !strings.HasPrefix(r.ID, "re_") || r.Status != "succeeded" || r.Amount != 3000 ||
		r.Intent != p.ID || *r.Charge != *p.Charge || *r.Reason != "duplicate" || r.Metadata["why"] != "twice" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got, want := c.charge(*p.Charge), (charged{10000, 10000, 3000, false, true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	var again refunded
	if c.into(&again, http.MethodGet, "/v1/refunds/"+r.ID, ""); again.Metadata["why"] != "twice" || again.Amount != 3000 {
		t.Errorf("%+v", again)
	}
	if r, a := c.refund("charge="+*p.Charge, ""); a.status != http.StatusOK || r.Amount != 7000 || r.Reason != nil {
		t.Errorf("%d %s", a.status, a.body)
	}
	if got, want := c.charge(*p.Charge), (charged{10000, 10000, 10000, true, true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if after := c.get(p.ID); after.Status != "succeeded" || after.Received != 10000 {
		t.Errorf("%s", after.body)
	}
	if _, a := c.refund("charge="+*p.Charge, ""); a.Error.Code != "charge_already_refunded" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if got := s.Balances(t, "USD"); got["merchant"] != 0 {
		t.Errorf("books: %v", got)
	}
}

// A refund of a hold from which nothing was captured cancels it.
func TestRefundOfHold(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	for name, more := range map[string]string{"no amount": "", "the whole": "&amount=10000"} {
		t.Run(name, func(t *testing.T) {
			id := c.hold("")
			r, a := c.refund("payment_intent="+id+"&reason=fraudulent"+more, name)
			if a.status != http.StatusOK || r.Amount != 10000 || r.Status != "succeeded" || *r.Reason != "fraudulent" {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if p := c.get(id); p.Status != "canceled" || p.Capturable != 0 || p.Received != 0 {
				t.Errorf("%s", p.body)
			}
			if _, again := c.refund("payment_intent="+id+"&reason=fraudulent"+more, name); again.body != a.body || again.header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("%d %s", again.status, again.body)
			}
			if _, a := c.refund("payment_intent="+id, ""); a.Error.Code != "charge_already_refunded" {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	if got := s.Balances(t, "USD"); got["held"] != 0 || got["merchant"] != 0 {
		t.Errorf("books: %v", got)
	}
}

// What a partial capture left is not captured money: only the captured part can
// be refunded, and amount_refunded is both.
func TestRefundAfterPartialCapture(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	id := c.hold("")
	p := c.capture(id, "amount_to_capture=6000", "")
	if _, a := c.refund("payment_intent="+id+"&amount=6001", ""); a.Error.Message != "Refund amount ($60.01) is greater than unrefunded amount on charge ($60.00)" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if r, a := c.refund("payment_intent="+id+"&amount=2000", ""); a.status != http.StatusOK || r.Amount != 2000 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if got, want := c.charge(*p.Charge), (charged{10000, 6000, 6000, false, true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	var list struct{ Data []refunded }
	c.into(&list, http.MethodGet, "/v1/refunds?payment_intent="+id, "")
	if len(list.Data) != 2 || list.Data[0].Amount != 2000 || list.Data[1].Amount != 4000 {
		t.Errorf("%+v", list.Data)
	}
	if got := s.Balances(t, "USD"); got["held"] != 0 || got["merchant"] != 4000 {
		t.Errorf("books: %v", got)
	}
}

// The cards of section 9 whose refunds are not over at once.
func TestRefundCards(t *testing.T) {
	for _, test := range []struct {
		token, first, then, failure string
		refunded                    int64 // of the charge, in the end
	}{
		{"pendingRefund", "pending", "succeeded", "", 10000},
		{"refundFail", "succeeded", "failed", "unknown", 0},
	} {
		t.Run(test.token, func(t *testing.T) {
			s, sink := capstantest.Run(t, inMemory), capstantest.NewSink(t)
			c := newClient(t, s)
			p := c.pay(test.token)
			c.listen(sink.URL, "")
			r, a := c.refund("payment_intent="+p.ID, "k")
			if a.status != http.StatusOK || r.Status != test.first || r.Failure != "" {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if got := c.charge(*p.Charge); got.AmountRefunded != 10000 {
				t.Errorf("%+v", got)
			}
			s.Advance(t, 5*time.Second)
			var then refunded
			if c.into(&then, http.MethodGet, "/v1/refunds/"+r.ID, ""); then.Status != test.then || then.Failure != test.failure {
				t.Errorf("%+v", then)
			}
			if got := c.charge(*p.Charge); got.AmountRefunded != test.refunded || got.Refunded != (test.refunded > 0) {
				t.Errorf("%+v", got)
			}
			var types []string
			for _, e := range events(t, sink.Messages(), "") {
				types = append(types, e.Type+" "+e.object(t).Status)
			}
			want := map[string]string{
				"pendingRefund": "refund.created pending,charge.refunded succeeded,refund.updated succeeded,charge.refund.updated succeeded",
				"refundFail":    "refund.created succeeded,charge.refunded succeeded,refund.failed failed",
			}[test.token]
			if !sameSet(types, strings.Split(want, ",")) {
				t.Errorf("told of %v", types)
			}
		})
	}
}

func sameSet(a, b []string) bool {
	count := map[string]int{}
	for _, x := range a {
		count[x]++
	}
	for _, x := range b {
		count[x]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// Of many refunds at once no more is given back than was captured.
func TestRefundsAtOnce(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	p := c.pay("visa")
	done := make(chan answer)
	for range 16 {
		go func() { done <- c.do(http.MethodPost, "/v1/refunds", "payment_intent="+p.ID+"&amount=3000", "") }()
	}
	good := 0
	for range 16 {
		if a := <-done; a.status == http.StatusOK {
			good++
		}
	}
	if got := s.Balances(t, "USD"); good != 3 || got["merchant"] != 1000 {
		t.Errorf("%d refunds, books %v", good, got)
	}
}

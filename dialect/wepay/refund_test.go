package wepay_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// refund asks for a refund; an amount of 0 is all that is left.
func (c *client) refund(payment string, amount int, key string) reply {
	c.t.Helper()
	amounts := ""
	if amount != 0 {
		amounts = fmt.Sprintf(`,"amounts":{"currency":"USD","total_amount":%d}`, amount)
	}
	return c.do(http.MethodPost, "/refunds", fmt.Sprintf(`{"payment_id":%q,"refund_reason":"x"%s}`, payment, amounts), key)
}

// TestRefundsSettle: a refund is pending until its delay has passed, whenever
// somebody looks, and only then what it moved is seen, all of it at once.
func TestRefundsSettle(t *testing.T) {
	const delay = 40 * 24 * time.Hour // longer than the clock jumps
	s := capstantest.Run(t)
	c := newClient(t, s, s.Credentials)
	sink := capstantest.NewSink(t)
	c.subscribe(sink.URL, everyTopic...)
	s.Control(t, http.MethodPatch, "/_sandbox/settings", map[string]any{"settings": map[string]any{"wepay.settlement_delay_seconds": int64(delay / time.Second)}}, nil)
	p := c.authorize("p", `,"fee_amount":200`)
	c.capture(p.ID, "", "c")
	if r := c.refund(p.ID, 0, "early"); r.why() != "PAYMENT_CANNOT_BE_REFUNDED" {
		t.Errorf("before the capture has settled: %d %s", r.status, r.body)
	}
	s.Control(t, http.MethodPatch, "/_sandbox/settings", map[string]any{"settings": map[string]any{"wepay.settlement_delay_seconds": 1}}, nil) // for those to come
	s.Advance(t, delay)

	looks := func(step, refund, status string, refunded, transit, merchant, fees int64) {
		t.Helper()
		r, payment := c.do(http.MethodGet, "/refunds/"+refund, "", ""), c.get(p.ID)
		if r.Status != status || payment.Status != "completed" || payment.AmountRefunded != refunded || (r.TxnrMerchant != nil) != (status == "completed") {
			t.Errorf("%s: the refund is %s, the payment %s with %d refunded", step, r.Status, payment.Status, payment.AmountRefunded)
		}
		got := s.Balances(t, "USD")
		if got["in_transit"] != transit || got["merchant"] != merchant || got["platform_fees"] != fees || got["held"] != 0 {
			t.Errorf("%s: the books are %v", step, got)
		}
	}
	first := c.refund(p.ID, 500, "r1")
	if first.status != http.StatusOK || first.Status != "pending" {
		t.Fatalf("%d %s", first.status, first.body)
	}
	looks("refunded", first.ID, "pending", 0, -500, 1800, 200)
	if r := c.refund(p.ID, 500, "r1"); r.ID != first.ID || r.Status != "pending" {
		t.Errorf("repeated: %d %s", r.status, r.body)
	}
	s.Advance(t, 19*24*time.Hour)
	looks("days later", first.ID, "pending", 0, -500, 1800, 200)

	// Twelve at once want half of the rest: two can have it.
	count := parallel(12, func(i int) string {
		r := c.refund(p.ID, 750, fmt.Sprint("race", i))
		return fmt.Sprint(r.status, " ", r.Status, r.why())
	})
	if want := map[string]int{"200 pendingPROCESSING": 2, "400 PAYMENT_CANNOT_BE_REFUNDED": 10}; !maps.Equal(count, want) {
		t.Errorf("answers %v, want %v", count, want)
	}
	looks("raced", first.ID, "pending", 0, -2000, 1800, 200)
	s.Advance(t, 31*24*time.Hour)
	looks("the first is over", first.ID, "completed", 500, -1500, 1300, 200)
	s.Advance(t, 31*24*time.Hour)
	looks("all are", first.ID, "completed", 2000, 0, 0, 0)

	var topics []string
	for _, n := range received(t, sink, 8) {
		topics = append(topics, n.Topic+" "+n.Payload.Status)
	}
	want := []string{"payments.created pending", "payments.completed completed", "refunds.created pending", "refunds.created pending", "refunds.created pending",
		"refunds.completed completed", "refunds.completed completed", "refunds.completed completed"}
	if !slices.Equal(topics, want) {
		t.Errorf("told of %q", topics)
	}
	audit(t, s)
}

// TestFeeOfRefunds: with the whole payment the whole fee goes back, whatever is
// said of it; with a part what is said, and with the last part what is left
// unless something is said (section 5, POST /refunds).
func TestFeeOfRefunds(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)
	for name, parts := range map[string][]struct {
		amounts string
		fee     int64
		why     string
	}{
		"no amounts":                 {{`null`, 200, ""}},
		"all, nothing said":          {{`{"currency":"USD","total_amount":2000}`, 200, ""}},
		"all, none of the fee":       {{`{"currency":"USD","total_amount":2000,"fee_refund_amount":0}`, 200, ""}},
		"all, some of the fee":       {{`{"currency":"USD","total_amount":2000,"fee_refund_amount":50}`, 200, ""}},
		"all, too much":              {{`{"currency":"USD","total_amount":2000,"fee_refund_amount":201}`, 0, "PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE"}},
		"a part":                     {{`{"currency":"USD","total_amount":1999}`, 0, ""}},
		"a part, some":               {{`{"currency":"USD","total_amount":1900,"fee_refund_amount":50}`, 50, ""}, {`null`, 150, ""}},
		"a part, and none with rest": {{`{"currency":"USD","total_amount":1000,"fee_refund_amount":50}`, 50, ""}, {`{"currency":"USD","total_amount":1000,"fee_refund_amount":0}`, 0, ""}},
	} {
		p := c.authorize(strings.ReplaceAll(name, " ", "_"), `,"fee_amount":200`)
		c.capture(p.ID, "", "")
		s.Advance(t, time.Second)
		for i, part := range parts {
			r := c.do(http.MethodPost, "/refunds", fmt.Sprintf(`{"payment_id":%q,"refund_reason":"x","amounts":%s}`, p.ID, part.amounts), fmt.Sprint(strings.ReplaceAll(name, " ", "_"), i))
			var got struct {
				Amounts struct {
					Fee int64 `json:"fee_refund_amount"`
				}
			}
			if err := json.Unmarshal(r.body, &got); err != nil || got.Amounts.Fee != part.fee || part.why != "" && r.why() != part.why || part.why == "" && r.status != http.StatusOK {
				t.Errorf("%s, %d: %d %s", name, i, r.status, r.body)
			}
		}
	}
	s.Advance(t, time.Second)
	audit(t, s)
}

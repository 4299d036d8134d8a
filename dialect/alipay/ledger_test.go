package alipay_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/verify"
)

// books are what a wallet user has, what is held, and what the merchant has, in
// minor units of USD. They add up to what the user began with.
type books [3]int64

const opening = 5000

// step is a call, what it answers, and the books after it. A call that begins
// with "+" moves the clock, one with "!" is a control.
type step struct {
	api, body, code string
	after           books
}

// Bodies of the flows; $p is the payment.
const (
	asHold    = `{"paymentRequestId":"pay","paymentAmount":{"value":"1000","currency":"USD"},"paymentMethod":{"paymentMethodId":"$t"},"paymentFactor":{"isAuthorizationPayment":true}}`
	asCharge  = `{"paymentRequestId":"pay","paymentAmount":{"value":"1000","currency":"USD"},"paymentMethod":{"paymentMethodId":"$t"}}`
	asTill    = `{"paymentRequestId":"pay","paymentAmount":{"value":"1000","currency":"USD"},"productCode":"IN_STORE_PAYMENT","paymentAuthCode":"$c"}`
	asOrder   = `{"paymentRequestId":"pay","paymentAmount":{"value":"1000","currency":"USD"},"paymentFactor":{"isAuthorizationPayment":true}}`
	asPayment = `{"paymentRequestId":"pay","paymentAmount":{"value":"1000","currency":"USD"}}`
	whole     = `{"paymentId":"$p"}`
)

func usd(minor int64) string { return fmt.Sprintf(`{"value":"%d","currency":"USD"}`, minor) }

// taking is a capture; last is "true", "false" or empty, amount 0 is left out.
func taking(name string, minor int64, last string) string {
	more := ""
	if minor != 0 {
		more += `,"captureAmount":` + usd(minor)
	}
	if last != "" {
		more += `,"isLastCapture":` + last
	}
	return fmt.Sprintf(`{"captureRequestId":%q,"paymentId":"$p"%s}`, name, more)
}

func voiding(name string, minor int64, more string) string {
	if minor != 0 {
		more += `,"voidAmount":` + usd(minor)
	}
	return fmt.Sprintf(`{"voidRequestId":%q,"paymentId":"$p"%s}`, name, more)
}

func refunding(name string, minor int64, more string) string {
	return fmt.Sprintf(`{"refundRequestId":%q,"paymentId":"$p","refundAmount":%s%s}`, name, usd(minor), more)
}

var held = step{"pay", asHold, "SUCCESS", books{4000, 1000, 0}}

// flows are what can become of a payment, with the effect on the books of each
// step (sections 4.4, 5 and 7).
var flows = map[string][]step{
	"a hold":              {held},
	"full capture":        {held, {"capture", taking("c", 0, ""), "SUCCESS", books{4000, 0, 1000}}},
	"full capture, named": {held, {"capture", taking("c", 1000, "true"), "SUCCESS", books{4000, 0, 1000}}},
	"several captures, the last one says so": {
		held, {"capture", taking("c-1", 300, "false"), "SUCCESS", books{4000, 700, 300}}, {"capture", taking("c-2", 200, `"false"`), "SUCCESS", books{4000, 500, 500}},
		{"capture", taking("c-3", 100, "true"), "SUCCESS", books{4400, 0, 600}}, {"capture", taking("c-4", 1, "true"), "CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT", books{4400, 0, 600}},
	},
	"several captures, the last one says nothing": {
		held, {"capture", taking("c-1", 300, "false"), "SUCCESS", books{4000, 700, 300}}, {"capture", taking("c-2", 200, ""), "SUCCESS", books{4500, 0, 500}},
	},
	"several captures, the last one takes the rest": {
		held, {"capture", taking("c-1", 300, "false"), "SUCCESS", books{4000, 700, 300}}, {"capture", taking("c-2", 700, "false"), "SUCCESS", books{4000, 0, 1000}},
		{"capture", taking("c-3", 1, "false"), "CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT", books{4000, 0, 1000}},
	},
	"several captures, the last one without an amount": {
		held, {"capture", taking("c-1", 300, "false"), "SUCCESS", books{4000, 700, 300}}, {"capture", taking("c-2", 0, "false"), "SUCCESS", books{4000, 0, 1000}},
	},
	"never more than is held": {
		held, {"capture", taking("c-1", 1001, "true"), "CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT", books{4000, 1000, 0}}, {"capture", taking("c-2", 600, "false"), "SUCCESS", books{4000, 400, 600}},
		{"capture", taking("c-3", 401, "true"), "CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT", books{4000, 400, 600}}, {"capture", taking("c-4", 400, "true"), "SUCCESS", books{4000, 0, 1000}},
	},
	"a capture that is declined": {
		held, {"!processor", `{"operation":"capture","outcome":"decline","reason":"do_not_honor"}`, "", books{4000, 1000, 0}},
		{"capture", taking("c-1", 300, "true"), "PROCESS_FAIL", books{4000, 1000, 0}}, {"capture", taking("c-2", 300, "true"), "SUCCESS", books{4700, 0, 300}},
	},
	"nobody touches it for a week": {held, {"+604799", "", "", books{4000, 1000, 0}}, {"+1", "", "", books{5000, 0, 0}}, {"capture", taking("c", 0, ""), "AUTH_EXPIRED", books{5000, 0, 0}}},
	"the rest expires": {
		held, {"capture", taking("c-1", 300, "false"), "SUCCESS", books{4000, 700, 300}}, {"void", voiding("v", 100, ""), "SUCCESS", books{4100, 600, 300}},
		{"+604800", "", "", books{4700, 0, 300}}, {"capture", taking("c-2", 1, ""), "AUTH_EXPIRED", books{4700, 0, 300}},
	},
	"a part voided": {
		held, {"void", voiding("v-1", 200, ""), "SUCCESS", books{4200, 800, 0}}, {"void", voiding("v-2", 801, ""), "AMOUNT_EXCEEDS_LIMIT", books{4200, 800, 0}},
		{"capture", taking("c-1", 801, "true"), "CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT", books{4200, 800, 0}}, {"capture", taking("c-2", 0, ""), "SUCCESS", books{4200, 0, 800}},
	},
	"voided by parts": {
		held, {"void", voiding("v-1", 200, ""), "SUCCESS", books{4200, 800, 0}}, {"void", voiding("v-2", 800, ""), "SUCCESS", books{5000, 0, 0}},
		{"capture", taking("c", 0, ""), "AUTH_CANCELLED", books{5000, 0, 0}},
	},
	"all voided":                  {held, {"void", voiding("v", 0, ""), "SUCCESS", books{5000, 0, 0}}, {"capture", taking("c", 0, ""), "AUTH_CANCELLED", books{5000, 0, 0}}},
	"all voided, as it is called": {held, {"void", voiding("v", 0, `,"voidRemainingAmount":true`), "SUCCESS", books{5000, 0, 0}}},
	"all voided, whatever amount": {held, {"void", voiding("v", 1, `,"voidRemainingAmount":true`), "SUCCESS", books{5000, 0, 0}}},
	"the rest voided": {
		held, {"capture", taking("c-1", 300, "false"), "SUCCESS", books{4000, 700, 300}}, {"void", voiding("v", 0, `,"voidRemainingAmount":true`), "SUCCESS", books{4700, 0, 300}},
		{"capture", taking("c-2", 1, ""), "CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT", books{4700, 0, 300}}, {"refund", refunding("r", 300, ""), "SUCCESS", books{5000, 0, 0}},
	},
	"refunds in parts": {
		held, {"capture", taking("c", 600, ""), "SUCCESS", books{4400, 0, 600}}, {"refund", refunding("r-1", 250, ""), "SUCCESS", books{4650, 0, 350}},
		{"refund", refunding("r-2", 351, ""), "REFUND_AMOUNT_EXCEED", books{4650, 0, 350}}, {"refund", refunding("r-3", 350, ""), "SUCCESS", books{5000, 0, 0}},
		{"refund", refunding("r-4", 1, ""), "REFUND_AMOUNT_EXCEED", books{5000, 0, 0}},
	},
	"a refund while the hold is open": {
		held, {"capture", taking("c-1", 300, "false"), "SUCCESS", books{4000, 700, 300}}, {"refund", refunding("r-1", 100, ""), "SUCCESS", books{4100, 700, 200}},
		{"capture", taking("c-2", 700, "true"), "SUCCESS", books{4100, 0, 900}}, {"refund", refunding("r-2", 900, ""), "SUCCESS", books{5000, 0, 0}},
	},
	"refunds of one capture": {
		held, {"capture", taking("c-1", 300, "false"), "SUCCESS", books{4000, 700, 300}}, {"capture", taking("c-2", 400, "true"), "SUCCESS", books{4300, 0, 700}},
		{"refund", refunding("r-1", 301, `,"captureId":"$c-1"`), "REFUND_AMOUNT_EXCEED", books{4300, 0, 700}}, {"refund", refunding("r-2", 300, `,"captureId":"$c-1"`), "SUCCESS", books{4600, 0, 400}},
		{"refund", refunding("r-3", 1, `,"captureId":"$c-1"`), "REFUND_AMOUNT_EXCEED", books{4600, 0, 400}}, {"refund", refunding("r-4", 400, `,"captureId":"$c-2"`), "SUCCESS", books{5000, 0, 0}},
	},
	"a hold cancelled": {held, {"cancel", whole, "SUCCESS", books{5000, 0, 0}}, {"capture", taking("c", 0, ""), "AUTH_CANCELLED", books{5000, 0, 0}}},
	"no cancel after a capture": {
		held, {"capture", taking("c", 300, "false"), "SUCCESS", books{4000, 700, 300}}, {"cancel", whole, "ORDER_STATUS_INVALID", books{4000, 700, 300}},
	},
	"no cancel after a void": {held, {"void", voiding("v", 300, ""), "SUCCESS", books{4300, 700, 0}}, {"cancel", whole, "ORDER_STATUS_INVALID", books{4300, 700, 0}}},
	"a charge": {
		{"pay", asCharge, "SUCCESS", books{4000, 0, 1000}}, {"capture", taking("c", 0, ""), "AUTH_NOT_FOUND", books{4000, 0, 1000}}, {"refund", refunding("r", 400, ""), "SUCCESS", books{4400, 0, 600}},
		{"cancel", whole, "ORDER_STATUS_INVALID", books{4400, 0, 600}},
	},
	"a charge cancelled": {{"pay", asCharge, "SUCCESS", books{4000, 0, 1000}}, {"cancel", whole, "SUCCESS", books{5000, 0, 0}}, {"refund", refunding("r", 1, ""), "ORDER_STATUS_INVALID", books{5000, 0, 0}}},
	"a payment code":     {{"pay", asTill, "SUCCESS", books{4000, 0, 1000}}, {"refund", refunding("r", 1000, ""), "SUCCESS", books{5000, 0, 0}}},
	"an order that is authorized": {
		{"pay", asOrder, "ACCEPT", books{5000, 0, 0}}, {"capture", taking("c-0", 0, ""), "AUTH_NOT_FOUND", books{5000, 0, 0}}, {"!approve", "", "", books{4000, 1000, 0}},
		{"capture", taking("c", 400, ""), "SUCCESS", books{4600, 0, 400}},
	},
	"an order that is paid":      {{"pay", asPayment, "ACCEPT", books{5000, 0, 0}}, {"!approve", "", "", books{4000, 0, 1000}}},
	"an order that is declined":  {{"pay", asOrder, "ACCEPT", books{5000, 0, 0}}, {"!decline", "", "", books{5000, 0, 0}}, {"capture", taking("c", 0, ""), "AUTH_NOT_FOUND", books{5000, 0, 0}}},
	"an order that is cancelled": {{"pay", asOrder, "ACCEPT", books{5000, 0, 0}}, {"cancel", whole, "SUCCESS", books{5000, 0, 0}}, {"capture", taking("c", 0, ""), "AUTH_NOT_FOUND", books{5000, 0, 0}}},
	"an order that runs out":     {{"pay", asOrder, "ACCEPT", books{5000, 0, 0}}, {"+1800", "", "", books{5000, 0, 0}}},
	"a capture whose answer is lost": {
		held, {"!processor", `{"operation":"capture","outcome":"lost_then_approved"}`, "", books{4000, 1000, 0}}, {"capture", taking("c", 300, "true"), "UNKNOWN_EXCEPTION", books{4000, 1000, 0}},
		{"cancel", whole, "UNKNOWN_EXCEPTION", books{4000, 1000, 0}}, {"void", voiding("v", 0, ""), "UNKNOWN_EXCEPTION", books{4000, 1000, 0}},
		{"+60", "", "", books{4700, 0, 300}}, {"capture", taking("c", 300, "true"), "SUCCESS", books{4700, 0, 300}},
	},
	"a capture that a processor has not seen": {
		held, {"!processor", `{"operation":"capture","outcome":"timeout"}`, "", books{4000, 1000, 0}}, {"capture", taking("c", 300, "false"), "UNKNOWN_EXCEPTION", books{4000, 1000, 0}},
		{"+60", "", "", books{4000, 700, 300}}, {"capture", taking("c", 300, "false"), "SUCCESS", books{4000, 700, 300}},
	},
	"a capture that turns out declined": {
		held, {"!processor", `{"operation":"capture","outcome":"lost_then_declined","reason":"insufficient_funds"}`, "", books{4000, 1000, 0}},
		{"capture", taking("c", 300, "true"), "UNKNOWN_EXCEPTION", books{4000, 1000, 0}}, {"+60", "", "", books{4000, 1000, 0}},
		{"capture", taking("c", 300, "true"), "USER_BALANCE_NOT_ENOUGH", books{4000, 1000, 0}}, {"capture", taking("c-2", 300, "true"), "SUCCESS", books{4700, 0, 300}},
	},
}

// TestFlows plays the flows against a server. Every call that is final is made
// twice: the second time it answers the same bytes and moves nothing.
func TestFlows(t *testing.T) {
	for name, steps := range flows {
		t.Run(name, func(t *testing.T) {
			s := capstantest.Run(t)
			c := newShop(t, s)
			c.set(map[string]any{"alipay.processor_patience_ms": 50})
			var u walletUser
			s.Control(t, http.MethodPost, "/_sandbox/wallet/users", map[string]any{"balance": map[string]any{"currency": "USD", "value": fmt.Sprint(opening)}}, &u)
			known := map[string]string{"$t": u.AccessToken, "$c\"": u.PaymentCode + `"`}
			for i, step := range steps {
				body := step.body
				for name, value := range known {
					body = strings.ReplaceAll(body, name, value)
				}
				switch {
				case step.api[0] == '+':
					seconds, err := time.ParseDuration(step.api[1:] + "s")
					if err != nil {
						t.Fatal(err)
					}
					s.Advance(t, seconds)
				case step.api == "!processor":
					s.Control(t, http.MethodPost, "/_sandbox/processor", jsonOf(body), nil)
				case step.api[0] == '!':
					s.Control(t, http.MethodPost, "/_sandbox/wallet/orders/"+known["$p"], map[string]any{"decision": step.api[1:], "user_id": u.UserID}, nil)
				default:
					a := c.want(step.code, step.api, body)
					if step.api == "pay" {
						known["$p"] = a.PaymentID
					}
					if a.CaptureID != "" {
						known[fmt.Sprintf("$%s\"", between(body, `"captureRequestId":"`, `"`))] = a.CaptureID + `"`
					}
					if again := c.call(step.api, body); a.Result.Status != "U" && again.body != a.body {
						t.Errorf("step %d, repeated: %s, first %s", i, again.body, a.body)
					}
				}
				if got := booksOf(t, s, u.UserID); got != step.after {
					t.Fatalf("step %d, %s: the user has %d, held are %d, the merchant has %d; want %v", i, step.api, got[0], got[1], got[2], step.after)
				}
			}
			if report, err := verify.Audit(t.Context(), s.Store); err != nil || !report.Clean() {
				t.Errorf("%+v, %v", report, err)
			}
		})
	}
}

package alipay_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// TestRepeatWhileRunning: while the first request waits for its processor, a
// repeat hears that it is in process, and neither starts a second operation:
// when the answer comes, both are the same (section 3 b and d).
func TestRepeatWhileRunning(t *testing.T) {
	for _, test := range []struct {
		api, operation, meanwhile, body string
		after                           books
	}{
		{"capture", "capture", "CAPTURE_IN_PROCESS", taking("x", 300, "false"), books{3000, 700, 1300}},
		{"pay", "authorize", "PAYMENT_IN_PROCESS", `{"paymentRequestId":"x","paymentAmount":{"value":"7","currency":"USD"},"paymentMethod":{"paymentMethodId":"$t"},"paymentFactor":{"isAuthorizationPayment":true}}`, books{2993, 1007, 1000}},
		{"refund", "refund", "REFUND_IN_PROCESS", `{"refundRequestId":"x","paymentId":"$q","refundAmount":{"value":"7","currency":"USD"}}`, books{3007, 1000, 993}},
		{"void", "void", "UNKNOWN_EXCEPTION", voiding("x", 300, ""), books{3300, 700, 1000}},
		{"cancel", "void", "UNKNOWN_EXCEPTION", whole, books{4000, 0, 1000}},
	} {
		t.Run(test.api, func(t *testing.T) {
			s := capstantest.Run(t)
			c := newShop(t, s)
			u := rich(t, s)
			c.AccessToken = u.AccessToken
			known := map[string]string{"$t": u.AccessToken, "$p": c.hold("hold", "")}
			paid := c.hold("paid", "")
			c.want("SUCCESS", "capture", fmt.Sprintf(`{"captureRequestId":"all","paymentId":%q}`, paid))
			known["$q"] = paid
			body := replaced(test.body, known)
			s.Control(t, http.MethodPost, "/_sandbox/processor", map[string]any{"operation": test.operation, "outcome": "approve", "delay_ms": 700}, nil)
			first := make(chan said, 1)
			go func() {
				other := *c
				first <- other.call(test.api, body)
			}()
			var seen bool
			for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				if len(first) > 0 {
					break
				}
				time.Sleep(50 * time.Millisecond)
				if a := c.call(test.api, body); a.Result.Code == test.meanwhile && a.Result.Status == "U" {
					seen = true
				} else if a.Result.Code != "SUCCESS" {
					t.Fatalf("meanwhile: %s", a.body)
				}
			}
			a := <-first
			if !seen || a.Result.Code != "SUCCESS" {
				t.Errorf("in process was heard: %t, in the end %s", seen, a.body)
			}
			if again := c.call(test.api, body); again.body != a.body {
				t.Errorf("repeated: %s, first %s", again.body, a.body)
			}
			if got := booksOf(t, s, u.UserID); got != test.after {
				t.Errorf("books %v, want %v", got, test.after)
			}
		})
	}
}

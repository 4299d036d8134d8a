package alipay_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// While it is not known whether a charge's money went back, a second cancel is
// neither done nor refused: the first one goes on (section 3, b and d). One
// that was declined may be made again.
func TestCancelOfAChargeInDoubt(t *testing.T) {
	s := capstantest.Run(t)
	c := newShop(t, s)
	u := rich(t, s)
	c.AccessToken = u.AccessToken
	for i, test := range []struct {
		outcome, after, again string
		books                 books
	}{
		{"lost_then_approved", "SUCCESS", "SUCCESS", books{5000, 0, 0}},
		{"timeout", "SUCCESS", "SUCCESS", books{5000, 0, 0}},
		{"lost_then_declined", "SUCCESS", "SUCCESS", books{5000, 0, 0}}, // and a new one, which is approved
	} {
		a := c.want("SUCCESS", "pay", fmt.Sprintf(`{"paymentRequestId":"p-%d","paymentAmount":%s,"paymentMethod":{"paymentMethodId":%q}}`, i, usd(1000), u.AccessToken))
		body := fmt.Sprintf(`{"paymentId":%q}`, a.PaymentID)
		s.Control(t, http.MethodPost, "/_sandbox/processor", map[string]any{"operation": "refund", "outcome": test.outcome}, nil)
		for range 3 {
			c.want("UNKNOWN_EXCEPTION", "cancel", body)
		}
		s.Advance(t, time.Minute)
		first := c.want(test.after, "cancel", body)
		if second := c.want(test.again, "cancel", body); second.body != first.body {
			t.Errorf("%s: %s, first %s", test.outcome, second.body, first.body)
		}
		if got := booksOf(t, s, u.UserID); got != test.books {
			t.Errorf("%s: books %v, want %v", test.outcome, got, test.books)
		}
	}

	// A refund that is on its way is no cancellation: it is too late for one.
	a := c.want("SUCCESS", "pay", fmt.Sprintf(`{"paymentRequestId":"p","paymentAmount":%s,"paymentMethod":{"paymentMethodId":%q}}`, usd(1000), u.AccessToken))
	s.Control(t, http.MethodPost, "/_sandbox/processor", map[string]any{"operation": "refund", "outcome": "lost_then_approved"}, nil)
	c.want("UNKNOWN_EXCEPTION", "refund", fmt.Sprintf(`{"refundRequestId":"r","paymentId":%q,"refundAmount":%s}`, a.PaymentID, usd(1000)))
	c.want("ORDER_STATUS_INVALID", "cancel", fmt.Sprintf(`{"paymentId":%q}`, a.PaymentID))
}

// A capture that was declined has moved nothing: the hold may be cancelled.
func TestCancelAfterADeclinedCapture(t *testing.T) {
	s := capstantest.Run(t)
	c := newShop(t, s)
	u := rich(t, s)
	c.AccessToken = u.AccessToken
	id := c.hold("hold", "")
	s.Control(t, http.MethodPost, "/_sandbox/processor", map[string]any{"operation": "capture", "outcome": "decline"}, nil)
	c.want("PROCESS_FAIL", "capture", fmt.Sprintf(`{"captureRequestId":"c","paymentId":%q}`, id))
	c.want("SUCCESS", "cancel", fmt.Sprintf(`{"paymentId":%q}`, id))
	if got := booksOf(t, s, u.UserID); got != (books{5000, 0, 0}) {
		t.Errorf("books %v", got)
	}
}

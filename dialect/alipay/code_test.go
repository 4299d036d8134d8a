package alipay_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// rich makes a wallet user with money.
func rich(t *testing.T, s *capstantest.Server) (u walletUser) {
	t.Helper()
	s.Control(t, http.MethodPost, "/_sandbox/wallet/users", map[string]any{"balance": map[string]any{"currency": "USD", "value": "5000"}}, &u)
	return u
}

func tillPay(name, code string, minor int64, more string) string {
	return fmt.Sprintf(`{"paymentRequestId":%q,"paymentAmount":%s,"paymentAuthCode":%q%s}`, name, usd(minor), code, more)
}

const inStore = `,"productCode":"IN_STORE_PAYMENT"`

// TestPaymentCode: a code pays once, for the request that brought it first
// (section 5.1, isPaymentCode, AUTH_CODE_ALREADY_USED and INVALID_CODE).
func TestPaymentCode(t *testing.T) {
	s := capstantest.Run(t)
	c := newShop(t, s)
	u := rich(t, s)

	c.want("SUCCESS", "pay", tillPay("evaluated", u.PaymentCode, 10, inStore+`,"paymentFactor":{"isPaymentEvaluation":true}`))
	c.want("USER_BALANCE_NOT_ENOUGH", "pay", tillPay("evaluated", u.PaymentCode, 5001, inStore+`,"paymentFactor":{"isPaymentEvaluation":true}`))
	first := c.want("SUCCESS", "pay", tillPay("p-1", u.PaymentCode, 1000, inStore))
	if again := c.call("pay", tillPay("p-1", u.PaymentCode, 1000, inStore)); again.body != first.body {
		t.Errorf("repeated: %s, first %s", again.body, first.body)
	}
	used := c.want("AUTH_CODE_ALREADY_USED", "pay", tillPay("p-2", u.PaymentCode, 1000, inStore))
	if a := c.want("SUCCESS", "inquiryPayment", fmt.Sprintf(`{"paymentId":%q}`, used.PaymentID)); a.PaymentStatus != "FAIL" || !strings.Contains(a.body, `"paymentFailReason":"AUTH_CODE_ALREADY_USED"`) {
		t.Errorf("%s", a.body)
	}
	c.want("AUTH_CODE_ALREADY_USED", "pay", tillPay("evaluated", u.PaymentCode, 10, inStore+`,"paymentFactor":{"isPaymentEvaluation":true}`))

	fresh := func() (codes walletUser) {
		s.Control(t, http.MethodPost, "/_sandbox/wallet/users/"+u.UserID+"/codes", nil, &codes)
		return codes
	}
	v := fresh()
	c.want("REPEAT_REQ_INCONSISTENT", "pay", tillPay("p-1", v.PaymentCode, 1000, inStore)) // takes no code
	c.want("SUCCESS", "pay", tillPay("p-3", v.PaymentCode, 100, `,"paymentFactor":{"isPaymentCode":true,"isAuthorizationPayment":true}`))
	v = fresh()
	c.want("SUCCESS", "pay", fmt.Sprintf(`{"paymentRequestId":"p-4","paymentAmount":%s,"paymentMethod":{"paymentMethodId":%q},"paymentFactor":{"isPaymentCode":"true"}}`, usd(1), v.PaymentCode))
	c.want("INVALID_CODE", "pay", tillPay("p-5", "280000000000000000", 1, inStore))
	c.want("INVALID_CODE", "pay", tillPay("p-6", u.AuthCode, 1, inStore))
	c.want("INVALID_CODE", "pay", tillPay("p-7", u.AccessToken, 1, inStore))
	c.want("INVALID_ACCESS_TOKEN", "pay", tillPay("p-8", v.PaymentCode, 1, `,"paymentFactor":{"isAgreementPay":true}`))
	c.want("PARAM_ILLEGAL", "pay", tillPay("p-9", "", 1, `,"paymentFactor":{"isPaymentCode":true}`))
	c.want("ACCEPT", "pay", tillPay("p-10", "", 1, inStore))
	v = fresh()
	c.want("USER_BALANCE_NOT_ENOUGH", "pay", tillPay("p-11", v.PaymentCode, 5000, inStore)) // and is used
	c.want("AUTH_CODE_ALREADY_USED", "pay", tillPay("p-12", v.PaymentCode, 1, inStore))
	v = fresh()
	s.Advance(t, 10*time.Minute)
	c.want("INVALID_CODE", "pay", tillPay("p-13", v.PaymentCode, 1, inStore))
	if again := c.call("pay", tillPay("p-1", u.PaymentCode, 1000, inStore)); again.body != first.body {
		t.Errorf("repeated after its time: %s", again.body)
	}
	if got := booksOf(t, s, u.UserID); got != (books{3899, 100, 1001}) {
		t.Errorf("books %v", got)
	}
}

// TestPaymentCodeAtOnce: whoever brings a code at the same time, one request is paid,
// and all repeats of it hear the same.
func TestPaymentCodeAtOnce(t *testing.T) {
	s := capstantest.Run(t)
	u := rich(t, s)
	bodies := map[string]map[string]int{}
	var mu sync.Mutex
	var tills sync.WaitGroup
	for i := range 32 {
		tills.Go(func() {
			c := newShop(t, s)
			request := fmt.Sprint("till-", i%4)
			a := c.call("pay", tillPay(request, u.PaymentCode, 1000, inStore))
			mu.Lock()
			defer mu.Unlock()
			if bodies[request] == nil {
				bodies[request] = map[string]int{}
			}
			bodies[request][a.Result.Code]++
		})
	}
	tills.Wait()
	paid := 0
	for request, codes := range bodies {
		if codes["SUCCESS"] > 0 {
			paid++
		}
		for code := range codes {
			if code != "SUCCESS" && code != "AUTH_CODE_ALREADY_USED" && code != "PAYMENT_IN_PROCESS" || code == "AUTH_CODE_ALREADY_USED" && codes["SUCCESS"] > 0 {
				t.Errorf("%s: %v", request, codes)
			}
		}
	}
	if got := booksOf(t, s, u.UserID); paid != 1 || got != (books{4000, 0, 1000}) {
		t.Errorf("%d requests are paid, books %v: %v", paid, got, bodies)
	}
}

// TestPaymentCodeOfAnotherMerchant: merchants of the same wallet share its
// users; a code pays once at all of them together.
func TestPaymentCodeOfAnotherMerchant(t *testing.T) {
	s := capstantest.Run(t)
	c := newShop(t, s)
	u := rich(t, s)
	other := c.neighbour()
	c.want("SUCCESS", "pay", tillPay("p-1", u.PaymentCode, 1000, inStore))
	other.want("AUTH_CODE_ALREADY_USED", "pay", tillPay("p-1", u.PaymentCode, 1000, inStore))
	stranger := c.stranger()
	stranger.want("INVALID_CODE", "pay", tillPay("p-1", u.PaymentCode, 1000, inStore))
}

package alipay_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
)

// A body above 1 MiB is refused so that its sender hears it, also one who is
// still sending (section 2.3).
func TestLargeBodyHearsItsAnswer(t *testing.T) {
	c := newShop(t, capstantest.Run(t))
	for _, size := range []int{1<<20 + 1, 3 << 20} {
		c.want("PARAM_ILLEGAL", "capture", `{"x":"`+strings.Repeat("y", size)+`"}`)
	}
	c.want("AUTH_NOT_FOUND", "capture", `{"captureRequestId":"c","paymentId":"1","x":"`+strings.Repeat("y", 1<<20-100)+`"}`)
}

// Members of paymentFactor are booleans, also those that change nothing here
// (sections 2.3 and 5.1).
func TestPaymentFactor(t *testing.T) {
	c := newShop(t, capstantest.Run(t))
	for i, name := range []string{
		"isAuthorizationPayment", "isPaymentEvaluation", "isAuthorizationAndPay", "isDeferredPayment", "needSurcharge", "needCheckCompliance", "needOtpVerification",
		"isCrossborderSettlement", "isAuthorization", "isAgreementPay", "isAgreementPayment", "isPaymentCode",
	} {
		for _, value := range []string{`1`, `"yes"`, `{}`, `""`} {
			c.want("PARAM_ILLEGAL", "pay", fmt.Sprintf(`{"paymentRequestId":"p","paymentAmount":%s,"paymentFactor":{%q:%s}}`, usd(1), name, value))
		}
		for j, value := range []string{`false`, `"false"`, `null`} {
			c.want("ACCEPT", "pay", fmt.Sprintf(`{"paymentRequestId":"p-%d-%d","paymentAmount":%s,"paymentFactor":{%q:%s}}`, i, j, usd(1), name, value))
		}
	}
}

// A currency that the wallet does not take any more is not captured, if the
// request names it (section 4.3 row 4).
func TestCaptureOfUnsupportedCurrency(t *testing.T) {
	c := newShop(t, capstantest.Run(t))
	id := c.hold("hold", "")
	c.set(map[string]any{"alipay.currencies": []string{"EUR"}})
	c.want("CURRENCY_NOT_SUPPORT", "capture", strings.ReplaceAll(taking("c-1", 1, "false"), "$p", id))
	c.want("CURRENCY_NOT_SUPPORT", "capture", fmt.Sprintf(`{"captureRequestId":"c-2","paymentId":%q,"captureAmount":{"value":"1","currency":"EUR"}}`, id))
	c.set(map[string]any{"alipay.currencies": []string{"EUR", "USD"}})
	c.want("SUCCESS", "capture", strings.ReplaceAll(taking("c-3", 1, "false"), "$p", id))
}

// Without keyVersion the newest key counts that has not ended (section 1.3).
func TestNewestActiveKey(t *testing.T) {
	s := capstantest.Run(t)
	c := newShop(t, s)
	desk := s.Desk().As("test")
	bare := func() string {
		t.Helper()
		path := "/v2/payments/inquiryPayment"
		q := c.request(path, `{"paymentId":"1"}`)
		q.Header.Set("Signature", strings.Replace(q.Header.Get("Signature"), "keyVersion=1, ", "", 1))
		return c.send(q, path).Result.Code
	}
	if got := bare(); got != "ORDER_NOT_EXIST" {
		t.Errorf("one key: %s", got)
	}
	server := s.Credentials.Alipay // any other public key will do
	m, _, _ := merchantOf(server)
	s.Control(t, http.MethodPatch, "/_sandbox/alipay/clients/"+c.ClientID, map[string]any{"keys": map[string]string{"2": m.ServerKey}}, nil)
	if got := bare(); got != "SIGNATURE_INVALID" {
		t.Errorf("beside a newer one: %s", got)
	}
	keys, err := desk.Keys(t.Context(), s.Credentials.Merchant)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.Kind == "client_key" && strings.HasSuffix(k.Hint, "version 2") {
			if _, err := desk.DisableKey(t.Context(), s.Credentials.Merchant, k.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := bare(); got != "ORDER_NOT_EXIST" {
		t.Errorf("after the newer one: %s", got)
	}
}

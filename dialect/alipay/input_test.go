package alipay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
)

// A string that no text can have is not taken for one that is similar: two ids
// that differ in an unpaired surrogate would be the same request (section 2.3).
func TestUnpairedSurrogates(t *testing.T) {
	c := newShop(t, capstantest.Run(t))
	id := c.hold("hold", "")
	for _, text := range []string{`\ud800`, `\udc00`, `\ud800x`, `\ud800\n`, `\ud800\ud800`, `\udc00\ud800`, `\ud800\u0041`, `\\\uDBFF`, `\ufffd\ud800`} {
		c.want("PARAM_ILLEGAL", "capture", fmt.Sprintf(`{"captureRequestId":"c-%s","paymentId":%q}`, text, id))
		c.want("PARAM_ILLEGAL", "pay", fmt.Sprintf(`{"paymentRequestId":"p-%s","paymentAmount":%s}`, text, usd(1)))
	}
	for i, text := range []string{`\ud83d\ude00`, `\ufffd`, "\ufffd", `\\ud800`, `\uD83D\uDE00\uFFFD`} {
		a := c.want("SUCCESS", "capture", fmt.Sprintf(`{"captureRequestId":"%d-%s","paymentId":%q,"captureAmount":%s,"isLastCapture":false}`, i, text, id, usd(1)))
		if name := between(a.body, `"captureRequestId":"`, `",`); !strings.HasPrefix(name, fmt.Sprint(i)) || len(name) < 5 {
			t.Errorf("%s came back as %q", text, name)
		}
	}
}

// A notification is sent to an http or https URL; any other is told at once,
// not by silence (sections 2.5 and 6).
func TestNotifyAddresses(t *testing.T) {
	c := newShop(t, capstantest.Run(t))
	order := func(want, name, member, address string) {
		t.Helper()
		c.want(want, "pay", fmt.Sprintf(`{"paymentRequestId":%q,"paymentAmount":%s,%q:%q}`, name, usd(1), member, address))
	}
	for i, member := range []string{"paymentNotifyUrl", "voidNotifyUrl"} {
		for _, address := range []string{"not a URL", "/hook", "shop.example/hook", "ftp://shop.example/", "http://", "http:///hook", "https:shop.example", "http://shop.example:99999999999/%zz", "http://shop.example/?a b"} {
			order("PARAM_ILLEGAL", "bad", member, address)
		}
		for j, address := range []string{"https://shop.example", "HTTP://shop.example:8080/hook?shop=7&x=%2F#f", "http://shop.example/é/ü?é", "http://[2001:db8::1]/"} {
			order("ACCEPT", fmt.Sprint("good-", i, j), member, address)
		}
	}
	order("ACCEPT", "back", "paymentRedirectUrl", "shopapp:back") // is the payer's business
}

// Parameters of a Content-Type are ignored, but for its charset (section 1.5).
func TestContentTypeParameters(t *testing.T) {
	c := newShop(t, capstantest.Run(t))
	path := "/v2/payments/inquiryPayment"
	for text, want := range map[string]string{
		"application/json; odd": "ORDER_NOT_EXIST", "application/json;": "ORDER_NOT_EXIST", "application/json ; v=1;charset = \"utf-8\"": "ORDER_NOT_EXIST",
		"Application/JSON;CHARSET=Utf-8;x": "ORDER_NOT_EXIST", "application/json; charset=latin1; odd": "MEDIA_TYPE_NOT_ACCEPTABLE",
		"application/json; odd; charset": "MEDIA_TYPE_NOT_ACCEPTABLE", "application/jsonx": "MEDIA_TYPE_NOT_ACCEPTABLE",
	} {
		q := c.request(path, `{"paymentId":"1"}`)
		q.Header.Set("Content-Type", text)
		if a := c.send(q, path); a.Result.Code != want {
			t.Errorf("%q: %s, want %s", text, a.Result.Code, want)
		}
	}
}

// The first year that can be written is a time as any other: not the same as
// none (section 1.6).
func TestExpiryInTheYearOne(t *testing.T) {
	c := newShop(t, capstantest.Run(t))
	for i, at := range []string{"0001-01-01T00:00:00Z", "0001-01-01T08:00:00+08:00", "0000-12-31T23:59:59Z", "1970-01-01T00:00:00Z"} {
		c.want("ORDER_STATUS_INVALID", "pay", fmt.Sprintf(`{"paymentRequestId":"p-%d","paymentAmount":%s,"paymentExpiryTime":%q}`, i, usd(1), at))
	}
}

// What the wallet would refuse whoever pays, an evaluation refuses too (section
// 5.1).
func TestEvaluationIsOfTheRequest(t *testing.T) {
	c := newShop(t, capstantest.Run(t))
	evaluate := func(want, more string) {
		t.Helper()
		c.want(want, "pay", fmt.Sprintf(`{"paymentRequestId":"p","paymentAmount":%s,"paymentFactor":{"isPaymentEvaluation":true}%s}`, usd(1), more))
	}
	token := fmt.Sprintf(`,"paymentMethod":{"paymentMethodId":%q}`, c.AccessToken)
	evaluate("SUCCESS", token)
	evaluate("ORDER_STATUS_INVALID", `,"paymentExpiryTime":"2026-01-15T11:00:00Z"`)
	for status, want := range map[string]string{"frozen": "PARTNER_STATUS_ABNORMAL", "closed": "PARTNER_NOT_EXIST"} {
		c.set(map[string]any{"alipay.partner_status": status})
		evaluate(want, token)
		evaluate(want, "")
	}
}

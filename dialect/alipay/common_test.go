package alipay_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/wallet"
)

// outage is a store that can be out of reach.
type outage struct {
	store.Store
	on atomic.Bool
}

var errOutage = errors.New("the store is out of reach")

func (o *outage) err() error {
	if o.on.Load() {
		return errOutage
	}
	return nil
}

func (o *outage) Begin(ctx context.Context, t store.Touched) (store.Batch, error) {
	if err := o.err(); err != nil {
		return nil, err
	}
	return o.Store.Begin(ctx, t)
}

func (o *outage) Payment(ctx context.Context, tenant int64, id payment.ID, version int) (*payment.Payment, error) {
	if err := o.err(); err != nil {
		return nil, err
	}
	return o.Store.Payment(ctx, tenant, id, version)
}

func (o *outage) Record(ctx context.Context, tenant int64, key payment.Key) (store.Record, bool, error) {
	if err := o.err(); err != nil {
		return store.Record{}, false, err
	}
	return o.Store.Record(ctx, tenant, key)
}

func (o *outage) Grant(ctx context.Context, tenant int64, name string) (*wallet.Grant, error) {
	if err := o.err(); err != nil {
		return nil, err
	}
	return o.Store.Grant(ctx, tenant, name)
}

func (o *outage) Document(ctx context.Context, n document.Name) (*document.Document, error) {
	if err := o.err(); err != nil {
		return nil, err
	}
	return o.Store.Document(ctx, n)
}

// endpoints are the calls with a sound body for each.
var endpoints = map[string]string{
	"/v2/payments/capture":           `{"captureRequestId":"x","paymentId":"$payment","captureAmount":{"value":"1","currency":"USD"},"isLastCapture":false}`,
	"/v2/payments/pay":               `{"paymentRequestId":"x","paymentAmount":{"value":"1","currency":"USD"},"paymentMethod":{"paymentMethodId":"$token"}}`,
	"/v2/payments/inquiryPayment":    `{"paymentId":"$payment"}`,
	"/v2/payments/void":              `{"voidRequestId":"x","paymentId":"$payment","voidAmount":{"value":"1","currency":"USD"}}`,
	"/v2/payments/cancel":            `{"paymentId":"$payment"}`,
	"/v2/payments/refund":            `{"refundRequestId":"x","paymentId":"$payment","refundAmount":{"value":"1","currency":"USD"}}`,
	"/v2/payments/inquiryRefund":     `{"refundRequestId":"x"}`,
	"/v2/authorizations/applyToken":  `{"grantType":"AUTHORIZATION_CODE","authCode":"x"}`,
	"/v1/authorizations/cancelToken": `{"accessToken":"x"}`,
}

// TestCommonCodes: the codes of section 2.5 leave every endpoint, with nothing
// but their result where nothing was looked at (section 2.4).
func TestCommonCodes(t *testing.T) {
	away := &outage{Store: memory.Open()}
	s := capstantest.Run(t, capstantest.On(away))
	c := newShop(t, s)
	id := c.hold("hold", "")
	s.Control(t, http.MethodPatch, "/_sandbox/alipay/clients/"+c.ClientID, map[string]any{"agent_tokens": map[string]string{"good": "", "over": "2026-01-15T12:00:00Z"}}, nil)
	header := func(name, value string) func(*http.Request) {
		return func(q *http.Request) { q.Header.Set(name, value) }
	}
	for path, body := range endpoints {
		body = strings.NewReplacer("$payment", id, "$token", c.AccessToken).Replace(body)
		for code, change := range map[string]func(*http.Request){
			"CLIENT_INVALID":               header("Client-Id", "NOBODY"),
			"KEY_NOT_FOUND":                header("Signature", "algorithm=RSA256, keyVersion=2, signature=AAAA"),
			"SIGNATURE_INVALID":            header("Signature", "algorithm=RSA256, keyVersion=1, signature=AAAA"),
			"MEDIA_TYPE_NOT_ACCEPTABLE":    header("Content-Type", "application/x-www-form-urlencoded"),
			"EXPIRED_AGENT_TOKEN":          header("Agent-Token", "over"),
			"INVALID_AGENT_TOKEN":          header("Agent-Token", "bad"),
			"METHOD_NOT_SUPPORTED":         func(q *http.Request) { q.Method = http.MethodPut },
			"PARAM_ILLEGAL":                nil, // an array
			"INVALID_API":                  nil, // another path
			"UNKNOWN_EXCEPTION":            nil, // the store is away
			"ACCESS_DENIED":                nil, // by a setting
			"REQUEST_TRAFFIC_EXCEED_LIMIT": nil,
		} {
			t.Run(path[len("/v2/"):]+"/"+code, func(t *testing.T) {
				c := *c
				c.t = t
				sent, at := body, path
				switch code {
				case "PARAM_ILLEGAL":
					sent = "[" + body + "]"
				case "INVALID_API":
					at += "/"
				case "UNKNOWN_EXCEPTION":
					away.on.Store(true)
					defer away.on.Store(false)
				case "ACCESS_DENIED":
					c.set(map[string]any{"alipay.apis": []string{other(path)}})
					defer c.set(map[string]any{"alipay.apis": nil})
				case "REQUEST_TRAFFIC_EXCEED_LIMIT":
					c.set(map[string]any{"alipay.max_requests_per_second": 1})
					defer c.set(map[string]any{"alipay.max_requests_per_second": nil})
					s.Advance(t, 2e9)
					c.send(c.request(path, "[]"), path)
				}
				q := c.request(at, sent)
				if change != nil {
					change(q)
				}
				a := c.send(q, at)
				status := "F"
				if code == "UNKNOWN_EXCEPTION" || code == "REQUEST_TRAFFIC_EXCEED_LIMIT" && strings.HasPrefix(path, "/v1") {
					status = "U"
				}
				if a.Result.Code != code || a.Result.Status != status {
					t.Errorf("%s", a.body)
				}
				if code != "UNKNOWN_EXCEPTION" && strings.Count(a.body, ":") != 4 {
					t.Errorf("more than a result: %s", a.body)
				}
			})
		}
	}
	if got := c.call("inquiryPayment", fmt.Sprintf(`{"paymentId":%q}`, id)); got.PaymentStatus != "SUCCESS" || strings.Contains(got.body, "transactions") {
		t.Errorf("something was done: %s", got.body)
	}
	if got := s.Balances(t, "USD"); got["held"] != 1000 || got["merchant"] != 0 {
		t.Errorf("books %v", got)
	}
}

// other is the name of another call.
func other(path string) string {
	if strings.HasSuffix(path, "/pay") {
		return "capture"
	}
	return "pay"
}

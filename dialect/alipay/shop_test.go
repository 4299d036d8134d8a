package alipay_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/alipay"
)

// shop is the default merchant as a client of this API: it signs its requests
// and verifies every answer.
type shop struct {
	t *testing.T
	s *capstantest.Server
	merchant
	private *rsa.PrivateKey
	server  *rsa.PublicKey
}

func newShop(t *testing.T, s *capstantest.Server) *shop {
	t.Helper()
	m, private, server := merchantOf(s.Credentials.Alipay)
	return &shop{t, s, m, private, server}
}

// said is the answer of a call.
type said struct {
	Result struct {
		Code   string `json:"resultCode"`
		Status string `json:"resultStatus"`
	}
	PaymentID     string `json:"paymentId"`
	PaymentStatus string
	CaptureID     string `json:"captureId"`
	RefundID      string `json:"refundId"`
	AccessToken   string
	RefreshToken  string
	Redirect      struct{ RedirectURL string } `json:"redirectActionForm"`
	body          string
}

// request makes a signed request to a path.
func (c *shop) request(path, body string) *http.Request {
	c.t.Helper()
	q, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.s.URL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		c.t.Fatal(err)
	}
	q.Header.Set("Client-Id", c.ClientID)
	q.Header.Set("Content-Type", "application/json; charset=UTF-8")
	c.stamp(q, path, requestTime, body, url.QueryEscape)
	return q
}

// stamp signs a request as sent at a time, with the signature's base64 encoded
// in one way or another.
func (c *shop) stamp(q *http.Request, target, at, body string, encode func(string) string) {
	c.t.Helper()
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s\n%s.%s.%s", q.Method, target, c.ClientID, at, body))
	raw, err := rsa.SignPKCS1v15(nil, c.private, crypto.SHA256, sum[:])
	if err != nil {
		c.t.Fatal(err)
	}
	q.Header.Set("Request-Time", at)
	q.Header.Set("Signature", "algorithm=RSA256, keyVersion=1, signature="+encode(base64.StdEncoding.EncodeToString(raw)))
}

// send sends a request, verifies the signature of the answer and reads it.
func (c *shop) send(q *http.Request, target string) said {
	c.t.Helper()
	response, err := http.DefaultClient.Do(q)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	var a said
	if err != nil || response.StatusCode != http.StatusOK || json.Unmarshal(body, &a) != nil {
		c.t.Fatalf("%s: %s %s %v", target, response.Status, body, err)
	}
	c.verify(q.Method, target, response.Header.Get("Client-Id"), response.Header.Get("Response-Time"), response.Header.Get("Signature"), body)
	a.body = string(body)
	return a
}

// verify holds a signature of the server's against what it signs.
func (c *shop) verify(method, target, client, at, header string, body []byte) {
	c.t.Helper()
	var value string
	if n, err := fmt.Sscanf(header, "algorithm=RSA256, keyVersion=1, signature=%s", &value); n != 1 || err != nil {
		c.t.Fatalf("signature header %q", header)
	}
	text, err := url.QueryUnescape(value)
	if err != nil {
		c.t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		c.t.Fatal(err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s\n%s.%s.%s", method, target, client, at, body))
	if rsa.VerifyPKCS1v15(c.server, crypto.SHA256, sum[:], raw) != nil {
		c.t.Errorf("the signature of %s is wrong", body)
	}
}

func (c *shop) call(api, body string) said {
	c.t.Helper()
	path := "/v2/payments/" + api
	return c.send(c.request(path, body), path)
}

// want calls an endpoint and expects a result code.
func (c *shop) want(code, api, body string) said {
	c.t.Helper()
	a := c.call(api, body)
	if a.Result.Code != code {
		c.t.Fatalf("%s %s: %s, want %s", api, body, a.body, code)
	}
	return a
}

// hold makes an authorization of 10.00 USD with more members in its request.
func (c *shop) hold(name, more string) string {
	c.t.Helper()
	return c.want("SUCCESS", "pay", fmt.Sprintf(`{"paymentRequestId":%q,"paymentAmount":{"value":"1000","currency":"USD"},"paymentMethod":{"paymentMethodId":%q},"paymentFactor":{"isAuthorizationPayment":true}%s}`,
		name, c.AccessToken, more)).PaymentID
}

// order makes a payment that waits at the cashier.
func (c *shop) order(name, more string) string {
	c.t.Helper()
	return c.want("ACCEPT", "pay", fmt.Sprintf(`{"paymentRequestId":%q,"paymentAmount":{"value":"1000","currency":"USD"}%s}`, name, more)).PaymentID
}

func (c *shop) answer(order, decision string) {
	c.t.Helper()
	c.s.Control(c.t, http.MethodPost, "/_sandbox/wallet/orders/"+order, map[string]any{"decision": decision}, nil)
}

func (c *shop) set(settings map[string]any) {
	c.t.Helper()
	c.s.Control(c.t, http.MethodPatch, "/_sandbox/settings", map[string]any{"settings": settings}, nil)
}

// stranger is another merchant, of another wallet.
func (c *shop) stranger() *shop {
	c.t.Helper()
	_, credentials, err := c.s.Sandboxed.NewMerchant(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	m, private, server := merchantOf(credentials.Alipay)
	return &shop{c.t, c.s, m, private, server}
}

// neighbour is another merchant of the same wallet.
func (c *shop) neighbour() *shop {
	c.t.Helper()
	made, err := c.s.Desk().As("test").CreateMerchant(c.t.Context(), admin.NewMerchant{Name: "Neighbour", Tenant: 1, Dialects: []string{alipay.Name}})
	if err != nil {
		c.t.Fatal(err)
	}
	m, private, server := merchantOf(made.Credentials[alipay.Name])
	m.AccessToken = c.AccessToken
	return &shop{c.t, c.s, m, private, server}
}

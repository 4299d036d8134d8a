package bench

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"testing"
)

// echo is a connection that has the same answer to everything.
type echo struct {
	net.Conn
	text string
}

func (e echo) Read(b []byte) (int, error)  { return copy(b, e.text), nil }
func (e echo) Write(b []byte) (int, error) { return len(b), nil }

var merchantKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func (f *fake) alipayOptions(t *testing.T, connections, payments int) Options {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(merchantKey())
	if err != nil {
		t.Fatal(err)
	}
	o := f.options("alipay", connections, payments)
	o.Credentials.Alipay = alipayCredentials{
		ClientID: "client.1", KeyVersion: "3", PrivateKey: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}
	return o
}

var signatureForm = regexp.MustCompile(`^algorithm=RSA256, keyVersion=3, signature=([A-Za-z0-9%]+)$`)

// verify checks a signature as alipay section 1.4 says and decodes the body.
func (f *fake) verify(r *http.Request, into any) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	signed := "POST " + r.URL.Path + "\n" + r.Header.Get("Client-Id") + "." + r.Header.Get("Request-Time") + "." + string(body)
	digest := sha256.Sum256([]byte(signed))
	match := signatureForm.FindStringSubmatch(r.Header.Get("Signature"))
	if match == nil || r.Header.Get("Client-Id") != "client.1" || r.Header.Get("Request-Time") == "" {
		f.complain("headers are %v", r.Header)
		return
	}
	text, err := url.PathUnescape(match[1])
	if err != nil {
		f.complain("signature %q: %v", match[1], err)
	}
	signature, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		f.complain("signature %q: %v", text, err)
	}
	if err := rsa.VerifyPKCS1v15(&merchantKey().PublicKey, crypto.SHA256, digest[:], signature); err != nil {
		f.complain("signature of %q: %v", signed, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		f.complain("body %q: %v", body, err)
	}
}

func (f *fake) alipayPay(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ProductCode      string
		PaymentRequestID string
		PaymentAmount    struct{ Value, Currency string }
		PaymentMethod    struct{ PaymentMethodID string }
		PaymentFactor    struct{ IsAuthorizationPayment bool }
	}
	f.verify(r, &in)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.key(in.PaymentRequestID)
	if in.ProductCode != "AGREEMENT_PAYMENT" || in.PaymentAmount.Value != amount || in.PaymentAmount.Currency != "USD" || !in.PaymentFactor.IsAuthorizationPayment {
		f.complain("payment asked for with %+v", in)
	}
	f.users[in.PaymentMethod.PaymentMethodID]++
	_, _ = fmt.Fprintf(w, `{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"},"paymentId":%q,"paymentTime":"2026-01-15T12:00:00+00:00"}`, f.hold("client.1"))
}

func (f *fake) alipayCapture(w http.ResponseWriter, r *http.Request) {
	n := f.nextCapture()
	var in struct {
		CaptureRequestID, PaymentID string
		CaptureAmount               struct{ Value, Currency string }
	}
	f.verify(r, &in)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.key(in.CaptureRequestID)
	if in.CaptureAmount.Value != amount || in.CaptureAmount.Currency != "USD" {
		f.complain("capture asked for with %+v", in)
	}
	result := `{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"}`
	switch {
	case !f.capture(in.PaymentID, "client.1"):
		f.complain("%s captured again", in.PaymentID)
	case n%10 == 0:
		result = `{"resultCode":"CAPTURE_IN_PROCESS","resultStatus":"U","resultMessage":"The capture is processing."}`
	case n%10 == 1:
		result = `{"resultCode":"AUTH_EXPIRED","resultStatus":"F","resultMessage":"The authorization on payment is expired."}`
	}
	_, _ = fmt.Fprintf(w, `{"result":%s,"captureRequestId":%q,"paymentId":%q}`, result, in.CaptureRequestID, in.PaymentID)
}

// Every request carries a valid signature, every user pays his share, and only
// results with status S are captures.
func TestAlipay(t *testing.T) {
	f := newFake(t)
	result, err := Run(t.Context(), f.alipayOptions(t, 3, 40), aWhile)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if result.Captures != 32 || result.Errors != 8 {
		t.Errorf("result is %+v", result)
	}
	if len(f.users) != walletUsers {
		t.Errorf("%d wallet users", len(f.users))
	}
	for token, n := range f.users {
		if n < 2 || n > 3 {
			t.Errorf("user %s pays %d of 40", token, n)
		}
	}
}

func TestAlipayNeedsAKey(t *testing.T) {
	f := newFake(t)
	for name, key := range map[string]string{"none": "", "no PEM": "MIIE", "no key": "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"} {
		o := f.alipayOptions(t, 1, 1)
		o.Credentials.Alipay.PrivateKey = key
		if _, err := Prepare(t.Context(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

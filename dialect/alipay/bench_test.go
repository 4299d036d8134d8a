package alipay

import (
	"crypto"
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

func BenchmarkSign(b *testing.B) {
	key, err := publishedServer()
	if err != nil {
		b.Fatal(err)
	}
	s, sum := newSigner(runtime.GOMAXPROCS(0)), digest("POST", "/v2/payments/capture", vectorClient, "2026-01-15T12:00:00Z", []byte(vectors[0].body))
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := s.sign(key, sum); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	key, err := publishedMerchant()
	if err != nil {
		b.Fatal(err)
	}
	v := vectors[0]
	for b.Loop() {
		sum := digest("POST", v.target, vectorClient, v.at, []byte(v.body))
		header, _ := parseSignature("algorithm=RSA256, keyVersion=1, signature=" + v.signature)
		raw, _ := decodeSignature(header.value)
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeCapture(b *testing.B) {
	c := &call{client: &client{settings: settings{zone: time.UTC}}}
	body := []byte(vectors[0].body)
	b.ReportAllocs()
	for b.Loop() {
		c.fields, _ = parseObject(body)
		if _, ok := readCapture(c); !ok {
			b.Fatal("not read")
		}
	}
}

func BenchmarkRenderCapture(b *testing.B) {
	r := newRig(b, true, nil)
	p := &payment.Payment{
		ID: payment.NewIDs(0).Next(epoch), Intake: payment.Intake{Dialect: Name, Currency: "USD", Amount: 1000},
		Operations: []payment.Operation{{Number: 1, Kind: payment.OpAuthorize}, {Number: 2, Kind: payment.OpCapture, Status: payment.OpApproved, Amount: 1000, At: epoch, DoneAt: epoch}},
	}
	request := captureRequest{requestID: "cap-1", paymentID: r.PaymentID(p), context: replyContext{zone: time.UTC}}
	out := payment.Outcome{Payment: p, Operation: 2, At: epoch}
	b.ReportAllocs()
	for b.Loop() {
		if len(r.renderCapture(request, out)) < 300 {
			b.Fatal("not rendered")
		}
	}
}

// BenchmarkCapture is a capture from the handler on, in memory: all but HTTP.
func BenchmarkCapture(b *testing.B) {
	r := newRig(b, true, nil)
	var requests []*http.Request
	for range b.N {
		n := len(requests)
		id := r.pay(b, fmt.Sprint("pay-", n), 1, "USD")
		requests = append(requests, r.request(b, "/v2/payments/capture", fmt.Sprintf(`{"captureRequestId":"cap-%d","paymentId":%q}`, n, id)))
	}
	b.ResetTimer()
	for _, q := range requests {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, q)
	}
}

package intents

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
)

// fakeEngine answers every request with the same outcome.
type fakeEngine struct{ out payment.Outcome }

func (e *fakeEngine) Do(_ context.Context, r payment.Request) (payment.Outcome, error) {
	out := e.out
	out.Context = r.Context
	return out, nil
}

func (e *fakeEngine) Payment(context.Context, int64, int64, payment.ID) (*payment.Payment, error) {
	return e.out.Payment, nil
}

func (e *fakeEngine) Recorded(context.Context, int64, payment.Key) (payment.Outcome, bool, error) {
	return payment.Outcome{}, false, nil
}

// oneMerchant is a repository with one merchant and its keys.
type oneMerchant struct{ keys []merchant.Credential }

func (r oneMerchant) Merchant(context.Context, int64) (*merchant.Merchant, error) {
	return &merchant.Merchant{ID: 1, Tenant: 1}, nil
}

func (r oneMerchant) Credential(_ context.Context, _, kind, lookup string) (*merchant.Credential, error) {
	for i := range r.keys {
		if r.keys[i].Kind == kind && r.keys[i].Lookup == lookup {
			return &r.keys[i], nil
		}
	}
	return nil, nil
}

// sink takes a reply as net/http does, without sending it.
type sink struct {
	header http.Header
	status int
	length int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { s.length += len(b); return len(b), nil }

// What a capture costs between the HTTP server and the engine: routing, the
// key, decoding, the fingerprint, and the reply.
func BenchmarkCapture(b *testing.B) {
	d := testDialect()
	d.Random = zeros{}
	const key = "sk_test_0123456789abcdefghijklmnopqrstuvwxyz"
	started := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	d.Merchants = merchant.NewDirectory(oneMerchant{[]merchant.Credential{d.credential(1, key)}}, func() time.Time { return started })
	p := capturedPayment(b, []byte(`{"v":1,"metadata":{"order_id":"6735"}}`))
	d.Engine = &fakeEngine{payment.Outcome{Payment: p, Operation: 2, At: p.UpdatedAt}}
	const body = "amount_to_capture=8000"
	r := httptest.NewRequest(http.MethodPost, "/v1/payment_intents/"+d.PaymentID(p)+"/capture", nil)
	r.Header = http.Header{
		"Authorization": {"Bearer " + key}, "Content-Type": {"application/x-www-form-urlencoded"}, "Idempotency-Key": {"order-6735-capture"},
	}
	text := strings.NewReader(body)
	r.Body, r.ContentLength = reader{text}, int64(len(body))
	w := &sink{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		text.Reset(body)
		clear(w.header)
		d.ServeHTTP(w, r)
	}
	if w.status != http.StatusOK {
		b.Fatal(w.status)
	}
}

type reader struct{ *strings.Reader }

func (reader) Close() error { return nil }

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

package wepay

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// instant answers every request with the same outcome: what is measured with
// it is the dialect alone.
type instant struct{ outcome payment.Outcome }

func (e instant) Do(context.Context, payment.Request) (payment.Outcome, error) { return e.outcome, nil }
func (e instant) Payment(context.Context, int64, int64, payment.ID) (*payment.Payment, error) {
	return e.outcome.Payment, nil
}
func (e instant) Recorded(context.Context, int64, payment.Key) (payment.Outcome, bool, error) {
	return e.outcome, true, nil
}

// oneMerchant is a repository with one merchant and one token.
type oneMerchant struct {
	merchant   merchant.Merchant
	credential *merchant.Credential
}

func (o *oneMerchant) Merchant(context.Context, int64) (*merchant.Merchant, error) {
	return &o.merchant, nil
}
func (o *oneMerchant) Credential(_ context.Context, _, _, lookup string) (*merchant.Credential, error) {
	if lookup != o.credential.Lookup {
		return nil, nil
	}
	return o.credential, nil
}

// discard is a response that nobody reads.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// BenchmarkCaptureRequest is a whole capture but for the engine and the wire:
// credentials, body, key, fingerprint and answer.
func BenchmarkCaptureRequest(b *testing.B) {
	keys := keyring.Fixed("bench")
	repository := &oneMerchant{merchant: merchant.Merchant{ID: 7, Tenant: 7}}
	p := sample(payment.Captured, false)
	p.Operations[1].Asked = payment.Asked{Dialect: Name, Details: captureDetails([]byte(`{"foo":"bar"}`))}
	d := New(dialect.Services{
		Engine: instant{payment.Outcome{Payment: p, Operation: 2}}, Merchants: merchant.NewDirectory(repository, clock.System{}.Now),
		Clock: clock.Fixed(time.Unix(1_768_478_400, 0)), IDs: wireid.New([]byte("0123456789abcdef")), Keys: keys,
		Logger: slog.New(slog.DiscardHandler), Random: zeros{}, Sandbox: true,
	})
	keep, shown, err := d.Issue(b.Context(), repository.merchant)
	if err != nil {
		b.Fatal(err)
	}
	repository.credential = &keep[0]
	app := shown.(Shown)
	header := http.Header{
		"App-Id": {app.AppID}, "App-Token": {app.AppToken}, "Api-Version": {"3.0"}, "Content-Type": {"application/json"}, "Unique-Key": {"5f1c2a9e"},
	}
	target := &url.URL{Path: "/payments/" + d.PaymentID(p) + "/capture"}
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		r := &http.Request{
			Method: http.MethodPost, URL: target, Header: header, ContentLength: int64(len(captureBody)),
			Body: io.NopCloser(strings.NewReader(string(captureBody))),
		}
		d.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			b.Fatal(w.status)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

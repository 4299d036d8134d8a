package begateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

// answering is an engine that has decided already.
type answering struct {
	*fakeEngine
	outcome payment.Outcome
}

func (e answering) Do(context.Context, payment.Request) (payment.Outcome, error) {
	return e.outcome, nil
}

// captured returns a world in which every capture has the same outcome, and
// the body of such a request.
func captured(b *testing.B) (*world, string) {
	w := newWorld(b)
	reply := w.post("authorizations", intakeOf("1000", goodCard))
	_, uid, _ := strings.Cut(reply.Body.String(), `"uid":"`)
	uid, _, _ = strings.Cut(uid, `"`)
	parent, ok := w.parseUID(uid)
	if !ok {
		b.Fatalf("%s", reply.Body)
	}
	outcome, err := w.engine.Do(b.Context(), payment.Request{
		Tenant: w.merchant.Tenant, Merchant: w.merchant.ID, Payment: parent.payment, Command: payment.Capture{Amount: 50, Dialect: Name},
	})
	if err != nil || outcome.Refusal != nil {
		b.Fatal(outcome.Refusal, err)
	}
	w.Engine = answering{w.engine, outcome}
	return w, `{"request":{"parent_uid":"` + uid + `","amount":50}}`
}

// BenchmarkCapture is a capture from the parsed HTTP request to the written
// reply, without the engine.
func BenchmarkCapture(b *testing.B) {
	w, body := captured(b)
	r := httptest.NewRequest(http.MethodPost, "/transactions/captures", nil)
	r.SetBasicAuth(w.shop.ShopID, w.shop.SecretKey)
	r.ContentLength = int64(len(body))
	reader := strings.NewReader(body)
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		r.Body = nopCloser{reader}
		recorder := discard{http.Header{}}
		w.ServeHTTP(recorder, r)
		if recorder.header["Status"][0] != "200 OK" {
			b.Fatal(recorder.header)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	w, _ := captured(b)
	out := w.Engine.(answering).outcome
	s := &shop{merchant: w.merchant, settings: readSettings(w.merchant)}
	buffer := make([]byte, 0, replySize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.appendChild(buffer, s, out.Payment, out.Op(), formOfSeed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	_, text := captured(b)
	body := []byte(text)
	b.ReportAllocs()
	for b.Loop() {
		doc, ok := readDocument(body)
		if _, wrong := decodeChild(doc.member("request"), captureOperation); !ok || len(wrong) > 0 {
			b.Fatal(wrong)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	w, _ := captured(b)
	r := httptest.NewRequest(http.MethodPost, "/transactions/captures", nil)
	r.SetBasicAuth(w.shop.ShopID, w.shop.SecretKey)
	b.ReportAllocs()
	for b.Loop() {
		if s, err := w.authenticate(r); s == nil {
			b.Fatal(err)
		}
	}
}

type nopCloser struct{ *strings.Reader }

func (nopCloser) Close() error { return nil }

type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

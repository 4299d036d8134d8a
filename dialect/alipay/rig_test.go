package alipay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/processor/book"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/wallet"
	"github.com/capstan-pay/capstan/wireid"
)

var epoch = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// rig is the dialect on an engine of its own, for what the sandbox cannot be
// told to do.
type rig struct {
	*Dialect
	store    store.Store
	engine   *engine.Engine
	clock    *clock.Shifted
	merchant merchant.Merchant
	shown    *Credentials
	token    string // of a wallet user with a million minor units of USD
	log      bytes.Buffer
}

// screened asks screen before the wallets' book.
type screened struct {
	book.Processor
	screen func(payment.Instruction) payment.Answer
}

func (s screened) Decide(i payment.Instruction, payer *payment.Payer) payment.Answer {
	if s.screen != nil {
		if answer := s.screen(i); answer.Result == payment.Refused {
			return answer
		}
	}
	return s.Processor.Decide(i, payer)
}

// newRig makes a rig in sandbox or in live mode; screen may be nil.
func newRig(t testing.TB, sandbox bool, screen func(payment.Instruction) payment.Answer) *rig {
	t.Helper()
	r := &rig{store: memory.Open(), clock: clock.NewShifted(clock.Fixed(epoch), 0), merchant: merchant.Merchant{Name: "Test", CreatedAt: epoch}}
	if err := r.store.CreateMerchant(t.Context(), &r.merchant, nil); err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(&r.log, nil))
	r.engine = engine.New(engine.Config{
		Store: r.store, Clock: r.clock, IDs: payment.NewIDs(0), Logger: logger,
		Processor: func(int64, payment.Method) processor.Processor { return screened{screen: screen} },
	})
	t.Cleanup(func() { _ = r.engine.Close(context.Background()) })
	keys := keyring.Fixed("alipay test")
	r.Dialect = New(dialect.Services{
		Engine: r.engine, Merchants: merchant.NewDirectory(r.store, r.clock.Now), Wallets: r.store, Meta: r.store, Documents: r.store, Clock: r.clock,
		IDs: wireid.New(keys.Derive("wire ids", 16)), Keys: keys, Logger: logger, Random: counter{}, PublicURL: "https://wallet.test", Sandbox: sandbox,
	})
	keep, show, err := r.Issue(t.Context(), r.merchant)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range keep {
		if err := r.store.PutCredential(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	r.shown = show.(*Credentials)
	user := wallet.User{Tenant: r.merchant.Tenant}
	if err := r.store.CreateUser(t.Context(), r.merchant.ID, &user, []wallet.Balance{{Currency: "USD", Available: 1_000_000}}, epoch); err != nil {
		t.Fatal(err)
	}
	token, grant := wallet.NewGrant(keys.MAC, user.Tenant, user.ID, epoch.AddDate(10, 0, 0))
	if err := r.store.PutGrant(t.Context(), grant); err != nil {
		t.Fatal(err)
	}
	r.token = token
	return r
}

// counter is a poor source of randomness, the same each time.
type counter struct{}

func (counter) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(i)
	}
	return len(b), nil
}

// request makes a signed request.
func (r *rig) request(t testing.TB, path, body string) *http.Request {
	t.Helper()
	key, err := parsePrivatePEM(r.shown.MerchantPrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	q := httptest.NewRequest(http.MethodPost, path, bytes.NewReader([]byte(body)))
	at := "2026-01-15T12:00:00Z"
	signature, err := r.signer.sign(key, digest(q.Method, path, r.shown.ClientID, at, []byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Client-Id", r.shown.ClientID)
	q.Header.Set("Request-Time", at)
	q.Header.Set("Signature", "algorithm=RSA256, keyVersion=1, signature="+signature)
	return q
}

// answer is what the tests look at.
type answer struct {
	Result struct {
		Code   string `json:"resultCode"`
		Status string `json:"resultStatus"`
	} `json:"result"`
	PaymentID     string `json:"paymentId"`
	CaptureID     string `json:"captureId"`
	CaptureAmount struct{ Value, Currency string }
	PaymentStatus string
	body          string
	header        http.Header
}

// do sends a request and reads the answer.
func (r *rig) do(t testing.TB, q *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	r.ServeHTTP(w, q)
	a := answer{body: w.Body.String(), header: w.Header()}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s: %v", w.Code, a.body, err)
	}
	return a
}

func (r *rig) call(t testing.TB, api, body string) answer {
	t.Helper()
	return r.do(t, r.request(t, "/v2/payments/"+api, body))
}

// pay makes an authorization and returns its id.
func (r *rig) pay(t testing.TB, name string, minor int64, currency money.Currency) string {
	t.Helper()
	a := r.call(t, "pay", fmt.Sprintf(`{"paymentRequestId":%q,"paymentAmount":{"value":"%d","currency":%q},"paymentMethod":{"paymentMethodId":%q},"paymentFactor":{"isAuthorizationPayment":true}}`,
		name, minor, currency, r.token))
	if a.Result.Code != "SUCCESS" {
		t.Fatalf("pay: %s", a.body)
	}
	return a.PaymentID
}

func (r *rig) capture(t testing.TB, name, payment string) answer {
	t.Helper()
	return r.call(t, "capture", fmt.Sprintf(`{"captureRequestId":%q,"paymentId":%q}`, name, payment))
}

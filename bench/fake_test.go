package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a server that speaks as much of the dialects as the generator needs,
// and notes what it was asked.
type fake struct {
	*httptest.Server

	// misbehave may answer a request in the place of the fake; n counts the
	// captures from 1, and is 0 for an authorization.
	misbehave func(w http.ResponseWriter, n int) bool

	mu         sync.Mutex
	holds      map[string]string // id of a payment: who authorized it
	keys       map[string]bool
	captured   map[string]int
	captures   int
	merchants  int
	users      map[string]int // token: authorizations
	complaints []string
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{holds: map[string]string{}, keys: map[string]bool{}, captured: map[string]int{}, users: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /_sandbox/merchants", f.newMerchant)
	mux.HandleFunc("POST /_sandbox/wallet/users", f.newUser)
	mux.HandleFunc("POST /v1/payment_intents", f.intentsAuthorize)
	mux.HandleFunc("POST /v1/payment_intents/{id}/capture", f.intentsCapture)
	mux.HandleFunc("POST /v2/payments/pay", f.alipayPay)
	mux.HandleFunc("POST /v2/payments/capture", f.alipayCapture)
	f.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
		for _, c := range f.complaints {
			t.Error(c)
		}
	})
	return f
}

func (f *fake) complain(format string, args ...any) {
	f.complaints = append(f.complaints, fmt.Sprintf(format, args...))
}

func (f *fake) newMerchant(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.merchants++
	_, _ = fmt.Fprintf(w, `{"merchant":"mer_%d","intents":{"secret_key":"sk_test_%d"}}`, f.merchants, f.merchants)
}

func (f *fake) newUser(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Merchant string
		Balance  struct{ Currency, Value string }
	}
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	if json.Unmarshal(body, &in) != nil || in.Merchant != "mer_0" || in.Balance.Currency != "USD" || in.Balance.Value == "" {
		f.complain("wallet user asked for with %s", body)
	}
	token := fmt.Sprintf("token-%d", len(f.users))
	f.users[token] = 0
	_, _ = fmt.Fprintf(w, `{"user_id":"1","access_token":"%s"}`, token)
}

// key notes an idempotency key, which must be a new one.
func (f *fake) key(value string) {
	if value == "" || f.keys[value] {
		f.complain("idempotency key %q is no new one", value)
	}
	f.keys[value] = true
}

// hold makes a payment.
func (f *fake) hold(by string) string {
	id := fmt.Sprintf("pi_%024d", len(f.holds))
	f.holds[id] = by
	return id
}

// capture captures a payment and tells whether it had not been before.
func (f *fake) capture(id, by string) bool {
	if f.holds[id] != by {
		f.complain("%q is no payment of %q", id, by)
	}
	f.captured[id]++
	return f.captured[id] == 1
}

func (f *fake) misbehaves(w http.ResponseWriter, n int) bool {
	return f.misbehave != nil && f.misbehave(w, n)
}

func (f *fake) nextCapture() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.captures++
	return f.captures
}

func (f *fake) intentsAuthorize(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if f.misbehaves(w, 0) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if string(body) != intentsHold || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		f.complain("authorization asked for with %s %q", r.Header.Get("Content-Type"), body)
	}
	f.key(r.Header.Get("Idempotency-Key"))
	writeIntent(w, f.hold(r.Header.Get("Authorization")), "requires_capture")
}

func (f *fake) intentsCapture(w http.ResponseWriter, r *http.Request) {
	if f.misbehaves(w, f.nextCapture()) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.key(r.Header.Get("Idempotency-Key"))
	id := r.PathValue("id")
	if !f.capture(id, r.Header.Get("Authorization")) {
		writeProblem(w)
		return
	}
	writeIntent(w, id, "succeeded")
}

func writeIntent(w http.ResponseWriter, id, status string) {
	_, _ = fmt.Fprintf(w, "{\n  \"id\": %q,\n  \"object\": \"payment_intent\",\n  \"status\": %q,\n  \"client_secret\": \"%s_secret_x\",\n  \"description\": %q\n}\n",
		id, status, id, strings.Repeat("x", 1500))
}

func writeProblem(w http.ResponseWriter) {
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write([]byte(`{"error":{"code":"payment_intent_unexpected_state","message":"sk_test_secret","type":"invalid_request_error"}}`))
}

// dropped breaks the connection instead of answering.
func dropped(http.ResponseWriter) { panic(http.ErrAbortHandler) }

// options measure the fake.
func (f *fake) options(dialect string, connections, payments int) Options {
	c := Credentials{Merchant: "mer_0", Intents: intentsCredentials{SecretKey: "sk_test_secret"}}
	return Options{Target: f.URL, Credentials: c, Dialect: dialect, Connections: connections, Payments: payments, Merchants: 1}
}

const aWhile = 30 * time.Second // longer than any test takes

package begateway

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/card"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor/cardsim"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/vault"
	"github.com/capstan-pay/capstan/wireid"
)

// fakeEngine decides with the core's own rules and keeps everything in memory.
// It waits for no processor: what is pending stays so.
type fakeEngine struct {
	clock    *fakeClock
	screen   func(payment.Instruction) payment.Answer
	ask      func(payment.Instruction) payment.Answer
	fail     error // what Do returns instead
	refuse   *payment.Refusal
	mu       sync.Mutex
	ids      *payment.IDs
	payments map[payment.ID]*payment.Payment
	keys     map[payment.Key]time.Time // until when they are taken
	first    map[payment.Key]payment.Outcome
	marks    []payment.Mark
}

func (e *fakeEngine) Do(_ context.Context, r payment.Request) (payment.Outcome, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.clock.Now()
	if e.fail != nil || e.refuse != nil {
		return payment.Outcome{Refusal: e.refuse, At: now}, e.fail
	}
	if until, taken := e.keys[r.Key]; taken && now.Before(until) {
		out := e.first[r.Key]
		out.Replayed = true
		return out, nil
	}
	p := e.payments[r.Payment]
	if _, creates := r.Command.(payment.Create); creates {
		p = &payment.Payment{ID: e.ids.Next(now), Tenant: r.Tenant, Merchant: r.Merchant}
	} else if p != nil && p.Merchant != r.Merchant {
		p = nil
	}
	if p != nil && r.Sees != nil && !r.Sees(p) {
		p = nil
	}
	d, err := payment.Decide(p, r.Command, payment.Env{Now: now, Ask: e.ask, Screen: e.screen})
	if err != nil {
		return payment.Outcome{}, err
	}
	if len(d.Events) > 0 {
		e.payments[d.Payment.ID] = d.Payment
	}
	for i := range d.Events {
		e.marks = append(e.marks, d.Payment.Marks(&d.Events[i])...)
	}
	out := payment.Outcome{Payment: d.Payment, Operation: d.Operation, Refusal: d.Refusal, At: now, Pending: d.Pending()}
	if d.Refusal == nil && r.Key != (payment.Key{}) {
		e.keys[r.Key], e.first[r.Key] = now.Add(r.Retain), out
	}
	return out, nil
}

// List finds what has a label, the newest first.
func (e *fakeEngine) List(_ context.Context, l payment.Listing) (found []payment.Place, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range slices.Backward(e.marks) {
		if p := e.payments[m.Payment]; p != nil && p.Merchant == l.Merchant && m.Label == l.Label && !m.At.Before(l.From) && len(found) < l.Limit {
			found = append(found, m.Place)
		}
	}
	return found, e.fail
}

func (e *fakeEngine) Payment(_ context.Context, _, merchant int64, id payment.ID) (*payment.Payment, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.payments[id]
	if p == nil || p.Merchant != merchant || e.fail != nil {
		return nil, e.fail
	}
	return p, nil
}

func (e *fakeEngine) Recorded(context.Context, int64, payment.Key) (payment.Outcome, bool, error) {
	return payment.Outcome{}, false, nil
}

type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

// registry is a repository of merchants in memory.
type registry struct {
	merchants   map[int64]*merchant.Merchant
	credentials map[[3]string]merchant.Credential
}

func (r registry) Merchant(_ context.Context, id int64) (*merchant.Merchant, error) {
	return r.merchants[id], nil
}

func (r registry) Credential(_ context.Context, dialect, kind, lookup string) (*merchant.Credential, error) {
	c, ok := r.credentials[[3]string{dialect, kind, lookup}]
	if !ok {
		return nil, nil
	}
	return &c, nil
}

// world is a dialect on fakes, with one shop.
type world struct {
	*testing.T
	*Dialect
	engine   *fakeEngine
	clock    *fakeClock
	registry registry
	shop     Credentials
	merchant *merchant.Merchant
}

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func newWorld(t testing.TB) *world {
	w := &world{clock: &fakeClock{now: noon}}
	w.T, _ = t.(*testing.T)
	w.registry = registry{merchants: map[int64]*merchant.Merchant{}, credentials: map[[3]string]merchant.Credential{}}
	w.engine = &fakeEngine{
		clock: w.clock, ids: payment.NewIDs(0), payments: map[payment.ID]*payment.Payment{}, keys: map[payment.Key]time.Time{}, first: map[payment.Key]payment.Outcome{},
		ask: func(i payment.Instruction) payment.Answer { return cardsim.Processor{}.Decide(i, nil) },
	}
	keys := keyring.Fixed("test")
	cards := card.Inspector{MAC: keys.MAC, Behaviour: cardsim.Behaviour}
	shelves := memory.Open()
	w.Dialect = New(dialect.Services{
		Documents: shelves,
		Listings:  w.engine,
		Engine:    w.engine, Merchants: merchant.NewDirectory(w.registry, w.clock.Now), Clock: w.clock,
		IDs: wireid.New(keys.Derive("ids", 16)), Keys: keys,
		Cards:  cards,
		Vault:  &vault.Vault{Documents: shelves, Keys: keys, Cards: cards, Clock: w.clock, Random: rand.Reader},
		Logger: slog.New(slog.DiscardHandler), Random: rand.Reader, Sandbox: true,
		PublicURL: "https://gateway.ecomcharge.com",
		Anywhere: func(_ context.Context, id payment.ID) (*payment.Payment, error) {
			w.engine.mu.Lock()
			defer w.engine.mu.Unlock()
			return w.engine.payments[id], nil
		},
	})
	w.merchant, w.shop = w.addShop(t, "My Shop")
	return w
}

// addShop adds a merchant with fresh credentials.
func (w *world) addShop(t testing.TB, name string) (*merchant.Merchant, Credentials) {
	id := int64(len(w.registry.merchants) + 1)
	m := &merchant.Merchant{ID: id, Tenant: id, Name: name, Settings: map[string]json.RawMessage{}}
	keep, show, err := w.Issue(context.Background(), *m)
	if err != nil {
		t.Fatal(err)
	}
	w.registry.merchants[id] = m
	for _, c := range keep {
		c.Merchant = id
		w.registry.credentials[[3]string{c.Dialect, c.Kind, c.Lookup}] = c
	}
	return m, show.(Credentials)
}

// set changes one of the shop's settings.
func (w *world) set(name, value string) {
	w.merchant.Settings[Name+"."+name] = json.RawMessage(value)
	w.Merchants.Forget()
}

// call sends a request as the shop.
func (w *world) call(method, path, body string) *httptest.ResponseRecorder {
	return w.callAs(w.shop, method, path, body)
}

func (w *world) callAs(shop Credentials, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.SetBasicAuth(shop.ShopID, shop.SecretKey)
	recorder := httptest.NewRecorder()
	w.ServeHTTP(recorder, r)
	return recorder
}

// post sends the request object of a POST and returns the whole reply.
func (w *world) post(path, request string) *httptest.ResponseRecorder {
	return w.call(http.MethodPost, "/transactions/"+path, `{"request":`+request+`}`)
}

// transaction posts and returns the transaction; the test fails if there is
// none.
func (w *world) transaction(path, request string) map[string]any {
	w.Helper()
	return w.read(w.post(path, request))
}

func (w *world) read(reply *httptest.ResponseRecorder) map[string]any {
	w.Helper()
	var body struct{ Transaction map[string]any }
	if err := json.Unmarshal(reply.Body.Bytes(), &body); err != nil || reply.Code != http.StatusOK || body.Transaction == nil {
		w.Fatalf("status %d, body %s", reply.Code, reply.Body)
	}
	return body.Transaction
}

// Cards of the tests.
const (
	goodCard     = "4200000000000000"
	declinedCard = "4005550000000019"
)

// hold authorizes and returns the uid.
func (w *world) hold(amount string) string {
	w.Helper()
	return w.transaction("authorizations", intakeOf(amount, goodCard))["uid"].(string)
}

func intakeOf(amount, number string) string {
	return `{"amount":` + amount + `,"currency":"USD","description":"A book","duplicate_check":false,` +
		`"credit_card":{"number":"` + number + `","verification_value":"123","holder":"John Doe","exp_month":"05","exp_year":"2030"}}`
}

// problemOf checks that a reply is an error and returns its message.
func (w *world) problemOf(reply *httptest.ResponseRecorder, status int) string {
	w.Helper()
	var body struct{ Response struct{ Message string } }
	if err := json.Unmarshal(reply.Body.Bytes(), &body); err != nil || reply.Code != status || body.Response.Message == "" {
		w.Fatalf("status %d, body %s", reply.Code, reply.Body)
	}
	return body.Response.Message
}

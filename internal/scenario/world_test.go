package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/internal/peer"
	"github.com/capstan-pay/capstan/internal/pgtest"
)

// dialects are all of them. Cards are captured by a processor far away. The
// payers of alipay have wallets, which are our own books: the sandbox has the
// same happen to what is asked of these.
var dialects = []string{"alipay", "wepay", "intents", "begateway"}

const hold = 2000

// instances is how many servers a world has: one on a file of its own, or
// several on one PostgreSQL.
var instances = 1

// world is a server, and the processor of its cards behind real HTTP. Where there
// are several servers each request goes to the next.
type world struct {
	t *testing.T
	*capstantest.Server
	others  []*capstantest.Server
	sent    atomic.Int64 // requests
	peer    *peer.Peer
	wallets bool // it is played with wallets
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, peer: peer.Run(t)}
	if instances == 1 {
		w.Server = capstantest.Run(t, capstantest.With(w.peer.Cards))
	} else {
		address := pgtest.StoreURL(t)
		for i := range instances {
			s := capstantest.Run(t, capstantest.On(pgtest.OpenAt(t, address)), capstantest.With(w.peer.Cards),
				capstantest.With(func(c *capstan.Config) { c.Random = capstantest.Random(uint64(10 + i)) }))
			if w.Server == nil {
				w.Server = s
			} else {
				w.others = append(w.others, s)
			}
		}
	}
	w.set(map[string]any{"wepay.settlement_delay_seconds": 1, "begateway.multi_capture": true, "intents.lock_wait_ms": 100})
	return w
}

// set changes settings, and has every server know.
func (w *world) set(settings map[string]any) {
	w.t.Helper()
	for _, s := range append(w.others, w.Server) {
		s.Control(w.t, http.MethodPatch, "/_sandbox/settings", map[string]any{"settings": settings}, nil)
	}
}

// Advance moves the clock, when the calls that any server has made have ended,
// and waits for those that come of it, whoever makes them.
func (w *world) Advance(t testing.TB, by time.Duration) {
	t.Helper()
	w.calm(t)
	w.Server.Advance(t, by)
	w.calm(t)
}

// calm waits until the other servers have no call under way.
func (w *world) calm(t testing.TB) {
	t.Helper()
	for _, s := range w.others {
		s.Advance(t, 0)
	}
}

// next is the server for the next request.
func (w *world) next() *capstantest.Server {
	n := int(w.sent.Add(1)) % (1 + len(w.others))
	if n == 0 {
		return w.Server
	}
	return w.others[n-1]
}

// client speaks a dialect to one server after the other.
func (w *world) client(dialect string) drive.Client {
	w.t.Helper()
	a := anywhere{w: w, at: map[*capstantest.Server]drive.Client{}}
	for _, s := range append(w.others, w.Server) {
		c := s.Credentials
		c.BaseURL = s.URL
		client, err := drive.New(dialect, c)
		if err != nil {
			w.t.Fatal(err)
		}
		a.at[s] = client
	}
	return a
}

// anywhere is a client of several servers.
type anywhere struct {
	w  *world
	at map[*capstantest.Server]drive.Client
}

func (a anywhere) Name() string { return a.at[a.w.Server].Name() }

func (a anywhere) Authorize(ctx context.Context, minor int64, key string) (drive.Result, error) {
	return a.at[a.w.next()].Authorize(ctx, minor, key)
}

func (a anywhere) Capture(ctx context.Context, id string, minor int64, key string, last bool) (drive.Result, error) {
	return a.at[a.w.next()].Capture(ctx, id, minor, key, last)
}

func (a anywhere) Query(ctx context.Context, id string) (drive.Result, error) {
	return a.at[a.w.next()].Query(ctx, id)
}

// authorized makes a hold.
func (w *world) authorized(c drive.Client, key string) string {
	w.t.Helper()
	r, err := c.Authorize(w.t.Context(), hold, key)
	return w.want(drive.Done)(r, err).ID
}

// want wants one of some verdicts.
func (w *world) want(verdicts ...drive.Verdict) func(drive.Result, error) drive.Result {
	w.t.Helper()
	return func(r drive.Result, err error) drive.Result {
		w.t.Helper()
		for _, v := range verdicts {
			if err == nil && r.Verdict == v {
				return r
			}
		}
		w.t.Fatalf("it is %s %s, not %v: %d %s %v", r.Verdict, r.Code, verdicts, r.Status, r.Answer, err)
		return r
	}
}

// settled lets time pass until whatever was unknown is known, and holds the
// processor's journal against the books. It returns what was captured, voided
// and refunded there; of wallets, which have no journal, what the books have.
func (w *world) settled() (captured, voided, refunded int64) {
	w.t.Helper()
	for range 3 {
		w.Advance(w.t, time.Minute)
	}
	effects := w.peer.Effects(w.t)
	for _, wrong := range peer.Agree(w.t, w.Store, effects) {
		w.t.Error(wrong)
	}
	captured, _ = peer.Sum(effects, "capture")
	voided, _ = peer.Sum(effects, "void")
	refunded, _ = peer.Sum(effects, "refund")
	books := w.Balances(w.t, "USD")
	net := books["merchant"] + books["in_transit"] + books["platform_fees"]
	if w.wallets {
		return net, 0, 0
	}
	if net != captured-refunded {
		w.t.Errorf("the books have %d, the processor has moved %d", net, captured-refunded)
	}
	return captured, voided, refunded
}

// wants wants sums in the processor's journal.
func (w *world) wants(captured, voided, refunded int64) {
	w.t.Helper()
	if c, v, r := w.settled(); c != captured || v != voided || r != refunded {
		w.t.Errorf("the processor has captured %d, voided %d, refunded %d; want %d, %d, %d", c, v, r, captured, voided, refunded)
	}
}

// shows wants a client to be shown how much was captured, where its dialect
// tells.
func (w *world) shows(c drive.Client, id string, captured int64) {
	w.t.Helper()
	r, err := c.Query(w.t.Context(), id)
	if err != nil || r.Captured >= 0 && r.Captured != captured {
		w.t.Errorf("%d captured, %s is shown %d: %s %v", captured, c.Name(), r.Captured, r.Answer, err)
	}
}

// lose makes the processor lose its next answer to an operation, or whatever
// else the outcome says.
func (w *world) lose(operation, outcome string) {
	w.t.Helper()
	w.late(operation, outcome, 0)
}

// late is lose, after a while.
func (w *world) late(operation, outcome string, delay time.Duration) {
	w.t.Helper()
	if w.wallets {
		w.Control(w.t, http.MethodPost, "/_sandbox/processor", map[string]any{"operation": operation, "outcome": outcome, "delay_ms": delay.Milliseconds()}, nil)
		return
	}
	w.peer.Expect(w.t, operation, outcome, delay, 1)
}

// post sends a form to the intents dialect.
func (w *world) post(path, key string, form url.Values) (int, map[string]any) {
	w.t.Helper()
	var c struct {
		Key string `json:"secret_key"`
	}
	if err := json.Unmarshal(w.Credentials.Intents, &c); err != nil {
		w.t.Fatal(err)
	}
	return w.send(path, map[string]string{
		"Authorization": "Bearer " + c.Key, "Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": key,
	}, form.Encode())
}

// wepay sends JSON to the wepay dialect.
func (w *world) wepay(path, key, body string) (int, map[string]any) {
	w.t.Helper()
	var c struct {
		ID    string `json:"app_id"`
		Token string `json:"app_token"`
	}
	if err := json.Unmarshal(w.Credentials.WePay, &c); err != nil {
		w.t.Fatal(err)
	}
	return w.send(path, map[string]string{
		"App-Id": c.ID, "App-Token": c.Token, "Api-Version": "3.0", "Content-Type": "application/json", "Unique-Key": key,
	}, body)
}

func (w *world) send(path string, header map[string]string, body string) (int, map[string]any) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.next().URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Error(err)
		return 0, nil
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Error(err)
	}
	answer := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	_ = d.Decode(&answer)
	return response.StatusCode, answer
}

// refund asks for a refund through intents.
func (w *world) refund(id, key string, minor int64) int {
	w.t.Helper()
	status, _ := w.post("/v1/refunds", key, url.Values{"payment_intent": {id}, "amount": {strconv.FormatInt(minor, 10)}})
	return status
}

// planned makes a wepay hold that is captured by schedule.
func (w *world) planned(key string, at time.Time) string {
	w.t.Helper()
	var c struct {
		Account string `json:"account_id"`
	}
	if err := json.Unmarshal(w.Credentials.WePay, &c); err != nil {
		w.t.Fatal(err)
	}
	status, answer := w.wepay("/payments", key, fmt.Sprintf(`{"account_id":%q,"amount":%d,"currency":"USD","auto_capture":false,"capture_at":%d,"payment_method":{"type":"credit_card","credit_card":{"card_number":"4003830171874018","expiration_month":12,"expiration_year":2040,"cvv":"123","card_holder":{"holder_name":"Jane Doe","email":"jane@example.com","address":{"country":"US","postal_code":"94025"}}}}}`,
		c.Account, hold, at.Unix()))
	id, _ := answer["id"].(string)
	if id == "" {
		w.t.Fatalf("%d %v", status, answer)
	}
	return id
}

// hurried lets nobody wait for what is in the way.
func (w *world) hurried() {
	w.t.Helper()
	w.set(map[string]any{"intents.lock_wait_ms": 0})
}

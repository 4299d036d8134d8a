package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/verify"
	"github.com/capstan-pay/capstan/webhook"
)

var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// herald is a dialect that tells of every event, to whom the payment's
// reference says: a JSON list of URLs.
type herald struct {
	mu       sync.Mutex
	schedule outbox.Schedule
	ordered  bool
	stopped  map[string]bool
	gaveUp   []outbox.Delivery
	refuse   int // how many more times it cannot be told that a delivery was given up
	panics   bool
}

func (h *herald) Subscriber(context.Context, *merchant.Merchant) (outbox.Subscriber, error) {
	return h, nil
}

func (h *herald) Notices(o outbox.Occasion) []outbox.Notice {
	var to []string
	if o.After.Reference == "" || json.Unmarshal([]byte(o.After.Reference), &to) != nil {
		return nil
	}
	var told []outbox.Notice
	for i, e := range o.Events {
		told = append(told, outbox.Notice{
			NoticeID: outbox.NoticeID{Version: o.Version(i), Dialect: "herald"}, Topic: e.Kind.String(), Ordered: h.ordered, Deliveries: outbox.Deliver(to...),
		})
	}
	return told
}

func (h *herald) Message(_ context.Context, d dialect.Dispatch) (dialect.Message, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.panics:
		panic("herald")
	case h.stopped[d.Endpoint]:
		return dialect.Message{}, dialect.ErrStopped
	}
	return dialect.Message{
		URL: d.Endpoint, Header: http.Header{"X-Signed-At": {strconv.FormatInt(d.At.Unix(), 10)}, "Authorization": {"Basic c2VjcmV0"}},
		Body: fmt.Appendf(nil, `{"payment":"%s","version":%d,"captured":%d,"topic":%q}`, d.Payment.ID, d.Payment.Version, d.Payment.Captured, d.Notice.Topic),
	}, nil
}

func (h *herald) Acknowledges(r dialect.Response) bool { return r.Status/100 == 2 }

func (h *herald) Schedule(*merchant.Merchant) outbox.Schedule { return h.schedule }

func (h *herald) GaveUp(_ context.Context, _ *merchant.Merchant, d outbox.Delivery) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse > 0 {
		h.refuse--
		return context.DeadlineExceeded
	}
	h.gaveUp = append(h.gaveUp, d)
	return nil
}

// rig is an engine and a deliverer on a memory store.
type rig struct {
	*engine.Engine
	t         *testing.T
	store     store.Store
	merchants *merchant.Directory
	clock     *clock.Shifted
	herald    *herald
	deliverer *webhook.Deliverer
	change    []func(*webhook.Config)
}

func newRig(t *testing.T, change ...func(*webhook.Config)) *rig {
	t.Helper()
	r := &rig{
		t: t, store: memory.Open(), clock: clock.NewShifted(clock.Fixed(noon), 0), change: change,
		herald: &herald{stopped: map[string]bool{}, schedule: outbox.Waits(time.Minute, time.Hour)},
	}
	m := merchant.Merchant{Name: "test"}
	if err := r.store.CreateMerchant(t.Context(), &m, nil); err != nil {
		t.Fatal(err)
	}
	r.merchants = newDirectory(r.store, r.clock)
	r.Engine = engine.New(engine.Config{
		Store: r.store, Clock: r.clock, IDs: payment.NewIDs(0), Processor: func(int64, payment.Method) processor.Processor { return approving{} },
		Subscriber: func(ctx context.Context, _ int64) (outbox.Subscriber, error) { return r.herald, nil },
		Noticed: func() {
			if r.deliverer != nil {
				r.deliverer.Wake()
			}
		},
	})
	r.deliverer = r.start()
	t.Cleanup(func() {
		r.stop()
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
		report, err := verify.Audit(context.Background(), r.store)
		if err != nil {
			t.Error(err)
		}
		for _, f := range report.Findings {
			t.Error("audit:", f)
		}
	})
	return r
}

func newDirectory(s store.Store, c clock.Clock) *merchant.Directory {
	return merchant.NewDirectory(s, clock.System{}.Now)
}

// start starts a deliverer on the rig's store.
func (r *rig) start() *webhook.Deliverer {
	c := webhook.Config{
		Store: r.store, Clock: r.clock, Merchants: r.merchants, Keys: keyring.Fixed("test"), Guard: &webhook.Guard{Allow: webhook.Loopback()},
		Notifier: func(name string) dialect.Notifier {
			if name != "herald" {
				return nil
			}
			return r.herald
		},
		KeepBodies: true, Timeout: 300 * time.Millisecond,
	}
	for _, f := range r.change {
		f(&c)
	}
	return webhook.New(c)
}

// stop stops the rig's deliverer, breaking off what is under way.
func (r *rig) stop() {
	if r.deliverer != nil {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		r.deliverer.Close(over)
	}
}

// approving is a processor that approves.
type approving struct{ processor.Processor }

func (approving) Decide(i payment.Instruction, _ *payment.Payer) payment.Answer {
	return payment.Answer{Result: payment.Approved, Reference: i.ID()}
}

// hold makes a hold that is told of at URLs.
func (r *rig) hold(to ...string) *payment.Payment {
	r.t.Helper()
	reference, _ := json.Marshal(to)
	out, err := r.Do(r.t.Context(), payment.Request{Tenant: 1, Merchant: 1, Command: payment.Create{Attempt: &payment.Attempt{}, Intake: payment.Intake{
		Dialect: "herald", Currency: "USD", Amount: 1000, Reference: string(reference), Method: payment.Method{Kind: payment.CardMethod, Brand: "visa"},
		Policy: payment.Policy{HoldFor: 7 * 24 * time.Hour},
	}}})
	if err != nil || out.Refusal != nil {
		r.t.Fatalf("%+v, %v", out, err)
	}
	return out.Payment
}

func (r *rig) capture(id payment.ID, amount int64) {
	r.t.Helper()
	out, err := r.Do(r.t.Context(), payment.Request{Tenant: 1, Merchant: 1, Payment: id, Command: payment.Capture{Amount: amount}})
	if err != nil || out.Refusal != nil {
		r.t.Fatalf("%+v, %v", out, err)
	}
}

// advance moves the clock and does what falls due.
func (r *rig) advance(by time.Duration) {
	r.t.Helper()
	if err := r.Advance(r.t.Context(), r.clock, by, r.deliverer); err != nil {
		r.t.Fatal(err)
	}
}

// states counts the deliveries in each state.
func (r *rig) states() map[outbox.State]int {
	r.t.Helper()
	counts := map[outbox.State]int{}
	err := r.store.Audit(r.t.Context(), func(a store.Audit) error {
		return a.Deliveries(func(d outbox.Delivery) error { counts[d.State]++; return nil })
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return counts
}

// attempts are all that were made at the deliveries of a payment.
func (r *rig) attempts(id payment.ID) []outbox.Attempt {
	r.t.Helper()
	var made []outbox.Attempt
	err := r.store.Audit(r.t.Context(), func(a store.Audit) error {
		return a.Attempts(func(one outbox.Attempt) error {
			if one.Payment == id {
				made = append(made, one)
			}
			return nil
		})
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return made
}

// sink is an endpoint.
type sink struct {
	*httptest.Server
	mu     sync.Mutex
	got    []received
	answer http.HandlerFunc // nil is 200
}

type received struct {
	header http.Header
	body   string
}

func newSink(t *testing.T, answer http.HandlerFunc) *sink {
	s := &sink{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.got = append(s.got, received{r.Header, string(body)})
		answer := s.answer
		s.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *sink) set(answer http.HandlerFunc) {
	s.mu.Lock()
	s.answer = answer
	s.mu.Unlock()
}

func (s *sink) messages() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// waitUntil waits for something that happens by itself.
func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 2000 {
		if done() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s: not after ten seconds", what)
}

// hang answers when the caller has given up.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// switches leaves HTTP, and then says nothing.
func switches(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: silence\r\n\r\n")
	_, _ = conn.Read(make([]byte, 1)) // until the caller goes
}

// status answers with a status.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// cut writes some bytes and closes the connection.
func cut(bytes string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, bytes)
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

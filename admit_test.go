package capstan_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/admission"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/payment"
)

// crowd fills a gate until it is closed, and returns what empties it again.
func crowd(t *testing.T, g *admission.Gate) (leave func()) {
	t.Helper()
	inside := 0
	for g.Enter() {
		inside++
	}
	if !g.Full() {
		t.Fatal("the gate is not closed")
	}
	return func() {
		for range inside {
			g.Leave()
		}
	}
}

// turnedAway is how each dialect tells a client to come again.
var turnedAway = map[string]struct {
	status int
	body   string
	header map[string]string
}{
	"alipay":    {200, `"resultCode":"UNKNOWN_EXCEPTION","resultStatus":"U"`, nil},
	"wepay":     {500, `"error_code":"UNEXPECTED_ERROR"`, map[string]string{"Retry-After": "1"}},
	"intents":   {429, `"code": "rate_limit"`, map[string]string{"Retry-After": "1", "Stripe-Should-Retry": "true"}},
	"begateway": {429, `{"response":{"message":"Too many requests"}}`, map[string]string{"Retry-After": "1"}},
}

// A request that comes when there are too many is told so in its dialect's own
// words, at the connection and behind it alike. It leaves nothing, and the same
// request succeeds later, as the first one under its key.
func TestTurnedAway(t *testing.T) {
	s := capstantest.Run(t, capstantest.At(clock.System{}), capstantest.With(func(c *capstan.Config) { c.Admission.Requests = 4 }))
	behind := httptest.NewServer(s.Server)
	t.Cleanup(behind.Close)
	for _, url := range []string{s.URL, behind.URL} {
		credentials := s.Credentials
		credentials.BaseURL = url
		for name, want := range turnedAway {
			t.Run(fmt.Sprintf("%s/%t", name, url == s.URL), func(t *testing.T) {
				client, err := drive.New(name, credentials)
				if err != nil {
					t.Fatal(err)
				}
				held, err := client.Authorize(t.Context(), 1000, t.Name()+"a")
				if err != nil || held.Verdict != drive.Done {
					t.Fatalf("%+v %v", held, err)
				}
				before := stored(t, s)
				leave := crowd(t, s.Gate())
				for range 3 {
					// An answer of alipay whose signature is not good is an error.
					got, err := client.Capture(t.Context(), held.ID, 1000, t.Name()+"c", true)
					if err != nil {
						t.Fatal(err)
					}
					if got.Status != want.status || !strings.Contains(string(got.Answer), want.body) {
						t.Fatalf("status %d %s", got.Status, got.Answer)
					}
					for name, value := range want.header {
						if got.Header.Get(name) != value {
							t.Errorf("%s is %q", name, got.Header.Get(name))
						}
					}
				}
				time.Sleep(60 * time.Millisecond) // alipay: until there is time for another signature
				if got, err := client.Query(t.Context(), held.ID); err != nil || got.Status != want.status {
					t.Errorf("a read: %d %v", got.Status, err)
				}
				leave()
				if after := stored(t, s); after != before {
					t.Errorf("what was turned away has left something: %s, before %s", after, before)
				}
				got, err := client.Capture(t.Context(), held.ID, 1000, t.Name()+"c", true)
				if err != nil || got.Verdict != drive.Done {
					t.Errorf("the same request afterwards: %s %s %v", got.Verdict, got.Answer, err)
				}
			})
		}
	}
	if n := s.Gate().Inside(); n != 0 {
		t.Errorf("%d are inside, and nobody is", n)
	}
	if n, err := testutil.GatherAndCount(s.Metrics(), "capstan_requests_turned_away_total"); n < 4 || err != nil {
		t.Errorf("%d are counted %v", n, err)
	}
}

// stored tells how many events and records there are.
func stored(t *testing.T, s *capstantest.Server) string {
	t.Helper()
	payments, err := s.Store.List(t.Context(), payment.Listing{Tenant: 1, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(len(payments), s.Balances(t, "USD"))
}

// While hundreds send their requests byte by byte, or say that a body comes and
// send none, honest clients go on, and what it costs is bounded. When there are
// more connections than may be, the slow ones are the first to go.
func TestSlowSenders(t *testing.T) {
	s := capstantest.Run(t, capstantest.At(clock.System{}), capstantest.With(func(c *capstan.Config) {
		c.Admission = capstan.Admission{Connections: 400, Requests: 32}
	}))
	address := strings.TrimPrefix(s.URL, "http://")
	ctx, cancel := context.WithCancel(t.Context())
	var slow sync.WaitGroup
	t.Cleanup(slow.Wait)
	t.Cleanup(cancel)
	before := runtime.NumGoroutine()
	var dials, cut atomic.Int64
	for i := range 600 {
		slow.Go(func() { drip(ctx, address, i, &dials, &cut) })
	}
	client, err := drive.New("intents", s.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	var honest sync.WaitGroup
	for n := range 8 {
		honest.Go(func() {
			for i := range 25 {
				key := fmt.Sprintf("%d-%d", n, i)
				held, err := again(func() (drive.Result, error) { return client.Authorize(t.Context(), 500, "a"+key) })
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := again(func() (drive.Result, error) { return client.Capture(t.Context(), held.ID, 500, "c"+key, true) }); err != nil {
					t.Errorf("%s %v", got.Answer, err)
					return
				}
			}
		})
	}
	honest.Wait()
	if dials.Load() < 600 {
		t.Errorf("only %d slow connections were made", dials.Load())
	}
	if open := s.Door().Open(); open > 400 {
		t.Errorf("%d connections are open", open)
	}
	if s.Door().Closed() == 0 {
		t.Error("no connection had to make room")
	}
	if n := s.Gate().Inside(); n > 1 {
		t.Errorf("%d slow requests take the place of others", n)
	}
	// One for each connection, a second one for each that waits with a body, and
	// those of this test itself.
	if n := runtime.NumGoroutine() - before; n > 2*400+2*600+100 {
		t.Errorf("%d goroutines", n)
	}
}

// again repeats a request until it is carried out. A connection that was closed
// to make room may be an honest client's.
func again(ask func() (drive.Result, error)) (drive.Result, error) {
	for range 20 {
		got, err := ask()
		if err == nil && (got.Verdict == drive.Done || got.Verdict == drive.Replayed) {
			return got, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return drive.Result{}, errors.New("not carried out after 20 attempts")
}

// drip sends a request very slowly, and begins anew when it is cut off.
func drip(ctx context.Context, address string, i int, dials, cut *atomic.Int64) {
	texts := []string{
		"POST /v1/payment_intents HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
		"POST /v1/payment_intents HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n",
		"POST /payments HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\nabc",
		"",
	}
	text := texts[i%len(texts)]
	for ctx.Err() == nil {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		dials.Add(1)
		_, _ = io.WriteString(c, text[:len(text)/2])
		rest := text[len(text)/2:]
		if i%4 == 1 || i%4 == 2 {
			_, _ = io.WriteString(c, rest)
			rest = strings.Repeat("z", 1000)
		}
		for ctx.Err() == nil {
			if len(rest) > 0 {
				if _, err := io.WriteString(c, rest[:1]); err != nil {
					break
				}
				rest = rest[1:]
			}
			_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if _, err := c.Read(make([]byte, 512)); err != nil && !isTimeout(err) {
				break
			}
		}
		cut.Add(1)
		_ = c.Close()
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// A body that is too large is answered in the dialect's own words before it is
// read, and large bodies that never end are held in bounded memory.
func TestLargeBodies(t *testing.T) {
	s := capstantest.Run(t, capstantest.At(clock.System{}))
	address := strings.TrimPrefix(s.URL, "http://")
	for _, c := range []struct{ name, head, status, body string }{
		{"intents", "POST /v1/payment_intents HTTP/1.1\r\nAuthorization: Bearer " + member(t, s.Credentials.Intents, "secret_key"), "413", "too large"},
		{"begateway", "POST /transactions/authorizations HTTP/1.1\r\nAuthorization: " + basic(t, s), "413", `{"response":{"message":"Request entity too large"}}`},
		{"wepay", "POST /payments HTTP/1.1\r\nApi-Version: 3.0\r\nApp-Id: " + member(t, s.Credentials.WePay, "app_id") + "\r\nApp-Token: " + member(t, s.Credentials.WePay, "app_token"), "400", "1 MiB"},
		{"alipay", "POST /v2/payments/capture HTTP/1.1\r\nRequest-Time: 2026-01-01T00:00:00Z\r\nSignature: algorithm=RSA256,keyVersion=1,signature=x\r\nClient-Id: " + member(t, s.Credentials.Alipay, "client_id"), "200", "PARAM_ILLEGAL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			// A gigabyte is announced, and hardly any of it sent.
			fmt.Fprintf(conn, "%s\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n%s", c.head, strings.Repeat("x", 100))
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			if err != nil || !strings.HasPrefix(answer.Status, c.status) || !bytes.Contains(body, []byte(c.body)) {
				t.Errorf("%s %s %v", answer.Status, body, err)
			}
		})
	}
}

// member is a text of a dialect's credentials.
func member(t *testing.T, credentials []byte, name string) string {
	t.Helper()
	_, after, ok := strings.Cut(string(credentials), `"`+name+`":`)
	if !ok {
		t.Fatalf("no %s", name)
	}
	_, after, _ = strings.Cut(after, `"`)
	value, _, _ := strings.Cut(after, `"`)
	return value
}

func basic(t *testing.T, s *capstantest.Server) string {
	t.Helper()
	r, _ := http.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth(member(t, s.Credentials.Begateway, "shop_id"), member(t, s.Credentials.Begateway, "secret_key"))
	return r.Header.Get("Authorization")
}

// However many come, and with however much, the memory that they take is
// bounded: those for whose bodies there is no room are turned away.
func TestMemoryUnderFlood(t *testing.T) {
	s := capstantest.Run(t, capstantest.At(clock.System{}), capstantest.With(func(c *capstan.Config) { c.Admission.Requests = 16 }))
	address := strings.TrimPrefix(s.URL, "http://")
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	half := bytes.Repeat([]byte("a"), 1<<20-1)
	var conns []net.Conn
	var all sync.WaitGroup
	var mu sync.Mutex
	for range 200 { // 200 MiB, but for the last byte of each
		all.Go(func() {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			fmt.Fprint(c, "POST /v1/payment_intents HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n")
			_, _ = c.Write(half) // those that are turned away may be cut off
		})
	}
	all.Wait()
	// 64 MiB of bodies, what the copies of those that grow take, and buffers.
	if grown := heap() - before; grown > 160<<20 {
		t.Errorf("the heap has grown by %d MiB", grown>>20)
	}
	away := 0
	for _, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		b := make([]byte, 64)
		if n, _ := c.Read(b); bytes.HasPrefix(b[:n], []byte("HTTP/1.1 429")) {
			away++
		}
		_ = c.Close()
	}
	if away == 0 {
		t.Error("nobody was turned away")
	}
	if !eventually(func() bool { return s.Gate().Hold(64 << 20) }) {
		t.Error("room that nobody uses is not given back")
	}
}

func eventually(holds func() bool) bool {
	for range 200 {
		if holds() {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

package wepay_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/wepay"
	"github.com/capstan-pay/capstan/verify"
)

// TestBooks is the worked example of section 10: the seed's capture request,
// and where the money is after each step.
func TestBooks(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)
	books := func(step string, held, transit, merchant, fees int64) {
		t.Helper()
		got := s.Balances(t, "USD")
		want := map[string]int64{"held": held, "merchant": merchant, "platform_fees": fees}
		for account, balance := range want {
			if got[account] != balance {
				t.Errorf("%s: %s is %d, want %d (%v)", step, account, got[account], balance, got)
			}
		}
		if sum := got["in_transit"]; sum != transit {
			t.Errorf("%s: in_transit is %d, want %d (%v)", step, sum, transit, got)
		}
	}
	p := c.authorize("k1", `,"fee_amount":200`)
	books("authorized", 2000, 0, 0, 0)
	if r := c.capture(p.ID, `{"amounts":{"amount":1500,"currency":"USD","fee_amount":150},"custom_data":{"foo":"bar"}}`, "k2"); r.why() != "PROCESSING" {
		t.Fatalf("%s", r.body)
	}
	books("captured", 0, 1500, 0, 0)
	s.Advance(t, time.Second)
	if r := c.get(p.ID); r.Status != "completed" || r.TxnrMerchant == nil {
		t.Fatalf("%s", r.body)
	}
	books("settled", 0, 0, 1350, 150)

	// What is never captured, or cancelled, leaves nothing behind.
	c.authorize("k3", "")
	books("another", 2000, 0, 1350, 150)
	s.Advance(t, 7*24*time.Hour)
	books("expired", 0, 0, 1350, 150)
	q := c.authorize("k4", "")
	if r := c.do(http.MethodPost, "/payments/"+q.ID+"/cancel", `{"cancel_reason":"changed mind"}`, ""); r.Status != "canceled" {
		t.Fatalf("%s", r.body)
	}
	books("cancelled", 0, 0, 1350, 150)
	audit(t, s)
}

// TestIdenticalCaptures: of 64 at once under one key one captures, and every
// other one gets its payment or hears that it is being worked on.
func TestIdenticalCaptures(t *testing.T) {
	s := capstantest.Run(t)
	c := newClient(t, s, s.Credentials)
	p := c.authorize("create", "")
	const body = `{"amounts":{"amount":1500,"currency":"USD"}}`
	count := parallel(64, func(int) string {
		r := c.capture(p.ID, body, "capture")
		if r.status == http.StatusOK && r.Amount != 1500 {
			t.Errorf("%s", r.body)
		}
		return fmt.Sprint(r.status, " ", r.why())
	})
	if count["200 PROCESSING"] == 0 || count["200 PROCESSING"]+count["400 CONCURRENT_UNIQUE_KEY_REQUEST_IS_PROCESSING"] != 64 {
		t.Errorf("answers %v", count)
	}
	s.Advance(t, time.Second)
	if got := s.Balances(t, "USD"); got["merchant"] != 1500 || got["held"] != 0 {
		t.Errorf("books %v", got)
	}
}

// TestCapturesWithoutAKey: of 64 at once exactly one captures.
func TestCapturesWithoutAKey(t *testing.T) {
	s := capstantest.Run(t)
	c := newClient(t, s, s.Credentials)
	p := c.authorize("create", "")
	var mu sync.Mutex
	var taken int64
	count := parallel(64, func(i int) string {
		r := c.capture(p.ID, fmt.Sprintf(`{"amounts":{"amount":%d,"currency":"USD"}}`, 1900+i), "")
		if r.status == http.StatusOK {
			mu.Lock()
			taken += r.Amount
			mu.Unlock()
		}
		return fmt.Sprint(r.status, " ", r.why())
	})
	if want := map[string]int{"200 PROCESSING": 1, "400 PAYMENT_CANNOT_BE_CAPTURED": 63}; !maps.Equal(count, want) {
		t.Errorf("answers %v, want %v", count, want)
	}
	s.Advance(t, time.Second)
	if got := s.Balances(t, "USD"); got["merchant"] != taken || taken > 2000 {
		t.Errorf("answered %d, books %v", taken, got)
	}
	audit(t, s)
}

// TestIdenticalCreates: one key, one payment.
func TestIdenticalCreates(t *testing.T) {
	s := capstantest.Run(t)
	c := newClient(t, s, s.Credentials)
	body := fmt.Sprintf(`{"account_id":%q,"amount":2000,"currency":"USD","payment_method":%s,"auto_capture":false}`, c.app.AccountID, visa)
	count := parallel(64, func(int) string {
		r := c.do(http.MethodPost, "/payments", body, "one")
		return r.ID
	})
	delete(count, "") // those that heard that it is being worked on
	if len(count) != 1 {
		t.Errorf("%d payments", len(count))
	}
	if got := s.Balances(t, "USD"); got["held"] != 2000 {
		t.Errorf("books %v", got)
	}
}

// audit holds the whole history against the books, the states and the keys.
func audit(t *testing.T, s *capstantest.Server) {
	t.Helper()
	report, err := verify.Audit(t.Context(), s.Store)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Error(f)
	}
}

// parallel runs n calls at once and counts their answers.
func parallel(n int, call func(i int) string) map[string]int {
	var (
		start = make(chan struct{})
		mu    sync.Mutex
		wg    sync.WaitGroup
		count = map[string]int{}
	)
	for i := range n {
		wg.Go(func() {
			<-start
			answer := call(i)
			mu.Lock()
			count[answer]++
			mu.Unlock()
		})
	}
	close(start)
	wg.Wait()
	return count
}

// TestCorrelation: every answer, whatever it is, is JSON and has an id of its
// own.
func TestCorrelation(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)
	p := c.authorize("create", "")
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	replies := []reply{
		p, c.get(p.ID), c.get("nobody"), c.capture(p.ID, "{", ""), c.capture(p.ID, `{"amounts":{}}`, ""), c.capture(p.ID, "", "k"), c.capture(p.ID, "", "k"),
		c.do(http.MethodGet, "/nothing", "", ""), c.do(http.MethodPut, "/payments", "", ""), c.do(http.MethodOptions, "/payments", "", ""),
	}
	stranger := *c
	stranger.app.AppToken = "stage_no"
	for _, r := range append(replies, stranger.get(p.ID)) {
		id := r.header.Values("X-Correlation-Id")
		if len(id) != 1 || !uuid.MatchString(id[0]) || seen[id[0]] {
			t.Errorf("%d %s has the correlation %q", r.status, r.body, id)
			continue
		}
		seen[id[0]] = true
		if r.header.Get("Content-Type") != "application/json" {
			t.Errorf("%d %s is %s", r.status, r.body, r.header.Get("Content-Type"))
		}
	}
}

// TestCredentialShape: tokens look as scanners for leaked ones expect, and
// merchants share nothing.
func TestCredentialShape(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	token, digits := regexp.MustCompile(`^[a-zA-Z0-9_?]{62}$`), regexp.MustCompile(`^[0-9]{6}$`)
	seen := map[string]bool{}
	for _, c := range []*client{newClient(t, s, s.Credentials), another(t, s), another(t, s)} {
		if !token.MatchString(c.app.AppToken) || !strings.HasPrefix(c.app.AppToken, "stage_") || !digits.MatchString(c.app.AppID) {
			t.Errorf("credentials %+v", c.app)
		}
		for _, value := range []string{c.app.AppToken, c.app.AppID, c.app.AccountID} {
			if seen[value] {
				t.Errorf("%s was handed out twice", value)
			}
			seen[value] = true
		}
	}
	// A second token of an application works beside the first one.
	d := s.Dialect(wepay.Name)
	m, err := s.Store.Merchant(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	keep, show, err := d.Issue(t.Context(), *m)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keep {
		if err := s.Store.PutCredential(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	first := newClient(t, s, s.Credentials)
	second := *first
	second.app = show.(wepay.Shown)
	if second.app.AppID != first.app.AppID || second.app.AccountID != first.app.AccountID || second.app.AppToken == first.app.AppToken {
		t.Errorf("first %+v, second %+v", first.app, second.app)
	}
	p := first.authorize("create", "")
	if r := second.get(p.ID); r.status != http.StatusOK {
		t.Errorf("%d %s", r.status, r.body)
	}
	keep[0].Disabled = true
	if err := s.Store.PutCredential(t.Context(), keep[0]); err != nil {
		t.Fatal(err)
	}
	s.Merchants.Forget()
	if r := second.get(p.ID); r.status != http.StatusForbidden {
		t.Errorf("a revoked token: %d %s", r.status, r.body)
	}
	if r := first.get(p.ID); r.status != http.StatusOK {
		t.Errorf("the other token: %d %s", r.status, r.body)
	}
}

// stayOut stops the server and expects no secret in its store or its log.
func stayOut(t *testing.T, s *capstantest.Server, log *bytes.Buffer, secrets map[string]string) {
	t.Helper()
	kept := s.Stored(t)
	if !bytes.Contains(kept, []byte("4018")) {
		t.Fatal("the last four digits are not in the file: the test looks in the wrong place")
	}
	for name, secret := range secrets {
		if bytes.Contains(kept, []byte(secret)) {
			t.Errorf("the database holds the %s", name)
		}
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds the %s", name)
		}
	}
}

// TestSecretsStayOut: neither the card number nor the code nor a token is in
// the database or in the log.
func TestSecretsStayOut(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&lockedWriter{w: &log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := capstantest.Run(t, capstantest.With(func(c *capstan.Config) { c.Logger = logger }))
	c := newClient(t, s, s.Credentials)
	p := c.authorize("create", "")
	c.capture(p.ID, "", "k")
	c.do(http.MethodPost, "/payments", strings.Replace(visa, "4003830171874018", "4003830171874019", 1), "bad")
	c.do(http.MethodPost, "/payments", fmt.Sprintf(`{"account_id":%q,"amount":2000,"currency":"USD","payment_method":{"encoded_payment_method":"NDAwMzgzMDE3MTg3NDAxOA=="}}`, c.app.AccountID), "present")
	stayOut(t, s, &log, map[string]string{
		"card number": "4003830171874018", "encoded card": "NDAwMzgzMDE3MTg3NDAxOA", "token": c.app.AppToken, "wrong number": "4003830171874019",
	})
}

type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

package alipay_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/alipay"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store/sqlite"
)

func client(t *testing.T, s *capstantest.Server) drive.Client {
	t.Helper()
	c := s.Credentials
	c.BaseURL = s.URL
	client, err := drive.New(alipay.Name, c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// hold makes an authorization and returns its id.
func hold(t *testing.T, c drive.Client, minor int64, name string) string {
	t.Helper()
	r, err := c.Authorize(t.Context(), minor, name)
	if err != nil || r.Verdict != drive.Done {
		t.Fatalf("authorize: %+v, %v", r, err)
	}
	return r.ID
}

// parallel is how many captures are sent at once.
const parallel = 64

// TestSameCaptureAtOnce: one capture, whatever the repeats hear meanwhile.
func TestSameCaptureAtOnce(t *testing.T) {
	s := capstantest.Run(t)
	c := client(t, s)
	id := hold(t, c, 1000, "pay")
	results := capturesAtOnce(t, c, id, func(int) string { return "cap" }, 400)
	bodies := map[string]int{}
	for _, r := range results {
		switch r.Code {
		case "SUCCESS":
			bodies[string(r.Answer)]++
		case "CAPTURE_IN_PROCESS":
		default:
			t.Errorf("%s", r.Answer)
		}
	}
	if len(bodies) != 1 {
		t.Errorf("%d different successes", len(bodies))
	}
	if got := s.Balances(t, "USD"); got["merchant"] != 400 || got["held"] != 600 {
		t.Errorf("books %v", got)
	}
	again, err := c.Capture(t.Context(), id, 400, "cap", false)
	if err != nil || bodies[string(again.Answer)] == 0 {
		t.Errorf("afterwards: %s, %v", again.Answer, err)
	}
}

// TestCapturesAtOnce: different captures together never exceed the hold.
func TestCapturesAtOnce(t *testing.T) {
	s := capstantest.Run(t)
	c := client(t, s)
	id := hold(t, c, 1000, "pay")
	done := 0
	for _, r := range capturesAtOnce(t, c, id, func(i int) string { return fmt.Sprint("cap-", i) }, 30) {
		switch r.Code {
		case "SUCCESS":
			done++
		case "CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT":
		default:
			t.Errorf("%s", r.Answer)
		}
	}
	if got := s.Balances(t, "USD"); done != 33 || got["merchant"] != 990 || got["held"] != 10 {
		t.Errorf("%d captures, books %v", done, got)
	}
}

func capturesAtOnce(t *testing.T, c drive.Client, id string, name func(int) string, minor int64) []drive.Result {
	t.Helper()
	results := make([]drive.Result, parallel)
	var senders sync.WaitGroup
	for i := range results {
		senders.Go(func() {
			r, err := c.Capture(t.Context(), id, minor, name(i), false)
			if err != nil {
				t.Error(err)
			}
			results[i] = r
		})
	}
	senders.Wait()
	return results
}

// TestRestart: credentials, tokens and answers outlive the server; a repeat
// is the same bytes.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "capstan.db")
	var id string
	var before []byte
	for run := range 2 {
		st, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := capstantest.Run(t, capstantest.On(st))
		c := client(t, s)
		if run == 0 {
			id = hold(t, c, 1000, "pay")
		}
		r, err := c.Capture(t.Context(), id, 300, "cap", false)
		if err != nil || r.Code != "SUCCESS" {
			t.Fatalf("%s, %v", r.Answer, err)
		}
		if run == 1 && !bytes.Equal(r.Answer, before) {
			t.Errorf("after the restart\n%s, before\n%s", r.Answer, before)
		}
		before = r.Answer
		if run == 1 {
			if r, err := c.Capture(t.Context(), id, 700, "cap-2", true); err != nil || r.Code != "SUCCESS" {
				t.Errorf("%s, %v", r.Answer, err)
			}
		}
		s.Stop()
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// elsewhere makes a payment of the default merchant through another dialect.
func elsewhere(t *testing.T, s *capstantest.Server, change func(*payment.Intake)) *payment.Payment {
	t.Helper()
	intake := payment.Intake{
		Dialect: "intents", Currency: "USD", Amount: 5000, Reference: "order-9", Details: []byte(`not for us`),
		Method: payment.Method{Kind: payment.CardMethod, Brand: "visa", Last4: "4242"}, Policy: payment.Policy{HoldFor: 24 * time.Hour},
	}
	change(&intake)
	out, err := s.Engine.Do(t.Context(), payment.Request{
		Tenant: 1, Merchant: 1, Command: payment.Create{Intake: intake, Attempt: &payment.Attempt{Asked: payment.Asked{Dialect: intake.Dialect}}},
	})
	if err != nil || out.Refusal != nil {
		t.Fatalf("create: %v %v", out.Refusal, err)
	}
	return out.Payment
}

// TestFromElsewhere: payments of other dialects, read and captured here.
func TestFromElsewhere(t *testing.T) {
	s := capstantest.Run(t)
	c, d := client(t, s), s.Dialect(alipay.Name)
	for _, test := range []struct {
		name   string
		change func(*payment.Intake)
		minor  int64
		last   bool
		want   string
		status string // of an inquiry afterwards
	}{
		{"a part of a card's hold", func(*payment.Intake) {}, 2000, false, "SUCCESS", "SUCCESS"},
		{"more than the hold, though it permits that", func(i *payment.Intake) { i.Policy.OverCapture = 120 }, 5001, true, "CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT", "SUCCESS"},
		{"a further capture of a hold that has one", func(i *payment.Intake) { i.Policy.MaxCaptures = 1 }, 2000, false, "PAYMENT_COUNT_EXCEED_LIMIT", "SUCCESS"},
		{"the one capture of a hold that has one", func(i *payment.Intake) { i.Policy.MaxCaptures = 1 }, 2000, true, "SUCCESS", "SUCCESS"},
		{"less than the hold permits", func(i *payment.Intake) { i.Policy.MinCapture = 100 }, 99, true, "PAYMENT_AMOUNT_EXCEED_LIMIT", "SUCCESS"},
		{"captured by schedule only", func(i *payment.Intake) {
			i.Policy.CaptureAt, i.Policy.ScheduledOnly = capstantest.Epoch.Add(time.Hour), true
		}, 2000, true, "AUTH_NOT_FOUND", "SUCCESS"},
		{"charged at once", func(i *payment.Intake) { i.Policy.AutoCapture = true }, 1, true, "AUTH_NOT_FOUND", "SUCCESS"},
		{"an authorization that may be tried again", func(i *payment.Intake) {
			i.Policy.RetryDeclined, i.Method.Simulate = true, "decline"
		}, 1, true, "AUTH_NOT_FOUND", "PROCESSING"},
		{"a capture that the issuer declines", func(i *payment.Intake) { i.Method.Simulate = "capture_declined" }, 2000, true, "PROCESS_FAIL", "SUCCESS"},
		{"a decline that ends it", func(i *payment.Intake) {
			i.Method.Simulate, i.Policy.DeclinedCaptureEnds = "capture_declined", true
		}, 2000, true, "PROCESS_FAIL", "FAIL"},
		{"an amount of 17 digits", func(i *payment.Intake) { i.Amount = 12_345_678_901_234_567 }, 2000, true, "AUTH_NOT_FOUND", ""},
	} {
		p := elsewhere(t, s, test.change)
		id := d.PaymentID(p)
		if (id == "") != (test.status == "") {
			t.Errorf("%s: is called %q", test.name, id)
		}
		if id == "" {
			twin := *p
			twin.Amount = 1
			id = d.PaymentID(&twin)
		}
		r, err := c.Capture(t.Context(), id, test.minor, test.name, test.last)
		if err != nil || r.Code != test.want {
			t.Errorf("%s: %s, %v", test.name, r.Answer, err)
		}
		r, err = c.Query(t.Context(), id)
		switch {
		case err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.status == "":
			if !strings.Contains(string(r.Answer), "ORDER_NOT_EXIST") {
				t.Errorf("%s: %s", test.name, r.Answer)
			}
		case !strings.Contains(string(r.Answer), `"paymentStatus":"`+test.status+`"`) || strings.Contains(string(r.Answer), "order-9"):
			t.Errorf("%s: %s", test.name, r.Answer)
		}
	}
}

// TestOtherMerchants: nobody sees or captures another merchant's payments,
// and the same request id of two clients is two requests.
func TestOtherMerchants(t *testing.T) {
	s := capstantest.Run(t)
	mine := client(t, s)
	id := hold(t, mine, 1000, "pay")
	_, credentials, err := s.Sandboxed.NewMerchant(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	credentials.BaseURL = s.URL
	theirs, err := drive.New(alipay.Name, credentials)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := theirs.Capture(t.Context(), id, 1, "cap", true); err != nil || r.Code != "AUTH_NOT_FOUND" {
		t.Errorf("%s, %v", r.Answer, err)
	}
	if r, err := theirs.Query(t.Context(), id); err != nil || !strings.Contains(string(r.Answer), "ORDER_NOT_EXIST") {
		t.Errorf("%s, %v", r.Answer, err)
	}
	if other := hold(t, theirs, 1000, "pay"); other == id {
		t.Error("two clients share a key")
	}
	if r, err := mine.Capture(t.Context(), id, 1, "cap", true); err != nil || r.Code != "SUCCESS" {
		t.Errorf("%s, %v", r.Answer, err)
	}
}

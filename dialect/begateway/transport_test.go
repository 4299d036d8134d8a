package begateway

import (
	"bytes"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
)

var uuid4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// Every reply of the API has the headers of section 2.
func TestHeaders(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for _, test := range []struct {
		name, method, path, body, status string
	}{
		{"a transaction", "POST", "/transactions/authorizations", `{"request":` + intakeOf("1000", goodCard) + `}`, "200 OK"},
		{"a fault", "POST", "/transactions/captures", `{}`, "400 Bad Request"},
		{"nothing", "GET", "/transactions/1-310b0da80b", "", "404 Not Found"},
		{"no route", "GET", "/ctp/api/checkouts", "", "404 Not Found"},
		{"a body too large", "POST", "/transactions/captures", strings.Repeat(" ", dialect.BodyLimit+1), "413 Request Entity Too Large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			reply := w.call(test.method, test.path, test.body)
			h := reply.Result().Header
			if got := h.Get("Status"); got != test.status || !strings.HasSuffix(reply.Result().Status, test.status) {
				t.Errorf("status %q and header %q, want %q", reply.Result().Status, got, test.status)
			}
			if got := h.Get("Content-Type"); got != "application/json" {
				t.Errorf("content type %q", got)
			}
			if got := h.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("X-Content-Type-Options %q", got)
			}
			id := h.Get("X-Request-Id")
			if !uuid4.MatchString(id) || seen[id] {
				t.Errorf("request id %q is no fresh UUID", id)
			}
			seen[id] = true
			if body := reply.Body.String(); strings.HasSuffix(body, "\n") || !strings.HasPrefix(body, "{") {
				t.Errorf("body %q", body)
			}
		})
	}
}

func TestOurFaults(t *testing.T) {
	const wrong, many = "We're sorry, but something went wrong", "Too many requests"
	for _, test := range []struct {
		name    string
		fail    error
		refuse  *payment.Refusal
		status  int
		message string
	}{
		{"the engine fails", errors.New("disk on fire"), nil, 500, wrong},
		{"the queue is full", nil, payment.Refuse(payment.Busy), 429, many},
		{"a refusal that cannot be", nil, payment.Refuse(payment.NotCancellable), 500, wrong},
		{"a refusal without a guard", nil, &payment.Refusal{}, 500, wrong},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.T = t
			parent := w.hold("1000")
			var log bytes.Buffer
			w.Logger = slog.New(slog.NewTextHandler(&log, nil))
			w.engine.fail, w.engine.refuse = test.fail, test.refuse
			for _, path := range []string{"captures", "voids", "authorizations", "payments"} {
				body := `{"parent_uid":"` + parent + `","amount":50}`
				if path == "authorizations" || path == "payments" {
					body = intakeOf("50", goodCard)
				}
				if got := w.problemOf(w.post(path, body), test.status); got != test.message {
					t.Errorf("%s: %q", path, got)
				}
			}
			if test.fail == nil {
				return
			}
			if got := w.problemOf(w.call("GET", "/transactions/"+parent, ""), 500); got != wrong {
				t.Errorf("query: %q", got)
			}
			if !strings.Contains(log.String(), "disk on fire") {
				t.Errorf("the fault is not in the log: %s", log.String())
			}
		})
	}
}

func TestAuthentication(t *testing.T) {
	w := newWorld(t)
	_, other := w.addShop(t, "Another shop")
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	for _, test := range []struct {
		name, authorization string
		status              int
	}{
		{"right", basic(w.shop.ShopID + ":" + w.shop.SecretKey), 404},
		{"right, scheme in another case", "bASIC" + basic(w.shop.ShopID + ":" + w.shop.SecretKey)[5:], 404},
		{"none", "", 401},
		{"another scheme", "Bearer " + w.shop.SecretKey, 401},
		{"no base64", "Basic ***", 401},
		{"no colon", basic(w.shop.ShopID), 401},
		{"wrong key", basic(w.shop.ShopID + ":x" + w.shop.SecretKey), 401},
		{"no key", basic(w.shop.ShopID + ":"), 401},
		{"no such shop", basic("987654321:" + w.shop.SecretKey), 401},
		{"another shop's key", basic(w.shop.ShopID + ":" + other.SecretKey), 401},
		{"the colon elsewhere", basic(w.shop.ShopID + w.shop.SecretKey[:1] + ":" + w.shop.SecretKey[1:]), 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/transactions/1-310b0da80b", nil)
			if test.authorization != "" {
				r.Header.Set("Authorization", test.authorization)
			}
			reply := httptest.NewRecorder()
			w.ServeHTTP(reply, r)
			if reply.Code != test.status {
				t.Errorf("status %d, want %d", reply.Code, test.status)
			}
			if test.status == http.StatusUnauthorized && (reply.Body.String() != `{"response":{"message":"Unauthorized"}}` ||
				reply.Header()["WWW-Authenticate"][0] != `Basic realm="begateway"`) {
				t.Errorf("reply %s %v", reply.Body, reply.Header())
			}
		})
	}
}

func TestDisabledKeyAndShop(t *testing.T) {
	w := newWorld(t)
	query := func() int { return w.call("GET", "/transactions/1-310b0da80b", "").Code }
	for name, c := range w.registry.credentials {
		if c.Kind == keyCredential {
			c.Disabled = true
			w.registry.credentials[name] = c
		}
	}
	w.Merchants.Forget()
	if got := query(); got != 401 {
		t.Errorf("a disabled key: %d", got)
	}
	keep, show, err := w.Issue(t.Context(), *w.merchant)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range keep {
		w.registry.credentials[[3]string{c.Dialect, c.Kind, c.Lookup}] = c
	}
	if again := show.(Credentials); again.ShopID != w.shop.ShopID || again.SecretKey == w.shop.SecretKey {
		t.Errorf("issued again: %s and a key that is the same: %t", again.ShopID, again.SecretKey == w.shop.SecretKey)
	} else {
		w.shop = again
	}
	if got := query(); got != 404 {
		t.Errorf("a new key: %d", got)
	}
	w.merchant.Disabled = true
	w.Merchants.Forget()
	if got := query(); got != 401 {
		t.Errorf("a disabled merchant: %d", got)
	}
	if _, _, err := w.Issue(t.Context(), merchant.Merchant{}); err == nil {
		t.Error("a shop without a merchant")
	}
}

// A client that puts the card's number elsewhere is not served: it would be
// kept.
func TestNumberElsewhere(t *testing.T) {
	w := newWorld(t)
	for _, member := range []string{
		`"description":"Card ` + goodCard + `"`, `"tracking_id":"` + goodCard + `"`, `"customer":{"email":"` + goodCard + `@example.com"}`,
		`"additional_data":{"card":"` + goodCard + `"}`, `"billing_address":{"zip":"` + goodCard + `"}`,
		`"additional_data":{"card":"4200 0000 0000 0000"}`, `"customer":{"device_id":"4200-0000-0000-0000"}`, `"tracking_id":"order 4200 00000000 0000"`,
		`"additional_data":{"card":"\u0034200\u00200000 0000 0000"}`, `"additional_data":{"4200000000000000":1}`,
	} {
		request := strings.Replace(intakeOf("1000", goodCard), `"duplicate_check":false`, member, 1)
		if got := w.problemOf(w.post("authorizations", request), 400); got != textNotProcessable {
			t.Errorf("%s: %q", member, got)
		}
	}
	if len(w.engine.payments) > 0 {
		t.Error("a payment was made")
	}
}

// Nothing that must not be kept or logged is: neither the number and the code
// of a card, nor the shop's key.
func TestSecretsStayOut(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	w.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	reply := w.post("authorizations", strings.Replace(intakeOf("1000", goodCard), `"123"`, `"4917"`, 1))
	w.engine.fail = errors.New("disk on fire")
	w.post("authorizations", intakeOf("2000", goodCard))
	kept := reply.Body.String() + log.String()
	for _, p := range w.engine.payments {
		for _, op := range p.Operations {
			kept += string(op.Details) + string(op.Answer.Data)
		}
		kept += string(p.Details)
	}
	for _, c := range w.registry.credentials {
		kept += string(c.Data) + c.Lookup + string(c.Sealed)
	}
	for _, secret := range []string{goodCard, `"4917"`, w.shop.SecretKey} {
		if strings.Contains(kept, secret) {
			t.Errorf("%q is kept or shown", secret)
		}
	}
}

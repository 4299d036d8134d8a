package capstan_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/telemetry"
)

// TestCanaryOfWatching: with every request logged and traced, nothing that must
// not be seen is in the log, the metrics or the traces, wherever in a request a
// hostile or careless client puts it: in the path, the query, any header, the
// body, or a name for the request; whether the request is served, refused,
// cannot be read, or meets a store that fails.
func TestCanaryOfWatching(t *testing.T) {
	written, c := &log{}, newCollector(t)
	logger := slog.New(slog.NewJSONHandler(written, &slog.HandlerOptions{Level: slog.LevelDebug}))
	traces, err := telemetry.NewTraces(c.URL+"/v1/traces", "test", logger)
	if err != nil {
		t.Fatal(err)
	}
	var failing atomic.Bool
	st := faulty.New(memory.Open(), func(call faulty.Call) faulty.Fault {
		if failing.Load() && call == faulty.Begin {
			return faulty.Fault{Err: errors.New("the disk is on fire")}
		}
		return faulty.Fault{}
	})
	s := capstantest.Run(t, capstantest.On(st), capstantest.With(func(c *capstan.Config) {
		c.Logger, c.LogRequests, c.Traces = logger, telemetry.AllRequests, traces
	}))
	secrets := secretsOf(t, s)
	secrets["card number"], secrets["card number in groups"] = canaryCard, "4929-9073-9031-8794"
	intents, begateway, wepay := authenticated(t, s)

	var requests int
	send := func(method, path string, header map[string]string, body string) {
		r := httptest.NewRequest(method, "/", strings.NewReader(body))
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
		r.RequestURI = path
		for name, value := range header {
			r.Header.Set(name, value)
		}
		s.ServeHTTP(httptest.NewRecorder(), r)
		requests++
	}
	with := func(base map[string]string, more ...string) map[string]string {
		all := map[string]string{}
		for name, value := range base {
			all[name] = value
		}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	for _, broken := range []bool{false, true} {
		failing.Store(broken)
		for _, x := range secrets {
			for _, dialect := range []struct {
				header map[string]string
				paths  []string
			}{
				{intents, []string{"/v1/payment_intents", "/v1/payment_intents/%s/capture", "/v1/%s", "/v1/charges/%s", "/v1/3ds/%s"}},
				{begateway, []string{"/transactions/captures", "/transactions/authorizations", "/transactions/%s", "/customer/transactions/%s/%[1]s", "/process/%s", "/beyag/%s"}},
				{wepay, []string{"/payments", "/payments/%s", "/payments/%s/capture", "/%s"}},
				{nil, []string{"/v2/payments/capture", "/v2/payments/pay", "/v2/payments/%s", "/v2/authorizations/%s", "/_sandbox/payments/%s", "/_receipts/%s"}},
			} {
				for _, path := range dialect.paths {
					if strings.Contains(path, "%s") {
						path = fmt.Sprintf(path, x)
					}
					for _, method := range []string{http.MethodGet, http.MethodPost} {
						send(method, path, dialect.header, "")
						send(method, path+"?card="+x, dialect.header, "{")
						send(method, path, with(dialect.header, "Content-Type", "application/json"), `{"request":{"amount":100,"currency":"USD","description":"`+x+`","parent_uid":"`+x+`","credit_card":{"number":"`+x+`"}},"amount":`+x+`}`)
						send(method, path, dialect.header, x+"\x00%zz&"+x+"="+x)
						for _, name := range []string{"RequestID", "Trace-Id", "X-Request-Id", "Request-Id", "X-Correlation-Id", "Client-Id", "Unique-Key", "Idempotency-Key", "User-Agent", "Traceparent", "Stripe-Version", "Api-Version", "Accept", "Request-Time", "Signature"} {
							send(method, path, with(dialect.header, name, x), "{}")
						}
						send(method, path, with(nil, "Authorization", "Bearer "+x, "App-Id", x, "App-Token", x, "Client-Id", x), "{}")
						send(method, path, with(nil, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(x+":"+x))), "{}")
					}
				}
			}
		}
		for name, client := range clients(t, s) { // and what is in order
			if r, err := client.Authorize(t.Context(), 1000, fmt.Sprint("watching-", broken)); err != nil || (r.Verdict == drive.Done) == broken {
				t.Errorf("%s: %s %v", name, r.Answer, err)
			}
		}
	}
	metrics := httptest.NewRecorder()
	s.Admin().ServeHTTP(metrics, fromHere("/metrics"))
	if metrics.Code != http.StatusOK {
		t.Errorf("metrics are answered %d", metrics.Code)
	}
	s.Stop()
	if err := traces.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if lines := bytes.Count(written.text.Bytes(), []byte(`"msg":"request"`)); lines < requests {
		t.Errorf("%d lines about %d requests", lines, requests)
	}
	if !strings.Contains(written.text.String(), "on fire") {
		t.Error("the faults are not in the log")
	}
	for place, content := range map[string]string{"log": written.text.String(), "metrics": metrics.Body.String(), "traces": c.text.String()} {
		if len(content) < 1000 {
			t.Errorf("%s: only %q", place, content)
		}
		for what, secret := range secrets {
			if at := strings.Index(content, secret); at >= 0 {
				t.Errorf("%s is in the %s: %s", what, place, content[max(at-200, 0):min(at+100, len(content))])
			}
		}
	}
}

// secretsOf are the secrets of the default merchant.
func secretsOf(t *testing.T, s *capstantest.Server) map[string]string {
	t.Helper()
	secrets := map[string]string{}
	for _, member := range []struct {
		name     string
		document json.RawMessage
		secret   string
	}{
		{"intents secret key", s.Credentials.Intents, "secret_key"},
		{"begateway secret key", s.Credentials.Begateway, "secret_key"},
		{"wepay token", s.Credentials.WePay, "app_token"},
		{"alipay access token", s.Credentials.Alipay, "access_token"},
	} {
		secrets[member.name] = textOf(t, member.document, member.secret)
	}
	return secrets
}

// textOf is a member of a JSON object: a text of some length.
func textOf(t *testing.T, document json.RawMessage, name string) string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(document, &object); err != nil {
		t.Fatal(err)
	}
	value, _ := object[name].(string)
	if value == "" {
		t.Fatalf("%s has no %s", document, name)
	}
	return value
}

// authenticated are headers that let the default merchant in.
func authenticated(t *testing.T, s *capstantest.Server) (intents, begateway, wepay map[string]string) {
	t.Helper()
	form := "application/x-www-form-urlencoded"
	shop := textOf(t, s.Credentials.Begateway, "shop_id") + ":" + textOf(t, s.Credentials.Begateway, "secret_key")
	return map[string]string{"Authorization": "Bearer " + textOf(t, s.Credentials.Intents, "secret_key"), "Content-Type": form},
		map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(shop)), "Content-Type": "application/json"},
		map[string]string{
			"App-Id": textOf(t, s.Credentials.WePay, "app_id"), "App-Token": textOf(t, s.Credentials.WePay, "app_token"), "Api-Version": "3.0",
			"Content-Type": "application/json", "Unique-Key": "canary",
		}
}

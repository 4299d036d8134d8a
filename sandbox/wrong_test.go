package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
)

// ask calls a control with a body as it is written.
func ask(t *testing.T, s *capstantest.Server, method, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request) // follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if kind := response.Header.Get("Content-Type"); kind != "application/json" || !json.Valid(text) {
		t.Errorf("%s %s %s: %s %q", method, path, body, kind, text)
	}
	return response.StatusCode, string(text)
}

// TestWrongInput: what is wrong with a request is said by name, and a refused
// request changes nothing.
func TestWrongInput(t *testing.T) {
	s := capstantest.Run(t)
	var alipay struct {
		ClientID string `json:"client_id"`
	}
	if err := json.Unmarshal(s.Credentials.Alipay, &alipay); err != nil {
		t.Fatal(err)
	}
	client := "/_sandbox/alipay/clients/" + alipay.ClientID
	s.Control(t, "POST", "/_sandbox/processor", map[string]any{"operation": "void", "outcome": "decline"}, nil)
	state := func() string {
		_, user := ask(t, s, "PATCH", "/_sandbox/wallet/users/1", `{}`)
		_, settings := ask(t, s, "PATCH", "/_sandbox/settings", `{"settings":{}}`)
		_, clock := ask(t, s, "POST", "/_sandbox/clock", `{"advance_seconds":0}`)
		_, books := ask(t, s, "GET", "/_sandbox/ledger", ``)
		return user + settings + clock + books
	}
	before := state()
	for _, test := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/_sandbox/merchants", `{"x":1}`, 400, `there is no member \"x\" here`},
		{"POST", "/_sandbox/merchants", `null`, 400, "the body must be a JSON object"},
		{"POST", "/_sandbox/merchants", `[]`, 400, "the body must be a JSON object"},
		{"POST", "/_sandbox/merchants", `{} {}`, 400, "something follows the object"},
		{"POST", "/_sandbox/merchants", `{`, 400, "the body is not JSON"},
		{"POST", "/_sandbox/merchants", strings.Repeat(" ", 1<<20+1), 413, "the body is larger than 1048576 bytes"},
		{"DELETE", "/_sandbox/merchants", ``, 404, "not found"},
		{"POST", "/_sandbox/clock", ``, 400, "advance_seconds must be"},
		{"POST", "/_sandbox/clock", `{"advance_seconds":null}`, 400, "advance_seconds must be"},
		{"POST", "/_sandbox/clock", `{"advance_seconds":"5"}`, 400, "advance_seconds must be a whole number"},
		{"POST", "/_sandbox/clock", `{"advance_seconds":1e30}`, 400, "advance_seconds must be a whole number"},
		{"POST", "/_sandbox/clock", `{"advance_seconds":5,"advance_seconds":6}`, 400, "advance_seconds is there twice"},
		{"POST", "/_sandbox/clock", `{"Advance_Seconds":5}`, 400, `there is no member \"Advance_Seconds\" here`},
		{"GET", "/_sandbox/clock", ``, 404, "not found"},
		{"POST", "/_sandbox/processor", ``, 400, "operation must be"},
		{"POST", "/_sandbox/processor", `{"operation":"capture"}`, 400, "outcome must be"},
		{"POST", "/_sandbox/processor", `{"operation":5,"outcome":"approve"}`, 400, "operation must be a string"},
		{"POST", "/_sandbox/processor", `{"operation":"capture","outcome":"approve","times":1.5}`, 400, "times must be a whole number"},
		{"POST", "/_sandbox/processor", `{"operation":"capture","outcome":"approve","times":10001}`, 400, "times 1 to 10000"},
		{"POST", "/_sandbox/processor", `{"operation":"capture","outcome":"approve","delay_ms":-1}`, 400, "delay_ms must be"},
		{"POST", "/_sandbox/processor", `{"operation":"capture","outcome":"approve","merchant":5}`, 400, "merchant must be a string"},
		{"POST", "/_sandbox/processor", `{"operation":"capture","outcome":"approve","merchant":"mer_0000000000000000000000"}`, 404, "no such merchant"},
		{"POST", "/_sandbox/wallet/users", `{"balance":{"currency":"USD","value":100}}`, 400, "balance.value must be a string"},
		{"POST", "/_sandbox/wallet/users", `{"balance":{"currency":"USD","value":"1.5"}}`, 400, "value must be minor units"},
		{"POST", "/_sandbox/wallet/users", `{"balance":{"currency":"USD","value":"+5"}}`, 400, "value must be minor units"},
		{"POST", "/_sandbox/wallet/users", `{"balance":{"currency":"USD","value":"-5"}}`, 400, "value must be minor units"},
		{"POST", "/_sandbox/wallet/users", `{"balance":{"currency":"USD","value":""}}`, 400, "value must be minor units"},
		{"POST", "/_sandbox/wallet/users", `{"balance":{"currency":"USD","value":"9223372036854775807"}}`, 400, "at most 10000000000000000"},
		{"POST", "/_sandbox/wallet/users", `{"balance":{"currency":"QQQ","value":"5"}}`, 400, "currency must be"},
		{"POST", "/_sandbox/wallet/users", `{"balance":{"Currency":"USD","value":"5"}}`, 400, `there is no member \"balance.Currency\" here`},
		{"POST", "/_sandbox/wallet/users", `{"balance":5}`, 400, "balance must be an object"},
		{"POST", "/_sandbox/wallet/users", `{"merchant":"nobody"}`, 404, "no such merchant"},
		{"PATCH", "/_sandbox/wallet/users/1", `{"status":"gone"}`, 400, "status must be active or frozen"},
		{"PATCH", "/_sandbox/wallet/users/1", `{"status":"frozen","balance":{"currency":"QQQ","value":"1"}}`, 400, "currency must be"},
		{"PATCH", "/_sandbox/wallet/users/1", `{"status":"gone","balance":{"currency":"USD","value":"1"}}`, 400, "status must be"},
		{"PATCH", "/_sandbox/wallet/users/99999", `{"status":"frozen"}`, 404, "not found"},
		{"POST", "/_sandbox/wallet/tokens/revoke", `{}`, 400, "access_token is missing"},
		{"POST", "/_sandbox/wallet/tokens/revoke", `{"access_token":"x"}`, 404, "not found"},
		{"POST", "/_sandbox/wallet/orders/x", `{}`, 400, "decision must be approve or decline"},
		{"POST", "/_sandbox/wallet/orders/x", `{"decision":"approve"}`, 409, "no cashier order waits"},
		{"PUT", "/_sandbox/risk", `null`, 400, "config must be an object"},
		{"PUT", "/_sandbox/risk", `[]`, 400, "config must be an object"},
		{"PUT", "/_sandbox/risk", `{"merchant":7}`, 400, "config.merchant must be a string"},
		{"PUT", "/_sandbox/risk", `{"merchant":"nobody"}`, 404, "no such merchant"},
		{"PATCH", "/_sandbox/settings", ``, 400, "settings must be an object"},
		{"PATCH", "/_sandbox/settings", `{"settings":null}`, 400, "settings must be an object"},
		{"PATCH", "/_sandbox/settings", `{"settings":[]}`, 400, "settings must be an object"},
		{"PATCH", "/_sandbox/settings", `{"setting":{}}`, 400, `there is no member \"setting\" here`},
		{"PATCH", "/_sandbox/settings", `{"settings":{"begateway.extended_responses":true,"x.y":1}}`, 400, `there is no setting \"x.y\"`},
		{"PATCH", "/_sandbox/settings", `{"settings":{"begateway.multi_capture":true,"begateway.multi_capture":false}}`, 400, "settings.begateway.multi_capture is there twice"},
		{"PATCH", client, `{"keys":{"2":"no PEM"}}`, 400, "key"},
		{"PATCH", client, `{"keys":{"2":5}}`, 400, "keys must be a string"},
		{"PATCH", client, `{"retire":"1"}`, 400, "retire must be an array"},
		{"PATCH", client, `{"disabled":"yes"}`, 400, "disabled must be true or false"},
		{"PATCH", "/_sandbox/alipay/clients/nobody", `{"disabled":true}`, 404, "not found"},
		{"GET", "/_sandbox/ledger?merchant=nobody", ``, 404, "no such merchant"},
		{"GET", "/_sandbox/ledger?merch=x", ``, 400, `there is no parameter \"merch\" here`},
		{"GET", "/_sandbox/payments/", ``, 404, "not found"},
		{"GET", "/_sandbox/payments/pi_none", ``, 404, "not found"},
		{"GET", "/_sandbox/payments//x", ``, 404, "not found"},
		{"GET", "/_sandbox/../_sandbox/ledger", ``, 404, "not found"},
		{"GET", "/_sandbox", ``, 404, "not found"},
	} {
		status, text := ask(t, s, test.method, test.path, test.body)
		if len(test.body) > 200 {
			test.body = "…"
		}
		if status != test.status || !strings.Contains(text, test.says) || !strings.HasPrefix(text, `{"error":"`) {
			t.Errorf("%s %s %s: %d %s, want %d %s", test.method, test.path, test.body, status, text, test.status, test.says)
		}
	}
	if after := state(); after != before {
		t.Errorf("refused requests have changed\n%sto\n%s", before, after)
	}
}

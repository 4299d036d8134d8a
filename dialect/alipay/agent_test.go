package alipay_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/alipay"
)

// TestAgents: an agent's token is made by an operator, shown once, and has an
// end; a client that had agents once does not take just any token afterwards
// (sections 1.3 and 2.5).
func TestAgents(t *testing.T) {
	s := capstantest.Run(t)
	c := newShop(t, s)
	desk := s.Desk().As("test")
	send := func(token string) string {
		t.Helper()
		q := c.request("/v2/payments/inquiryPayment", `{"paymentId":"1"}`)
		q.Header.Set("Agent-Token", token)
		return c.send(q, "/v2/payments/inquiryPayment").Result.Code
	}
	const passes = "ORDER_NOT_EXIST"
	expect := func(when string, codes map[string]string) {
		t.Helper()
		for token, want := range codes {
			if got := send(token); got != want {
				t.Errorf("%s: %.8q is %s, want %s", when, token, got, want)
			}
		}
	}
	expect("no agents", map[string]string{"": passes, "anything": passes, strings.Repeat("x", 500): passes})
	make := func() string {
		t.Helper()
		issued, err := desk.AddKey(t.Context(), s.Credentials.Merchant, admin.NewKey{Dialect: alipay.Name, Kind: "agent_token"})
		if err != nil {
			t.Fatal(err)
		}
		var shown alipay.AgentCredentials
		if err := json.Unmarshal(issued.Credentials, &shown); err != nil || shown.ClientID != c.ClientID || len(shown.AgentToken) != 66 {
			t.Fatalf("%s %v", issued.Credentials, err)
		}
		return shown.AgentToken
	}
	one, two := make(), make()
	expect("two agents", map[string]string{"": passes, one: passes, two: passes, "anything": "INVALID_AGENT_TOKEN", strings.Repeat("x", 500): "INVALID_AGENT_TOKEN"})

	hour := int64(3600)
	issued, err := desk.AddKey(t.Context(), s.Credentials.Merchant, admin.NewKey{Dialect: alipay.Name, Kind: "agent_token", Replace: true, Overlap: &hour})
	if err != nil {
		t.Fatal(err)
	}
	var three alipay.AgentCredentials
	if err := json.Unmarshal(issued.Credentials, &three); err != nil {
		t.Fatal(err)
	}
	expect("replaced, within the overlap", map[string]string{one: passes, two: passes, three.AgentToken: passes})
	s.Advance(t, time.Hour)
	expect("replaced", map[string]string{one: "EXPIRED_AGENT_TOKEN", two: "EXPIRED_AGENT_TOKEN", three.AgentToken: passes})

	keys, err := desk.Keys(t.Context(), s.Credentials.Merchant)
	if err != nil {
		t.Fatal(err)
	}
	agents := 0
	for _, k := range keys {
		if k.Kind != "agent_token" {
			continue
		}
		if agents++; strings.Contains(k.Hint, three.AgentToken) {
			t.Errorf("hint %s", k.Hint)
		}
		if _, err := desk.DisableKey(t.Context(), s.Credentials.Merchant, k.ID); err != nil {
			t.Error(err)
		}
	}
	if agents != 3 {
		t.Errorf("%d agents are listed", agents)
	}
	expect("disabled", map[string]string{"": passes, one: "INVALID_AGENT_TOKEN", three.AgentToken: "INVALID_AGENT_TOKEN", "anything": "INVALID_AGENT_TOKEN"})
	credential, err := s.Store.Credential(t.Context(), alipay.Name, "client", c.ClientID)
	if err != nil || strings.Contains(string(credential.Data), three.AgentToken) {
		t.Errorf("the store has the token, %v", err)
	}
	s.Control(t, http.MethodPatch, "/_sandbox/alipay/clients/"+c.ClientID, map[string]any{"keys": map[string]string{}, "disabled": false}, nil)
	expect("the client changed otherwise", map[string]string{one: "INVALID_AGENT_TOKEN"})
}

package wepay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/wepay"
	"github.com/capstan-pay/capstan/sandbox"
)

// client is an application that calls the API.
type client struct {
	t      testing.TB
	server *capstantest.Server
	app    wepay.Shown
}

func newClient(t testing.TB, s *capstantest.Server, credentials sandbox.Credentials) *client {
	c := &client{t: t, server: s}
	if err := json.Unmarshal(credentials.WePay, &c.app); err != nil {
		t.Fatal(err)
	}
	return c
}

// another returns the client of a merchant of its own.
func another(t testing.TB, s *capstantest.Server) *client {
	var credentials sandbox.Credentials
	s.Control(t, http.MethodPost, "/_sandbox/merchants", struct{}{}, &credentials)
	return newClient(t, s, credentials)
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   []byte

	ID             string
	Amount         int64
	AmountRefunded int64 `json:"amount_refunded"`
	Status         string
	ReferenceID    *string         `json:"reference_id"`
	CustomData     json.RawMessage `json:"custom_data"`
	AutoCapture    bool            `json:"auto_capture"`
	InitiatedBy    string          `json:"initiated_by"`
	TxnrMerchant   *struct{}       `json:"txnr_merchant"`
	PaymentMethod  struct {
		ID        string
		CardBrand *string `json:"card_brand"`
		LastFour  *string `json:"last_four"`
	} `json:"payment_method"`
	PendingReasons []struct {
		ReasonCode string `json:"reason_code"`
	} `json:"pending_reasons"`
	ErrorCode string `json:"error_code"`
	Details   []struct {
		ReasonCode string `json:"reason_code"`
	}
}

// why is the first reason that the reply gives.
func (r reply) why() string {
	switch {
	case len(r.Details) > 0:
		return r.Details[0].ReasonCode
	case len(r.PendingReasons) > 0:
		return r.PendingReasons[0].ReasonCode
	}
	return ""
}

// do sends a request. An empty body is none, an empty key neither.
func (c *client) do(method, path, body, key string) reply {
	c.t.Helper()
	request, err := http.NewRequest(method, c.server.URL+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("App-Id", c.app.AppID)
	if c.app.AppToken != "-" { // a page that has none
		request.Header.Set("App-Token", c.app.AppToken)
	}
	request.Header.Set("Api-Version", "3.0")
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		request.Header.Set("Unique-Key", key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Error(err)
		return reply{}
	}
	defer response.Body.Close()
	r := reply{status: response.StatusCode, header: response.Header}
	if r.body, err = io.ReadAll(response.Body); err != nil {
		c.t.Error(err)
	}
	describedAnswer(c.t, method, path, r.status, r.header, r.body)
	if err := json.NewDecoder(bytes.NewReader(r.body)).Decode(&r); err != nil {
		c.t.Errorf("%s %s: %v: %s", method, path, err, r.body)
	}
	return r
}

const visa = `{"credit_card":{"card_number":"4003830171874018","expiration_month":4,"expiration_year":2030,"cvv":"987"}}`

// authorize makes a delayed payment of 2000 and fails the test if it cannot.
func (c *client) authorize(key string, more string) reply {
	c.t.Helper()
	body := fmt.Sprintf(`{"account_id":%q,"amount":2000,"currency":"USD","payment_method":%s,"auto_capture":false%s}`, c.app.AccountID, visa, more)
	r := c.do(http.MethodPost, "/payments", body, key)
	if r.status != http.StatusOK || r.Status != "pending" {
		c.t.Fatalf("authorize: %d %s", r.status, r.body)
	}
	return r
}

func (c *client) capture(id, body, key string) reply {
	c.t.Helper()
	return c.do(http.MethodPost, "/payments/"+id+"/capture", body, key)
}

func (c *client) get(id string) reply {
	c.t.Helper()
	return c.do(http.MethodGet, "/payments/"+id, "", "")
}

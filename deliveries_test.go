package capstan_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/signature"
	"github.com/capstan-pay/capstan/verify"
)

// office is a server with its admin listener, and an endpoint that a begateway
// shop has its notifications sent to.
type office struct {
	*capstantest.Server
	sink  *capstantest.Sink
	desk  *admin.Client
	basic string
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{Server: capstantest.Run(t), sink: capstantest.NewSink(t)}
	listener := httptest.NewServer(o.Admin())
	t.Cleanup(listener.Close)
	o.desk = &admin.Client{URL: listener.URL, HTTP: listener.Client()}
	var shop struct {
		ID  string `json:"shop_id"`
		Key string `json:"secret_key"`
	}
	if err := json.Unmarshal(o.Credentials.Begateway, &shop); err != nil {
		t.Fatal(err)
	}
	o.basic = "Basic " + base64.StdEncoding.EncodeToString([]byte(shop.ID+":"+shop.Key))
	return o
}

// authorize makes a hold that the endpoint is told of, and returns its uid.
func (o *office) authorize(t *testing.T, order string) string {
	t.Helper()
	status, text := call(t, o.URL, http.MethodPost, "/transactions/authorizations", map[string]string{"Authorization": o.basic},
		fmt.Sprintf(`{"request":{"amount":100,"currency":"USD","description":"x","tracking_id":%q,"notification_url":"%s/?token=hidden","duplicate_check":false,
			"credit_card":{"number":"4200000000000000","holder":"J","exp_month":"05","exp_year":"2040"}}}`, order, o.sink.URL))
	var answer struct{ Transaction struct{ UID string } }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusOK {
		t.Fatal(status, text, err)
	}
	o.Advance(t, 0)
	return answer.Transaction.UID
}

// signedBy tells under which of the secrets a message is signed.
func signedBy(t *testing.T, m capstantest.Message, secrets ...string) (by []bool) {
	t.Helper()
	got := " " + m.Header.Get("webhook-signature") + " "
	var sent int64
	_, _ = fmt.Sscan(m.Header.Get("webhook-timestamp"), &sent)
	for _, text := range secrets {
		secret, err := signature.ParseSecret(text)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		signature.Standard{Secrets: [][]byte{secret}}.Sign(h, m.Header.Get("webhook-id"), time.Unix(sent, 0), m.Body)
		by = append(by, strings.Contains(got, " "+h["webhook-signature"][0]+" "))
	}
	return by
}

// TestSigningKeysAreAdministered: an operator gives a merchant signing keys,
// replaces them with an overlap in which messages are signed under both, and
// ends them.
func TestSigningKeysAreAdministered(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	shop := o.Credentials.Merchant
	add := func(replace bool, overlap int64) string {
		t.Helper()
		k := admin.NewKey{Dialect: "webhook", Replace: replace}
		if replace {
			k.Overlap = &overlap
		}
		issued, err := o.desk.AddKey(ctx, shop, k)
		var handed struct {
			Secret    string
			PublicKey string `json:"public_key"`
		}
		if err == nil {
			err = json.Unmarshal(issued.Credentials, &handed)
		}
		if err != nil || !strings.HasPrefix(handed.PublicKey, "whpk_") || replace && len(issued.Ending) != 1 {
			t.Fatal(issued, err)
		}
		return handed.Secret
	}
	last := func() capstantest.Message { all := o.sink.Messages(); return all[len(all)-1] }
	o.authorize(t, "unsigned")
	if h := last().Header; h.Get("webhook-signature") != "" {
		t.Error("signed without a key")
	}
	first := add(false, 0)
	o.authorize(t, "first")
	one := last()
	second := add(true, 3600)
	o.authorize(t, "both")
	two := last()
	o.Advance(t, time.Hour)
	o.authorize(t, "second")
	three := last()
	for i, c := range []struct {
		m    capstantest.Message
		want string
	}{{one, "[true false]"}, {two, "[true true]"}, {three, "[false true]"}} {
		if got := fmt.Sprint(signedBy(t, c.m, first, second)); got != c.want {
			t.Errorf("message %d is signed by the first and second: %s, want %s", i, got, c.want)
		}
	}
	keys, err := o.desk.Keys(ctx, shop)
	if err != nil {
		t.Fatal(err)
	}
	status := map[string]int{}
	for _, k := range keys {
		if k.Dialect == "webhook" {
			status[k.Status]++
			if k.Status == "active" {
				_, err = o.desk.DisableKey(ctx, shop, k.ID)
			}
		}
	}
	if status["active"] != 1 || status["expired"] != 1 || err != nil {
		t.Errorf("keys are %v, %v", status, err)
	}
	o.authorize(t, "unsigned again")
	if last().Header.Get("webhook-signature") != "" {
		t.Error("signed after the key was disabled")
	}
	for range 8 {
		add(false, 0)
	}
	if _, err := o.desk.AddKey(ctx, shop, admin.NewKey{Dialect: "webhook"}); err == nil {
		t.Error("any number of keys")
	}
	acts, err := o.desk.Log(ctx, admin.LogQuery{Merchant: shop})
	if err != nil || len(acts) != 11 || acts[9].Action != "key.rotate" && acts[8].Action != "key.disable" {
		t.Errorf("%+v, %v", acts, err)
	}
}

// TestDeliveriesAreAdministered: an operator sees what could not be delivered
// and has it delivered again, and the log tells of it.
func TestDeliveriesAreAdministered(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	shop := o.Credentials.Merchant
	o.sink.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	uid := o.authorize(t, "lost")
	o.authorize(t, "lost too")
	o.Advance(t, 31*24*time.Hour)
	lost, err := o.desk.Deliveries(ctx, shop, admin.DeliveryQuery{State: "given_up"})
	if err != nil || len(lost) != 2 || lost[0].Status != 500 || lost[0].Attempts < 2 || lost[0].Endpoint != o.sink.URL+"/?..." {
		t.Fatalf("%+v, %v", lost, err)
	}
	o.sink.Answer(nil)
	before := len(o.sink.Messages())
	if done, err := o.desk.Redeliver(ctx, shop, admin.Redelivery{Payment: uid}); err != nil || done.Redelivered != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	o.Advance(t, 0)
	if done, err := o.desk.Redeliver(ctx, shop, admin.Redelivery{State: "given_up", Since: capstantest.Epoch}); err != nil || done.Redelivered != 1 || done.More {
		t.Fatalf("%+v, %v", done, err)
	}
	o.Advance(t, 0)
	if done, err := o.desk.Redeliver(ctx, shop, admin.Redelivery{Message: lost[0].Message}); err != nil || done.Redelivered != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	o.Advance(t, 0)
	if came := len(o.sink.Messages()) - before; came != 3 {
		t.Errorf("%d messages came again", came)
	}
	now, err := o.desk.Deliveries(ctx, shop, admin.DeliveryQuery{Payment: uid, Since: capstantest.Epoch, Before: capstantest.Epoch.Add(time.Second), Limit: 1})
	if err != nil || len(now) != 1 || now[0].State != "delivered" || now[0].Status != http.StatusOK {
		t.Errorf("%+v, %v", now, err)
	}
	for _, wrong := range []admin.Redelivery{
		{}, {State: "given_up"}, {State: "delivered", Since: capstantest.Epoch}, {Payment: uid, State: "lost"}, {Payment: "nothing"}, {Payment: uid, State: "given_up"}, {Message: "msg_0"},
	} {
		if done, err := o.desk.Redeliver(ctx, shop, wrong); err == nil {
			t.Errorf("%+v: %+v", wrong, done)
		}
	}
	other, err := o.desk.CreateMerchant(ctx, admin.NewMerchant{Name: "Other"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.desk.Redeliver(ctx, other.ID, admin.Redelivery{Payment: uid}); err == nil {
		t.Error("another merchant's is delivered again")
	}
	acts, err := o.desk.Log(ctx, admin.LogQuery{Merchant: shop})
	if err != nil || len(acts) != 3 || acts[0].Action != "delivery.repeat" || !strings.Contains(string(acts[2].Details), uid) {
		t.Errorf("%+v, %v", acts, err)
	}
	if report, err := verify.Audit(ctx, o.Store); err != nil || !report.Clean() {
		t.Errorf("%+v, %v", report, err)
	}
}

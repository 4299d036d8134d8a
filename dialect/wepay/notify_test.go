package wepay_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// subscribe makes a preference for each topic and returns their ids.
func (c *client) subscribe(to string, topics ...string) []string {
	c.t.Helper()
	var ids []string
	for _, topic := range topics {
		r := c.do(http.MethodPost, "/notification_preferences", fmt.Sprintf(`{"callback_uri":%q,"topic":%q}`, to, topic), "")
		if r.status != http.StatusOK || r.Status != "active" {
			c.t.Fatalf("subscribe: %d %s", r.status, r.body)
		}
		ids = append(ids, r.ID)
	}
	return ids
}

// notification is what an endpoint gets.
type notification struct {
	EventTime int64 `json:"event_time"`
	ID, Topic string
	Owner     struct {
		ID       string
		Path     *string
		Resource string
	}
	Payload struct {
		ID, Status, Resource string
		Amounts              struct {
			TotalAmount int64 `json:"total_amount"`
		}
	}
	APIVersion string `json:"api_version"`
}

func received(t testing.TB, sink *capstantest.Sink, n int) (all []notification) {
	t.Helper()
	for _, m := range sink.Wait(t, n) {
		var got notification
		if err := json.Unmarshal(m.Body, &got); err != nil {
			t.Fatalf("%v: %s", err, m.Body)
		}
		if m.Method != http.MethodPost || m.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s as %s", m.Method, m.Header.Get("Content-Type"))
		}
		all = append(all, got)
	}
	return all
}

var everyTopic = []string{
	"payments.created", "payments.in_review", "payments.completed", "payments.canceled", "payments.failed",
	"refunds.created", "refunds.completed", "refunds.failed", "disputes.created", "payouts.completed",
}

// TestNotifications: everything that ends or begins is told of once, in order,
// and what is told can be fetched again by its id.
func TestNotifications(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)
	sink := capstantest.NewSink(t)
	c.subscribe(sink.URL, everyTopic...)

	captured := c.authorize("1", `,"fee_amount":200`)
	c.capture(captured.ID, "", "")
	s.Advance(t, time.Second)
	refund := c.do(http.MethodPost, "/refunds", fmt.Sprintf(`{"payment_id":%q,"refund_reason":"x","amounts":{"currency":"USD","total_amount":700}}`, captured.ID), "2")
	s.Advance(t, time.Second)
	canceled := c.authorize("3", "")
	c.do(http.MethodPost, "/payments/"+canceled.ID+"/cancel", `{"cancel_reason":"x"}`, "")
	s.Advance(t, time.Second)
	expired := c.authorize("4", "")
	s.Advance(t, 7*24*time.Hour)

	want := []string{
		"payments.created " + captured.ID + " pending", "payments.completed " + captured.ID + " completed",
		"refunds.created " + refund.ID + " pending", "refunds.completed " + refund.ID + " completed",
		"payments.created " + canceled.ID + " pending", "payments.canceled " + canceled.ID + " canceled",
		"payments.created " + expired.ID + " pending", "payments.failed " + expired.ID + " failed",
	}
	var got []string
	for _, n := range received(t, sink, len(want)) {
		got = append(got, n.Topic+" "+n.Payload.ID+" "+n.Payload.Status)
		if n.Owner.ID != c.app.AppID || n.Owner.Path != nil || n.Owner.Resource != "applications" || n.APIVersion != "3.0" {
			t.Errorf("notification %+v", n)
		}
		if strings.HasPrefix(n.Topic, "refunds.") && n.Payload.Amounts.TotalAmount != 700 {
			t.Errorf("refund of %d", n.Payload.Amounts.TotalAmount)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, m := range sink.Messages() {
		var n notification
		if err := json.Unmarshal(m.Body, &n); err != nil {
			t.Fatal(err)
		}
		if r := c.do(http.MethodGet, "/notifications/"+n.ID, "", ""); string(r.body) != string(m.Body) {
			t.Errorf("sent\n%s\nfetched\n%s", m.Body, r.body)
		}
		if r := another(t, s).do(http.MethodGet, "/notifications/"+n.ID, "", ""); r.status != http.StatusForbidden {
			t.Errorf("a stranger's notification: %d", r.status)
		}
	}
	audit(t, s)
}

// TestGivingUp: six attempts with the same body, then the preference is
// inactive and nothing more is sent by it until it is made active again.
func TestGivingUp(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)
	sink := capstantest.NewSink(t)
	sink.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	id := c.subscribe(sink.URL, "payments.created")[0]
	c.authorize("1", "")
	state := func() string { return c.do(http.MethodGet, "/notification_preferences/"+id, "", "").Status }
	for n, wait := range []time.Duration{0, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 12 * time.Hour} {
		if n > 0 && state() != "active" {
			t.Fatalf("inactive after %d attempts", n)
		}
		s.Advance(t, wait)
		if got := sink.Wait(t, n+1); len(got) != n+1 {
			t.Fatalf("%d attempts, not %d", len(got), n+1)
		}
	}
	s.Advance(t, 0)
	if got := state(); got != "inactive" {
		t.Errorf("after six attempts the preference is %s", got)
	}
	all := sink.Messages()
	for _, m := range all[1:] {
		if string(m.Body) != string(all[0].Body) {
			t.Errorf("attempts differ:\n%s\n%s", all[0].Body, m.Body)
		}
	}
	c.authorize("2", "")
	s.Advance(t, 30*24*time.Hour)
	if n := len(sink.Messages()); n != 6 {
		t.Errorf("%d messages to an inactive preference", n)
	}
	sink.Answer(nil)
	if r := c.do(http.MethodPost, "/notification_preferences/"+id, `{"status":"active"}`, ""); r.Status != "active" {
		t.Fatalf("%s", r.body)
	}
	c.authorize("3", "")
	s.Advance(t, 0)
	if n := len(sink.Wait(t, 7)); n != 7 {
		t.Errorf("%d messages", n)
	}
	audit(t, s)
}

// TestOrder: while an earlier notification of a payment is not taken, a later
// one to the same preference waits.
func TestOrder(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)
	sink := capstantest.NewSink(t)
	fails := 1
	sink.Answer(func(w http.ResponseWriter, _ *http.Request) {
		if fails > 0 {
			fails--
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	c.subscribe(sink.URL, "refunds.completed")
	p := c.authorize("1", "")
	c.capture(p.ID, "", "")
	s.Advance(t, time.Second)
	var refunds []string
	for i := range 2 {
		r := c.do(http.MethodPost, "/refunds", fmt.Sprintf(`{"payment_id":%q,"refund_reason":"x","amounts":{"currency":"USD","total_amount":100}}`, p.ID), fmt.Sprint("r", i))
		refunds = append(refunds, r.ID)
	}
	s.Advance(t, time.Second+time.Minute) // settled, and a minute later told again
	var got []string
	for _, n := range received(t, sink, 3) {
		got = append(got, n.Payload.ID)
	}
	if want := []string{refunds[0], refunds[0], refunds[1]}; !slices.Equal(got, want) {
		t.Errorf("told of %q, want %q", got, want)
	}
}

// TestPreferenceKeys: a repeat of what made or changed a preference under its
// key gets the preference as it is now and changes nothing, also where no
// further one could be made.
func TestPreferenceKeys(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)
	const made = `{"callback_uri":"http://127.0.0.1:1/","topic":"disputes.created"}`
	first := c.do(http.MethodPost, "/notification_preferences", made, "made")
	path := "/notification_preferences/" + first.ID
	change := func(body, key string) reply { return c.do(http.MethodPost, path, body, key) }
	if r := change(`{"status":"active"}`, "made"); r.why() != "UNIQUE_KEY_ALREADY_USED" {
		t.Errorf("a change under the key of its making: %d %s", r.status, r.body)
	}
	if r := change(`{"status":"active"}`, "a b"); r.why() != "PARAM_VALUE_IS_INVALID" {
		t.Errorf("a key with a blank: %d %s", r.status, r.body)
	}
	if r := change(`{"topic":"disputes.updated"}`, "changed"); r.status != http.StatusOK {
		t.Errorf("a change: %d %s", r.status, r.body)
	}
	if r := change(`{"topic":"disputes.resolved","status":"inactive"}`, ""); r.Status != "inactive" {
		t.Errorf("another change: %d %s", r.status, r.body)
	}
	again := change(`{"topic":"disputes.updated"}`, "changed")
	if now := c.do(http.MethodGet, path, "", ""); again.status != http.StatusOK || string(again.body) != string(now.body) || !strings.Contains(string(now.body), "disputes.resolved") {
		t.Errorf("the repeat: %d %s\nnow %s", again.status, again.body, now.body)
	}
	for n := 1; n < 200; n++ {
		c.subscribe("http://127.0.0.1:1/", "disputes.created")
	}
	if r := c.do(http.MethodPost, "/notification_preferences", made, "further"); r.ErrorCode != "NOTIFICATION_PREFERENCE_CANNOT_BE_CREATED" {
		t.Errorf("one too many: %d %s", r.status, r.body)
	}
	if r := c.do(http.MethodPost, "/notification_preferences", made, "made"); r.status != http.StatusOK || r.ID != first.ID {
		t.Errorf("the repeat of the first: %d %s", r.status, r.body)
	}
	if r := c.do(http.MethodPost, "/notification_preferences", `{"callback_uri":"http://127.0.0.1:1/","topic":"disputes.updated"}`, "made"); r.why() != "UNIQUE_KEY_ALREADY_USED" {
		t.Errorf("another one under its key: %d %s", r.status, r.body)
	}
}

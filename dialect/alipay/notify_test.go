package alipay_test

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

const acknowledged = `{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"}}`

// newNotified makes a server, a shop and an endpoint that acknowledges.
func newNotified(t *testing.T) (*shop, *capstantest.Sink) {
	t.Helper()
	sink := capstantest.NewSink(t)
	sink.Answer(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, acknowledged) })
	return newShop(t, capstantest.Run(t)), sink
}

// told waits for everything to be delivered, verifies it and returns "path
// body" of each, with the ids that follow from nothing replaced.
func (c *shop) told(sink *capstantest.Sink) []string {
	c.t.Helper()
	c.s.Advance(c.t, 0)
	var all []string
	for _, m := range sink.Messages() {
		h := m.Header
		if m.Method != http.MethodPost || h.Get("Content-Type") != "application/json; charset=UTF-8" || h.Get("Client-Id") != c.ClientID {
			c.t.Errorf("%s with %v", m.Method, h)
		}
		if _, err := time.Parse("2006-01-02T15:04:05-07:00", h.Get("Request-Time")); err != nil {
			c.t.Error(err)
		}
		c.verify(m.Method, m.Path, h.Get("Client-Id"), h.Get("Request-Time"), h.Get("Signature"), m.Body)
		all = append(all, m.Path+" "+string(m.Body))
	}
	return all
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const (
	ok      = `{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"}`
	created = `"2026-01-15T12:00:00+00:00"`
)

// notifyPayment is sent when a payment at the cashier succeeds or fails, and
// not for what the answer to pay has said (section 6).
func TestNotifyPayment(t *testing.T) {
	c, sink := newNotified(t)
	urls := fmt.Sprintf(`,"paymentNotifyUrl":"%s/hook?shop=7","extendInfo":{"a": "b"}`, sink.URL)
	c.hold("synchronous", urls)
	c.want("INVALID_ACCESS_TOKEN", "pay", fmt.Sprintf(`{"paymentRequestId":"no","paymentAmount":{"value":"1","currency":"USD"},"paymentMethod":{"paymentMethodId":"x"}%s}`, urls))
	c.order("silent", "")
	charge := c.order("charge", urls)
	hold := c.order("hold", urls+`,"paymentFactor":{"isAuthorizationPayment":true}`)
	declined := c.order("declined", urls)
	c.order("forgotten", urls)
	cancelled := c.order("cancelled", urls)
	c.want("SUCCESS", "cancel", fmt.Sprintf(`{"paymentId":%q}`, cancelled))
	expect(t, c.told(sink))

	const members = `"paymentAmount":{"value":"1000","currency":"USD"},`
	c.answer(charge, "approve")
	want := []string{fmt.Sprintf(`/hook?shop=7 {"paymentId":%q,"paymentRequestId":"charge","paymentResult":%s,%s"paymentTime":%s,"paymentCreateTime":%s,"extendInfo":{"a":"b"}}`, charge, ok, members, created, created)}
	expect(t, c.told(sink), want...)
	c.answer(hold, "approve")
	want = append(want, fmt.Sprintf(`/hook?shop=7 {"paymentId":%q,"paymentRequestId":"hold","paymentResult":%s,%s"paymentTime":%s,"paymentCreateTime":%s,"authExpiryTime":"2026-01-22T12:00:00+00:00","extendInfo":{"a":"b"}}`, hold, ok, members, created, created))
	expect(t, c.told(sink), want...)
	c.answer(declined, "decline")
	want = append(want, fmt.Sprintf(`/hook?shop=7 {"paymentId":%q,"paymentRequestId":"declined","paymentResult":{"resultCode":"PROCESS_FAIL","resultStatus":"F","resultMessage":"A general business failure occurred. Do not retry."},%s"paymentCreateTime":%s,"extendInfo":{"a":"b"}}`, declined, members, created))
	expect(t, c.told(sink), want...)

	// Nobody is told of captures and refunds of the hold, nor of an order that
	// nobody confirmed.
	c.want("SUCCESS", "capture", fmt.Sprintf(`{"captureRequestId":"cap","paymentId":%q}`, hold))
	c.want("SUCCESS", "refund", fmt.Sprintf(`{"refundRequestId":"ref","paymentId":%q,"refundAmount":{"value":"1","currency":"USD"}}`, hold))
	c.s.Advance(t, time.Hour)
	expect(t, c.told(sink), want...)
}

// Under /v1 the result is told in other members, and the merchant's zone counts
// (sections 5.8 and 1.6).
func TestNotifyPaymentV1(t *testing.T) {
	c, sink := newNotified(t)
	c.set(map[string]any{"alipay.time_zone": "+08:00"})
	for _, version := range []string{"/v1", "/ams/api/v1"} {
		name := strings.Trim(version, "/")
		path := version + "/payments/pay"
		body := fmt.Sprintf(`{"partnerId":"P1","paymentRequestId":%q,"paymentAmount":{"value":"1000","currency":"USD"},"paymentNotifyUrl":"%s"}`, name, sink.URL)
		a := c.send(c.request(path, body), path)
		c.answer(a.PaymentID, map[string]string{"/v1": "approve", "/ams/api/v1": "decline"}[version])
	}
	b := c.send(c.request("/v1/payments/pay", fmt.Sprintf(`{"partnerId":"P1","paymentRequestId":"no","paymentAmount":{"value":"1000","currency":"USD"},"paymentNotifyUrl":"%s"}`, sink.URL)), "/v1/payments/pay")
	c.answer(b.PaymentID, "decline")
	got := c.told(sink)
	for i := range got { // of three payments, in any order
		var sent struct{ PaymentID string }
		if err := json.Unmarshal([]byte(strings.TrimPrefix(got[i], "/ ")), &sent); err != nil {
			t.Fatal(err)
		}
		got[i] = strings.ReplaceAll(got[i], sent.PaymentID, "<id>")
	}
	for _, want := range []string{
		`/ {"partnerId":"P1","paymentId":"<id>","paymentRequestId":"v1","paymentStatus":"SUCCESS","paymentAmount":{"value":"1000","currency":"USD"},"paymentTime":"2026-01-15T20:00:00+08:00","paymentCreateTime":"2026-01-15T20:00:00+08:00"}`,
		`/ {"paymentId":"<id>","paymentRequestId":"ams/api/v1","paymentResult":{"resultCode":"PROCESS_FAIL","resultStatus":"F","resultMessage":"A general business failure occurred. Do not retry."},"paymentAmount":{"value":"1000","currency":"USD"},"paymentCreateTime":"2026-01-15T20:00:00+08:00"}`,
		`/ {"partnerId":"P1","paymentId":"<id>","paymentRequestId":"no","paymentStatus":"FAIL","paymentFailReason":"PROCESS_FAIL","paymentAmount":{"value":"1000","currency":"USD"},"paymentCreateTime":"2026-01-15T20:00:00+08:00"}`,
	} {
		if len(got) != 3 || !slices.Contains(got, want) {
			t.Fatalf("told %q, want %s", got, want)
		}
	}
}

// notifyVoid is sent for the merchant's voids, and as the wallet's own for what
// the last capture or the deadline gave back (sections 4.4 and 6).
func TestNotifyVoid(t *testing.T) {
	c, sink := newNotified(t)
	urls := fmt.Sprintf(`,"voidNotifyUrl":"%s/void"`, sink.URL)
	id := c.hold("voided", urls)
	a := c.want("SUCCESS", "void", fmt.Sprintf(`{"voidRequestId":"v-1","paymentId":%q,"voidAmount":{"value":"300","currency":"USD"},"extendInfo":"x"}`, id))
	var voided struct{ VoidID string }
	if err := json.Unmarshal([]byte(a.body), &voided); err != nil {
		t.Fatal(err)
	}
	want := []string{fmt.Sprintf(`/void {"voidResult":%s,"voidRequestId":"v-1","voidId":%q,"paymentId":%q,"voidAmount":{"value":"300","currency":"USD"},"voidTime":%s,"voidSource":"MERCHANT","extendInfo":"x"}`, ok, voided.VoidID, id, created)}
	expect(t, c.told(sink), want...)

	wallet := func(i int, minor, at string) {
		t.Helper()
		got := c.told(sink)
		if len(got) != i+1 {
			t.Fatalf("told %q", got)
		}
		var sent struct{ VoidID, VoidRequestID, PaymentID string }
		_, body, _ := strings.Cut(got[i], " ")
		if err := json.Unmarshal([]byte(body), &sent); err != nil || len(sent.VoidID) < 20 || sent.VoidID != sent.VoidRequestID {
			t.Fatalf("%s: %v", body, err)
		}
		want = append(want, fmt.Sprintf(`/void {"voidResult":%s,"voidRequestId":%q,"voidId":%q,"paymentId":%q,"voidAmount":{"value":%q,"currency":"USD"},"voidTime":%q,"voidSource":"WALLET"}`, ok, sent.VoidID, sent.VoidID, sent.PaymentID, minor, at))
		expect(t, got, want...)
	}
	c.want("SUCCESS", "capture", fmt.Sprintf(`{"captureRequestId":"c-1","paymentId":%q,"captureAmount":{"value":"100","currency":"USD"},"isLastCapture":false}`, id))
	c.want("SUCCESS", "capture", fmt.Sprintf(`{"captureRequestId":"c-2","paymentId":%q,"captureAmount":{"value":"100","currency":"USD"}}`, id))
	wallet(1, "500", "2026-01-15T12:00:00+00:00")

	c.hold("expired", urls)
	cancelled := c.hold("cancelled", urls)
	c.want("SUCCESS", "cancel", fmt.Sprintf(`{"paymentId":%q}`, cancelled))
	full := c.hold("full", urls)
	c.want("SUCCESS", "capture", fmt.Sprintf(`{"captureRequestId":"c-3","paymentId":%q}`, full))
	c.hold("no URL", "")
	expect(t, c.told(sink), want...)
	c.s.Advance(t, 7*24*time.Hour)
	wallet(2, "1000", "2026-01-22T12:00:00+00:00")
}

// notifyCapture is sent only where the merchant's setting says so (section 6).
func TestNotifyCapture(t *testing.T) {
	c, sink := newNotified(t)
	urls := fmt.Sprintf(`,"paymentNotifyUrl":"%s"`, sink.URL)
	id := c.hold("hold", urls)
	c.want("SUCCESS", "capture", fmt.Sprintf(`{"captureRequestId":"c-1","paymentId":%q,"captureAmount":{"value":"1","currency":"USD"},"isLastCapture":false}`, id))
	expect(t, c.told(sink))
	c.set(map[string]any{"alipay.notify_capture": true})
	a := c.want("SUCCESS", "capture", fmt.Sprintf(`{"captureRequestId":"c-2","paymentId":%q,"captureAmount":{"value":"2","currency":"USD"},"isLastCapture":false}`, id))
	want := []string{fmt.Sprintf(`/ {"notifyType":"CAPTURE_RESULT","result":%s,"captureRequestId":"c-2","paymentId":%q,"captureId":%q,"captureAmount":{"value":"2","currency":"USD"},"captureTime":%s}`, ok, id, a.CaptureID, created)}
	expect(t, c.told(sink), want...)
	c.s.Control(t, http.MethodPost, "/_sandbox/processor", map[string]any{"operation": "capture", "outcome": "lost_then_declined", "reason": "do_not_honor"}, nil)
	b := c.want("UNKNOWN_EXCEPTION", "capture", fmt.Sprintf(`{"captureRequestId":"c-3","paymentId":%q,"captureAmount":{"value":"3","currency":"USD"},"isLastCapture":false}`, id))
	expect(t, c.told(sink), want...)
	c.s.Advance(t, time.Minute)
	want = append(want, fmt.Sprintf(`/ {"notifyType":"CAPTURE_RESULT","result":{"resultCode":"PROCESS_FAIL","resultStatus":"F","resultMessage":"A general business failure occurred. Do not retry."},"captureRequestId":"c-3","paymentId":%q,"captureId":%q,"captureAmount":{"value":"3","currency":"USD"}}`, id, b.CaptureID))
	expect(t, c.told(sink), want...)
	c.answer(c.order("charge", urls), "approve") // a direct charge is no capture
	if got := c.told(sink); len(got) != 3 || !strings.Contains(got[2], "paymentResult") {
		t.Errorf("told %q", got)
	}
}

// Eight sends in all, at the moments of the schedule, with the same body each
// time; only a result of status S with 200 acknowledges (section 6).
func TestNotificationIsRepeated(t *testing.T) {
	c, sink := newNotified(t)
	var at []time.Duration
	answers := []string{`{"result":{"resultCode":"SYSTEM_ERROR","resultStatus":"U"}}`, `{"result":{"resultStatus":"F"}}`, ``, `success`, `{}`, `[]`, `{"result":{"resultStatus":"s"}}`, acknowledged}
	begin := c.s.Clock.Now()
	sink.Answer(func(w http.ResponseWriter, _ *http.Request) {
		at = append(at, c.s.Clock.Now().Sub(begin))
		if len(at) == len(answers) {
			w.WriteHeader(http.StatusAccepted) // another status does not do
		}
		fmt.Fprint(w, answers[len(at)-1])
	})
	c.answer(c.order("order", fmt.Sprintf(`,"paymentNotifyUrl":"%s"`, sink.URL)), "approve")
	c.s.Advance(t, 48*time.Hour)
	got := c.told(sink)
	want := []time.Duration{0, 2 * time.Minute, 12 * time.Minute, 22 * time.Minute, 82 * time.Minute, 202 * time.Minute, 562 * time.Minute, 1462 * time.Minute}
	if len(at) != len(want) || len(got) != len(want) {
		t.Fatalf("sent at %v", at)
	}
	times := map[string]bool{}
	for i, m := range sink.Messages() {
		times[m.Header.Get("Request-Time")] = true
		if off := at[i] - want[i]; off < 0 || off > time.Minute || got[i] != got[0] {
			t.Errorf("send %d at %s, want %s: %s", i, at[i], want[i], got[i])
		}
	}
	if len(times) != len(want) {
		t.Errorf("signed at %d different times", len(times))
	}
}

// A notification that was acknowledged is not sent again.
func TestNotificationIsAcknowledged(t *testing.T) {
	c, sink := newNotified(t)
	sends := 0
	sink.Answer(func(w http.ResponseWriter, _ *http.Request) {
		if sends++; sends == 3 {
			fmt.Fprint(w, `{"result":{"resultStatus":"S"},"more":1}`)
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, acknowledged)
	})
	c.answer(c.order("order", fmt.Sprintf(`,"paymentNotifyUrl":"%s"`, sink.URL)), "approve")
	c.s.Advance(t, 48*time.Hour)
	if sends != 3 {
		t.Errorf("%d sends, want 3", sends)
	}
}

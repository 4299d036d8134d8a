package alipay

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzBody: whatever comes in, decoding neither fails in an uncontrolled way
// nor lets through what breaks the rules.
func FuzzBody(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.body))
	}
	f.Add([]byte(`{"paymentRequestId":"p","paymentAmount":{"value":"1","currency":"USD"},"paymentFactor":{"isAuthorizationPayment":"true"},"order":{"a":[1]}}`))
	f.Add([]byte(`{"captureRequestId":"c","paymentId":"1","captureAmount":{"value":"9999999999999999","currency":"XXX"},"extendInfo":{ "a" : 1 }}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		parsed, ok := parseObject(body)
		if !ok {
			return
		}
		if !json.Valid(body) || !utf8.Valid(body) {
			t.Fatal("not JSON in UTF-8")
		}
		fresh := func() *call {
			*parsed.bad = false
			return &call{fields: parsed, client: &client{settings: settings{zone: time.UTC}}}
		}
		if r, ok := readCapture(fresh()); ok {
			checkID(t, r.requestID)
			checkID(t, r.paymentID)
			checkAmount(t, r.amount, true)
			checkExtend(t, r.context.extend)
		}
		if r, ok := readVoid(fresh()); ok {
			checkAmount(t, r.amount, true)
		}
		if r, ok := readPay(fresh()); ok {
			checkID(t, r.requestID)
			checkAmount(t, r.amount, false)
			checkExtend(t, r.details.ExtendInfo)
			if r.details.Order != nil && !json.Valid(r.details.Order) {
				t.Errorf("order %s", r.details.Order)
			}
		}
	})
}

func checkID(t *testing.T, id string) {
	if n := utf8.RuneCountInString(id); n < 1 || n > 64 || bytes.ContainsAny([]byte(id), "\x00\n\r\t\x7f") {
		t.Errorf("id %q", id)
	}
}

func checkAmount(t *testing.T, a amount, optional bool) {
	if a == (amount{}) && optional {
		return
	}
	if a.minor < 1 || a.minor > maxMinor || !isCurrencyCode(a.currency) {
		t.Errorf("amount %+v", a)
	}
}

func checkExtend(t *testing.T, extend json.RawMessage) {
	if extend != nil && (!json.Valid(extend) || (extend[0] != '"' && extend[0] != '{')) {
		t.Errorf("extendInfo %s", extend)
	}
}

func TestParseTime(t *testing.T) {
	want := time.Date(2026, 1, 15, 4, 0, 0, 0, time.UTC)
	for _, s := range []string{
		"2026-01-15T12:00:00+08:00", "2026-01-15T12:00:00+0800", "2026-01-15T04:00:00Z", "2026-01-15T04:00:00.000+00:00",
		"2026-01-15T04:00:00-00:00", "1768449600000",
	} {
		if got, ok := parseRequestTime(s); !ok || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: %v, %t", s, got, ok)
		}
	}
	if _, ok := parseTime("1768449600000"); ok {
		t.Error("times in bodies are ISO 8601")
	}
	for _, s := range []string{"", "x", "2026-01-15", "2026-01-15T12:00:00", "2026-02-30T00:00:00Z", "2026-01-15T24:00:01Z", "-1", "+1", "1768449600000000", "1.5"} {
		if got, ok := parseRequestTime(s); ok {
			t.Errorf("%q is %v", s, got)
		}
	}
	for zone, text := range map[string]string{
		"": "2026-01-15T04:00:00+00:00", "+08:00": "2026-01-15T12:00:00+08:00", "-03:30": "2026-01-15T00:30:00-03:30", "+05:45": "2026-01-15T09:45:00+05:45",
		"Europe/Oslo": "2026-01-15T04:00:00+00:00",
	} {
		if got := string(appendTime(nil, want, parseZone(zone))); got != text {
			t.Errorf("in %q: %s, want %s", zone, got, text)
		}
		if minutes := minutesEast(parseZone(zone)); fixedZone(minutes).String() != parseZone(zone).String() {
			t.Errorf("%q is %d minutes east", zone, minutes)
		}
	}
}

// FuzzRequestTime: what is read as a time is one, and is written so that it is
// read as the same again.
func FuzzRequestTime(f *testing.F) {
	for _, s := range []string{
		"2019-05-28T12:12:12+08:00", "2019-05-28T12:12:12.253+05:30", "2026-01-15T04:00:00Z", "2026-01-15T04:00:00+0000", "1768449600000", "0", "999999999999999",
		"0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999-23:59", "2026-02-30T00:00:00Z", "2026-01-15T04:00:60Z", "-1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseRequestTime(s)
		if !ok {
			if !got.IsZero() {
				t.Errorf("%q is no time, but %v", s, got)
			}
			return
		}
		if got.Location() != time.UTC {
			t.Errorf("%q is in %v", s, got.Location())
		}
		if year := got.Year(); year < 0 || year > 9999 {
			return // milliseconds reach farther than the year 9999
		}
		whole := got.Truncate(time.Second)
		if again, ok := parseTime(string(appendTime(nil, got, time.UTC))); !ok || !again.Equal(whole) {
			t.Errorf("%q is %v, and came back as %v, %t", s, whole, again, ok)
		}
	})
}

func FuzzMediaTypes(f *testing.F) {
	f.Add("application/json; charset=UTF-8", "text/plain,text/xml;q=0.5")
	f.Add(`application/json;charset="utf-8", application/json`, "*/*;q=0")
	f.Fuzz(func(t *testing.T, contentType, accept string) {
		once := acceptable(http.Header{"Content-Type": {contentType}, "Accept": {accept}})
		twice := acceptable(http.Header{"Content-Type": {contentType, contentType}, "Accept": {accept, accept}})
		if once != twice {
			t.Errorf("%q %q: %t, but twice the same is %t", contentType, accept, once, twice)
		}
	})
}

func TestOwns(t *testing.T) {
	for path, want := range map[string]bool{
		"/v2/payments/capture": true, "/v1/payments/x": true, "/ams/sandbox/api/v1/authorizations/applyToken": true, "//v2//payments//pay": true,
		"/api/open/v2/payments/": true, "/v2/payments": false, "/v3/payments/pay": false, "/v1/payment_intents": false, "/ams/v1/payments/pay": false,
		"/x/v2/payments/pay": false, "/v2/transactions/1": false, "/": false, "": false, "/payments/pay": false,
	} {
		if got := Owns(path); got != want {
			t.Errorf("%q: %t", path, got)
		}
	}
}

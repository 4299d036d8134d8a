package alipay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
)

// TestScreen: the answers that have a code of their own.
func TestScreen(t *testing.T) {
	var why payment.Reason
	r := newRig(t, true, func(i payment.Instruction) payment.Answer {
		if why != "" && i.Kind == payment.OpCapture {
			return payment.Answer{Result: payment.Refused, Reason: why}
		}
		return payment.Answer{Result: payment.Approved}
	})
	id := r.pay(t, "pay", 1000, "USD")
	for n, c := range []struct {
		why  payment.Reason
		want string
	}{
		{payment.LimitPayer, "USER_AMOUNT_EXCEED_LIMIT"}, {payment.RiskRejected, "RISK_REJECT"}, {payment.LimitMaximum, "PAYMENT_AMOUNT_EXCEED_LIMIT"},
		{payment.LimitVolume, "PAYMENT_AMOUNT_EXCEED_LIMIT"}, {payment.LimitCount, "PAYMENT_COUNT_EXCEED_LIMIT"}, {payment.Fraudulent, "RISK_REJECT"},
	} {
		why = c.why
		name := fmt.Sprint("cap-", n)
		if got := r.capture(t, name, id); got.Result.Code != c.want || got.Result.Status != "F" || got.CaptureID != "" {
			t.Errorf("%s: %s", c.why, got.body)
		}
		why = ""
		if got := r.capture(t, name, id); got.Result.Code != c.want {
			t.Errorf("%s, repeated: %s", c.why, got.body)
		}
	}
	if got := r.capture(t, "cap", id); got.Result.Code != "SUCCESS" || got.CaptureAmount.Value != "1000" {
		t.Errorf("%s", got.body)
	}
}

// TestExpiredNow: the deadline counts from its instant on, whether or not the
// timer has fired (section 4.3 row 3).
func TestExpiredNow(t *testing.T) {
	r := newRig(t, true, nil)
	first, second := r.pay(t, "pay-1", 1000, "USD"), r.pay(t, "pay-2", 1000, "USD")
	r.clock.Advance(7*24*time.Hour - time.Millisecond)
	if got := r.capture(t, "cap-1", first); got.Result.Code != "SUCCESS" {
		t.Errorf("a millisecond before: %s", got.body)
	}
	r.clock.Advance(7 * 24 * time.Hour)
	if got := r.capture(t, "cap-2", second); got.Result.Code != "AUTH_EXPIRED" {
		t.Errorf("at the instant: %s", got.body)
	}
}

// TestUnknownOutcome: faults of ours are U, so that the merchant asks again,
// and are signed; the next time all is well.
func TestUnknownOutcome(t *testing.T) {
	r := newRig(t, true, nil)
	id := r.pay(t, "pay", 1000, "USD")
	if err := r.engine.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for api, body := range map[string]string{
		"capture": `{"captureRequestId":"c","paymentId":"` + id + `","extendInfo":"x"}`,
		"void":    `{"voidRequestId":"v","paymentId":"` + id + `","extendInfo":"x"}`,
		"pay":     `{"paymentRequestId":"p","paymentAmount":{"value":"1","currency":"USD"},"extendInfo":"x"}`,
		"cancel":  `{"paymentId":"` + id + `","extendInfo":"x"}`,
	} {
		got := r.call(t, api, body)
		if got.Result.Code != "UNKNOWN_EXCEPTION" || got.Result.Status != "U" || !strings.Contains(got.body, `"extendInfo":"x"`) || len(got.header["signature"]) != 1 {
			t.Errorf("%s: %s %v", api, got.body, got.header)
		}
	}
	if !strings.Contains(r.log.String(), "closed") || strings.Contains(r.log.String(), r.token) {
		t.Errorf("log: %s", r.log.String())
	}
}

// TestTooLarge: a body that is not read whole cannot be verified.
func TestTooLarge(t *testing.T) {
	r := newRig(t, true, nil)
	if got := r.call(t, "capture", `{"captureRequestId":"`+strings.Repeat("x", 1<<20)+`"}`); got.Result.Code != "PARAM_ILLEGAL" {
		t.Errorf("%s", got.body)
	}
}

// TestSettings: a setting of another type, or without sense, has its default.
func TestSettings(t *testing.T) {
	want := settingsOf(&merchant.Merchant{})
	if want.authValidity != 7*24*time.Hour || want.maxCaptures != 100 || want.maxCaptureAmount != 0 || want.timeTolerance != 0 || want.zone != time.UTC {
		t.Errorf("defaults %+v", want)
	}
	got := settingsOf(&merchant.Merchant{Settings: map[string]json.RawMessage{
		"alipay.auth_validity_seconds": json.RawMessage(`-1`), "alipay.max_captures": json.RawMessage(`"many"`), "alipay.max_capture_amount": json.RawMessage(`-5`),
		"alipay.request_time_tolerance": json.RawMessage(`1e30`), "alipay.time_zone": json.RawMessage(`"Mars"`), "alipay.currencies": json.RawMessage(`"USD"`),
		"intents.max_captures": json.RawMessage(`3`),
	}})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("nonsense became %+v", got)
	}
}

// TestLiveServerKey: in live mode the store has a key of its own, made once
// however many ask at the same time, and kept sealed.
func TestLiveServerKey(t *testing.T) {
	r := newRig(t, false, nil)
	published, err := publishedServer()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := r.server.get(t.Context(), r.Services)
	if err != nil || ours.private.Equal(published) {
		t.Fatalf("the published key signs in live mode, %v", err)
	}
	merchants, err := publishedMerchant()
	if err != nil {
		t.Fatal(err)
	}
	if issued, err := parsePrivatePEM(r.shown.MerchantPrivateKey); err != nil || issued.Equal(merchants) {
		t.Fatalf("the published key was issued in live mode, %v", err)
	}
	kept, err := r.store.Meta(t.Context(), ServerKeyName)
	if err != nil || bytes.Contains(kept, ours.private.D.Bytes()) || bytes.Contains(kept, ours.private.Primes[0].Bytes()) {
		t.Errorf("the key is not sealed, %v", err)
	}
	var others sync.WaitGroup
	for range 4 {
		others.Go(func() {
			key, err := New(r.Services).server.get(t.Context(), r.Services)
			if err != nil || !key.private.Equal(ours.private) {
				t.Errorf("another instance has another key, %v", err)
			}
		})
	}
	others.Wait()
	if got := r.capture(t, "c", "1"); got.Result.Code != "AUTH_NOT_FOUND" {
		t.Errorf("%s", got.body)
	}
}

// TestServerKeyIsMadeOnce: several instances at once, on a new store.
func TestServerKeyIsMadeOnce(t *testing.T) {
	r := newRig(t, true, nil)
	live := r.Services
	live.Sandbox = false
	keys := make(chan *serverKey, 4)
	var makers sync.WaitGroup
	for range cap(keys) {
		makers.Go(func() {
			key, err := new(serverKeys).get(t.Context(), live)
			if err != nil {
				t.Error(err)
				return
			}
			keys <- key
		})
	}
	makers.Wait()
	first := <-keys
	for range cap(keys) - 1 {
		if key := <-keys; !key.private.Equal(first.private) {
			t.Fatal("two keys")
		}
	}
}

// TestRotation: a second key beside the first, the newest where none is named,
// and the first one retired.
func TestRotation(t *testing.T) {
	r := newRig(t, true, nil)
	second, err := publishedServer() // any other key will do
	if err != nil {
		t.Fatal(err)
	}
	public, err := publicPEM(second)
	if err != nil {
		t.Fatal(err)
	}
	bare := strings.Join(strings.Split(strings.TrimSpace(public), "\n")[1:], "")
	bare = strings.TrimSuffix(bare, "-----END PUBLIC KEY-----")
	for name, text := range map[string]string{"PEM": public, "bare base64": bare} {
		t.Run(name, func(t *testing.T) {
			r.update(t, map[string]string{"2": text}, nil)
			if got := r.capture(t, "c", "1"); got.Result.Code != "AUTH_NOT_FOUND" {
				t.Errorf("the first key beside the second: %s", got.body)
			}
			for _, header := range []string{"keyVersion=2,signature=", "signature="} {
				q := r.request(t, "/v2/payments/capture", `{"captureRequestId":"c","paymentId":"1"}`)
				signature, err := r.signer.sign(second, digest("POST", "/v2/payments/capture", r.shown.ClientID, q.Header.Get("Request-Time"), []byte(`{"captureRequestId":"c","paymentId":"1"}`)))
				if err != nil {
					t.Fatal(err)
				}
				q.Header.Set("Signature", header+signature)
				if got := r.do(t, q); got.Result.Code != "AUTH_NOT_FOUND" {
					t.Errorf("%s: %s", header, got.body)
				}
			}
			r.update(t, nil, []string{"2"})
		})
	}
	r.update(t, map[string]string{"2": public}, []string{"1"})
	if got := r.capture(t, "c", "1"); got.Result.Code != "KEY_NOT_FOUND" {
		t.Errorf("the first key, retired: %s", got.body)
	}
	for _, bad := range []map[string]string{{"0": public}, {"02": public}, {"x": public}, {"3": "nonsense"}, {"3": "AAAA"}, {"3": r.shown.MerchantPrivateKey}} {
		if _, err := UpdateKeys([]byte(`{"v":1}`), bad, nil); err == nil {
			t.Errorf("%.20v was taken", bad)
		}
	}
}

func (r *rig) update(t *testing.T, add map[string]string, retire []string) {
	t.Helper()
	c, err := r.store.Credential(t.Context(), Name, clientKind, r.shown.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	if c.Data, err = UpdateKeys(c.Data, add, retire); err != nil {
		t.Fatal(err)
	}
	if err := r.store.PutCredential(t.Context(), *c); err != nil {
		t.Fatal(err)
	}
	r.Merchants.Forget()
}

// TestSignatureForms: the forms in which clients send a signature, all the way.
func TestSignatureForms(t *testing.T) {
	r := newRig(t, true, nil)
	q := r.request(t, "/v2/payments/capture", `{"captureRequestId":"c","paymentId":"1"}`)
	full := q.Header.Get("Signature")
	_, value, _ := strings.Cut(full, "signature=")
	raw, _ := decodeSignature(value)
	plain := strings.NewReplacer("%2B", "+", "%2F", "/", "%3D", "=").Replace(encodeSignature(raw))
	for name, value := range map[string]string{
		"base64": plain, "base64url": strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(plain), "="),
	} {
		q := r.request(t, "/v2/payments/capture", `{"captureRequestId":"c","paymentId":"1"}`)
		q.Header.Set("Signature", "signature="+value+",keyVersion=1,algorithm=rsa256")
		if got := r.do(t, q); got.Result.Code != "AUTH_NOT_FOUND" {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	for name, change := range map[string]func(*testing.T) answer{
		"another path": func(t *testing.T) answer {
			return r.with(t, full, "/v2/payments//capture", `{"captureRequestId":"c","paymentId":"1"}`)
		},
		"a query": func(t *testing.T) answer {
			return r.with(t, full, "/v2/payments/capture?", `{"captureRequestId":"c","paymentId":"1"}`)
		},
		"another body": func(t *testing.T) answer {
			return r.with(t, full, "/v2/payments/capture", `{"captureRequestId":"c","paymentId":"2"}`)
		},
		"white space": func(t *testing.T) answer {
			return r.with(t, full, "/v2/payments/capture", `{"captureRequestId":"c", "paymentId":"1"}`)
		},
		"a newline more": func(t *testing.T) answer {
			return r.with(t, full, "/v2/payments/capture", `{"captureRequestId":"c","paymentId":"1"}`+"\n")
		},
	} {
		if got := change(t); got.Result.Code != "SIGNATURE_INVALID" {
			t.Errorf("%s: %s", name, got.body)
		}
	}
}

func (r *rig) with(t *testing.T, signature, path, body string) answer {
	t.Helper()
	q := httptest.NewRequest("POST", path, strings.NewReader(body))
	q.Header.Set("Client-Id", r.shown.ClientID)
	q.Header.Set("Request-Time", "2026-01-15T12:00:00Z")
	q.Header.Set("Signature", signature)
	return r.do(t, q)
}

// TestVectorsServed: the published requests, as they are, pass all checks.
func TestVectorsServed(t *testing.T) {
	r := newRig(t, true, nil)
	c, err := r.store.Credential(t.Context(), Name, clientKind, r.shown.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	c.Lookup = vectorClient
	if err := r.store.PutCredential(t.Context(), *c); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		if v.server {
			continue
		}
		q := httptest.NewRequest("POST", v.target, strings.NewReader(v.body))
		q.Header.Set("Client-Id", vectorClient)
		q.Header.Set("Request-Time", v.at)
		q.Header.Set("Signature", "algorithm=RSA256, keyVersion=1, signature="+v.signature)
		if got := r.do(t, q); got.Result.Code != "AUTH_NOT_FOUND" || got.header["client-id"][0] != vectorClient {
			t.Errorf("%s: %s", v.name, got.body)
		}
	}
}

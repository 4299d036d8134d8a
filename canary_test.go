package capstan_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
)

// A card number of nobody's that satisfies Luhn's formula and occurs nowhere
// else, a declined one, and a security code that is as rare as four digits can
// be.
const (
	canaryCard = "4929907390318794"
	canaryCVC  = "8341"
)

// log is a log that tests may read.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// TestCanary: no card number, security code, secret or token that a client
// sends ends up in the log, in the database file or in its write-ahead log,
// whether the request succeeds, is refused, or is nonsense.
func TestCanary(t *testing.T) {
	written := &log{}
	s := capstantest.Run(t, capstantest.With(func(c *capstan.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(written, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}))
	secrets := map[string]string{"card number": canaryCard, "card number in groups": "4929 9073 9031 8794"}
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
		var object map[string]any
		if err := json.Unmarshal(member.document, &object); err != nil {
			t.Fatal(err)
		}
		value, _ := object[member.secret].(string)
		if len(value) < 16 {
			t.Fatalf("%s is %q", member.name, value)
		}
		secrets[member.name] = value
		secrets[member.name+" in base64"] = base64.StdEncoding.EncodeToString([]byte(value))
	}
	shop := struct {
		ID  string `json:"shop_id"`
		Key string `json:"secret_key"`
	}{}
	app := struct {
		ID      string `json:"app_id"`
		Token   string `json:"app_token"`
		Account string `json:"account_id"`
	}{}
	if err := json.Unmarshal(s.Credentials.Begateway, &shop); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(s.Credentials.WePay, &app); err != nil {
		t.Fatal(err)
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(shop.ID+":"+shop.Key))
	bearer := "Bearer " + secrets["intents secret key"]
	for i, request := range []struct {
		method, path string
		header       map[string]string
		body         string
		success      bool
	}{
		{"POST", "/v1/payment_intents", map[string]string{"Authorization": bearer, "Idempotency-Key": "canary"},
			"amount=1000&currency=usd&confirm=true&capture_method=manual&payment_method_data[type]=card&payment_method_data[card][number]=" + canaryCard + "&payment_method_data[card][exp_month]=12&payment_method_data[card][exp_year]=2040&payment_method_data[card][cvc]=" + canaryCVC, true},
		{"POST", "/v1/payment_intents", map[string]string{"Authorization": bearer}, "amount=x&currency=usd&" + canaryCard + "=" + canaryCVC, false},
		{"POST", "/v1/payment_intents", map[string]string{"Authorization": bearer}, "%%%" + canaryCard, false},
		{"POST", "/v1/payment_intents/" + canaryCard + "/capture", map[string]string{"Authorization": bearer}, "", false},
		{"GET", "/v1/payment_intents/" + canaryCard, map[string]string{"Authorization": "Basic " + canaryCard}, "", false},
		{"POST", "/transactions/authorizations", map[string]string{"Authorization": basic, "Content-Type": "application/json"},
			fmt.Sprintf(`{"request":{"amount":1000,"currency":"USD","description":"x","test":true,"credit_card":{"number":%q,"verification_value":%q,"holder":"Jane","exp_month":"12","exp_year":"2040"}}}`, canaryCard, canaryCVC), true},
		{"POST", "/transactions/authorizations", map[string]string{"Authorization": basic}, `{"request":{"credit_card":{"number":"` + canaryCard, false},
		{"POST", "/transactions/captures", map[string]string{"Authorization": basic}, fmt.Sprintf(`{"request":{"parent_uid":%q,"amount":%s}}`, canaryCard, canaryCVC), false},
		{"POST", "/payments", map[string]string{"App-Id": app.ID, "App-Token": app.Token, "Api-Version": "3.0", "Content-Type": "application/json", "Unique-Key": "canary"},
			fmt.Sprintf(`{"account_id":%q,"amount":1000,"currency":"USD","auto_capture":false,"payment_method":{"type":"credit_card","credit_card":{"card_number":%q,"expiration_month":12,"expiration_year":2040,"cvv":%q,"card_holder":{"holder_name":"Jane"}}}}`, app.Account, canaryCard, canaryCVC), true},
		{"POST", "/payments", map[string]string{"App-Id": app.ID, "App-Token": app.Token, "Api-Version": "3.0", "Content-Type": "application/json", "Unique-Key": "canary2"},
			fmt.Sprintf(`{"amount":%s,"payment_method":{"credit_card":%q}}`, canaryCard, canaryCard), false},
		{"POST", "/v2/payments/pay", map[string]string{"Client-Id": canaryCard, "Signature": "algorithm=RSA256, keyVersion=1, signature=" + canaryCard}, `{"x":"` + canaryCard + `"}`, false},
	} {
		status, answer := call(t, s.URL, request.method, request.path, request.header, request.body)
		if request.success && status != http.StatusOK {
			t.Errorf("request %d: status %d: %s", i, status, answer)
		}
		if strings.Contains(answer, canaryCVC) && strings.Contains(answer, `"cv`) {
			t.Errorf("request %d: the answer shows the security code: %s", i, answer)
		}
	}
	client, err := drive.New("alipay", withURL(s))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := client.Authorize(t.Context(), 1000, "canary"); err != nil || r.Verdict != drive.Done {
		t.Errorf("alipay: %+v %v", r, err)
	}

	stored := s.Stored(t)
	places := map[string][]byte{"store": stored, "log": written.text.Bytes()}
	for place, content := range places {
		for what, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s is in %s", what, place)
			}
		}
		for _, form := range []string{`"` + canaryCVC + `"`, "cvc=" + canaryCVC, "cvc:" + canaryCVC} {
			if bytes.Contains(content, []byte(form)) {
				t.Errorf("the security code is in %s", place)
			}
		}
	}
}

func call(t *testing.T, url, method, path string, header map[string]string, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(path, "/v1/") && method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

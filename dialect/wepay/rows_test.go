package wepay_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// world is what a row of the error table is tried in.
type world struct {
	*client
	held, captured, completed, present string // ids of payments of 2000, with a fee of 200
	stranger                           string // id of somebody else's
	refund                             string // of completed
	preference                         string
}

func newWorld(t *testing.T) *world {
	s := capstantest.Run(t, inMemory)
	w := &world{client: newClient(t, s, s.Credentials)}
	w.completed, w.captured = w.authorize("w1", `,"fee_amount":200`).ID, w.authorize("w2", `,"fee_amount":200`).ID
	w.capture(w.completed, "", "")
	s.Advance(t, 2*time.Second)
	w.refund = w.do(http.MethodPost, "/refunds", `{"payment_id":"`+w.completed+`","refund_reason":"x","amounts":{"currency":"USD","total_amount":500}}`, "w3").ID
	s.Advance(t, 2*time.Second)
	w.capture(w.captured, "", "")
	w.held = w.authorize("w4", `,"fee_amount":200`).ID
	w.present = w.pay(`{"encoded_payment_method":"dGVybWluYWwgcmVhZGluZw=="}`, "w5").ID
	w.preference = w.subscribe("http://127.0.0.1:1/", "disputes.created")[0]
	w.stranger = another(t, s).authorize("w6", "").ID
	return w
}

// set changes a setting of the merchant.
func (w *world) set(name string, value any) {
	w.server.Control(w.t, http.MethodPatch, "/_sandbox/settings", map[string]any{"settings": map[string]any{name: value}}, nil)
}

// ask is a request as a row of the error table has it. What it does not say of
// the headers is as it has to be; "-" leaves one out.
type ask struct {
	method, path, body, key  string
	appID, appToken, version string
	contentType              string
	before                   func(*world)
	status                   int
	code                     string
	details                  []string // "target/of/it TYPE REASON", in order
	allow                    string
}

// send sends the request, with the ids of the world in the places of {held} and
// the like.
func (w *world) send(a ask) (int, http.Header, []byte) {
	w.t.Helper()
	fill := strings.NewReplacer("{held}", w.held, "{captured}", w.captured, "{completed}", w.completed, "{present}", w.present,
		"{stranger}", w.stranger, "{refund}", w.refund, "{preference}", w.preference, "{account}", w.app.AccountID, "{long}", strings.Repeat("é", 256))
	request, err := http.NewRequest(a.method, w.server.URL+fill.Replace(a.path), strings.NewReader(fill.Replace(a.body)))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range []struct{ name, given, otherwise string }{
		{"App-Id", a.appID, w.app.AppID}, {"App-Token", a.appToken, w.app.AppToken}, {"Api-Version", a.version, "3.0"},
		{"Content-Type", a.contentType, "application/json"}, {"Unique-Key", a.key, "-"},
	} {
		if h.given == "" {
			h.given = h.otherwise
		}
		if h.given != "-" {
			request.Header.Set(h.name, h.given)
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	describedAnswer(w.t, a.method, request.URL.Path, response.StatusCode, response.Header, body)
	return response.StatusCode, response.Header, body
}

const payment2000 = `{"account_id":"{account}","amount":2000,"currency":"USD","payment_method":` + visa + `}`

// rows is the table of section 4, row by row.
var rows = []struct {
	name string
	asks []ask
}{
	{"1 NOT_AUTHORIZED.INVALID_CREDENTIALS", each(ask{method: "GET", path: "/payments/{held}", status: 403, code: "NOT_AUTHORIZED", details: []string{"App-Token HEADER INVALID_CREDENTIALS"}},
		ask{appID: "-"}, ask{appToken: "-"}, ask{appID: "-", appToken: "-"}, ask{appID: "999999"}, ask{appID: "0100001"}, ask{appToken: "stage_no"}, ask{appID: "x"},
		ask{method: "POST", path: "/payments/{held}/capture", appToken: "-"}, ask{method: "POST", path: "/tokens", appToken: "stage_no"}, ask{version: "-", appToken: "x"})},
	{"2 NOT_AUTHORIZED.RESOURCE_NOT_ACCESSIBLE", slices.Concat(
		each(ask{method: "POST", status: 403, code: "NOT_AUTHORIZED", details: []string{"id PATH RESOURCE_NOT_ACCESSIBLE"}},
			ask{path: "/payments/{stranger}/capture"}, ask{path: "/payments/x/capture"}, ask{path: "/payments/00000000-0000-0000-0000-000000000/capture"},
			ask{path: "/payments/{stranger}/cancel", body: `{"cancel_reason":"x"}`}, ask{path: "/payments/{stranger}", body: `{}`}, ask{path: "/payments/{refund}/capture"},
			ask{method: "GET", path: "/payments/{stranger}"}, ask{method: "GET", path: "/refunds/{held}"}, ask{method: "GET", path: "/transaction_records/x"},
			ask{method: "GET", path: "/payment_methods/x"}, ask{method: "DELETE", path: "/payment_methods/x"}, ask{method: "GET", path: "/notifications/{held}"},
			ask{method: "GET", path: "/notification_preferences/x"}, ask{method: "DELETE", path: "/notification_preferences/x"}, ask{path: "/notification_preferences/x", body: `{}`}),
		each(ask{method: "POST", path: "/refunds", key: "k", status: 403, code: "NOT_AUTHORIZED", details: []string{"payment_id BODY RESOURCE_NOT_ACCESSIBLE"}},
			ask{body: `{"payment_id":"{stranger}","refund_reason":"x"}`}, ask{body: `{"payment_id":"x","refund_reason":"x"}`}),
		each(ask{method: "POST", path: "/payments", key: "k", status: 403, code: "NOT_AUTHORIZED", details: []string{"account_id BODY RESOURCE_NOT_ACCESSIBLE"}},
			ask{body: strings.Replace(payment2000, "{account}", "x", 1)}),
	)},
	{"3 INVALID_PARAMS.PARAM_IS_MISSING Api-Version", each(ask{method: "POST", path: "/payments/{held}/capture", status: 400, code: "INVALID_PARAMS", details: []string{"Api-Version HEADER PARAM_IS_MISSING"}},
		ask{version: "-"}, ask{version: "-", method: "GET", path: "/payments"}, ask{version: "-", path: "/tokens", appToken: "-"}, ask{version: "-", body: `{`})},
	{"4 INVALID_PARAMS.PARAM_VALUE_IS_INVALID Api-Version", each(ask{method: "POST", path: "/payments/{held}/capture", status: 400, code: "INVALID_PARAMS", details: []string{"Api-Version HEADER PARAM_VALUE_IS_INVALID"}},
		ask{version: "2.0"}, ask{version: "3"}, ask{version: "3."}, ask{version: "3.0!"}, ask{version: "v3.0"}, ask{version: "3.0."}, ask{version: "3.0-é"}, ask{version: "3." + strings.Repeat("0", 300)})},
	{"5 INVALID_PARAMS.PARAM_IS_MISSING Content-Type", slices.Concat(
		each(ask{method: "POST", path: "/payments/{held}/capture", body: `{}`, status: 400, code: "INVALID_PARAMS", details: []string{"Content-Type HEADER PARAM_IS_MISSING"}}, ask{contentType: "-"}),
		each(ask{method: "POST", path: "/payments/{held}/capture", body: `{}`, status: 400, code: "INVALID_PARAMS", details: []string{"Content-Type HEADER PARAM_VALUE_IS_INVALID"}},
			ask{contentType: "text/plain"}, ask{contentType: "application/jsonx"}, ask{contentType: "application/x-www-form-urlencoded"}))},
	{"6 INVALID_PARAMS.MALFORMED_JSON", slices.Concat(
		each(ask{method: "POST", path: "/payments/{held}/capture", status: 400, code: "INVALID_PARAMS", details: []string{" BODY MALFORMED_JSON"}},
			ask{body: `{`}, ask{body: `[]`}, ask{body: `null`}, ask{body: `1`}, ask{body: `"x"`}, ask{body: `{} {}`}, ask{body: "{\"a\":\"\xff\"}"}, ask{body: "\ufeff{}"}, ask{body: `{'a':1}`}, ask{body: `{"a":01}`}),
		each(ask{method: "POST", path: "/payments/{held}/capture", status: 400, code: "INVALID_PARAMS", details: []string{" BODY PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE"}},
			ask{body: `{"a":"` + strings.Repeat("x", 1<<20) + `"}`}))},
	{"7 INVALID_PARAMS.PARAM_IS_MISSING", []ask{
		{method: "POST", path: "/payments/{held}/capture", body: `{"amounts":{}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/amount BODY PARAM_IS_MISSING", "amounts/currency BODY PARAM_IS_MISSING"}},
		{method: "POST", path: "/payments/{held}/capture", body: `{"amounts":{"amount":null,"currency":null}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/amount BODY PARAM_IS_MISSING", "amounts/currency BODY PARAM_IS_MISSING"}},
		{method: "POST", path: "/payments/{held}/cancel", status: 400, code: "INVALID_PARAMS", details: []string{"cancel_reason BODY PARAM_IS_MISSING"}},
		{method: "POST", path: "/payments", key: "k", status: 400, code: "INVALID_PARAMS", details: []string{"account_id BODY PARAM_IS_MISSING", "amount BODY PARAM_IS_MISSING", "currency BODY PARAM_IS_MISSING", "payment_method BODY PARAM_IS_MISSING"}},
		{method: "POST", path: "/refunds", key: "k", body: `{"amounts":{}}`, status: 400, code: "INVALID_PARAMS", details: []string{"payment_id BODY PARAM_IS_MISSING", "refund_reason BODY PARAM_IS_MISSING", "amounts/currency BODY PARAM_IS_MISSING", "amounts/total_amount BODY PARAM_IS_MISSING"}},
		{method: "POST", path: "/tokens", body: `{}`, status: 400, code: "INVALID_PARAMS", details: []string{"resource BODY PARAM_IS_MISSING", "payment_methods BODY PARAM_IS_MISSING"}},
		{method: "POST", path: "/payment_methods", body: `{"credit_card":{}}`, status: 400, code: "INVALID_PARAMS", details: []string{"credit_card/card_number BODY PARAM_IS_MISSING", "credit_card/expiration_month BODY PARAM_IS_MISSING", "credit_card/expiration_year BODY PARAM_IS_MISSING"}},
		{method: "POST", path: "/notification_preferences", body: `{}`, status: 400, code: "INVALID_PARAMS", details: []string{"callback_uri BODY PARAM_IS_MISSING", "topic BODY PARAM_IS_MISSING"}},
	}},
	{"8 INVALID_PARAMS.PARAM_TYPE_IS_INVALID", []ask{
		{method: "POST", path: "/payments/{held}/capture", body: `{"amounts":{"amount":"1500","currency":1,"fee_amount":1.5},"custom_data":[]}`, status: 400, code: "INVALID_PARAMS",
			details: []string{"amounts/amount BODY PARAM_TYPE_IS_INVALID", "amounts/currency BODY PARAM_TYPE_IS_INVALID", "amounts/fee_amount BODY PARAM_TYPE_IS_INVALID", "custom_data BODY PARAM_TYPE_IS_INVALID"}},
		{method: "POST", path: "/payments/{held}/capture", body: `{"amounts":{"amount":1.5e3,"currency":true,"fee_amount":true},"custom_data":"x"}`, status: 400, code: "INVALID_PARAMS",
			details: []string{"amounts/amount BODY PARAM_TYPE_IS_INVALID", "amounts/currency BODY PARAM_TYPE_IS_INVALID", "amounts/fee_amount BODY PARAM_TYPE_IS_INVALID", "custom_data BODY PARAM_TYPE_IS_INVALID"}},
		{method: "POST", path: "/payments/{held}/capture", body: `{"amounts":1500,"custom_data":1}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts BODY PARAM_TYPE_IS_INVALID", "custom_data BODY PARAM_TYPE_IS_INVALID"}},
		{method: "POST", path: "/payments/{held}/cancel", body: `{"cancel_reason":1,"rbits":{}}`, status: 400, code: "INVALID_PARAMS", details: []string{"cancel_reason BODY PARAM_TYPE_IS_INVALID", "rbits BODY PARAM_TYPE_IS_INVALID"}},
		{method: "POST", path: "/payments", key: "k", body: `{"account_id":1,"amount":"2000","currency":1,"payment_method":[],"auto_capture":"false","capture_at":"x","fee_amount":"1","initiated_by":1,"reference_id":1,"custom_data":[],"rbits":{},"order":"o"}`, status: 400, code: "INVALID_PARAMS",
			details: []string{"account_id BODY PARAM_TYPE_IS_INVALID", "amount BODY PARAM_TYPE_IS_INVALID", "currency BODY PARAM_TYPE_IS_INVALID", "payment_method BODY PARAM_TYPE_IS_INVALID", "auto_capture BODY PARAM_TYPE_IS_INVALID",
				"capture_at BODY PARAM_TYPE_IS_INVALID", "fee_amount BODY PARAM_TYPE_IS_INVALID", "initiated_by BODY PARAM_TYPE_IS_INVALID", "reference_id BODY PARAM_TYPE_IS_INVALID", "custom_data BODY PARAM_TYPE_IS_INVALID", "rbits BODY PARAM_TYPE_IS_INVALID", "order BODY PARAM_TYPE_IS_INVALID"}},
		{method: "GET", path: "/payments?page_size=x&create_time_start=1.5&minimum_amount=-", status: 400, code: "INVALID_PARAMS",
			details: []string{"page_size QUERY_STRING PARAM_TYPE_IS_INVALID", "create_time_start QUERY_STRING PARAM_TYPE_IS_INVALID", "minimum_amount QUERY_STRING PARAM_TYPE_IS_INVALID"}},
	}},
	{"9 INVALID_PARAMS.PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE", []ask{
		{method: "POST", path: "/payments/{held}/capture", body: `{"amounts":{"amount":99,"currency":"USD","fee_amount":-1}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/amount BODY PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE", "amounts/fee_amount BODY PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE"}},
		{method: "POST", path: "/payments/{held}/capture", body: `{"amounts":{"amount":-99999999999999999999,"currency":"USD"}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/amount BODY PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE"}},
		{method: "POST", path: "/payments", key: "k", body: strings.Replace(payment2000, "2000", "99", 1), status: 400, code: "INVALID_PARAMS", details: []string{"amount BODY PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE"}},
		{method: "POST", path: "/payments", key: "k", body: strings.Replace(payment2000, "2000", `2000,"capture_at":1`, 1), status: 400, code: "INVALID_PARAMS", details: []string{"capture_at BODY PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE"}},
		{method: "POST", path: "/payments", key: "k", body: strings.NewReplacer("2000", `99,"capture_at":1,"fee_amount":-1`, "2030", "2020").Replace(payment2000), status: 400, code: "INVALID_PARAMS",
			details: []string{"amount BODY PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE", "payment_method/credit_card/expiration_year BODY PARAM_VALUE_IS_INVALID", "capture_at BODY PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE", "fee_amount BODY PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE"}},
		{method: "POST", path: "/payments/{held}", body: `{"amounts":{"amount":99,"currency":"USD"},"capture_at":1,"reference_id":""}`, status: 400, code: "INVALID_PARAMS",
			details: []string{"amounts/amount BODY PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE", "capture_at BODY PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE", "reference_id BODY PARAM_VALUE_IS_INVALID"}},
		{method: "POST", path: "/payments/{held}", body: `{"capture_at":1}`, status: 400, code: "INVALID_PARAMS", details: []string{"capture_at BODY PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE"}},
		{method: "POST", path: "/refunds", key: "k", body: `{"payment_id":"{completed}","refund_reason":"x","amounts":{"currency":"USD","total_amount":99,"fee_refund_amount":-1}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/total_amount BODY PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE", "amounts/fee_refund_amount BODY PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE"}},
		{method: "GET", path: "/payments?page_size=0&create_time_end=-1", status: 400, code: "INVALID_PARAMS", details: []string{"page_size QUERY_STRING PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE", "create_time_end QUERY_STRING PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE"}},
	}},
	{"10 INVALID_PARAMS.PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE", []ask{
		{method: "POST", path: "/payments/{held}/capture", body: `{"amounts":{"amount":2001,"currency":"USD"}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/amount BODY PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE"}},
		{method: "POST", path: "/payments/{present}/capture", body: `{"amounts":{"amount":2401,"currency":"USD"}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/amount BODY PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE"}},
		{method: "POST", path: "/payments/{held}/capture", body: `{"amounts":{"amount":99999999999999999999,"currency":"USD"}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/amount BODY PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE"}},
		{method: "POST", path: "/payments/{held}", body: `{"amounts":{"amount":2001,"currency":"USD"}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/amount BODY PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE"}},
		{method: "POST", path: "/payments/{held}", body: `{"capture_at":99999999999}`, status: 400, code: "INVALID_PARAMS", details: []string{"capture_at BODY PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE"}},
		{method: "POST", path: "/refunds", key: "k", body: `{"payment_id":"{completed}","refund_reason":"x","amounts":{"currency":"USD","total_amount":1501}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/total_amount BODY PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE"}},
		{method: "GET", path: "/payments?page_size=51", status: 400, code: "INVALID_PARAMS", details: []string{"page_size QUERY_STRING PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE"}},
	}},
	{"11 INVALID_PARAMS.PARAM_VALUE_IS_INVALID", []ask{
		{method: "POST", path: "/payments/{held}/capture", body: `{"amounts":{"amount":1500,"currency":"CAD"}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/currency BODY PARAM_VALUE_IS_INVALID"}},
		{method: "POST", path: "/payments/{held}/capture", body: `{"amounts":{"amount":1500,"currency":"usd"}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/currency BODY PARAM_VALUE_IS_INVALID"}},
		{method: "POST", path: "/payments/{long}/capture", body: `{"amounts":{"amount":99,"currency":"EUR"}}`, status: 400, code: "INVALID_PARAMS", details: []string{"id PATH PARAM_VALUE_IS_INVALID", "amounts/amount BODY PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE", "amounts/currency BODY PARAM_VALUE_IS_INVALID"}},
		{method: "POST", path: "/payments/{held}/cancel", body: `{"cancel_reason":""}`, status: 400, code: "INVALID_PARAMS", details: []string{"cancel_reason BODY PARAM_VALUE_IS_INVALID"}},
		{method: "POST", path: "/payments", key: "k", body: strings.Replace(payment2000, "2000", `2000,"initiated_by":"x","reference_id":""`, 1), status: 400, code: "INVALID_PARAMS", details: []string{"initiated_by BODY PARAM_VALUE_IS_INVALID", "reference_id BODY PARAM_VALUE_IS_INVALID"}},
		{method: "POST", path: "/payments", key: "k", body: `{"account_id":"{account}","amount":2000,"currency":"USD","payment_method":{"type":"payment_bank_us"}}`, status: 400, code: "INVALID_PARAMS", details: []string{"payment_method/type BODY PARAM_VALUE_IS_INVALID"}},
		{method: "POST", path: "/payments", key: "k", body: `{"account_id":"{account}","amount":2000,"currency":"USD","payment_method":{"token":{"id":"x"},"encoded_payment_method":"y"}}`, status: 400, code: "INVALID_PARAMS", details: []string{"payment_method BODY PARAM_VALUE_IS_INVALID"}},
		{method: "POST", path: "/refunds", key: "k", body: `{"payment_id":"{completed}","refund_reason":"x","is_unreferenced_refund":true}`, status: 400, code: "INVALID_PARAMS", details: []string{"is_unreferenced_refund BODY PARAM_VALUE_IS_INVALID"}},
		{method: "GET", path: "/payments?page=x&status=cancelled&payment_method_type=x", status: 400, code: "INVALID_PARAMS", details: []string{"page QUERY_STRING PARAM_VALUE_IS_INVALID", "payment_method_type QUERY_STRING PARAM_VALUE_IS_INVALID", "status QUERY_STRING PARAM_VALUE_IS_INVALID"}},
		{method: "POST", path: "/notification_preferences", body: `{"callback_uri":"ftp://x","topic":"payments.captured"}`, status: 400, code: "INVALID_PARAMS", details: []string{"callback_uri BODY PARAM_VALUE_IS_INVALID", "topic BODY PARAM_VALUE_IS_INVALID"}},
		{method: "POST", path: "/payments/{held}/capture", key: "a b", status: 400, code: "INVALID_PARAMS", details: []string{"Unique-Key HEADER PARAM_VALUE_IS_INVALID"}},
		{method: "POST", path: "/payments/{held}/capture", key: strings.Repeat("k", 256), status: 400, code: "INVALID_PARAMS", details: []string{"Unique-Key HEADER PARAM_VALUE_IS_INVALID"}},
	}},
	{"12 INVALID_PARAMS.FEE_EXCEEDS_PAYMENT_AMOUNT_THRESHOLD_PERCENTAGE", []ask{
		{method: "POST", path: "/payments/{held}/capture", body: `{"amounts":{"amount":1500,"currency":"USD","fee_amount":301}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/fee_amount BODY FEE_EXCEEDS_PAYMENT_AMOUNT_THRESHOLD_PERCENTAGE"}},
		{method: "POST", path: "/payments/{held}/capture", body: `{"amounts":{"amount":999,"currency":"USD"}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/fee_amount BODY FEE_EXCEEDS_PAYMENT_AMOUNT_THRESHOLD_PERCENTAGE"}},
		{method: "POST", path: "/payments/{held}/capture", body: `{"amounts":{"amount":2001,"currency":"CAD","fee_amount":401}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/amount BODY PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE", "amounts/currency BODY PARAM_VALUE_IS_INVALID", "amounts/fee_amount BODY FEE_EXCEEDS_PAYMENT_AMOUNT_THRESHOLD_PERCENTAGE"}},
		{method: "POST", path: "/payments", key: "k", body: strings.Replace(payment2000, "2000", `2000,"fee_amount":401`, 1), status: 400, code: "INVALID_PARAMS", details: []string{"fee_amount BODY FEE_EXCEEDS_PAYMENT_AMOUNT_THRESHOLD_PERCENTAGE"}},
		{method: "POST", path: "/payments/{held}", body: `{"amounts":{"amount":1500,"currency":"USD","fee_amount":301}}`, status: 400, code: "INVALID_PARAMS", details: []string{"amounts/fee_amount BODY FEE_EXCEEDS_PAYMENT_AMOUNT_THRESHOLD_PERCENTAGE"}},
	}},
	{"13 INVALID_PARAMS.PAYMENT_CANNOT_BE_CAPTURED", each(ask{method: "POST", path: "/payments/{held}/capture", status: 400, code: "INVALID_PARAMS", details: []string{"id PATH PAYMENT_CANNOT_BE_CAPTURED"}},
		ask{path: "/payments/{captured}/capture"}, ask{path: "/payments/{completed}/capture"}, ask{path: "/payments/{completed}/capture", body: `{"amounts":{"amount":9999,"currency":"CAD"}}`},
		ask{before: func(w *world) { w.do("POST", "/payments/"+w.held+"/cancel", `{"cancel_reason":"x"}`, "") }},
		ask{before: func(w *world) { w.server.Advance(w.t, 7*24*time.Hour) }},
		ask{before: func(w *world) {
			w.held = w.do("POST", "/payments", fmt.Sprintf(`{"account_id":%q,"amount":2000,"currency":"USD","payment_method":%s,"capture_at":%d}`, w.app.AccountID, visa, w.server.Clock.Now().Unix()+3600), "s").ID
		}})},
	{"14 PAYMENT_CANNOT_BE_CANCELED", each(ask{method: "POST", path: "/payments/{held}/cancel", body: `{"cancel_reason":"x"}`, status: 400, code: "PAYMENT_CANNOT_BE_CANCELED", details: []string{"id PATH PAYMENT_CANNOT_BE_CANCELED"}},
		ask{path: "/payments/{captured}/cancel"}, ask{path: "/payments/{completed}/cancel"},
		ask{before: func(w *world) { w.server.Advance(w.t, 7*24*time.Hour) }},
		ask{path: "/payments/{present}/cancel", before: func(w *world) { w.server.Advance(w.t, 90*time.Minute) }},
		ask{path: "/payments/{present}/cancel", before: func(w *world) {
			w.set("wepay.card_present_cancel_seconds", 60)
			w.present = w.pay(`{"encoded_payment_method":"dGVybWluYWwgcmVhZGluZw=="}`, "w7").ID
			w.server.Advance(w.t, time.Minute)
		}})},
	{"15 INVALID_PARAMS.PAYMENT_CANNOT_BE_REFUNDED", each(ask{method: "POST", path: "/refunds", key: "k", status: 400, code: "INVALID_PARAMS", details: []string{"payment_id BODY PAYMENT_CANNOT_BE_REFUNDED"}},
		ask{body: `{"payment_id":"{held}","refund_reason":"x"}`}, ask{body: `{"payment_id":"{captured}","refund_reason":"x"}`},
		ask{body: `{"payment_id":"{completed}","refund_reason":"x"}`, before: func(w *world) { w.server.Advance(w.t, 60*24*time.Hour) }},
		ask{body: `{"payment_id":"{completed}","refund_reason":"x"}`, before: func(w *world) {
			w.do("POST", "/refunds", `{"payment_id":"`+w.completed+`","refund_reason":"x"}`, "rest")
		}})},
	{"16 INVALID_PARAMS.PARAM_IS_MISSING Unique-Key", each(ask{method: "POST", status: 400, code: "INVALID_PARAMS", details: []string{"Unique-Key HEADER PARAM_IS_MISSING"}},
		ask{path: "/payments", body: payment2000}, ask{path: "/refunds", body: `{"payment_id":"{completed}","refund_reason":"x"}`}, ask{path: "/payments", body: `{}`})},
	{"17 INVALID_PARAMS.CONCURRENT_UNIQUE_KEY_REQUEST_IS_PROCESSING", each(ask{method: "POST", path: "/payments/{held}/capture", key: "busy", status: 400, code: "INVALID_PARAMS",
		details: []string{"Unique-Key HEADER CONCURRENT_UNIQUE_KEY_REQUEST_IS_PROCESSING"}},
		ask{before: func(w *world) { w.unanswered("capture"); w.capture(w.held, "", "busy") }})},
	{"18 INVALID_PARAMS.UNIQUE_KEY_ALREADY_USED", each(ask{method: "POST", path: "/payments/{held}/capture", key: "used", status: 400, code: "INVALID_PARAMS", details: []string{"Unique-Key HEADER UNIQUE_KEY_ALREADY_USED"},
		before: func(w *world) { w.capture(w.held, `{"custom_data":{"a":1}}`, "used") }},
		ask{}, ask{body: `{"custom_data":{"a":1.0}}`}, ask{path: "/payments/{present}/capture", body: `{"custom_data":{"a":1}}`}, ask{version: "3.1", body: `{"custom_data":{"a":1}}`},
		ask{path: "/payments/{held}/capture?a=b", body: `{"custom_data":{"a":1}}`}, ask{path: "/payments/{held}/cancel", body: `{"cancel_reason":"x"}`}, ask{path: "/payments", body: payment2000},
		ask{path: "/refunds", body: `{"payment_id":"{completed}","refund_reason":"x"}`}, ask{path: "/payments/{held}", body: `{}`}, ask{path: "/payment_methods", body: `{"credit_card":` + rawCard + `}`},
		ask{path: "/notification_preferences", body: `{"callback_uri":"http://127.0.0.1:1/","topic":"payments.created"}`},
		ask{path: "/notification_preferences/{preference}", body: `{"status":"active"}`})},
	{"19 THROTTLE_EXCEEDED.APPLICATION_REQUEST_THROTTLE_EXCEEDED", each(ask{method: "GET", path: "/payments/{held}", status: 429, code: "THROTTLE_EXCEEDED", details: []string{"App-Id HEADER APPLICATION_REQUEST_THROTTLE_EXCEEDED"},
		before: func(w *world) { w.set("wepay.rate_limit", 1); w.get(w.held) }},
		ask{}, ask{version: "-"})},
	{"20 MERCHANT_ACCOUNT_CANNOT_ACCEPT_PAYMENTS", each(ask{method: "POST", path: "/payments", key: "k", body: payment2000, status: 400, code: "MERCHANT_ACCOUNT_CANNOT_ACCEPT_PAYMENTS", details: []string{"account_id BODY MERCHANT_ACCOUNT_CANNOT_ACCEPT_PAYMENTS"},
		before: func(w *world) { w.set("wepay.account_can_accept_payments", false) }},
		ask{})},
	{"21 UNEXPECTED_ERROR", []ask{
		{method: "POST", path: "/payments/{held}/capture", key: "k", status: 500, code: "UNEXPECTED_ERROR", before: func(w *world) { w.unanswered("capture") }},
		{method: "POST", path: "/payments/{held}/cancel", body: `{"cancel_reason":"x"}`, status: 500, code: "UNEXPECTED_ERROR", before: func(w *world) { w.unanswered("void") }},
		{method: "POST", path: "/payments", key: "k", body: payment2000, status: 500, code: "UNEXPECTED_ERROR", before: func(w *world) { w.unanswered("authorize") }},
	}},
	{"22 NOT_FOUND", each(ask{method: "GET", status: 404, code: "NOT_FOUND"},
		ask{path: "/nothing"}, ask{path: "/payments/"}, ask{path: "/payments/x/"}, ask{path: "/payments/x/refund"}, ask{path: "/Payments"}, ask{path: "//payments"}, ask{path: "/payments/x/capture/y"}, ask{path: "/tokens/x"}, ask{method: "POST", path: "/"})},
	{"23 METHOD_NOT_ALLOWED", []ask{
		{method: "PUT", path: "/payments", status: 405, code: "METHOD_NOT_ALLOWED", allow: "GET, POST"},
		{method: "GET", path: "/payments/{held}/capture", status: 405, code: "METHOD_NOT_ALLOWED", allow: "POST"},
		{method: "DELETE", path: "/payments/{held}", status: 405, code: "METHOD_NOT_ALLOWED", allow: "GET, POST"},
		{method: "POST", path: "/refunds/{refund}", status: 405, code: "METHOD_NOT_ALLOWED", allow: "GET"},
		{method: "GET", path: "/tokens", status: 405, code: "METHOD_NOT_ALLOWED", allow: "POST", appToken: "-"},
		{method: "PATCH", path: "/payment_methods/x", status: 405, code: "METHOD_NOT_ALLOWED", allow: "GET, DELETE"},
	}},
}

// each completes what the requests of one row have in common.
func each(common ask, different ...ask) []ask {
	for i := range different {
		d := &different[i]
		for _, s := range []struct{ to, from *string }{
			{&d.method, &common.method}, {&d.path, &common.path}, {&d.body, &common.body}, {&d.key, &common.key}, {&d.code, &common.code}, {&d.allow, &common.allow},
		} {
			if *s.to == "" {
				*s.to = *s.from
			}
		}
		if d.before == nil {
			d.before = common.before
		}
		d.status, d.details = common.status, common.details
	}
	return different
}

// unanswered makes the acquirer take its time.
func (w *world) unanswered(operation string) {
	w.set("wepay.processor_patience_ms", 10)
	w.server.Control(w.t, http.MethodPost, "/_sandbox/processor", map[string]any{"operation": operation, "outcome": "timeout"}, nil)
}

// TestRows: every row of the error table of section 4, with all details, in the
// order of the schema, and nothing else.
func TestRows(t *testing.T) {
	for i, row := range rows {
		if !strings.HasPrefix(row.name, fmt.Sprint(i+1, " ")) {
			t.Errorf("row %d is called %s", i+1, row.name)
		}
		t.Run(row.name, func(t *testing.T) {
			for _, a := range row.asks {
				w := newWorld(t)
				if a.before != nil {
					a.before(w)
				}
				status, header, body := w.send(a)
				want := wanted(a)
				var got problemShape
				if err := json.Unmarshal(body, &got); err != nil {
					t.Fatalf("%v: %s", err, body)
				}
				if status != a.status || got.ErrorCode != a.code || !slices.Equal(got.all(), want) || header.Get("Allow") != a.allow {
					t.Errorf("%s %s %.200s: %d %s %q (Allow %q), want %d %s %q", a.method, a.path, a.body, status, got.ErrorCode, got.all(), header.Get("Allow"), a.status, a.code, want)
				}
				if !problemBytes.Match(body) {
					t.Errorf("the members are not in order: %s", body)
				}
			}
		})
	}
}

// problemBytes is an error as it is on the wire: its members, and those of each
// detail, in their order, without white space.
var problemBytes = regexp.MustCompile(`^\{"error_code":"[A-Z_]+","error_message":"[^"]+","details":\[(\{"target":\[("[^"]+",?)*\],"target_type":"[A-Z_]+","reason_code":"[A-Z_]+","message":"[^"]+"\},?)*\]\}$`)

// problemShape is an error as clients read it.
type problemShape struct {
	ErrorCode string `json:"error_code"`
	Details   []struct {
		Target     []string
		TargetType string `json:"target_type"`
		ReasonCode string `json:"reason_code"`
	}
}

func (p problemShape) all() []string {
	all := []string{}
	for _, d := range p.Details {
		all = append(all, strings.Join(d.Target, "/")+" "+strings.TrimPrefix(d.TargetType, "HTTP_REQUEST_")+" "+d.ReasonCode)
	}
	return all
}

func wanted(a ask) []string {
	if a.details == nil {
		return []string{}
	}
	return a.details
}

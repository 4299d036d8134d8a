package begateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

// Every row of the catalogue of errors (section 3.4): the request that meets
// its condition, on which path, and what is answered.
func TestErrorCatalogue(t *testing.T) {
	million := "1" + strings.Repeat("0", 30)
	long := strings.Repeat("é", 256)
	card := func(members string) string {
		return `{"amount":100,"currency":"USD","description":"x","credit_card":{` + members + `}}`
	}
	const whole = `"number":"4200000000000000","verification_value":"123","exp_month":"05","exp_year":"2030"`
	for _, row := range []struct {
		name, path, request string
		want                string // the message; HOLD and SALE in the request stand for uids
		set                 string // a setting to be on
	}{
		{"parent_uid can't be blank: missing", "captures", `{"amount":50}`, "Parent uid can't be blank.", ""},
		{"parent_uid can't be blank: empty", "captures", `{"parent_uid":"","amount":50}`, "Parent uid can't be blank.", ""},
		{"parent_uid can't be blank: null", "voids", `{"parent_uid":null,"amount":50}`, "Parent uid can't be blank.", ""},
		{"parent_uid not found: unknown", "captures", `{"parent_uid":"1-310b0da80b","amount":50}`, "Parent uid Parent transaction is not found.", ""},
		{"parent_uid not found: other shop's", "captures", `{"parent_uid":"THEIRS","amount":50}`, "Parent uid Parent transaction is not found.", ""},
		{"parent_uid not found: of a type that cannot be one", "captures", `{"parent_uid":"SALE","amount":50}`, "Parent uid Parent transaction is not found.", ""},
		{"parent_uid not found: a number", "captures", `{"parent_uid":7,"amount":50}`, "Parent uid Parent transaction is not found.", ""},
		{"amount must be greater than 0: missing", "captures", `{"parent_uid":"HOLD"}`, "Amount must be greater than 0.", ""},
		{"amount must be greater than 0: null", "captures", `{"parent_uid":"HOLD","amount":null}`, "Amount must be greater than 0.", ""},
		{"amount must be greater than 0: 0", "voids", `{"parent_uid":"HOLD","amount":0}`, "Amount must be greater than 0.", ""},
		{"amount must be greater than 0: negative", "refunds", `{"parent_uid":"SALE","amount":-1,"reason":"x"}`, "Amount must be greater than 0.", ""},
		{"amount must be an integer: 50.5", "captures", `{"parent_uid":"HOLD","amount":50.5}`, "Amount must be an integer.", ""},
		{"amount must be an integer: 50.0", "captures", `{"parent_uid":"HOLD","amount":50.0}`, "Amount must be an integer.", ""},
		{"amount must be an integer: \"50.5\"", "captures", `{"parent_uid":"HOLD","amount":"50.5"}`, "Amount must be an integer.", ""},
		{"amount is not a number: abc", "captures", `{"parent_uid":"HOLD","amount":"abc"}`, "Amount is not a number.", ""},
		{"amount is not a number: true", "captures", `{"parent_uid":"HOLD","amount":true}`, "Amount is not a number.", ""},
		{"amount is not a number: object", "captures", `{"parent_uid":"HOLD","amount":{"value":50}}`, "Amount is not a number.", ""},
		{"amount can't be greater than N: capture", "captures", `{"parent_uid":"HOLD","amount":1001}`, "Amount can't be greater than 1000.", ""},
		{"amount can't be greater than N: void", "voids", `{"parent_uid":"HOLD","amount":"1001"}`, "Amount can't be greater than 1000.", ""},
		{"amount can't be greater than N: refund", "refunds", `{"parent_uid":"SALE","amount":2001,"reason":"x"}`, "Amount can't be greater than 2000.", ""},
		{"amount can't be greater than N: 10^30", "captures", `{"parent_uid":"HOLD","amount":` + million + `}`, "Amount can't be greater than 1000.", ""},
		{"amount can't be greater than N: 10^30 as a string", "captures", `{"parent_uid":"HOLD","amount":"` + million + `"}`, "Amount can't be greater than 1000.", ""},
		{"amount can't be greater than N: 10^30 to authorize", "authorizations", strings.Replace(card(whole), "100", million, 1), "Amount can't be greater than 2305843009213693951.", ""},
		{"reason can't be blank", "refunds", `{"parent_uid":"SALE","amount":50}`, "Reason can't be blank.", ""},
		{"reason can't be blank: with a wrong amount", "refunds", `{"parent_uid":"SALE","amount":0,"reason":""}`, "Amount must be greater than 0. Reason can't be blank.", ""},
		{"reason is too long", "refunds", `{"parent_uid":"SALE","amount":50,"reason":"` + long + `"}`, "Reason is too long (maximum is 255 characters).", ""},
		{"base Duplicate transaction", "captures", `{"parent_uid":"HOLD","amount":7}`, "Duplicate transaction", ""},
		{"base transaction can't be refunded", "refunds", `{"parent_uid":"HOLD","amount":50,"reason":"x"}`, "transaction can't be refunded", ""},
		{"base transaction can't be captured", "captures", `{"parent_uid":"FAILED","amount":50}`, "transaction can't be captured", ""},
		{"base transaction can't be voided", "voids", `{"parent_uid":"FAILED","amount":50}`, "transaction can't be voided", ""},
		{"currency can't be blank", "authorizations", strings.Replace(card(whole), "USD", "", 1), "Currency can't be blank.", ""},
		{"currency is unknown", "payments", strings.Replace(card(whole), "USD", "usd", 1), "Currency is unknown ISO 4217 Alpha-3 code.", ""},
		{"description can't be blank", "payments", strings.Replace(card(whole), `"x"`, `" "`, 1), "Description can't be blank.", ""},
		{"description is too long", "authorizations", strings.Replace(card(whole), `"x"`, `"`+long+`"`, 1), "Description is too long (maximum is 255 characters).", ""},
		{"tracking_id is too long: authorization", "authorizations", strings.Replace(card(whole), `"x"`, `"x","tracking_id":"`+long+`"`, 1), "Tracking is too long (maximum is 255 characters).", ""},
		{"tracking_id is too long: capture", "captures", `{"parent_uid":"HOLD","amount":50,"tracking_id":"` + long + `"}`, "Tracking is too long (maximum is 255 characters).", ""},
		{"notification_url is too long", "captures", `{"parent_uid":"HOLD","amount":50,"notification_url":"` + strings.Repeat("u", 2049) + `"}`, "Notification url is too long (maximum is 2048 characters).", ""},
		{"return_url and verification_url are too long", "payments", strings.Replace(card(whole), `"x"`, `"x","return_url":"`+strings.Repeat("u", 2049)+`","verification_url":"`+strings.Repeat("u", 2049)+`"`, 1), "Return url is too long (maximum is 2048 characters). Verification url is too long (maximum is 2048 characters).", ""},
		{"expired_at must be in the future: an offset without a colon", "payments", strings.Replace(card(whole), `"x"`, `"x","expired_at":"2026-03-14T13:59:59+0200"`, 1), "Expired at must be in the future.", ""},
		{"duplicate_check must be true or false", "captures", `{"parent_uid":"HOLD","amount":50,"duplicate_check":"yes"}`, "Duplicate check must be true or false.", ""},
		{"credit_card.number is invalid: missing", "payments", card(`"exp_month":"05","exp_year":"2030"`), "Number is invalid.", ""},
		{"credit_card.number is invalid: 11 digits", "payments", card(strings.Replace(whole, "4200000000000000", "42000000000", 1)), "Number is invalid.", ""},
		{"credit_card.number is invalid: 20 digits", "payments", card(strings.Replace(whole, "4200000000000000", "42000000000000000000", 1)), "Number is invalid.", ""},
		{"credit_card.number is invalid: Luhn", "payments", card(strings.Replace(whole, "4200000000000000", "4200000000000001", 1)), "Number is invalid.", ""},
		{"credit_card.date can't be blank: no month", "payments", card(strings.Replace(whole, `"exp_month":"05",`, "", 1)), "Date can't be blank.", ""},
		{"credit_card.date can't be blank: no year", "payments", card(strings.Replace(whole, `,"exp_year":"2030"`, "", 1)), "Date can't be blank.", ""},
		{"credit_card.date is expired", "payments", card(strings.Replace(whole, `2030`, "2025", 1)), "Date is expired.", ""},
		{"credit_card.token does not exist", "payments", card(`"token":"12345"`), "Token does not exist.", ""},
		{"credit_card.holder can't be blank: required", "payments", card(whole), "Holder can't be blank.", "require_holder"},
		{"credit_card.verification_value is not a number", "payments", card(strings.Replace(whole, `"123"`, `"12a"`, 1)), "Verification value is not a number.", ""},
		{"credit_card.verification_value is not a number: 5 digits", "payments", card(strings.Replace(whole, `"123"`, `"12345"`, 1)), "Verification value is not a number.", ""},
		{"credit_card.verification_value is not a number: required and missing", "payments", card(strings.Replace(whole, `"verification_value":"123",`, "", 1)), "Verification value is not a number.", "require_verification_value"},
		{"customer can't be blank: required", "payments", card(whole), "Ip can't be blank. Email can't be blank.", "require_customer"},
		{"billing_address can't be blank: required", "payments", card(whole), "First name can't be blank. Last name can't be blank. Address can't be blank. Country can't be blank. City can't be blank. Zip can't be blank.", "require_billing_address"},
		{
			"billing_address.country is invalid: required", "payments", strings.Replace(card(whole), `"x"`,
				`"x","billing_address":{"first_name":"a","last_name":"b","address":"c","country":"Latvia","city":"d","zip":"e"}`, 1), "Country is invalid.", "require_billing_address",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			_, stranger := w.addShop(t, "Another shop")
			uids := strings.NewReplacer(
				"HOLD", w.hold("1000"), "SALE", w.transaction("payments", intakeOf("2000", goodCard))["uid"].(string),
				"FAILED", w.transaction("authorizations", intakeOf("1000", declinedCard))["uid"].(string),
				"THEIRS", w.read(w.callAs(stranger, "POST", "/transactions/authorizations", `{"request":`+intakeOf("1000", goodCard)+`}`))["uid"].(string))
			if row.set != "" {
				w.set(row.set, "true")
			}
			request := uids.Replace(row.request)
			if row.want == textDuplicate {
				w.transaction(row.path, request)
			}
			if got := w.problemOf(w.post(row.path, request), http.StatusBadRequest); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

// Every row of the table of parents (section 4.2), and the same for voids
// (6.2): what a capture of 10 out of each is answered.
func TestParentTable(t *testing.T) {
	const (
		noCapture = "transaction can't be captured"
		notFound  = "Parent uid Parent transaction is not found."
		usedUp    = "Amount can't be greater than 0."
	)
	for _, row := range []struct {
		name   string
		parent func(*world) string
		want   string // empty: it is captured
	}{
		{"authorization with something left", func(w *world) string { return w.hold("1000") }, ""},
		{"authorization with just that left", func(w *world) string {
			uid := w.hold("1000")
			w.child("captures", uid, "990")
			return uid
		}, ""},
		{"captured in full", func(w *world) string {
			uid := w.hold("1000")
			w.child("captures", uid, "1000")
			return uid
		}, usedUp},
		{"captured and voided in full", func(w *world) string {
			uid := w.hold("1000")
			w.child("captures", uid, "600")
			w.child("voids", uid, "400")
			return uid
		}, usedUp},
		{"voided in full", func(w *world) string {
			uid := w.hold("1000")
			w.child("voids", uid, "1000")
			return uid
		}, noCapture},
		{"expired", func(w *world) string {
			uid := w.hold("1000")
			w.clock.advance(7 * 24 * 3600 * 1e9)
			return uid
		}, noCapture},
		{"closed by its only capture", func(w *world) string {
			w.set("multi_capture", "false")
			uid := w.hold("1000")
			w.child("captures", uid, "600")
			return uid
		}, noCapture},
		{"failed", func(w *world) string {
			return w.transaction("authorizations", intakeOf("1000", declinedCard))["uid"].(string)
		}, noCapture},
		{"incomplete: 3-D Secure", func(w *world) string { return w.challenge("")["uid"].(string) }, noCapture},
		{"incomplete: not known", func(w *world) string {
			w.engine.ask = func(payment.Instruction) payment.Answer { return payment.Answer{Result: payment.Pending} }
			return w.transaction("authorizations", intakeOf("1000", goodCard))["uid"].(string)
		}, noCapture},
		{"a payment", func(w *world) string { return w.transaction("payments", intakeOf("1000", goodCard))["uid"].(string) }, notFound},
		{"a capture", func(w *world) string { return w.child("captures", w.hold("1000"), "500") }, notFound},
		{"a void", func(w *world) string { return w.child("voids", w.hold("1000"), "500") }, notFound},
		{"a refund", func(w *world) string {
			return w.child("refunds", w.transaction("payments", intakeOf("1000", goodCard))["uid"].(string), "500")
		}, notFound},
		{"a credit", func(w *world) string {
			token := w.transaction("payments", intakeOf("1000", goodCard))["credit_card"].(map[string]any)["token"].(string)
			return w.transaction("credits", `{"amount":500,"currency":"USD","description":"x","credit_card":{"token":"`+token+`"}}`)["uid"].(string)
		}, notFound},
		{"other shop's authorization", func(w *world) string {
			_, stranger := w.addShop(w.T, "Another shop")
			return w.read(w.callAs(stranger, "POST", "/transactions/authorizations", `{"request":`+intakeOf("1000", goodCard)+`}`))["uid"].(string)
		}, notFound},
		{"unknown", func(*world) string { return "1-310b0da80b" }, notFound},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, path := range []string{"captures", "voids"} {
				w := newWorld(t)
				reply := w.post(path, `{"parent_uid":"`+row.parent(w)+`","amount":10}`)
				want := row.want
				if path == "voids" {
					want = strings.Replace(want, "captured", "voided", 1)
				}
				switch {
				case want == "":
					w.read(reply)
				case w.problemOf(reply, http.StatusBadRequest) != want:
					t.Errorf("%s: %s, want %q", path, reply.Body, want)
				}
			}
		})
	}
}

// child captures, voids or refunds a part of a parent and returns the uid.
func (w *world) child(path, parent, amount string) string {
	w.Helper()
	tr := w.transaction(path, `{"parent_uid":"`+parent+`","amount":`+amount+`,"reason":"x","duplicate_check":false}`)
	if tr["status"] != "successful" {
		w.Fatalf("%v", tr)
	}
	return tr["uid"].(string)
}

package begateway

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

func (w *world) page(url string) *httptest.ResponseRecorder {
	path := strings.TrimPrefix(url, w.PublicURL)
	reply := httptest.NewRecorder()
	w.ServeHTTP(reply, httptest.NewRequest(http.MethodGet, path, nil))
	return reply
}

func TestReceipt(t *testing.T) {
	w := newWorld(t)
	w.merchant.Name = "Books & <More>"
	w.Merchants.Forget()
	hold := w.transaction("authorizations", strings.NewReplacer("USD", "KWD", `"duplicate_check"`, `"test":true,"duplicate_check"`).Replace(intakeOf("123456", goodCard)))
	capture := w.transaction("captures", `{"parent_uid":"`+hold["uid"].(string)+`","amount":1005}`)
	declined := w.transaction("payments", strings.Replace(intakeOf("500", declinedCard), "USD", "JPY", 1))
	for _, test := range []struct {
		transaction map[string]any
		contains    []string
	}{
		{hold, []string{"Books &amp; &lt;More&gt;", "Payment successful", "1.005 KWD", "123.456 KWD", "Successfully processed", "Visa •••• 0000", "14 March 2026, 12:00 UTC", "no money was moved"}},
		{capture, []string{"Capture successful", "1.005 KWD", "Visa •••• 0000"}},
		{declined, []string{"Payment failed", "500 JPY", "Payment was declined", "Visa •••• 0019"}},
	} {
		url := test.transaction["receipt_url"].(string)
		reply := w.page(url)
		if reply.Code != http.StatusOK || reply.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("%s: %d %s", url, reply.Code, reply.Body)
		}
		for _, text := range append(test.contains, test.transaction["uid"].(string)) {
			if !strings.Contains(reply.Body.String(), text) {
				t.Errorf("no %q in %s", text, reply.Body)
			}
		}
		if with := w.page(url + "?language=de"); with.Code != http.StatusOK {
			t.Errorf("with a language: %d", with.Code)
		}
	}
}

// No hash but the right one opens a receipt, not even another shop's.
func TestReceiptHash(t *testing.T) {
	w := newWorld(t)
	_, other := w.addShop(t, "Another shop")
	uid := w.hold("1000")
	right := strings.TrimPrefix(w.read(w.call("GET", "/transactions/"+uid, ""))["receipt_url"].(string), w.PublicURL+receiptPath+uid+"/")
	theirs := w.read(w.callAs(other, "POST", "/transactions/authorizations", `{"request":`+intakeOf("1000", goodCard)+`}`))
	for i := range right {
		digit := byte('0')
		if right[i] == digit {
			digit = '1'
		}
		if reply := w.page(receiptPath + uid + "/" + right[:i] + string(digit) + right[i+1:]); reply.Code != http.StatusNotFound {
			t.Errorf("digit %d changed: %d", i, reply.Code)
		}
	}
	theirURL := theirs["receipt_url"].(string)
	theirHash := theirURL[strings.LastIndex(theirURL, "/")+1:]
	for _, path := range []string{
		uid + "/" + strings.ToUpper(right), uid + "/" + right + "00", uid + "/" + right[:62], uid + "/", uid, "/" + right, "",
		uid + "/" + theirHash, theirs["uid"].(string) + "/" + right, uid + "/" + right + "/",
	} {
		if reply := w.page(receiptPath + path); reply.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, reply.Code)
		}
	}
	if reply := w.page(receiptPath + uid + "/" + right); reply.Code != http.StatusOK {
		t.Errorf("the right one: %d", reply.Code)
	}
}

func TestUID(t *testing.T) {
	w := newWorld(t)
	for _, name := range []transaction{{payment: 1}, {1, 1}, {payment.ID(1<<62 + 12345), 65535}, {payment.NewIDs(3).Next(time.Now()), 2}} {
		uid := w.uid(name)
		if got, ok := w.parseUID(uid); !ok || got != name || len(uid) > uidLimit {
			t.Errorf("%s is read as %v %t, want %v", uid, got, ok, name)
		}
		if id, ok := w.ParsePaymentID(uid); !ok || id != name.payment {
			t.Errorf("%s is payment %v %t", uid, id, ok)
		}
	}
	for _, other := range []string{"", "1-310b0da80b", "-", "1-", strings.Repeat("1", 80)} {
		if _, ok := w.parseUID(other); ok {
			t.Errorf("%q is taken for a uid", other)
		}
	}
}

// What was not paid by card does not exist here.
func TestWalletPaymentsAreUnknown(t *testing.T) {
	w := newWorld(t)
	create := payment.Create{
		Intake: payment.Intake{
			Dialect: "another", Currency: money.Currency("USD"), Amount: 1000,
			Method: payment.Method{Kind: payment.WalletMethod, User: 7}, Policy: payment.Policy{HoldFor: time.Hour},
		},
		Attempt: &payment.Attempt{Asked: payment.Asked{Dialect: "another"}},
	}
	out, err := w.engine.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Command: create})
	if err != nil || out.Payment.Status != payment.Authorized {
		t.Fatalf("%+v %v", out, err)
	}
	if id := w.PaymentID(out.Payment); id != "" {
		t.Errorf("it is called %q", id)
	}
	uid := w.uid(transaction{payment: out.Payment.ID})
	if got := w.call("GET", "/transactions/"+uid, "").Code; got != http.StatusNotFound {
		t.Errorf("query: %d", got)
	}
	for _, path := range []string{"refunds", "captures", "voids"} {
		got := w.problemOf(w.post(path, `{"parent_uid":"`+uid+`","amount":0,"reason":"x"}`), http.StatusBadRequest)
		if !strings.HasPrefix(got, "Parent uid Parent transaction is not found.") {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// A card payment that another dialect made is shown with what is known of it
// and can be captured.
func TestPaymentOfAnotherDialect(t *testing.T) {
	w := newWorld(t)
	method, err := w.Cards.Inspect(goodCard)
	if err != nil {
		t.Fatal(err)
	}
	create := payment.Create{
		Intake: payment.Intake{
			Dialect: "another", Currency: money.Currency("USD"), Amount: 1000, Method: method, Policy: payment.Policy{HoldFor: time.Hour},
			Details: []byte("\x00not ours"), Email: "john@example.com",
		},
		Attempt: &payment.Attempt{Asked: payment.Asked{Dialect: "another", Details: []byte("nor this")}},
	}
	out, err := w.engine.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Command: create})
	if err != nil {
		t.Fatal(err)
	}
	uid := w.PaymentID(out.Payment)
	tr := w.read(w.call("GET", "/transactions/"+uid, ""))
	if tr["type"] != "authorization" || tr["status"] != "successful" || tr["description"] != nil || tr["language"] != "en" ||
		tr["customer"].(map[string]any)["email"] != "john@example.com" {
		t.Errorf("%v", tr)
	}
	if tr := w.transaction("captures", `{"parent_uid":"`+uid+`","amount":400}`); tr["status"] != "successful" {
		t.Errorf("%v", tr)
	}
	refund := payment.Refund{Amount: 100, Asked: payment.Asked{Dialect: "another", Parent: 2, Details: []byte("not ours")}}
	if out, err = w.engine.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Payment: out.Payment.ID, Command: refund}); err != nil || out.Refusal != nil {
		t.Fatalf("%v %v", out.Refusal, err)
	}
	tr = w.read(w.call("GET", "/transactions/"+w.uid(transaction{out.Payment.ID, out.Operation}), ""))
	if tr["type"] != "refund" || tr["reason"] != nil || tr["parent_uid"] != w.uid(transaction{out.Payment.ID, 2}) {
		t.Errorf("%v", tr)
	}
}

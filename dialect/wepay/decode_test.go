package wepay

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/card"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

func asking(body []byte) (*call, bool) {
	keys := keyring.Fixed("test")
	d := New(dialect.Services{Clock: clock.Fixed(time.Unix(1_768_478_400, 0)), IDs: wireid.New([]byte("0123456789abcdef")), Keys: keys, Cards: card.Inspector{MAC: keys.MAC}, Sandbox: true})
	v, ok := parse(body)
	return &call{Dialect: d, app: &app{id: "100001", feePercent: 20}, id: "x", body: v, version: "3.0", r: &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/payments"}, Header: http.Header{}}}, ok && v.kind == object
}

// FuzzReadCapture: whatever is sent, what is not complained of keeps the
// bounds, and what is kept of it can be read again.
func FuzzReadCapture(f *testing.F) {
	f.Add(captureBody)
	f.Add([]byte(`{"amounts":{"amount":1500.5,"currency":"USD"}}`))
	f.Add([]byte(`{"amounts":null,"custom_data":{"a":[1e400]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, ok := asking(body)
		if !ok {
			return
		}
		command, wrong := c.readCapture()
		if wrong != nil {
			checkDetails(t, wrong)
			return
		}
		if c.body.get("amounts") != nil && (command.Amount < minAmount || command.Amount > maxAmount || !knownCurrency(command.Currency)) ||
			c.body.get("amounts") == nil && (command.Amount != 0 || command.Currency != "" || command.Fee != nil) {
			t.Fatalf("accepted %+v", command)
		}
		if command.Fee != nil && (*command.Fee < 0 || *command.Fee > maxAmount) {
			t.Fatalf("accepted a fee of %d", *command.Fee)
		}
		if custom := c.body.get("custom_data"); custom != nil {
			kept, ok := parse(command.Details)
			if !ok || string(kept.get("custom_data").raw) != string(custom.compact(nil)) {
				t.Fatalf("custom_data %s is kept as %s", custom.raw, command.Details)
			}
		}
	})
}

// FuzzReadDraft does the same for POST /payments.
func FuzzReadDraft(f *testing.F) {
	f.Add([]byte(`{"account_id":"a","amount":2000,"currency":"USD","payment_method":{"credit_card":{"card_number":"4003830171874018","expiration_month":4,"expiration_year":2030,"cvv":"123"}},"capture_at":1,"order":{"id":"o"},"rbits":[],"custom_data":{}}`))
	f.Add([]byte(`{"account_id":"a","amount":2000,"currency":"CAD","payment_method":{"encoded_payment_method":"NDAwMzgzMDE3MTg3NDAxOA=="}}`))
	f.Add([]byte(`{"account_id":"a","amount":2000,"currency":"CAD","payment_method":{"type":"payment_method_id","payment_method_id":"x"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, ok := asking(body)
		if !ok {
			return
		}
		d, wrong, _ := c.readDraft()
		if wrong != nil {
			checkDetails(t, wrong)
			return
		}
		ways := 0
		for _, given := range []bool{d.method.stored != nil, d.method.secret.Number != "", d.method.secret.Encoded != ""} {
			if given {
				ways++
			}
		}
		if d.account == "" || d.amount < minAmount || d.amount > maxAmount || !knownCurrency(d.currency) || d.fee < 0 || ways != 1 {
			t.Fatalf("accepted %+v", d)
		}
		if _, ok := parse(d.details.append(nil)); !ok {
			t.Fatalf("keeps %s", d.details.append(nil))
		}
		c.fingerprint()
	})
}

// FuzzReadOthers: the bodies of all other requests. Each complaint is complete,
// nothing panics, and what is kept of a refund can be read again.
func FuzzReadOthers(f *testing.F) {
	f.Add([]byte(`{"payment_id":"x","refund_reason":"x","amounts":{"currency":"USD","total_amount":100,"fee_refund_amount":0},"order_id":"o","rbits":[],"custom_data":{},"is_unreferenced_refund":false}`))
	f.Add([]byte(`{"cancel_reason":"x","rbits":[]}`))
	f.Add([]byte(`{"resource":"payment_methods","payment_methods":{"type":"credit_card","credit_card":{"card_number":"4003830171874018","expiration_month":4,"expiration_year":2030,"cvv":"123","card_holder":{"holder_name":"x","address":{"country":"US"}}}}}`))
	f.Add([]byte(`{"type":"credit_card","token":{"id":"x"},"credit_card":{"card_on_file":true,"card_holder":{"email":"x"}},"custom_data":{"a":1}}`))
	f.Add([]byte(`{"amounts":{"amount":100,"currency":"CAD"},"capture_at":1,"reference_id":"x","type":"payment_bank_us"}`))
	f.Add([]byte(`{"encoded_payment_method":"x","payment_bank_us":{},"token":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, read := range []func(*call) []detail{
			func(c *call) []detail { _, wrong := c.readCancel(); return wrong },
			func(c *call) []detail { _, wrong, _ := c.readChange(); return wrong },
			func(c *call) []detail {
				m, wrong := c.readToken()
				if wrong == nil && (m.secret.Number == "" || m.kept.ExpYear == 0 || m.holder.mentions(m.secret.Number)) {
					t.Fatalf("accepted %s", body)
				}
				return wrong
			},
			func(c *call) []detail {
				draft, wrong := c.readMethodDraft()
				if m := draft.method; wrong == nil && (m.storedID == "") == (m.secret == payment.Secret{}) {
					t.Fatalf("accepted %s", body)
				}
				return wrong
			},
			func(c *call) []detail {
				asked, wrong := c.readRefund()
				if wrong != nil {
					return wrong
				}
				kept := readRefundDetails(&payment.Operation{Asked: payment.Asked{Dialect: Name, Details: asked.details.append(nil)}})
				if asked.payment == "" || asked.details.why == "" || kept.why != asked.details.why || kept.order != asked.details.order || string(kept.customData) != string(asked.details.customData) {
					t.Fatalf("%+v is kept as %+v", asked.details, kept)
				}
				return nil
			},
		} {
			c, ok := asking(body)
			if !ok {
				return
			}
			checkDetails(t, read(c))
			c.fingerprint()
		}
	})
}

func checkDetails(t *testing.T, wrong []detail) {
	for _, w := range wrong {
		if len(w.target) == 0 || w.reason == "" || w.message == "" || w.in != inBody {
			t.Fatalf("an incomplete complaint: %+v", w)
		}
	}
}

// FuzzHeaders: what passes as a version or a key can be echoed as it is.
func FuzzHeaders(f *testing.F) {
	f.Add("3.0", "key", "application/json")
	f.Add("3.1.rc.1.3", "00000000-0000-0000-0000-0000767bf5cd", "application/json; charset=utf-8")
	f.Add("4", "a b", "text/plain")
	f.Fuzz(func(t *testing.T, version, key, contentType string) {
		c := &call{endpoint: &endpoint{key: keyRequired}, r: &http.Request{Header: http.Header{"Api-Version": {version}, "Unique-Key": {key}}}}
		if c.readVersion() == nil {
			if v, ok := parse([]byte(`"` + version + `"`)); !ok || v.text() != version || version[:2] != "3." {
				t.Fatalf("version %q passes", version)
			}
		}
		if c.readKey() == nil {
			if len(key) < 1 || len(key) > 255 {
				t.Fatalf("key %q passes", key)
			}
			for _, b := range []byte(key) {
				if b <= ' ' || b >= 0x7f {
					t.Fatalf("key %q passes", key)
				}
			}
		}
		isJSON(contentType)
	})
}

// TestCardLeavesTheBody: after the body was read nothing of it that is hashed
// or kept is the card number or the code.
func TestCardLeavesTheBody(t *testing.T) {
	c, _ := asking([]byte(`{"account_id":"a","amount":2000,"currency":"USD","payment_method":{"credit_card":{"card_number":"4003830171874018","expiration_month":4,"expiration_year":2030,"cvv":"987"}}}`))
	d, wrong, _ := c.readDraft()
	if wrong != nil {
		t.Fatal(wrong)
	}
	card := c.body.get("payment_method").get("credit_card")
	if card.get("cvv") != nil || card.get("card_number").text() != d.method.kept.Fingerprint {
		t.Errorf("the body still holds %s", c.body.canonical(nil))
	}
	if d.method.secret.Number != "4003830171874018" || d.method.secret.CVC != "987" {
		t.Error("the processor would not get the card")
	}
}

package begateway

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

func TestMembers(t *testing.T) {
	doc, ok := readDocument([]byte(` { "a" : 1 ,"b":[ {"x":"}"} , "]" ],"c":{ },"d":"q\"\\","\u0061":null, "e":-1.5e3 } ` + "\n"))
	if !ok {
		t.Fatal("not a document")
	}
	var got []string
	doc.members(func(name string, v value) { got = append(got, name, string(v)) })
	want := []string{"a", "1", "b", `[ {"x":"}"} , "]" ]`, "c", "{ }", "d", `"q\"\\"`, "a", "null", "e", "-1.5e3"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if v := doc.member("a"); !v.blank() {
		t.Errorf("of two members the last counts, got %s", v)
	}
	if text := doc.member("d").text(); text != `q"\` {
		t.Errorf("text %q", text)
	}
}

func TestNoDocument(t *testing.T) {
	for _, body := range []string{"", " ", "{", `{"a":1}}`, `{'a':1}`, "nul", "{\"a\":\"\xff\"}", `{"a":01}`, "\ufeff{}", "amount=5"} {
		if _, ok := readDocument([]byte(body)); ok {
			t.Errorf("%q is taken for JSON", body)
		}
	}
}

// The reader agrees with encoding/json about every document.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":[1,"]"],"c":{"d":"\"}"}}`, `[]`, `{}`, ` {"a" : "" } `, `{"\u0061":{"":[[]]}}`, `"\\"`, `{"request":{"amount":50,"parent_uid":"1-310b0da80b"}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		v, ok := readDocument([]byte(body))
		if !ok {
			return
		}
		compare(t, v)
	})
}

func compare(t *testing.T, v value) {
	t.Helper()
	if !json.Valid(v) {
		t.Fatalf("%q is no JSON value", v)
	}
	if !v.isObject() {
		v.elements(func(e value) { compare(t, e) })
		return
	}
	var want map[string]json.RawMessage
	if err := json.Unmarshal(v, &want); err != nil {
		t.Fatal(err)
	}
	got := map[string]value{}
	v.members(func(name string, member value) {
		got[name] = member
		compare(t, member)
	})
	if len(got) != len(want) {
		t.Fatalf("%s: %d members, want %d", v, len(got), len(want))
	}
	for name, raw := range want {
		if string(got[name]) != string(raw) {
			t.Fatalf("%s: member %q is %s, want %s", v, name, got[name], raw)
		}
	}
}

// Whatever a request says, it is either good or has faults that make a valid
// reply.
func FuzzDecodeChild(f *testing.F) {
	for _, seed := range []string{
		`{"request":{"parent_uid":"1-310b0da80b","amount":50}}`, `{"request":{"parent_uid":"","amount":"x","duplicate_check":"maybe"}}`,
		`{"request":{"parent_uid":5,"amount":1e40,"reason":["a"],"tracking_id":7}}`, `{"request":[]}`, `[]`, `null`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		doc, ok := readDocument([]byte(body))
		if !ok {
			return
		}
		for _, o := range []operation{captureOperation, voidOperation, refundOperation} {
			in, wrong := decodeChild(doc.member("request"), o)
			if reply := invalid(wrong).append(nil, envelopeBoth); !json.Valid(reply) {
				t.Fatalf("%s", reply)
			}
			if len(wrong) == 0 && (in.amount < 1 || in.parentUID == "") {
				t.Fatalf("taken for a good request: %+v", in)
			}
			if kept := in.details.encode(); kept != nil && !json.Valid(kept) {
				t.Fatalf("kept %s", kept)
			}
		}
	})
}

// FuzzReadIntake: whatever is in the request of an authorization, reading it
// does not fail, what is kept is a document that can be read again, and the
// card's number is nowhere in it.
func FuzzReadIntake(f *testing.F) {
	w := newWorld(f)
	access, err := w.Merchants.Merchant(f.Context(), w.merchant.ID)
	if err != nil {
		f.Fatal(err)
	}
	s := &shop{id: w.shop.ShopID, number: w.merchant.ID, merchant: &access.Merchant, settings: readSettings(&access.Merchant)}
	f.Add(`{"request":` + intakeOf("1000", goodCard) + `}`)
	f.Add(`{"request":{"customer":{"ip":[],"email":{}},"billing_address":{"country":1},"additional_data":{"meta":null},"expired_at":"2026","dynamic_billing_descriptor":["a",1]}}`)
	f.Add(`{"request":{"credit_card":{"token":"x"},"encrypted_credit_card":{"number":"$begatewaycse"}}}`)
	f.Add(`{"request":{"description":"4200000000000000","credit_card":{"number":"4200000000000000"}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		doc, ok := readDocument([]byte(body))
		if !ok {
			return
		}
		in, wrong := w.readIntake(t.Context(), doc.member("request"), s)
		if in.fault != nil {
			t.Fatal(in.fault)
		}
		problem := invalid(wrong).append(nil, envelopeBoth)
		if !json.Valid(problem) {
			t.Errorf("the problem is %s", problem)
		}
		if len(wrong) > 0 {
			return
		}
		if !json.Valid(in.intake.Details) || bytes.Contains(in.intake.Details, []byte(in.secret.Number)) {
			t.Errorf("kept is %s", in.intake.Details)
		}
		if in.intake.Amount < 1 || !in.intake.Currency.Known() {
			t.Errorf("%+v", in.intake)
		}
	})
}

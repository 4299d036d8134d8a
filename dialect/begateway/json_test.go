package begateway

import (
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

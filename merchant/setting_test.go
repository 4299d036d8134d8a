package merchant

import (
	"encoding/json"
	"strings"
	"testing"
)

func settings() Settings {
	all := Settings{}
	all.Declare(
		Switch("a.switch", true, "").Declaration,
		Number("a.number", 7, 0, 10, "").Declaration,
		Choice("a.word", "x", "", "x", "y").Declaration,
		Choice("a.status", 400, "", 400, int64(422)).Declaration,
		Text("a.text", "a word that begins with z", "z", "", func(s string) bool { return strings.HasPrefix(s, "z") }).Declaration,
		Texts("a.texts", "an array of single letters", "", func(s string) bool { return len(s) == 1 }).Declaration,
		Document("a.document", "anything", "none", "", func(json.RawMessage) error { return nil }),
	)
	return all
}

// TestApply: what is not declared, or not of its type or out of bounds, is
// refused by its name, and then nothing changes.
func TestApply(t *testing.T) {
	have := map[string]json.RawMessage{"a.number": json.RawMessage("3"), "old.one": json.RawMessage("1")}
	for _, test := range []struct{ change, wrong string }{
		{`{}`, ``},
		{`{"a.switch":false,"a.number":0,"a.word":"y","a.status":422,"a.text":"zoo","a.texts":["p","q"],"a.document":{"x":1}}`, ``},
		{`{"a.number":10}`, ``},
		{`{"a.texts":[]}`, ``},
		{`{"a.number":null}`, ``},
		{`{"a.switch":null}`, ``},
		{`{"old.one":null}`, ``},
		{`{"old.one":2}`, `there is no setting "old.one"`},
		{`{"a.swich":true}`, `there is no setting "a.swich"`},
		{`{"a.swich":null}`, `there is no setting "a.swich"`},
		{`{"":1}`, `there is no setting ""`},
		{`{"a.switch":"true"}`, `a.switch must be true or false`},
		{`{"a.switch":1}`, `a.switch must be true or false`},
		{`{"a.number":11}`, `a.number must be a whole number from 0 to 10`},
		{`{"a.number":-1}`, `a.number must be a whole number from 0 to 10`},
		{`{"a.number":1.5}`, `a.number must be a whole number from 0 to 10`},
		{`{"a.number":1e30}`, `a.number must be a whole number from 0 to 10`},
		{`{"a.number":"7"}`, `a.number must be a whole number from 0 to 10`},
		{`{"a.number":[7]}`, `a.number must be a whole number from 0 to 10`},
		{`{"a.word":"z"}`, `a.word must be "x" or "y"`},
		{`{"a.word":4}`, `a.word must be "x" or "y"`},
		{`{"a.status":404}`, `a.status must be 400 or 422`},
		{`{"a.text":"a"}`, `a.text must be a word that begins with z`},
		{`{"a.texts":["p","long"]}`, `a.texts must be an array of single letters`},
		{`{"a.texts":"p"}`, `a.texts must be an array of single letters`},
		{`{"a.texts":[null]}`, `a.texts must be an array of single letters`},
		{`{"a.switch":false,"b":1,"a.number":99}`, `a.number must be a whole number from 0 to 10; there is no setting "b"`},
	} {
		var change map[string]json.RawMessage
		if err := json.Unmarshal([]byte(test.change), &change); err != nil {
			t.Fatal(err)
		}
		now, err := settings().Apply(have, change)
		if test.wrong != "" {
			if err == nil || err.Error() != test.wrong || now != nil {
				t.Errorf("%s: %v, want %q", test.change, err, test.wrong)
			}
		} else if err != nil {
			t.Errorf("%s: %v", test.change, err)
		}
		for name, value := range change {
			if string(value) == "null" {
				value = nil
			}
			if err == nil && string(now[name]) != string(value) {
				t.Errorf("%s: %s is now %s", test.change, name, now[name])
			}
		}
		if len(have) != 2 || string(have["a.number"]) != "3" {
			t.Fatalf("%s changed what was there before", test.change)
		}
	}
}

// TestSetting: a reader gets what is set, or the declared default.
func TestSetting(t *testing.T) {
	n := Number("n", 7, 0, 10, "")
	for raw, want := range map[string]int64{"": 7, "3": 3, "11": 7, `"3"`: 7, "null": 7, "3 4": 7} {
		m := &Merchant{Settings: map[string]json.RawMessage{}}
		if raw != "" {
			m.Settings["n"] = json.RawMessage(raw)
		}
		if got := n.Of(m); got != want {
			t.Errorf("%q is read as %d, want %d", raw, got, want)
		}
		if got := n.Or(m, 5); want == 7 && got != 5 {
			t.Errorf("%q or 5 is %d", raw, got)
		}
	}
	if n.Default != "7" || n.Otherwise("seven").Default != "seven" {
		t.Error("the default is not described")
	}
}

package intents

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func decoded(t *testing.T, isJSON bool, text string) ([]param, bool) {
	t.Helper()
	var p params
	if isJSON {
		ok := p.decodeJSON(text)
		return p.list, ok
	}
	ok := p.decodeForm(text)
	return p.list, ok
}

func text(name, value string) param { return param{name: name, value: value} }

func TestDecodeForm(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       []param
		fails      bool
	}{
		{name: "nothing"},
		{name: "a pair", body: "a=1", want: []param{text("a", "1")}},
		{name: "plain and escaped brackets", body: "a[b]=1&a%5Bc%5D%5Bd%5D=2", want: []param{text("a[b]", "1"), text("a[c][d]", "2")}},
		{name: "both forms of a space", body: "a=x+y&b=x%20y", want: []param{text("a", "x y"), text("b", "x y")}},
		{name: "a plus sign", body: "a=%2B", want: []param{text("a", "+")}},
		{name: "arrays with and without numbers", body: "e[]=x&e[]=y&f[0]=z", want: []param{text("e[0]", "x"), text("e[1]", "y"), text("f[0]", "z")}},
		{name: "an array of objects", body: "e[][a]=x&e[][a]=y", want: []param{text("e[0][a]", "x"), text("e[1][a]", "y")}},
		{name: "no value", body: "a&b=", want: []param{text("a", ""), text("b", "")}},
		{name: "empty pairs", body: "&&a=1&", want: []param{text("a", "1")}},
		{name: "text of any language", body: "a=%D1%84", want: []param{text("a", "ф")}},
		{name: "JSON in a form is a strange name", body: `{"amount":5}`, want: []param{text(`{"amount":5}`, "")}},
		{name: "half an escape", body: "a=%4", fails: true},
		{name: "no hexadecimal digits", body: "a=%zz", fails: true},
		{name: "no UTF-8", body: "a=%ff", fails: true},
		{name: "no UTF-8 in a name", body: "%ff=1", fails: true},
		{name: "a name that is too long", body: strings.Repeat("[]", maxName), fails: true},
		{name: "too many parameters", body: strings.Repeat("a=1&", maxParams+1), fails: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := decoded(t, false, test.body)
			if ok == test.fails {
				t.Fatalf("decoded: %v", ok)
			}
			if ok && !slices.Equal(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
		})
	}
}

func TestDecodeJSON(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       []param
		fails      bool
	}{
		{name: "nothing"},
		{name: "white space", body: " \r\n\t"},
		{name: "an empty object", body: "{}"},
		{name: "every kind", body: `{"a":1,"b":"1","c":true,"d":null,"e":-0.5e+3}`, want: []param{
			{name: "a", value: "1", kind: kindNumber}, text("b", "1"), {name: "c", value: "true", kind: kindBool}, {name: "e", value: "-0.5e+3", kind: kindNumber},
		}},
		{name: "nested", body: `{"a":{"b":{"c":"x"}},"e":["y",{"f":"z"}]}`, want: []param{text("a[b][c]", "x"), text("e[0]", "y"), text("e[1][f]", "z")}},
		{name: "empty inside", body: `{"a":{},"b":[]}`, want: []param{{name: "a", kind: kindEmpty}, {name: "b", kind: kindEmpty}}},
		{name: "escapes", body: `{"a":"\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00"}`, want: []param{text("a", "\"\\/\b\f\n\r\tAé😀")}},
		{name: "half a pair of surrogates", body: `{"a":"\ud83dx","b":"\ude00","c":"\ud83d\u0041"}`, want: []param{text("a", "\uFFFDx"), text("b", "\uFFFD"), text("c", "\uFFFDA")}},
		{name: "an array", body: `[]`, fails: true},
		{name: "a string", body: `"a"`, fails: true},
		{name: "two objects", body: `{}{}`, fails: true},
		{name: "a comma too many", body: `{"a":1,}`, fails: true},
		{name: "no quotes", body: `{a:1}`, fails: true},
		{name: "a leading zero", body: `{"a":01}`, fails: true},
		{name: "a sign", body: `{"a":+1}`, fails: true},
		{name: "no digits after the point", body: `{"a":1.}`, fails: true},
		{name: "no number", body: `{"a":NaN}`, fails: true},
		{name: "a control character", body: "{\"a\":\"\n\"}", fails: true},
		{name: "no such escape", body: `{"a":"\x"}`, fails: true},
		{name: "half an escape", body: `{"a":"\u00`, fails: true},
		{name: "no UTF-8", body: "{\"a\":\"\xff\"}", fails: true},
		{name: "unfinished", body: `{"a":`, fails: true},
		{name: "as deep as is allowed", body: strings.Repeat(`{"a":`, maxDepth-1) + "1" + strings.Repeat("}", maxDepth-1), want: []param{
			{name: "a" + strings.Repeat("[a]", maxDepth-2), value: "1", kind: kindNumber},
		}},
		{name: "a name that is too long", body: `{"` + strings.Repeat("a", maxName-1) + `":[[1]]}`, fails: true},
		{name: "too deep", body: strings.Repeat(`{"a":`, maxDepth) + "1" + strings.Repeat("}", maxDepth), fails: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := decoded(t, true, test.body)
			if ok == test.fails {
				t.Fatalf("decoded: %v", ok)
			}
			if ok && !slices.Equal(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
		})
	}
}

// What the decoder takes is an object that encoding/json takes, and the flat
// form says the same.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,2,{"b":null}]}`, `{"a":"\ud83d\ude00"}`, `{"a":1e5}`, `[]`, `{"a":tru}`, "{\"\x80\":1}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var p params
		if !p.decodeJSON(body) || strings.TrimSpace(body) == "" {
			return
		}
		var want map[string]any
		d := json.NewDecoder(strings.NewReader(body))
		d.UseNumber()
		if err := d.Decode(&want); err != nil {
			t.Fatalf("%q was taken: %v", body, err)
		}
		for _, it := range p.list {
			if strings.Contains(it.name, "[") || it.kind == kindEmpty {
				continue
			}
			switch v := want[it.name].(type) {
			case string:
				if v != it.value && countName(p.list, it.name) == 1 {
					t.Errorf("%q is %q, want %q", it.name, it.value, v)
				}
			case json.Number:
				if string(v) != it.value && countName(p.list, it.name) == 1 {
					t.Errorf("%q is %q, want %q", it.name, it.value, v)
				}
			}
		}
	})
}

func countName(list []param, name string) int {
	n := 0
	for _, it := range list {
		if it.name == name || strings.HasPrefix(it.name, name+"[") {
			n++
		}
	}
	return n
}

// What the form decoder takes, net/url takes too, and the values are the same.
func FuzzDecodeForm(f *testing.F) {
	for _, seed := range []string{"a=1", "a[b]=1&a[]=2", "a=%41+%20", "a=%", "=&=", "a;b=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var p params
		if !p.decodeForm(body) || strings.Contains(body, ";") {
			return // net/url refuses semicolons
		}
		want, err := url.ParseQuery(body)
		if err != nil {
			t.Fatalf("%q was taken: %v", body, err)
		}
		for name, values := range want {
			if strings.Contains(name, "[]") {
				continue
			}
			var got []string
			for _, it := range p.list {
				if it.name == name {
					got = append(got, it.value)
				}
			}
			for _, value := range values {
				if !slices.Contains(got, value) {
					t.Errorf("%q of %q is missing: %q", value, name, got)
				}
			}
		}
	})
}

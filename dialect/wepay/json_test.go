package wepay

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParse(t *testing.T) {
	deep := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	for _, c := range []struct {
		body string
		ok   bool
	}{
		{`{}`, true}, {` { } `, true}, {`[1,-0,0.5,1e9,1E-2,true,false,null,"x"]`, true}, {`"\u00e9\"\\\/\b\f\n\r\t"`, true},
		{deep, true}, {"[" + "[" + deep + "]" + "]", false},
		{``, false}, {` `, false}, {`{`, false}, {`{"a"}`, false}, {`{"a":}`, false}, {`{"a":1,}`, false}, {`{a:1}`, false}, {`[1,]`, false}, {`[1 2]`, false},
		{`01`, false}, {`+1`, false}, {`.5`, false}, {`1.`, false}, {`1e`, false}, {`-`, false}, {`NaN`, false}, {`tru`, false}, {`truely`, false},
		{`"\u12"`, false}, {`"\u12g4"`, false}, {`"\x"`, false}, {"\"\n\"", false}, {`"`, false}, {`"\`, false}, {`{} {}`, false},
		{"\"\xff\"", false}, {"\ufeff{}", false}, {`'x'`, false}, {`{"a":1;"b":2}`, false},
	} {
		if _, ok := parse([]byte(c.body)); ok != c.ok {
			t.Errorf("parse(%q) = %t, want %t", c.body, ok, c.ok)
		}
	}
}

func TestInteger(t *testing.T) {
	for _, c := range []struct {
		text  string
		n     int64
		plain bool
	}{
		{"1500", 1500, true}, {"0", 0, true}, {"-0", 0, true}, {"-7", -7, true},
		{"9223372036854775807", 1<<63 - 1, true}, {"9223372036854775808", 1<<63 - 1, true}, {"-9223372036854775809", -1 << 63, true},
		{"1500.5", 0, false}, {"1500.0", 0, false}, {"1.5e3", 0, false}, {"15E2", 0, false}, {`"1500"`, 0, false}, {"true", 0, false}, {"[1]", 0, false},
	} {
		v, ok := parse([]byte(c.text))
		if n, plain := v.integer(); !ok || n != c.n || plain != c.plain {
			t.Errorf("integer of %s = %d, %t, want %d, %t", c.text, n, plain, c.n, c.plain)
		}
	}
}

func TestGetTakesTheLastAndSkipsNull(t *testing.T) {
	v, _ := parse([]byte(`{"a":1,"a":2,"\u0062":3,"c":4,"c":null}`))
	if a, b := v.get("a"), v.get("b"); a == nil || string(a.raw) != "2" || b == nil || string(b.raw) != "3" {
		t.Errorf("a = %v, b = %v", a, b)
	}
	if v.get("c") != nil || v.get("d") != nil {
		t.Error("null, or nothing, was found")
	}
	v.drop("a")
	if v.get("a") != nil || v.get("b") == nil {
		t.Error("drop dropped something else")
	}
}

func TestCanonical(t *testing.T) {
	canonical := func(text string) string {
		v, ok := parse([]byte(text))
		if !ok {
			t.Fatalf("%s is no JSON", text)
		}
		return string(v.canonical(nil))
	}
	same := [][]string{
		{`{"a":1,"b":[true,null]}`, ` { "b" : [ true , null ] , "a" : 1 } `, `{"a":9,"b":0,"\u0061":1,"b":[true,null]}`},
		{`"é/"`, `"\u00e9\/"`, `"\u00E9/"`},
		{`{}`, `{ }`}, {`[]`, `[ ]`},
	}
	seen := map[string]int{}
	for i, group := range same {
		for _, text := range group {
			if got := canonical(text); got != canonical(group[0]) {
				t.Errorf("canonical(%s) = %s, unlike %s", text, got, group[0])
			}
		}
		if j, taken := seen[canonical(group[0])]; taken {
			t.Errorf("groups %d and %d are the same", i, j)
		}
		seen[canonical(group[0])] = i
	}
	for _, different := range [][2]string{{`{"a":1}`, `{"a":"1"}`}, {`[1,2]`, `[2,1]`}, {`["a","b"]`, `["a,b"]`}, {`[[],[]]`, `[[[]]]`}, {`{"a":{}}`, `{"a":[]}`}, {`"\ud800"`, `"\ud801"`}} {
		if canonical(different[0]) == canonical(different[1]) {
			t.Errorf("%s and %s are the same", different[0], different[1])
		}
	}
}

// FuzzParse holds the parser against the standard library's: what is JSON, how
// it looks without white space, and what strings mean.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"amounts":{"amount":1500,"currency":"USD","fee_amount":150},"custom_data":{"foo":"bar"}}`, `[1e5,"\ud83d\ude00","\ud83d","\udc00x",-0.0]`,
		` {"a" : [ ] , "\"":null } `, `"\u0000\\"`, `{"a":1,"a":2}`, `tru`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, ok := parse(body)
		if want := json.Valid(body) && utf8.Valid(body); ok != want && !(want && bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) > maxDepth) {
			t.Fatalf("parse says %t, the standard library %t", ok, want)
		}
		if !ok {
			return
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, body); err != nil || !bytes.Equal(compact.Bytes(), v.compact(nil)) {
			t.Fatalf("compact gives %s, the standard library %s", v.compact(nil), compact.Bytes())
		}
		if v.kind == text {
			var want string
			if err := json.Unmarshal(body, &want); err != nil || v.text() != want {
				t.Fatalf("text is %q, the standard library says %q, %v", v.text(), want, err)
			}
		}
		again, ok := parse(v.compact(nil))
		if !ok || !bytes.Equal(again.canonical(nil), v.canonical(nil)) {
			t.Fatal("white space changes the value")
		}
	})
}

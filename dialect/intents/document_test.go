package intents

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-pay/capstan/dialect"
)

// A document is taken apart and put together without loss, whatever the
// values, and fields that a later version added do no harm.
func TestDetails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want details
		for f := range want {
			if rapid.Bool().Draw(t, "set") {
				value := map[string]any{"k": rapid.String().Draw(t, "text"), "l": []any{1, "]}\"", nil}}
				raw, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				switch rapid.IntRange(0, 2).Draw(t, "shape") {
				case 0:
					raw = dialect.AppendString(nil, rapid.String().Draw(t, "plain"))
				case 1:
					raw = []byte("12")
				}
				want[f] = raw
			}
		}
		document := want.document()
		if !json.Valid(document) {
			t.Fatalf("no JSON: %s", document)
		}
		later := append(append([]byte(nil), document[:len(document)-1]...), `,"from_later":{"a":[1]}}`...)
		for _, text := range [][]byte{document, later} {
			var got details
			got.read(text)
			for f := range want {
				if !bytes.Equal(got[f], want[f]) {
					t.Fatalf("%s of %s is %s, want %s", fieldNames[f], text, got[f], want[f])
				}
			}
		}
	})
}

// Documents of others, and broken ones, are no details and no panic.
func FuzzDetails(f *testing.F) {
	for _, seed := range []string{"", "{}", detailsHead, detailsHead + "}", detailsHead + `,"metadata":{"a":"b"}}`, detailsHead + `,"x`, `{"v":2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		var d details
		d.read(document)
	})
}

// Compact JSON becomes what json.Indent makes of it.
func TestPretty(t *testing.T) {
	for _, text := range []string{
		`{}`, `[]`, `{"a":{}}`, `{"a":[1,2,{"b":"x, {y}: \" \\"}],"c":null}`, `"a\\"`, `[[],{}]`,
	} {
		var want bytes.Buffer
		if err := json.Indent(&want, []byte(text), "", "  "); err != nil {
			t.Fatal(err)
		}
		if got := appendPretty(nil, []byte(text), 0); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("got  %s\nwant %s", got, want.Bytes())
		}
		var nested bytes.Buffer
		if err := json.Indent(&nested, []byte(text), "    ", "  "); err != nil {
			t.Fatal(err)
		}
		if got := appendPretty(nil, []byte(text), 2); !bytes.Equal(got, nested.Bytes()) {
			t.Errorf("nested: got  %s\nwant %s", got, nested.Bytes())
		}
		if got := appendNested(nil, want.Bytes(), 2); !bytes.Equal(got, nested.Bytes()) {
			t.Errorf("put deeper: got  %s\nwant %s", got, nested.Bytes())
		}
	}
}

func TestNote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringN(0, 30, 30)
		n := note{
			route: route(rapid.IntRange(1, 5).Draw(t, "route")), shape: shape(rapid.Byte().Draw(t, "shape")), remark: remark(rapid.IntRange(0, 4).Draw(t, "remark")),
			id: word.Draw(t, "id"), named: word.Draw(t, "named"),
		}
		copy(n.request[:], "abcdefghijklmn")
		if rapid.Bool().Draw(t, "finished") {
			n.status, n.body = 400, []byte(word.Draw(t, "body"))
		}
		var got note
		form := n.append(nil)
		if !got.read(form) {
			t.Fatalf("%x cannot be read", form)
		}
		if got.route != n.route || got.shape != n.shape || got.remark != n.remark || got.request != n.request || got.id != n.id ||
			got.named != n.named || got.status != n.status || !bytes.Equal(got.body, n.body) {
			t.Fatalf("got %+v, want %+v", got, n)
		}
		for i := range form {
			got.read(form[:i]) // whatever it says, it does not panic
		}
	})
}

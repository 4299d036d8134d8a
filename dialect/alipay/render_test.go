package alipay

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestReplyContext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := replyContext{
			zone:    fixedZone(rapid.IntRange(-12*60, 14*60).Draw(t, "minutes")),
			grant:   grantState(rapid.IntRange(0, 1).Draw(t, "grant")),
			cashier: rapid.String().Draw(t, "cashier"),
		}
		if text := rapid.String().Draw(t, "extend"); text != "" {
			c.extend = json.RawMessage(`"` + text + `"`)
		}
		got, err := decodeContext(c.encode())
		if err != nil || minutesEast(got.zone) != minutesEast(c.zone) || got.grant != c.grant || got.cashier != c.cashier || string(got.extend) != string(c.extend) {
			t.Fatalf("%+v came back as %+v, %v", c, got, err)
		}
	})
	if b := (replyContext{zone: time.UTC}).encode(); b != nil {
		t.Errorf("nothing to remember takes %x", b)
	}
}

func FuzzReplyContext(f *testing.F) {
	f.Add(replyContext{zone: fixedZone(480), cashier: "https://x/", extend: json.RawMessage(`{"a":1}`)}.encode())
	f.Add([]byte{contextVersion, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeContext(b)
		if err == nil && c.zone == nil {
			t.Error("no zone")
		}
	})
}

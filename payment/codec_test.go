package payment_test

import (
	"bytes"
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/capstan-pay/capstan/payment"
)

// full is an event that has everything.
func full() payment.Event {
	return payment.Event{
		Fee: -1, Extended: math.MaxInt64, Released: math.MinInt64, Final: true, Ending: payment.EndedByDecline, Kept: noon, Told: 3,
		Intake: &payment.Intake{
			Dialect: "intents", Currency: "USD", Amount: 100_00, Fee: 1,
			Method: payment.Method{
				Kind: payment.WalletMethod, Brand: "visa", First6: "424242", Last4: "4242", ExpMonth: 12, ExpYear: 2030,
				Holder: "J. Doe", Fingerprint: "f1", Country: "US", Funding: "credit", Present: true, Simulate: "ok", User: 9, Grant: "g",
			},
			Policy: payment.Policy{
				HoldFor: week, FromCreation: true, AutoCapture: true, CaptureAt: noon, ScheduledOnly: true, MaxCaptures: 50,
				OverCapture: payment.NoCap, MinCapture: 100, FeePercent: 20, SettleAfter: time.Second, RefundSettleAfter: time.Minute, ReviewsHold: true, RetryDeclined: true,
				DeclinedCaptureEnds: true, PayerDeadline: time.Hour, CancelFor: 90 * time.Minute,
			},
			Reference: "order", Description: "socks", Email: "j@example.com", IP: "::1", Test: true, Details: []byte(`{"a":1}`),
			Labels: []payment.Label{{Kind: "customer", Value: "c"}, {Kind: "order"}},
		},
		Asked: &payment.Asked{Dialect: "wepay", Reference: "r", Labels: []payment.Label{{Kind: "tracking", Value: "é"}}, Details: []byte{0}, Parent: 3, Key: payment.Key{1, 15: 2}},
		Answer: &payment.Answer{
			Result: payment.Refused, Reason: payment.LostCard, Reference: "ref", AuthCode: "123456", Message: "no", Data: []byte("d"), Screening: []byte("s"),
		},
	}
}

// A field that is added to an event, and forgotten in the codec, shows here.
func TestCodecForgetsNothing(t *testing.T) {
	e := full()
	for _, part := range []any{e.Intake, &e.Intake.Method, &e.Intake.Policy, e.Asked, e.Answer} {
		v := reflect.ValueOf(part).Elem()
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s.%s is not set: the test does not cover it", v.Type(), v.Type().Field(i).Name)
			}
		}
	}
	for _, e.Kept = range []time.Time{noon, payment.Always, {}} {
		var got payment.Event
		if err := got.DecodeBody(e.AppendBody(nil)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, e) {
			t.Errorf("got  %+v\nwant %+v", got, e)
		}
	}
}

func TestCodecSizes(t *testing.T) {
	if got := (payment.Event{Kind: payment.VoidPending, At: noon, Operation: 2, Amount: 5}).AppendBody(nil); got != nil {
		t.Errorf("an event without a body has %d bytes", len(got))
	}
	d := authorized(t).after(approve, capture(0))
	if got := len(d.events[len(d.events)-1].AppendBody(nil)); got > 24 {
		t.Errorf("the body of a plain capture has %d bytes", got)
	}
	prefix := []byte("prefix")
	if got := full().AppendBody(prefix); !bytes.HasPrefix(got, prefix) {
		t.Errorf("what was there before is gone: %q", got)
	}
}

func TestCorruptBodies(t *testing.T) {
	body := full().AppendBody(nil)
	for cut := 1; cut < len(body); cut++ {
		if err := new(payment.Event).DecodeBody(body[:cut]); err == nil {
			t.Errorf("the first %d of %d bytes are taken for an event", cut, len(body))
		}
	}
	for name, corrupt := range map[string][]byte{
		"a byte too many":           append(bytes.Clone(body), 0),
		"another version":           append([]byte{2}, body[1:]...),
		"a part nobody knows":       {1, 0x80, 4, 0},
		"labels of no intake":       {1, 32, 0, 1, 1, 97, 1, 97},
		"an ending out of range":    {1, 16, 0x80, 2},
		"an amount that is missing": {1, 1, 0, 2, 2},
		"a varint without end":      append([]byte{1}, bytes.Repeat([]byte{0xff}, 11)...),
	} {
		if err := new(payment.Event).DecodeBody(corrupt); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDecodedEventsShareNothing(t *testing.T) {
	body := full().AppendBody(nil)
	var got payment.Event
	if err := got.DecodeBody(body); err != nil {
		t.Fatal(err)
	}
	clear(body)
	if !reflect.DeepEqual(got, full()) {
		t.Error("the event changed with the buffer it was read from")
	}
}

// What one decoder makes of any bytes, it makes of its own encoding again.
func FuzzDecodeBody(f *testing.F) {
	f.Add(full().AppendBody(nil))
	f.Add([]byte{})
	d := authorized(f).after(approve, capture(60_00)).after(unknown, void(0))
	for _, e := range d.events {
		f.Add(e.AppendBody(nil))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var first, second payment.Event
		if first.DecodeBody(body) != nil {
			return
		}
		again := first.AppendBody(nil)
		if err := second.DecodeBody(again); err != nil {
			t.Fatalf("%x was read and written as %x: %v", body, again, err)
		}
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("%x was read as\n%+v\nand then as\n%+v", body, first, second)
		}
	})
}

func TestCodecProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := payment.Event{
			Fee: rapid.Int64().Draw(t, "fee"), Extended: rapid.Int64().Draw(t, "extended"), Released: rapid.Int64().Draw(t, "released"),
			Final: rapid.Bool().Draw(t, "final"), Ending: payment.Ending(rapid.Uint8().Draw(t, "ending")),
		}
		if rapid.Bool().Draw(t, "has asked") {
			e.Asked = &payment.Asked{
				Dialect: rapid.String().Draw(t, "dialect"), Parent: rapid.Int().Draw(t, "parent"),
				Details: anyBytes.Draw(t, "details"), Key: payment.Key(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "key")),
			}
		}
		if rapid.Bool().Draw(t, "has answer") {
			e.Answer = &payment.Answer{Result: payment.Result(rapid.Uint8().Draw(t, "result")), Message: rapid.String().Draw(t, "message")}
		}
		var got payment.Event
		if err := got.DecodeBody(e.AppendBody(nil)); err != nil || !reflect.DeepEqual(got, e) {
			t.Fatalf("%v: got %+v, want %+v", err, got, e)
		}
	})
}

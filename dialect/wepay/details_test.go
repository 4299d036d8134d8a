package wepay

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/capstan-pay/capstan/payment"
)

// TestDetailsRoundTrip: what is kept comes back, raw JSON to the byte.
func TestDetailsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SampledFrom([]string{"", `{}`, `{"n":123456789012345678901234567890,"s":"<\u00e9>"}`, `{"":[1.0,null]}`})
		want := details{
			apiVersion: rapid.StringMatching(`3\.[0-9](\.rc\.[0-9])?`).Draw(t, "version"), initiatedBy: rapid.SampledFrom(initiators).Draw(t, "by"),
			captureAt: rapid.Int64Range(0, 1<<40).Draw(t, "at"), order: rapid.String().Draw(t, "order"), riskToken: rapid.String().Draw(t, "risk"),
		}
		if c := raw.Draw(t, "custom"); c != "" {
			want.customData = []byte(c)
		}
		if rapid.Bool().Draw(t, "facts") {
			want.rbits = []byte(`[{"type":"x"}]`)
		}
		p := &payment.Payment{Intake: payment.Intake{Dialect: Name, Details: want.append(nil)}}
		got := readDetails(p)
		if got.apiVersion != want.apiVersion || got.initiatedBy != want.initiatedBy || got.captureAt != want.captureAt || got.order != want.order ||
			got.riskToken != want.riskToken || string(got.customData) != string(want.customData) || string(got.rbits) != string(want.rbits) {
			t.Fatalf("%+v came back as %+v", want, got)
		}
	})
}

// TestDetailsOfOthers: another dialect's document is not ours to read.
func TestDetailsOfOthers(t *testing.T) {
	p := &payment.Payment{Intake: payment.Intake{
		Dialect: "intents", Details: []byte(`{"v":1,"custom_data":{"a":1},"initiated_by":"merchant","order":"x"}`),
		Policy: payment.Policy{CaptureAt: time.Unix(1768482000, 0)},
	}}
	p.Operations = []payment.Operation{
		{Kind: payment.OpCapture, Asked: payment.Asked{Dialect: "intents", Details: []byte(`{"custom_data":{"b":2}}`)}},
	}
	got := readDetails(p)
	if got.customData != nil || got.initiatedBy != "none" || got.order != "" || got.captureAt != 1768482000 {
		t.Errorf("read %+v", got)
	}
	p.Operations = append(p.Operations, payment.Operation{Kind: payment.OpCapture, Asked: payment.Asked{Dialect: Name, Details: captureDetails([]byte(`{"c":3}`))}})
	if got := readDetails(p); string(got.customData) != `{"c":3}` {
		t.Errorf("custom_data of our capture reads %s", got.customData)
	}
}

package payment_test

import (
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

// The hot path: a capture of a hold that two events made, and what a store
// does with it.
func BenchmarkDecideCapture(b *testing.B) {
	p := authorized(b).p
	env := payment.Env{Now: noon, Key: payment.Key{1}, Ask: func(payment.Instruction) payment.Answer { return approve }}
	for _, bench := range []struct {
		name string
		c    payment.Capture
	}{
		{"all", payment.Capture{Dialect: "intents"}},
		{"final part", payment.Capture{Amount: 60_00, Final: true, Dialect: "intents"}},
		{"refused", payment.Capture{Amount: 100_01, Dialect: "intents"}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := payment.Decide(p, bench.c, env); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFold(b *testing.B) {
	events := authorized(b).events
	b.ReportAllocs()
	for b.Loop() {
		if _, err := payment.Fold(7, 3, 5, events); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCodec(b *testing.B) {
	events := authorized(b).after(approve, final(60_00)).events
	for _, e := range events {
		b.Run(e.Kind.String(), func(b *testing.B) {
			body := e.AppendBody(nil)
			b.Run("append", func(b *testing.B) {
				b.ReportAllocs()
				b.ReportMetric(float64(len(body)), "B/body")
				buffer := make([]byte, 0, 512)
				for b.Loop() {
					buffer = e.AppendBody(buffer[:0])
				}
			})
			b.Run("decode", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					var got payment.Event
					if err := got.DecodeBody(body); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

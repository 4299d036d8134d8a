package capstan

import (
	"context"
	"testing"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store/memory"
)

// occasion is a capture of a payment that names nobody to be told.
func occasion() outbox.Occasion {
	p := &payment.Payment{Version: 3, Intake: payment.Intake{Dialect: "intents", Method: payment.Method{Kind: payment.CardMethod}, Details: []byte(`{"v":1}`)}}
	p.Operations = []payment.Operation{{Number: 1, Kind: payment.OpAuthorize}, {Number: 2, Kind: payment.OpCapture}}
	return outbox.Occasion{Before: p, After: p, Events: []payment.Event{{Kind: payment.HoldCaptured, Operation: 2}}}
}

func sandboxed(t testing.TB) (*Server, *merchant.Merchant) {
	t.Helper()
	s, err := New(t.Context(), Config{Store: memory.Open(), Sandbox: true, Sealing: keyring.Published()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	m := merchant.Merchant{Name: "m"}
	if err := s.Store.CreateMerchant(t.Context(), &m, nil); err != nil {
		t.Fatal(err)
	}
	return s, &m
}

// A merchant who has asked for nothing costs a look into a table and no
// allocation.
func TestNobodyToTellCostsNothing(t *testing.T) {
	s, m := sandboxed(t)
	o := occasion()
	ask := func() {
		subscriber, err := s.post.subscriber(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		if subscriber != nil && subscriber.Notices(o) != nil {
			t.Fatal("somebody is told")
		}
	}
	ask()
	if n := testing.AllocsPerRun(1000, ask); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkNobodyToTell(b *testing.B) {
	s, m := sandboxed(b)
	o := occasion()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			subscriber, _ := s.post.subscriber(context.Background(), m.ID)
			if subscriber != nil {
				subscriber.Notices(o)
			}
		}
	})
}

// changing is a dialect whose subscriber is another one each time.
type changing struct {
	dialect.Dialect
	dialect.Notifier
	asked int
}

func (c *changing) Name() string { return "changing" }

func (c *changing) Subscriber(context.Context, *merchant.Merchant) (outbox.Subscriber, error) {
	c.asked++
	return nil, nil
}

// A merchant's subscribers are looked up once, and again when his endpoints or
// he himself have changed.
func TestSubscribersAreLookedUpAgain(t *testing.T) {
	s, m := sandboxed(t)
	c := &changing{}
	s.post.dialects = []dialect.Dialect{c}
	for i, change := range []func(){func() {}, func() {}, func() { s.post.Changed(m.ID) }, s.Merchants.Forget} {
		change()
		for range 3 {
			if _, err := s.post.subscriber(t.Context(), m.ID); err != nil {
				t.Fatal(err)
			}
		}
		if want := []int{1, 1, 2, 3}[i]; c.asked != want {
			t.Errorf("step %d: asked %d times, want %d", i, c.asked, want)
		}
	}
}

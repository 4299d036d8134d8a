package verify_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	storesqlite "github.com/capstan-pay/capstan/store/sqlite"
	"github.com/capstan-pay/capstan/verify"
)

// TestBesideAServer audits a store again and again while it is written to: each
// time it sees one moment, in which everything agrees.
func TestBesideAServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "busy.db")
	st, err := storesqlite.Open(t.Context(), path, storesqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	m := merchant.Merchant{Name: "m"}
	if err := st.CreateMerchant(t.Context(), &m, nil); err != nil {
		t.Fatal(err)
	}
	e := engine.New(engine.Config{
		Store: st, Clock: clock.NewShifted(clock.Fixed(noon), 0), IDs: payment.NewIDs(0),
		Processor: func(int64, payment.Method) processor.Processor { return silent{} },
	})
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				r := payment.Request{Tenant: m.Tenant, Merchant: m.ID, Command: payment.Create{Attempt: &payment.Attempt{}, Intake: payment.Intake{
					Dialect: "test", Currency: "USD", Amount: 1000, Method: payment.Method{Kind: payment.CardMethod},
					Policy: payment.Policy{HoldFor: time.Hour, SettleAfter: time.Minute},
				}}}
				for _, next := range []payment.Command{payment.Capture{Amount: 300}, payment.Capture{Amount: 500, Final: true}, payment.Refund{Amount: 100}, nil} {
					out, err := e.Do(t.Context(), r)
					if err != nil || out.Refusal != nil {
						t.Errorf("%T: %v %v", r.Command, err, out.Refusal)
						return
					}
					r.Payment, r.Command = out.Payment.ID, next
				}
			}
		})
	}
	seen := 0
	for i := 0; i < 5 || seen < 50; i++ {
		other, err := storesqlite.OpenReadOnly(t.Context(), path) // as another process does
		if err != nil {
			t.Fatal(err)
		}
		report, err := verify.Audit(t.Context(), other)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Findings {
			t.Error(f)
		}
		if report.Payments < seen {
			t.Errorf("%d payments, after %d", report.Payments, seen)
		}
		seen = report.Payments
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	clients.Wait()
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

package engine_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/processor/cardsim"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/store/sqlite"
)

// BenchmarkDo captures authorized payments, each once and in random order, by
// many callers at a time: what the engine and a store do without HTTP. With
// one caller every capture is a commit of its own; the more callers, the more
// captures share one. The store in memory shows what the engine itself costs.
//
//	go test -run - -bench Do -benchtime 50000x ./engine
func BenchmarkDo(b *testing.B) {
	stores := []struct {
		name string
		open func(b *testing.B) (store.Store, error)
	}{
		{"memory", func(*testing.B) (store.Store, error) { return memory.Open(), nil }},
		{"sqlite", func(b *testing.B) (store.Store, error) {
			return sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "bench.db"), sqlite.Options{})
		}},
	}
	for _, s := range stores {
		for _, callers := range []int{1, 16, 64, 256} {
			b.Run(fmt.Sprintf("%s/callers=%d", s.name, callers), func(b *testing.B) {
				st, err := s.open(b)
				if err != nil {
					b.Fatal(err)
				}
				defer st.Close()
				w := startWork(b, st)
				defer w.engine.Close(b.Context())
				ids := w.each(b, 256, b.N, func(int) payment.Request { return w.authorization() })
				rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
				b.ReportAllocs()
				b.ResetTimer()
				w.each(b, callers, b.N, func(i int) payment.Request { return w.capture(ids[i]) })
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "captures/s")
			})
		}
	}
}

// work is a merchant's traffic.
type work struct {
	engine *engine.Engine
	keys   atomic.Uint64
}

func startWork(b *testing.B, st store.Store) *work {
	return &work{engine: engine.New(engine.Config{
		Store: st, Clock: clock.System{}, IDs: payment.NewIDs(0),
		Processor: func(int64, payment.Method) processor.Processor { return cardsim.Processor{} },
		Fatal:     func(err error) { b.Error(err) },
	})}
}

const benchTenant, benchMerchant = 1, 1

func (w *work) request(id payment.ID, c payment.Command) payment.Request {
	key := payment.NewKey(benchTenant, "bench", string(binary.BigEndian.AppendUint64(nil, w.keys.Add(1))))
	return payment.Request{
		Tenant: benchTenant, Merchant: benchMerchant, Payment: id, Command: c, Key: key, Fingerprint: payment.Fingerprint(key), Retain: 24 * time.Hour,
	}
}

func (w *work) authorization() payment.Request {
	return w.request(0, payment.Create{
		Intake: payment.Intake{
			Dialect: "intents", Currency: "USD", Amount: 1000,
			Method: payment.Method{Kind: payment.CardMethod, Brand: "visa", First6: "424242", Last4: "4242", ExpMonth: 12, ExpYear: 2030, Funding: "credit"},
			Policy: payment.Policy{HoldFor: 7 * 24 * time.Hour},
		},
		Attempt: &payment.Attempt{Asked: payment.Asked{Dialect: "intents"}},
	})
}

func (w *work) capture(id payment.ID) payment.Request {
	return w.request(id, payment.Capture{Dialect: "intents", Final: true})
}

// each has callers make requests at a time, n in all, and returns the payments
// they were about. Anything but a success fails the benchmark.
func (w *work) each(b *testing.B, callers, n int, request func(i int) payment.Request) []payment.ID {
	ids := make([]payment.ID, n)
	var next atomic.Int64
	var calling sync.WaitGroup
	for range callers {
		calling.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				out, err := w.engine.Do(b.Context(), request(i))
				if err != nil || out.Refusal != nil {
					b.Errorf("request %d: %v %v", i, out.Refusal, err)
					return
				}
				ids[i] = out.Payment.ID
			}
		})
	}
	calling.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return ids
}

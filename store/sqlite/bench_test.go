//go:build unix

package sqlite_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/sqlite"
)

// BenchmarkCapture captures authorized payments, each once and in random
// order, in batches as the engine forms them: the worst case for locality.
// The rate covers loading, deciding and committing; it is that of the one
// writer, with nothing else on the machine.
//
//	go test -run - -bench Capture -benchtime 50000x ./store/sqlite
func BenchmarkCapture(b *testing.B) {
	for _, size := range []int{1, 16, 32, 64, 128, 256} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "bench.db"))
			defer s.Close()
			w := &workload{s: s, ids: payment.NewIDs(1), now: time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)}
			w.authorize(b, max(b.N, 100))
			rand.Shuffle(len(w.payments), func(i, j int) { w.payments[i], w.payments[j] = w.payments[j], w.payments[i] })
			b.ReportAllocs()
			spent := processorTime(b)
			wrote := written()
			b.ResetTimer()
			for from := 0; from < b.N; from += size {
				w.capture(b, w.payments[from:min(from+size, b.N)])
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "captures/s")
			b.ReportMetric(float64((processorTime(b)-spent).Nanoseconds())/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(written()-wrote)/float64(b.N), "written-B/op")
			b.ReportMetric(float64(w.deciding.Nanoseconds())/float64(b.N), "ns-deciding/op")
		})
	}
}

// processorTime is what the process has used so far. Unlike the rate it can be
// compared on a machine that is busy with other things.
func processorTime(b *testing.B) time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// written is how many bytes the process has written so far, to the log and to
// the file; 0 where the system does not say.
func written() (bytes int64) {
	counters, err := os.ReadFile("/proc/self/io")
	if err == nil {
		_, err = fmt.Sscanf(strings.SplitAfter(string(counters), "wchar: ")[1], "%d", &bytes)
	}
	if err != nil {
		return 0
	}
	return bytes
}

// workload is a merchant's traffic.
type workload struct {
	s        *sqlite.Store
	ids      *payment.IDs
	now      time.Time
	payments []payment.ID
	keys     uint64
	deciding time.Duration
}

const benchTenant, benchMerchants = 1, 50

func (w *workload) key() payment.Key {
	w.keys++
	return payment.NewKey(benchTenant, "bench", string(binary.BigEndian.AppendUint64(nil, w.keys)))
}

func approve(payment.Instruction) payment.Answer {
	return payment.Answer{Result: payment.Approved, Reference: "sim_0123456789", AuthCode: "123456"}
}

// authorize makes payments with an open hold.
func (w *workload) authorize(b *testing.B, count int) {
	intake := payment.Intake{
		Dialect: "intents", Currency: "USD", Amount: 1000, Reference: "order 4711", Details: []byte(`{"metadata":{"order":"4711"},"description":"two shackles"}`),
		Method: payment.Method{Kind: payment.CardMethod, Brand: "visa", First6: "424242", Last4: "4242", ExpMonth: 12, ExpYear: 2030,
			Fingerprint: "0123456789abcdef0123456789abcdef", Country: "US", Funding: "credit"},
		Policy: payment.Policy{HoldFor: 7 * 24 * time.Hour},
	}
	for len(w.payments) < count {
		var changes []store.Change
		for range min(1000, count-len(w.payments)) {
			w.now = w.now.Add(time.Millisecond)
			p := &payment.Payment{ID: w.ids.Next(w.now), Tenant: benchTenant, Merchant: int64(1 + len(w.payments)%benchMerchants)}
			changes = append(changes, w.decide(b, p, payment.Create{Intake: intake, Attempt: &payment.Attempt{Asked: payment.Asked{Dialect: "intents"}}}, w.key()))
			w.payments = append(w.payments, p.ID)
		}
		w.commit(b, store.Touched{}, func(store.Batch) []store.Change { return changes })
	}
	w.deciding = 0
}

// capture captures each of the payments, in one batch.
func (w *workload) capture(b *testing.B, ids []payment.ID) {
	w.now = w.now.Add(time.Millisecond)
	touched := store.Touched{
		Keys:     make([]store.Ref[payment.Key], len(ids)),
		Payments: make([]store.Ref[payment.ID], len(ids)),
	}
	for i, id := range ids {
		touched.Keys[i] = store.Ref[payment.Key]{Tenant: benchTenant, Name: w.key()}
		touched.Payments[i] = store.Ref[payment.ID]{Tenant: benchTenant, Name: id}
	}
	w.commit(b, touched, func(batch store.Batch) []store.Change {
		began := time.Now()
		changes := make([]store.Change, len(ids))
		for i, id := range ids {
			key := touched.Keys[i].Name
			if _, taken := batch.Record(key); taken {
				b.Fatal("a key is taken")
			}
			changes[i] = w.decide(b, batch.Payment(id), payment.Capture{Amount: 500, Dialect: "intents", Final: true}, key)
		}
		w.deciding += time.Since(began)
		return changes
	})
}

func (w *workload) decide(b *testing.B, p *payment.Payment, c payment.Command, key payment.Key) store.Change {
	d, err := payment.Decide(p, c, payment.Env{Now: w.now, Ask: approve})
	if err != nil || d.Refusal != nil {
		b.Fatal(err, d.Refusal)
	}
	return store.Change{
		Payment: d.Payment, Events: d.Events, Entries: d.Entries, Timers: d.Timers,
		Record: store.Record{
			Key: key, Tenant: benchTenant, Fingerprint: payment.Fingerprint(key), Payment: p.ID, Version: d.Payment.Version,
			Operation: d.Operation, At: w.now, Expires: w.now.Add(24 * time.Hour),
		},
	}
}

func (w *workload) commit(b *testing.B, touched store.Touched, changes func(store.Batch) []store.Change) {
	batch, err := w.s.Begin(b.Context(), touched)
	if err == nil {
		err = batch.Commit(b.Context(), changes(batch))
	}
	if err != nil {
		b.Fatal(err)
	}
}

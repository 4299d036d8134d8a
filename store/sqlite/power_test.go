package sqlite

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/internal/faultydisk"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/verify"
)

var (
	cuts     = flag.Int("cuts", 200, "how often TestPowerIsLost looks at what is left on the disk")
	cutsSeed = flag.Uint64("cuts.seed", 1, "of TestPowerIsLost")
)

// TestPowerIsLost: an engine works on a disk that now and then is full, and
// then writes a part of what it should. Wherever the power is lost, and whatever
// becomes of what was not flushed by then, what was acknowledged is there and
// the rest of the store is sound.
func TestPowerIsLost(t *testing.T) {
	const each = 200
	if testing.Short() { // raced
		*cuts = min(*cuts, 30)
	}
	total := tally{}
	for round := range uint64((*cuts + each - 1) / each) {
		seed := *cutsSeed + round
		load := newPowerLoad(t, seed)
		load.run()
		found := load.cut(min(each, *cuts-int(round)*each), func(cut int, what string) {
			t.Fatalf("-cuts.seed %d, cut %d: %s", seed, cut, what)
		})
		total.add(found)
	}
	t.Logf("%d cuts: %d acknowledged requests were looked for, %d captures among them, %d unacknowledged payments were there, %d writes met a full disk, the log was copied during %d cuts",
		total.cuts, total.wanted, total.captures, total.more, total.full, total.copying)
	if total.cuts < *cuts || *cuts >= each && min(total.wanted, total.captures, total.more, total.full, total.copying) == 0 {
		t.Error("that was not much of a test")
	}
}

// TestPowerIsLostOnADiskThatLies: a disk that says it has flushed what it has
// not loses what was acknowledged. If that were not noticed, nothing would be.
func TestPowerIsLostOnADiskThatLies(t *testing.T) {
	load := newPowerLoad(t, *cutsSeed)
	load.lies = true
	load.run()
	noticed := 0
	load.cut(40, func(int, string) { noticed++ })
	if noticed < 10 {
		t.Errorf("noticed in %d of 40 cuts", noticed)
	}
}

// tally is what cuts have found.
type tally struct{ cuts, wanted, captures, more, full, copying int }

func (a *tally) add(b tally) {
	a.cuts += b.cuts
	a.wanted += b.wanted
	a.captures += b.captures
	a.more += b.more
	a.full += b.full
	a.copying += b.copying
}

// powerLoad is an engine on a disk that remembers.
type powerLoad struct {
	t      *testing.T
	seed   uint64
	folder string
	disk   *faultydisk.Disk
	lies   bool

	store *Store
	*engine.Engine
	clock *clock.Shifted

	mu     sync.Mutex
	random *rand.Rand
	acked  []ack
	full   int
}

// ack is what somebody was told, and when.
type ack struct {
	point int // of the recording
	key   payment.Key
	out   payment.Outcome
}

func newPowerLoad(t *testing.T, seed uint64) *powerLoad {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	disk, remove, err := faultydisk.Below(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	l := &powerLoad{t: t, seed: seed, folder: folder, disk: disk, random: rand.New(rand.NewPCG(seed, 1))}
	l.clock = clock.NewShifted(clock.Fixed(time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)), 0)
	return l
}

// run starts an engine, works and stops, three times over. The store is made
// under the eyes of the recording.
func (l *powerLoad) run() {
	l.disk.Strike(l.strike(0))
	l.disk.Record()
	for phase, full := range []int{0, 2, 0} {
		l.start()
		l.disk.Strike(l.strike(full))
		var workers sync.WaitGroup
		for w := range 6 {
			workers.Go(func() { l.work(fmt.Sprintf("%d-%d", phase, w), rand.New(rand.NewPCG(l.seed, uint64(10+10*phase+w)))) })
		}
		workers.Wait()
		l.disk.Strike(l.strike(0))
		l.stop()
	}
	l.disk.Strike(func(faultydisk.Op) faultydisk.Fault { return faultydisk.Fault{Skip: true, Code: sqlite.ResultIOErr} })
}

// strike makes that part of a hundred writes fail. Nobody waits for a real
// disk: what counts is the recording.
func (l *powerLoad) strike(full int) func(faultydisk.Op) faultydisk.Fault {
	return func(op faultydisk.Op) faultydisk.Fault {
		l.mu.Lock()
		defer l.mu.Unlock()
		switch {
		case op.Kind == faultydisk.Sync:
			return faultydisk.Fault{Skip: true}
		case op.Kind == faultydisk.Write && l.random.IntN(100) < full:
			l.full++
			return faultydisk.Fault{Code: sqlite.ResultFull, Short: l.random.IntN(len(op.Data))}
		}
		return faultydisk.Fault{}
	}
}

func (l *powerLoad) path() string { return filepath.Join(l.folder, "capstan.db") }

func (l *powerLoad) start() {
	l.t.Helper()
	l.store = small(l.t, l.path())
	l.Engine = engine.New(engine.Config{
		Store: l.store, Clock: l.clock, IDs: payment.NewIDs(0),
		Processor:  func(int64, payment.Method) processor.Processor { return always{} },
		Subscriber: func(context.Context, int64) (outbox.Subscriber, error) { return teller{}, nil },
		Fatal:      func(err error) { l.t.Error(err) },
	})
}

func (l *powerLoad) stop() {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(l.Close(ctx), l.store.Close()); err != nil {
		l.t.Fatal(err)
	}
}

// work makes holds, and ends them in one way or another.
func (l *powerLoad) work(name string, random *rand.Rand) {
	for n := range 8 {
		created := l.ask(fmt.Sprint(name, "-", n), 0, payment.Create{Intake: payment.Intake{
			Dialect: "test", Currency: "USD", Amount: 1000, Fee: 10, Reference: name, Method: payment.Method{Kind: payment.CardMethod},
			Policy: payment.Policy{HoldFor: 24 * time.Hour},
		}, Attempt: &payment.Attempt{}})
		if created == nil {
			continue
		}
		for op, command := range []payment.Command{
			payment.Capture{Amount: int64(1 + random.IntN(600))}, payment.Capture{Final: true}, payment.Refund{Amount: 1}, payment.Void{},
		}[:1+random.IntN(4)] {
			l.ask(fmt.Sprint(name, "-", n, "-", op), created.ID, command)
		}
	}
}

// ask asks until there is an answer, and notes it.
func (l *powerLoad) ask(name string, id payment.ID, c payment.Command) *payment.Payment {
	key := payment.NewKey(1, "power", name)
	for range 20 {
		out, err := l.Do(context.Background(), payment.Request{
			Tenant: 1, Merchant: 1, Payment: id, Key: key, Retain: 24 * time.Hour, Command: c, Keeps: func(*payment.Refusal) bool { return true },
		})
		if err != nil || out.Refusal.Has(payment.InProcess) {
			continue
		}
		point := l.disk.Done()
		l.mu.Lock()
		l.acked = append(l.acked, ack{point, key, out})
		l.mu.Unlock()
		return out.Payment
	}
	return nil
}

// cut looks at what is on the disk after many cuts, and says what is wrong.
func (l *powerLoad) cut(n int, wrong func(cut int, what string)) (found tally) {
	l.t.Helper()
	recording := l.disk.Recording()
	if l.lies {
		recording = slices.DeleteFunc(slices.Clone(recording), func(op faultydisk.Op) bool { return op.Kind == faultydisk.Sync })
	}
	random := rand.New(rand.NewPCG(l.seed, 2))
	points := make([]int, n)
	for i := range points {
		points[i] = random.IntN(len(recording) + 1)
	}
	slices.Sort(points)
	found.full = l.full
	err := faultydisk.Cut(recording, points, random, func(point int, image faultydisk.Image) error {
		found.cuts++
		if point > 0 && recording[point-1].Path == l.path() {
			found.copying++
		}
		what, err := l.look(image, point, &found)
		if what != "" {
			wrong(found.cuts, what)
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return found
}

// look opens what a cut has left.
func (l *powerLoad) look(image faultydisk.Image, point int, found *tally) (wrong string, err error) {
	folder, err := os.MkdirTemp(l.folder, "cut")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	for path, data := range image {
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(path)), data, 0o600); err != nil {
			return "", err
		}
	}
	disk, remove, err := faultydisk.Below(folder)
	if err != nil {
		return "", err
	}
	defer remove()
	disk.Strike(func(op faultydisk.Op) faultydisk.Fault { return faultydisk.Fault{Skip: op.Kind == faultydisk.Sync} })
	s, err := Open(context.Background(), filepath.Join(folder, "capstan.db"), Options{})
	if err != nil {
		return err.Error(), nil
	}
	defer s.Close()
	report, err := verify.Audit(context.Background(), s)
	if err != nil {
		return err.Error(), nil
	}
	if !report.Clean() {
		return report.Findings[0].String(), nil
	}
	known := map[payment.ID]bool{}
	for _, a := range l.acked {
		if a.point > point {
			continue
		}
		found.wanted++
		if what := l.kept(s, a); what != "" {
			return what, nil
		}
		if a.out.Payment != nil {
			known[a.out.Payment.ID] = true
		}
		if op := a.out.Op(); a.out.Refusal == nil && op.Kind == payment.OpCapture {
			found.captures++
		}
	}
	found.more += report.Payments - len(known)
	return "", nil
}

// kept looks for what was acknowledged: the record under its key, and what it
// has done.
func (l *powerLoad) kept(s *Store, a ack) string {
	record, ok, err := s.Record(context.Background(), 1, a.key)
	if err != nil || !ok {
		return fmt.Sprintf("no record of what was acknowledged as %+v %+v: %v", a.out, a.out.Refusal, err)
	}
	if a.out.Refusal != nil {
		return ""
	}
	p, err := s.Payment(context.Background(), 1, a.out.Payment.ID, 0)
	switch {
	case err != nil || p == nil || p.Version < a.out.Payment.Version:
		return fmt.Sprintf("payment %s was acknowledged in version %d, and is lost: %v", a.out.Payment.ID, a.out.Payment.Version, err)
	case record.Payment != p.ID || record.Operation != a.out.Operation:
		return fmt.Sprintf("%+v was acknowledged, its record says %+v", a.out, record)
	}
	told, now := a.out.Op(), p.Op(a.out.Operation)
	if now == nil || now.Status != told.Status || now.Amount != told.Amount || now.Kind != told.Kind {
		return fmt.Sprintf("payment %s: operation %+v was acknowledged, %+v is there", p.ID, told, now)
	}
	return ""
}

// always approves.
type always struct{}

func (always) Decide(i payment.Instruction, _ *payment.Payer) payment.Answer {
	return payment.Answer{Result: payment.Approved, Reference: i.ID()}
}

var errNever = errors.New("nobody asks")

func (always) Perform(context.Context, processor.Order) (payment.Answer, error) {
	return payment.Answer{}, errNever
}

func (always) Lookup(context.Context, processor.Order) (payment.Answer, error) {
	return payment.Answer{}, errNever
}

func (always) Seal(context.Context, processor.Order) (payment.Answer, error) {
	return payment.Answer{}, errNever
}

// teller tells of everything.
type teller struct{}

func (teller) Notices(o outbox.Occasion) (all []outbox.Notice) {
	for i, e := range o.Events {
		all = append(all, outbox.Notice{
			NoticeID: outbox.NoticeID{Version: o.Version(i), Dialect: "test"}, Topic: e.Kind.String(), Deliveries: outbox.Deliver("https://merchant.test"),
		})
	}
	return all
}

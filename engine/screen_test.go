package engine_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/risk"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/store/sqlite"
	"github.com/capstan-pay/capstan/wallet"
)

// checked gives merchant 1 the checks of a risk configuration.
func checked(t fataler, document string) func(*engine.Config) {
	t.Helper()
	config, err := risk.Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	checks, err := config.Compile(risk.Setup{Names: risk.Levels{Shop: "shop", Merchant: "merchant", PSP: "psp"}})
	if err != nil {
		t.Fatal(err)
	}
	return func(c *engine.Config) {
		c.Checks = func(_ context.Context, merchant int64, _ bool) (*risk.Checks, error) {
			if merchant == 1 {
				return checks, nil
			}
			return nil, nil
		}
	}
}

// counters are the tallies of all counters, by name.
func (r *rig) counters(t *testing.T) map[string]risk.Tally {
	t.Helper()
	all := map[string]risk.Tally{}
	err := r.store.Audit(context.Background(), func(a store.Audit) error {
		return a.Counters(func(c store.Counter) error {
			tally, err := risk.ParseTally(c.Value)
			all[c.Name] = tally
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// expect fails the test unless a counter of limits stands as given.
func (r *rig) expect(t *testing.T, name string, volume, count, heldVolume, heldCount int64) {
	t.Helper()
	got := r.counters(t)[name]
	if got.Volume != volume || got.Count != count || got.HeldVolume != heldVolume || got.HeldCount != heldCount {
		t.Errorf("%s is %+v, want %d in %d, and %d in %d waiting", name, got, volume, count, heldVolume, heldCount)
	}
}

// until waits for something that happens in the background, up to five seconds.
func (r *rig) until(happened func() bool) {
	for deadline := time.Now().Add(5 * time.Second); !happened() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

// create makes a payment and asks for its authorization.
func (r *rig) create(t *testing.T, merchant int64, change ...func(*payment.Intake)) payment.Outcome {
	t.Helper()
	in := intake(1000)
	in.Method.Fingerprint = "f1"
	for _, f := range change {
		f(&in)
	}
	out, err := r.Do(t.Context(), payment.Request{
		Tenant: 1, Merchant: merchant, Command: payment.Create{Intake: in, Attempt: &payment.Attempt{}},
	})
	if err != nil || out.Refusal != nil {
		t.Fatalf("create: %+v, %v", out, err)
	}
	return out
}

// atOnce makes it a payment that is captured as soon as it is authorized.
func atOnce(in *payment.Intake) { in.Policy.AutoCapture = true }

// reason is why an outcome's operation was declined, empty if it was not.
func reason(t *testing.T, out payment.Outcome, err error) payment.Reason {
	t.Helper()
	if err != nil || out.Refusal != nil || out.Op() == nil {
		t.Fatalf("%+v, %v", out, err)
	}
	return out.Op().Answer.Reason
}

// Of 64 captures at the same time a limit of ten lets ten through, whatever
// keeps the counters and whoever moves the money.
func TestParallelCapturesStopAtTheCount(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) store.Store{
		"memory":   func(*testing.T) store.Store { return memory.Open() },
		"postgres": func(t *testing.T) store.Store { return pgtest.Open(t) },
		"sqlite": func(t *testing.T) store.Store {
			s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	} {
		for _, remote := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s remote=%t", name, remote), func(t *testing.T) {
				s := open(t)
				t.Cleanup(func() { s.Close() })
				r := newRig(t, checked(t, `{"limits":[{"currency":"USD","count":10}]}`), func(c *engine.Config) { c.Store = s })
				holds := make([]payment.ID, 64)
				for i := range holds {
					holds[i] = r.create(t, 1).Payment.ID
				}
				gate := make(chan struct{})
				r.proc.remote = remote
				r.proc.perform = func(o processor.Order) (payment.Answer, error) {
					<-gate
					return payment.Answer{Result: payment.Approved}, nil
				}
				reasons := make([]payment.Reason, len(holds))
				pending := make([]bool, len(holds))
				var all sync.WaitGroup
				for i, id := range holds {
					all.Go(func() {
						out, err := r.Do(t.Context(), r.capture(id, 100, ""))
						if err != nil || out.Refusal != nil {
							t.Errorf("%+v, %v", out, err)
							return
						}
						reasons[i], pending[i] = out.Op().Answer.Reason, out.Pending
						if screening := string(out.Op().Answer.Screening); !strings.HasPrefix(screening, `{"status":"`) {
							t.Errorf("screening is %q", screening)
						}
					})
				}
				all.Wait()
				through, waiting := 0, 0
				for i, why := range reasons {
					switch {
					case why == "":
						through++
					case why != payment.LimitCount:
						t.Errorf("declined for %q", why)
					}
					if pending[i] {
						waiting++
					}
				}
				if through != 10 || remote && waiting != 10 {
					t.Errorf("%d went through, %d of them are waiting", through, waiting)
				}
				if remote {
					r.expect(t, "1/USD/2026-01", 0, 0, 1000, 10)
				}
				close(gate)
				r.until(func() bool { return r.counters(t)["1/USD/2026-01"].HeldCount == 0 })
				r.expect(t, "1/USD/2026-01", 1000, 10, 0, 0)
			})
		}
	}
}

// What waits for its processor is held against the limit, and gives way when
// the processor declines.
func TestPendingCaptureHoldsTheLimit(t *testing.T) {
	r := newRig(t, checked(t, `{"limits":[{"currency":"USD","volume":1000}]}`))
	first, second := r.create(t, 1).Payment.ID, r.create(t, 1).Payment.ID
	r.proc.remote = true
	declines := make(chan struct{})
	r.proc.perform = func(processor.Order) (payment.Answer, error) {
		<-declines
		return payment.Answer{Result: payment.Refused, Reason: payment.DoNotHonor}, nil
	}
	waits := r.capture(first, 600, "waits")
	out, err := r.Do(t.Context(), waits)
	if why := reason(t, out, err); why != "" || !out.Pending {
		t.Fatalf("%q, pending %t", why, out.Pending)
	}
	out, err = r.Do(t.Context(), r.capture(second, 401, ""))
	if why := reason(t, out, err); why != payment.LimitVolume {
		t.Errorf("above what is left: %q", why)
	}
	if want := `"current_volume":0,"current_count":0`; !strings.Contains(string(out.Op().Answer.Screening), want) {
		t.Errorf("what waits is reported as done: %s", out.Op().Answer.Screening)
	}
	r.expect(t, "1/USD/2026-01", 0, 0, 600, 1)
	close(declines)
	r.until(func() bool { return r.counters(t)["1/USD/2026-01"].HeldCount == 0 })
	r.expect(t, "1/USD/2026-01", 0, 0, 0, 0)
	r.proc.mu.Lock()
	r.proc.remote = false
	r.proc.mu.Unlock()
	out, err = r.Do(t.Context(), r.capture(second, 1000, ""))
	if why := reason(t, out, err); why != "" {
		t.Errorf("all of the limit: %q", why)
	}
	r.expect(t, "1/USD/2026-01", 1000, 1, 0, 0)
}

// An answer counts in the month in which its capture was asked for.
func TestMonths(t *testing.T) {
	r := newRig(t, checked(t, `{"limits":[{"currency":"USD","count":1},{"currency":"USD","period":"day","max":5000}]}`))
	long := func(in *payment.Intake) { in.Policy.HoldFor = 60 * 24 * time.Hour }
	first, second, third := r.create(t, 1, long).Payment.ID, r.create(t, 1, long).Payment.ID, r.create(t, 1, long).Payment.ID
	r.proc.remote = true
	answered := make(chan struct{})
	r.proc.perform = func(processor.Order) (payment.Answer, error) {
		<-answered
		return payment.Answer{Result: payment.Approved}, nil
	}
	out, err := r.Do(t.Context(), r.capture(first, 600, ""))
	if why := reason(t, out, err); why != "" {
		t.Fatal(why)
	}
	r.clock.Advance(17 * 24 * time.Hour) // the first of February
	r.proc.mu.Lock()
	r.proc.remote = false
	r.proc.mu.Unlock()
	out, err = r.Do(t.Context(), r.capture(second, 700, ""))
	if why := reason(t, out, err); why != "" {
		t.Errorf("the first of the month: %q", why)
	}
	out, err = r.Do(t.Context(), r.capture(third, 800, ""))
	if why := reason(t, out, err); why != payment.LimitCount {
		t.Errorf("the second of the month: %q", why)
	}
	close(answered)
	r.until(func() bool { return r.counters(t)["1/USD/2026-01"].HeldCount == 0 })
	r.expect(t, "1/USD/2026-01", 600, 1, 0, 0)
	r.expect(t, "1/USD/2026-01-15", 600, 1, 0, 0)
	r.expect(t, "1/USD/2026-02", 700, 1, 0, 0)
	r.expect(t, "1/USD/2026-02-01", 700, 1, 0, 0)
}

// A payment is judged once, as a payment, and counts once.
func TestPaymentCountsOnce(t *testing.T) {
	r := newRig(t, checked(t, `{"limits":[{"currency":"USD","count":2},{"currency":"USD","scope":"payer","volume":1500}],
		"rules":[{"level":"shop","alias":"a","condition":"Transaction type is capture","action":"review"}]}`))
	first := r.create(t, 1, atOnce)
	if first.Payment.Captured != 1000 {
		t.Fatalf("captured %d", first.Payment.Captured)
	}
	authorization, capture := first.Payment.Op(1), first.Payment.Op(2)
	if string(capture.Answer.Screening) != string(authorization.Answer.Screening) || !strings.Contains(string(capture.Answer.Screening), `:"passed"`) {
		t.Errorf("the capture was judged by itself: %s", capture.Answer.Screening)
	}
	r.expect(t, "1/USD/2026-01", 1000, 1, 0, 0)

	same := r.create(t, 1, atOnce)
	if why := same.Op().Answer.Reason; why != payment.LimitPayer || same.Payment.Status != payment.Declined {
		t.Errorf("above the payer's volume: %q, %s", why, same.Payment.Status)
	}
	other := func(in *payment.Intake) { in.Method.Fingerprint = "f2" }
	if why := r.create(t, 1, atOnce, other).Op().Answer.Reason; why != "" {
		t.Errorf("another card: %q", why)
	}
	third := func(in *payment.Intake) { in.Method.Fingerprint = "f3" }
	if why := r.create(t, 1, atOnce, third).Op().Answer.Reason; why != payment.LimitCount {
		t.Errorf("above the count: %q", why)
	}
	if why := r.create(t, 1, third).Op().Answer.Reason; why != "" {
		t.Errorf("an authorization: %q", why)
	}
	r.expect(t, "1/USD/2026-01", 2000, 2, 0, 0)
}

// asking is a processor that asks the payer first, and leaves authorizations
// without an answer when it is told to.
type asking struct {
	acquirer
	unanswered   bool
	unchallenged int
}

func (a *asking) Decide(i payment.Instruction, p *payment.Payer) payment.Answer {
	if i.Unchallenged {
		a.unchallenged++
	}
	if i.Kind == payment.OpAuthorize {
		if a.unanswered {
			return payment.Answer{Result: payment.Pending}
		}
		if !i.PayerDone && !i.Unchallenged {
			return payment.Answer{Result: payment.PayerRequired}
		}
	}
	return a.acquirer.Decide(i, p)
}

func served(p processor.Processor) func(*engine.Config) {
	return func(c *engine.Config) { c.Processor = func(int64, payment.Method) processor.Processor { return p } }
}

// While the payer thinks, the limit may be used up: he is judged again, before
// the processor is asked. Who never comes back uses nothing up.
func TestJudgedAgainAfterThePayer(t *testing.T) {
	r := newRig(t, served(&asking{}), checked(t, `{"limits":[{"currency":"USD","count":1}],
		"rules":[{"level":"psp","alias":"v","condition":"Payment transaction count more than 3 per card in 1 hour","action":"reject"}]}`))
	var waiting []*payment.Payment
	for range 3 {
		out := r.create(t, 1, atOnce)
		if out.Payment.Status != payment.AwaitingPayer {
			t.Fatalf("is %s", out.Payment.Status)
		}
		waiting = append(waiting, out.Payment)
	}
	answer := func(p *payment.Payment, approved bool) payment.Outcome {
		out, err := r.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Payment: p.ID, Command: payment.PayerAnswer{Approved: approved}})
		if err != nil || out.Refusal != nil {
			t.Fatalf("%+v, %v", out, err)
		}
		return out
	}
	if out := answer(waiting[0], false); out.Op().Answer.Reason != payment.PayerDeclined || out.Op().Answer.Screening == nil {
		t.Errorf("%+v", out.Op().Answer)
	}
	if out := answer(waiting[1], true); out.Payment.Captured != 1000 {
		t.Errorf("the first: %+v", out.Op().Answer)
	}
	if out := answer(waiting[2], true); out.Op().Answer.Reason != payment.LimitCount || out.Payment.Status != payment.Declined {
		t.Errorf("the second: %+v", out.Op().Answer)
	}
	r.expect(t, "1/USD/2026-01", 1000, 1, 0, 0)
	// Three attempts were seen, not five: the fourth is rejected, by the rule.
	if out := r.create(t, 1); out.Payment.Status != payment.AwaitingPayer {
		t.Errorf("an authorization: %+v", out.Op().Answer)
	}
	if why := r.create(t, 1, atOnce).Op().Answer; why.Reason != payment.LimitCount || !strings.Contains(string(why.Screening), `:"reject"`) {
		t.Errorf("the fourth payment: %s", why.Screening)
	}
}

// A payment whose authorization is not answered is held, and so is what
// becomes of it, without a gap.
func TestUnansweredPayment(t *testing.T) {
	proc := &asking{unanswered: true}
	r := newRig(t, served(proc), checked(t, `{"limits":[{"currency":"USD","count":1}]}`))
	authorized, captured := make(chan struct{}), make(chan struct{})
	proc.perform = func(o processor.Order) (payment.Answer, error) {
		if o.Kind == payment.OpAuthorize {
			<-authorized
		} else {
			<-captured
		}
		return payment.Answer{Result: payment.Approved}, nil
	}
	out := r.create(t, 1, atOnce)
	if !out.Pending {
		t.Fatalf("%+v", out)
	}
	r.expect(t, "1/USD/2026-01", 0, 0, 1000, 1)
	if why := r.create(t, 1, atOnce).Op().Answer.Reason; why != payment.LimitCount {
		t.Errorf("%q", why)
	}
	proc.acquirer.mu.Lock()
	proc.acquirer.remote = true // its automatic capture waits as well
	proc.acquirer.mu.Unlock()
	close(authorized)
	r.until(func() bool {
		p, _ := r.store.Payment(t.Context(), 1, out.Payment.ID, 0)
		return p.Captures() == 1
	})
	r.expect(t, "1/USD/2026-01", 0, 0, 1000, 1)
	close(captured)
	r.until(func() bool {
		p, _ := r.store.Payment(t.Context(), 1, out.Payment.ID, 0)
		return p.Captured == 1000
	})
	r.expect(t, "1/USD/2026-01", 1000, 1, 0, 0)
}

// users makes wallet users with money.
func (r *rig) users(t *testing.T, n int, minor int64) []int64 {
	t.Helper()
	ids := make([]int64, n)
	for i := range ids {
		u := wallet.User{Tenant: 1}
		if err := r.store.CreateUser(t.Context(), 1, &u, []wallet.Balance{{Currency: "USD", Available: minor}}, noon); err != nil {
			t.Fatal(err)
		}
		ids[i] = u.ID
	}
	return ids
}

// At a cashier nobody knows who pays until he says so.
func TestPayerLimitAtTheCashier(t *testing.T) {
	r := newRig(t, served(&asking{}), checked(t, `{"limits":[{"currency":"USD","scope":"payer","volume":1500}]}`))
	cashier := func(in *payment.Intake) { in.Method = payment.Method{Kind: payment.WalletMethod} }
	pay := func(user int64) payment.Reason {
		order := r.create(t, 1, atOnce, cashier)
		out, err := r.Do(t.Context(), payment.Request{
			Tenant: 1, Merchant: 1, Payment: order.Payment.ID,
			Command: payment.PayerAnswer{Approved: true, Method: &payment.Method{Kind: payment.WalletMethod, User: user}},
		})
		if err != nil || out.Refusal != nil {
			t.Fatalf("%+v, %v", out, err)
		}
		return out.Payment.Authorization().Answer.Reason
	}
	users := r.users(t, 2, 5000)
	for i, want := range []payment.Reason{"", payment.LimitPayer} {
		if why := pay(users[0]); why != want {
			t.Errorf("payment %d of the first: %q, want %q", i+1, why, want)
		}
	}
	if why := pay(users[1]); why != "" {
		t.Errorf("the second: %q", why)
	}
}

func TestRules(t *testing.T) {
	proc := &asking{}
	r := newRig(t, served(proc), checked(t, `{"rules":[
		{"level":"shop","alias":"skip","condition":"Transaction amount more than 9","action":"skip_3ds"},
		{"level":"psp","alias":"void","condition":"Transaction type is void","action":"reject"},
		{"level":"psp","alias":"refund","condition":"Refund transaction count more than 1 per card in 1 hour","action":"reject"}]}`))
	out := r.create(t, 1)
	if out.Payment.Status != payment.Authorized || proc.unchallenged != 1 {
		t.Fatalf("is %s, and %d unchallenged", out.Payment.Status, proc.unchallenged)
	}
	do := func(c payment.Command) payment.Reason {
		out, err := r.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Payment: out.Payment.ID, Command: c})
		return reason(t, out, err)
	}
	for i, step := range []struct {
		c    payment.Command
		want payment.Reason
	}{
		{payment.Void{Amount: 10}, payment.RiskRejected},
		{payment.Capture{Amount: 500}, ""},
		{payment.Refund{Amount: 10}, ""},
		{payment.Refund{Amount: 10}, payment.RiskRejected},
		{payment.Cancel{Rest: true}, payment.RiskRejected},
	} {
		if why := do(step.c); why != step.want {
			t.Errorf("step %d, %T: %q, want %q", i+1, step.c, why, step.want)
		}
	}
	now, err := r.Payment(t.Context(), 1, 1, out.Payment.ID)
	if err != nil || now.Refunded != 10 || now.Voided != 0 || now.Remaining() != 500 {
		t.Errorf("refunded %d, voided %d, left %d", now.Refunded, now.Voided, now.Remaining())
	}
	if proc.unchallenged != 1 {
		t.Error("what is not an authorization is told not to challenge")
	}
}

// A merchant without checks has no counters and no screening.
func TestUncheckedMerchant(t *testing.T) {
	r := newRig(t, checked(t, `{"limits":[{"currency":"USD","max":1}]}`))
	out := r.create(t, 2, atOnce)
	for _, op := range out.Payment.Operations {
		if op.Status != payment.OpApproved || op.Answer.Screening != nil {
			t.Errorf("operation %d: %+v", op.Number, op.Answer)
		}
	}
	if all := r.counters(t); len(all) != 0 {
		t.Errorf("counters: %v", all)
	}
}

// A scheduled capture is held against the limits like any other.
func TestScheduledCaptureIsScreened(t *testing.T) {
	r := newRig(t, checked(t, `{"limits":[{"currency":"USD","max":1}]}`))
	out := r.create(t, 1, func(in *payment.Intake) { in.Policy.CaptureAt = noon.Add(time.Hour) })
	if err := r.Advance(t.Context(), r.clock, 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	now, err := r.Payment(t.Context(), 1, 1, out.Payment.ID)
	if err != nil || now.Captured != 0 || len(now.Operations) != 2 || now.Op(2).Answer.Reason != payment.LimitMaximum {
		t.Errorf("%+v, %v", now, err)
	}
}

// Checks that cannot be read let nothing through.
func TestChecksThatCannotBeRead(t *testing.T) {
	broken := errors.New("no configuration")
	asked := 0
	r := newRig(t, func(c *engine.Config) {
		c.Checks = func(context.Context, int64, bool) (*risk.Checks, error) {
			if asked++; asked > 1 {
				return nil, broken
			}
			return nil, nil
		}
	})
	id := r.create(t, 1).Payment.ID
	if _, err := r.Do(t.Context(), r.capture(id, 100, "")); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if p, err := r.Payment(t.Context(), 1, 1, id); err != nil || p.Captured != 0 || len(p.Operations) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}

// counting notes how often a store's counters are loaded.
type counting struct {
	store.Store
	loads, names int
}

func (c *counting) Begin(ctx context.Context, touched store.Touched) (store.Batch, error) {
	b, err := c.Store.Begin(ctx, touched)
	return &countingBatch{b, c}, err
}

type countingBatch struct {
	store.Batch
	of *counting
}

func (b *countingBatch) Counters(ctx context.Context, of []store.Ref[string]) ([]store.Counter, error) {
	b.of.loads++
	b.of.names += len(of)
	return b.Batch.Counters(ctx, of)
}

// All counters of a batch are loaded in one go, and none where nothing is
// checked.
func TestCountersAreLoadedTogether(t *testing.T) {
	s := &counting{Store: openStore(t)}
	r := newRig(t, func(c *engine.Config) { c.Store = s }, checked(t, `{"limits":[{"currency":"USD","count":9},{"currency":"USD","period":"day","count":9}],
		"rules":[{"level":"shop","alias":"a","condition":"Capture transaction count more than 9 per card in 1 hour","action":"reject"}]}`))
	id := r.create(t, 1).Payment.ID
	s.loads, s.names = 0, 0
	if out, err := r.Do(t.Context(), r.capture(id, 100, "")); reason(t, out, err) != "" {
		t.Fatal(out.Op().Answer)
	}
	if s.loads != 1 || s.names != 3 {
		t.Errorf("%d loads of %d counters, want 1 of 3", s.loads, s.names)
	}
	r.create(t, 2, atOnce)
	if s.loads != 1 {
		t.Errorf("counters are loaded for a merchant without checks")
	}
}

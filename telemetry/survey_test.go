package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// books is a store with what a test says.
type books struct {
	timers   []payment.Timer
	payments map[payment.ID]*payment.Payment
	err      error
	slow     time.Duration
	backlog  []store.Backlog
	asked    atomic.Int64
}

func (b *books) Agenda(ctx context.Context, kind payment.TimerKind, until time.Time, limit int) (due []payment.Timer, _ error) {
	b.asked.Add(1)
	select {
	case <-time.After(b.slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for _, t := range b.timers {
		if t.Kind == kind && !t.Due.After(until) && len(due) < limit {
			due = append(due, t)
		}
	}
	return due, b.err
}

func (b *books) NextDue(context.Context) (time.Time, error) {
	if len(b.timers) == 0 {
		return time.Time{}, b.err
	}
	return b.timers[0].Due, b.err
}

func (b *books) Payment(_ context.Context, _ int64, id payment.ID, _ int) (*payment.Payment, error) {
	return b.payments[id], b.err
}

func (b *books) Backlog(context.Context, int) ([]store.Backlog, error) { return b.backlog, b.err }

// add puts a payment into the books, with a timer.
func (b *books) add(p payment.Payment, t payment.Timer) {
	if b.payments == nil {
		b.payments = map[payment.ID]*payment.Payment{}
	}
	p.ID = payment.ID(len(b.payments) + 1)
	t.Payment = p.ID
	b.payments[p.ID], b.timers = &p, append(b.timers, t)
}

// hold is an open hold of a currency that expires after some time.
func (b *books) hold(currency money.Currency, after time.Duration, authorized, captured int64) {
	p := payment.Payment{Status: payment.Authorized, Authorized: authorized, Captured: captured, ExpiresAt: noon.Add(after)}
	p.Currency = currency
	b.add(p, payment.Timer{Kind: payment.DeadlineTimer, Due: noon.Add(after)})
}

func (b *books) operation(status payment.OperationStatus, asked time.Duration, attempt int) {
	op := payment.Operation{Number: 1, Kind: payment.OpCapture, Status: status, At: noon.Add(-asked)}
	b.add(payment.Payment{Operations: []payment.Operation{op}}, payment.Timer{Kind: payment.ProcessorTimer, Operation: 1, Attempt: attempt, Due: noon.Add(time.Hour)})
}

func shows(t *testing.T, s *Survey, want string, names ...string) {
	t.Helper()
	if err := testutil.CollectAndCompare(s, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

func survey(b *books) *Survey {
	return NewSurvey(b, func() time.Time { return noon }, Always{func() []money.Currency { return []money.Currency{"CHF"} }, []string{"quiet"}}, slog.New(slog.DiscardHandler))
}

func TestSurveyOfHolds(t *testing.T) {
	b := &books{}
	b.hold("USD", -time.Second, 50, 0) // over, and its timer is late
	b.hold("USD", time.Minute, 1000, 300)
	b.hold("USD", 24*time.Hour, 7, 0)
	b.hold("JPY", time.Hour, 40, 0)
	b.hold("EUR", 24*time.Hour+1, 99, 0) // too far away
	p := payment.Payment{Status: payment.Authorized, Authorized: 500, ExpiresAt: noon.Add(100 * time.Hour)}
	p.Currency = "USD"
	b.add(p, payment.Timer{Kind: payment.DeadlineTimer, Due: noon.Add(time.Minute)}) // of the payer, not of the hold
	b.add(payment.Payment{Status: payment.Voided, ExpiresAt: noon.Add(time.Minute)}, payment.Timer{Kind: payment.DeadlineTimer, Due: noon.Add(time.Minute)})
	shows(t, survey(b), `
# HELP capstan_holds_expiring Holds that expire within 24 hours.
# TYPE capstan_holds_expiring gauge
capstan_holds_expiring{currency="CHF"} 0
capstan_holds_expiring{currency="JPY"} 1
capstan_holds_expiring{currency="USD"} 3
# HELP capstan_holds_expiring_horizon_seconds How far ahead expiring holds were counted: 24 hours, or less when there are very many.
# TYPE capstan_holds_expiring_horizon_seconds gauge
capstan_holds_expiring_horizon_seconds 86400
# HELP capstan_holds_expiring_minor What is left of holds that expire within 24 hours, in minor units of the currency.
# TYPE capstan_holds_expiring_minor gauge
capstan_holds_expiring_minor{currency="CHF"} 0
capstan_holds_expiring_minor{currency="JPY"} 40
capstan_holds_expiring_minor{currency="USD"} 757
# HELP capstan_timers_overdue_seconds How long ago the earliest timer fell due that has not been fired; 0 if none has.
# TYPE capstan_timers_overdue_seconds gauge
capstan_timers_overdue_seconds 1
`, "capstan_holds_expiring", "capstan_holds_expiring_minor", "capstan_holds_expiring_horizon_seconds", "capstan_timers_overdue_seconds")
}

// With more holds than are looked at, it is told how far the sums reach.
func TestSurveyIsBounded(t *testing.T) {
	b := &books{}
	for i := range 10 {
		b.hold("USD", time.Duration(i+1)*time.Hour, 100, 0)
	}
	s := survey(b)
	s.limit = 4
	shows(t, s, `
# HELP capstan_holds_expiring_horizon_seconds How far ahead expiring holds were counted: 24 hours, or less when there are very many.
# TYPE capstan_holds_expiring_horizon_seconds gauge
capstan_holds_expiring_horizon_seconds 14400
# HELP capstan_holds_expiring_minor What is left of holds that expire within 24 hours, in minor units of the currency.
# TYPE capstan_holds_expiring_minor gauge
capstan_holds_expiring_minor{currency="CHF"} 0
capstan_holds_expiring_minor{currency="USD"} 400
`, "capstan_holds_expiring_minor", "capstan_holds_expiring_horizon_seconds")
}

func TestSurveyOfUnknown(t *testing.T) {
	b := &books{}
	b.operation(payment.OpPending, time.Second, 1) // its first call is under way
	b.operation(payment.OpPending, time.Hour, 2)
	b.operation(payment.OpPending, 50*time.Hour, 9)
	b.operation(payment.OpApproved, 90*time.Hour, 9) // answered since
	shows(t, survey(b), `
# HELP capstan_oldest_unknown_operation_seconds Age of the oldest unknown operation; 0 if there is none.
# TYPE capstan_oldest_unknown_operation_seconds gauge
capstan_oldest_unknown_operation_seconds 180000
# HELP capstan_operations_pending Operations whose processor has not answered.
# TYPE capstan_operations_pending gauge
capstan_operations_pending 3
# HELP capstan_operations_unknown Pending operations that were asked about in vain: nobody knows whether money has moved.
# TYPE capstan_operations_unknown gauge
capstan_operations_unknown 2
`, "capstan_operations_pending", "capstan_operations_unknown", "capstan_oldest_unknown_operation_seconds")
}

func TestSurveyOfOutbox(t *testing.T) {
	b := &books{backlog: []store.Backlog{{Dialect: "late", Deliveries: 7, Due: noon.Add(-time.Minute)}, {Dialect: "retrying", Deliveries: 2, Due: noon.Add(time.Hour)}}}
	shows(t, survey(b), `
# HELP capstan_deliveries_pending Deliveries of webhooks that have an attempt before them; counted up to 100,000.
# TYPE capstan_deliveries_pending gauge
capstan_deliveries_pending{dialect="late"} 7
capstan_deliveries_pending{dialect="quiet"} 0
capstan_deliveries_pending{dialect="retrying"} 2
# HELP capstan_outbox_lag_seconds How long ago the earliest attempt at a delivery fell due that has not been made; 0 if none has.
# TYPE capstan_outbox_lag_seconds gauge
capstan_outbox_lag_seconds{dialect="late"} 60
capstan_outbox_lag_seconds{dialect="quiet"} 0
capstan_outbox_lag_seconds{dialect="retrying"} 0
`, "capstan_deliveries_pending", "capstan_outbox_lag_seconds")
}

// A survey is made when somebody asks, and not more often than it may be; who
// asks does not wait for a slow one; one that fails is told of.
func TestSurveyInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &books{}
		b.hold("USD", time.Hour, 100, 0)
		s := survey(b)
		for range 100 {
			s.findings()
		}
		if n := b.asked.Load(); n != 2 { // one for each kind
			t.Errorf("the store was asked %d times", n)
		}
		time.Sleep(surveyEvery)
		synctest.Wait()
		b.slow = 5 * time.Second
		began := time.Now()
		f, ok := s.findings()
		if took := time.Since(began); took != surveyPatience || !ok || f.holds["USD"].minor != 100 {
			t.Errorf("waited %s for %+v", took, f)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		b.slow, b.err = 0, errors.New("disk on fire")
		f, ok = s.findings()
		if !ok || !f.failed || f.holds["USD"].minor != 100 {
			t.Errorf("after a failure: %+v", f)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		b.slow, b.err = time.Hour, nil
		if f, _ = s.findings(); !f.failed {
			t.Error("a store that does not answer")
		}
		time.Sleep(surveyTimeout + surveyEvery)
		synctest.Wait()
		b.slow = 0
		if f, _ = s.findings(); f.failed {
			t.Error("still failed when all is well again")
		}
	})
}

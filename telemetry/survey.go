package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// Bounds of a survey: it is made when somebody scrapes the metrics, at most once
// in surveyEvery, and looks at no more than so many holds and operations. A
// scrape waits for it no longer than surveyPatience and shows the last one
// otherwise.
const (
	surveyEvery    = 30 * time.Second
	surveyPatience = time.Second
	surveyTimeout  = 20 * time.Second
	holdsLimit     = 20_000
	waitingLimit   = 1_000
	backlogLimit   = 100_000
	horizon        = 24 * time.Hour // about to expire is within that time

	// inquiryAhead is how far ahead the next question about an operation may
	// be that is without an answer: they are asked about daily.
	inquiryAhead = 25 * time.Hour
)

// Surveyed is what a survey needs of a store.
type Surveyed interface {
	Agenda(ctx context.Context, kind payment.TimerKind, until time.Time, limit int) ([]payment.Timer, error)
	NextDue(ctx context.Context) (time.Time, error)
	Payment(ctx context.Context, tenant int64, id payment.ID, version int) (*payment.Payment, error)
	Backlog(ctx context.Context, limit int) ([]store.Backlog, error)
}

// Always is what a survey shows even if it finds nothing of it, so that nobody
// has to ask whether a metric that is not there is nought.
type Always struct {
	Currencies func() []money.Currency
	Dialects   []string
}

// Survey measures what is in a store and not in this process: other instances
// change it too. It is a prometheus.Collector.
type Survey struct {
	store  Surveyed
	now    func() time.Time
	logger *slog.Logger
	limit  int // holdsLimit

	always Always

	mu      sync.Mutex
	last    findings
	done    bool          // last is there
	at      time.Duration // when the last one began, in clock.Ticks
	running chan struct{} // closed when the running one ends; nil if none runs
}

// findings are what a survey found.
type findings struct {
	overdue time.Duration // of the earliest timer
	pending int           // operations without an answer
	unknown int           // of them those that were asked about in vain
	oldest  time.Duration // age of the oldest unknown one
	covered time.Duration // how far ahead holds were counted
	holds   map[money.Currency]expiring
	outbox  map[string]undelivered // by dialect
	data    int64
	log     int64
	sized   bool
	took    time.Duration
	failed  bool
}

// undelivered is what is to be delivered for a dialect.
type undelivered struct {
	count int
	late  time.Duration // the earliest of them
}

// expiring are the holds of a currency that are about to expire.
type expiring struct {
	holds int
	minor int64
}

// NewSurvey returns a survey of a store, by the business clock.
func NewSurvey(s Surveyed, now func() time.Time, always Always, logger *slog.Logger) *Survey {
	return &Survey{store: s, now: now, always: always, logger: logger, limit: holdsLimit}
}

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
}

// What a survey shows.
var (
	timersOverdue = gauge("timers_overdue_seconds", "How long ago the earliest timer fell due that has not been fired; 0 if none has.")
	opsPending    = gauge("operations_pending", "Operations whose processor has not answered.")
	opsUnknown    = gauge("operations_unknown", "Pending operations that were asked about in vain: nobody knows whether money has moved.")
	oldestUnknown = gauge("oldest_unknown_operation_seconds", "Age of the oldest unknown operation; 0 if there is none.")
	expiringMinor = gauge("holds_expiring_minor", "What is left of holds that expire within 24 hours, in minor units of the currency.", "currency")
	expiringHolds = gauge("holds_expiring", "Holds that expire within 24 hours.", "currency")
	expiringUntil = gauge("holds_expiring_horizon_seconds", "How far ahead expiring holds were counted: 24 hours, or less when there are very many.")
	outboxPending = gauge("deliveries_pending", "Deliveries of webhooks that have an attempt before them; counted up to 100,000.", "dialect")
	outboxLag     = gauge("outbox_lag_seconds", "How long ago the earliest attempt at a delivery fell due that has not been made; 0 if none has.", "dialect")
	storeBytes    = gauge("store_bytes", "Size of the store: its data, and a log of changes that are not in the data yet.", "part")
	surveyTook    = gauge("survey_duration_seconds", "How long the last survey of the store took.")
	surveyFailed  = gauge("survey_failed", "1 if the last survey of the store failed: then what it measures is out of date.")
)

// Describe implements prometheus.Collector.
func (s *Survey) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		timersOverdue, opsPending, opsUnknown, oldestUnknown, expiringMinor, expiringHolds, expiringUntil, outboxPending, outboxLag, storeBytes, surveyTook, surveyFailed,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (s *Survey) Collect(out chan<- prometheus.Metric) {
	f, ok := s.findings()
	if !ok {
		return
	}
	show := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	show(timersOverdue, f.overdue.Seconds())
	show(opsPending, float64(f.pending))
	show(opsUnknown, float64(f.unknown))
	show(oldestUnknown, f.oldest.Seconds())
	show(expiringUntil, f.covered.Seconds())
	for currency, e := range f.holds {
		show(expiringMinor, float64(e.minor), string(currency))
		show(expiringHolds, float64(e.holds), string(currency))
	}
	for name, u := range f.outbox {
		show(outboxPending, float64(u.count), name)
		show(outboxLag, u.late.Seconds(), name)
	}
	if f.sized {
		show(storeBytes, float64(f.data), "data")
		show(storeBytes, float64(f.log), "log")
	}
	show(surveyTook, f.took.Seconds())
	failed := 0.0
	if f.failed {
		failed = 1
	}
	show(surveyFailed, failed)
}

// findings returns those of the last survey, beginning a new one when it is
// old. It is false while there has been none.
func (s *Survey) findings() (findings, bool) {
	s.mu.Lock()
	if s.running == nil && (!s.done || clock.Ticks()-s.at >= surveyEvery) {
		s.running, s.at = make(chan struct{}), clock.Ticks()
		go s.run(s.running)
	}
	running := s.running
	s.mu.Unlock()
	if running != nil {
		patience := time.NewTimer(surveyPatience)
		defer patience.Stop()
		select {
		case <-running:
		case <-patience.C:
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.done
}

// run makes a survey. One that fails leaves the findings of the one before.
func (s *Survey) run(ended chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), surveyTimeout)
	defer cancel()
	began := clock.Ticks()
	f, err := s.look(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.logger.Warn("the store could not be surveyed", "error", err)
		f = s.last
		f.failed = true
	}
	f.took = clock.Ticks() - began
	s.last, s.done, s.running = f, true, nil
	close(ended)
}

func (s *Survey) look(ctx context.Context) (findings, error) {
	f := findings{holds: map[money.Currency]expiring{}, outbox: map[string]undelivered{}}
	for _, c := range s.always.Currencies() {
		f.holds[c] = expiring{}
	}
	for _, name := range s.always.Dialects {
		f.outbox[name] = undelivered{}
	}
	now := s.now()
	next, err := s.store.NextDue(ctx)
	if err != nil {
		return f, err
	}
	if !next.IsZero() {
		f.overdue = max(now.Sub(next), 0)
	}
	if err := s.lookForUnknown(ctx, now, &f); err != nil {
		return f, err
	}
	if err := s.lookForExpiring(ctx, now, &f); err != nil {
		return f, err
	}
	backlog, err := s.store.Backlog(ctx, backlogLimit)
	if err != nil {
		return f, err
	}
	for _, b := range backlog {
		f.outbox[b.Dialect] = undelivered{b.Deliveries, max(now.Sub(b.Due), 0)}
	}
	if sized, ok := s.store.(store.Sized); ok {
		f.data, f.log, err = sized.Size(ctx)
		f.sized = err == nil
	}
	return f, err
}

// lookForUnknown looks for operations that wait for their processor. Each has a
// timer that asks again; a timer may outlive its operation.
func (s *Survey) lookForUnknown(ctx context.Context, now time.Time, f *findings) error {
	timers, err := s.store.Agenda(ctx, payment.ProcessorTimer, now.Add(inquiryAhead), waitingLimit)
	if err != nil {
		return err
	}
	for _, t := range timers {
		p, err := s.store.Payment(ctx, t.Tenant, t.Payment, 0)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		op := p.Op(t.Operation)
		if op == nil || op.Status != payment.OpPending {
			continue
		}
		f.pending++
		if t.Attempt > 1 {
			f.unknown++
			f.oldest = max(f.oldest, now.Sub(op.At))
		}
	}
	return nil
}

// lookForExpiring sums up what is left of holds whose deadline is near. The
// payer may have had a deadline of his own before: that timer is not the
// hold's.
func (s *Survey) lookForExpiring(ctx context.Context, now time.Time, f *findings) error {
	timers, err := s.store.Agenda(ctx, payment.DeadlineTimer, now.Add(horizon), s.limit)
	if err != nil {
		return err
	}
	f.covered = horizon
	if len(timers) == s.limit && s.limit > 0 { // there may be more, not earlier than the last
		f.covered = max(timers[len(timers)-1].Due.Sub(now), 0)
	}
	for _, t := range timers {
		p, err := s.store.Payment(ctx, t.Tenant, t.Payment, 0)
		if err != nil {
			return err
		}
		if p == nil || p.Status != payment.Authorized || !p.ExpiresAt.Equal(t.Due) {
			continue
		}
		e := f.holds[p.Currency]
		e.holds++
		e.minor += p.Authorized + p.Extended - p.Captured - p.Voided - p.Released
		f.holds[p.Currency] = e
	}
	return nil
}

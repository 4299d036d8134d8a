package telemetry

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// EngineMetrics measures an engine. It is an engine.Observer.
type EngineMetrics struct {
	registry  *prometheus.Registry
	batch     prometheus.Histogram
	took      prometheus.Histogram
	commit    prometheus.Histogram
	retries   *prometheus.CounterVec
	refusals  *prometheus.CounterVec
	calls     *prometheus.HistogramVec
	decisions map[string][]prometheus.Counter // by command and engine.Answer

	wrote   atomic.Bool // something was made durable since Wrote was asked
	failing atomic.Bool // the last command that was to be written was not

	mu         sync.Mutex
	currencies atomic.Pointer[[]money.Currency] // that payments were made in
}

var _ engine.Observer = (*EngineMetrics)(nil)

// commands are the names of all commands.
var commands = func() (names []string) {
	for _, c := range []payment.Command{
		payment.Create{}, payment.Revise{}, payment.Authorize{}, payment.PayerAnswer{}, payment.Capture{}, payment.Void{},
		payment.Cancel{}, payment.Refund{}, payment.Increment{}, payment.Expire{}, payment.Settle{}, payment.Review{}, payment.Resolve{}, payment.Inquire{}, payment.Correct{}, payment.Adopt{}, payment.Nothing{},
	} {
		names = append(names, payment.CommandName(c))
	}
	return append(names, "unknown")
}()

// retryReasons are why an attempt to write is followed by another.
var retryReasons = []string{"conflict", "unknown", "full", "broken", "fault"}

func newEngineMetrics(registry *prometheus.Registry) *EngineMetrics {
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Subsystem: "engine", Name: name, Help: help, Buckets: buckets})
		registry.MustRegister(h)
		return h
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: "engine", Name: name, Help: help}, labels)
		registry.MustRegister(c)
		return c
	}
	m := &EngineMetrics{
		registry: registry,
		batch:    histogram("batch_commands", "How many commands were committed together.", prometheus.ExponentialBuckets(1, 2, 9)),
		took:     histogram("batch_duration_seconds", "How long a batch took, from taking it off the queue to its being durable.", seconds),
		commit:   histogram("commit_duration_seconds", "How long the store took to make a batch durable.", seconds),
		retries:  counter("retries_total", "Attempts to write commands that were followed by another, by why they failed.", "reason"),
		refusals: counter("refusals_total", "Guards that failed, by command. A command may fail several.", "command", "guard"),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "processor_call_duration_seconds", Buckets: callSeconds,
			Help: "How long calls to processors took, by the operation they were for and how they ended. No answer is not an answer.",
		}, []string{"operation", "result"}),
		decisions: map[string][]prometheus.Counter{},
	}
	registry.MustRegister(m.calls)
	decisions := counter("decisions_total", "Commands decided, by command and what became of them. Those of timers and processors are among them.", "command", "outcome")
	for _, name := range commands {
		for _, a := range engine.Answers() {
			m.decisions[name] = append(m.decisions[name], decisions.WithLabelValues(name, a.String()))
		}
	}
	for _, reason := range retryReasons {
		m.retries.WithLabelValues(reason)
	}
	for _, kind := range []payment.OperationKind{payment.OpAuthorize, payment.OpCapture, payment.OpVoid, payment.OpRefund} {
		for _, result := range []string{results[payment.Approved], results[payment.Refused], noAnswer} {
			m.calls.WithLabelValues(kind.String(), result)
		}
	}
	m.currencies.Store(new([]money.Currency))
	return m
}

// Watch measures the queue of an engine and the calls that it makes.
func (m *EngineMetrics) Watch(e *engine.Engine) {
	gauge := func(subsystem, name, help string, value func() int) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help},
			func() float64 { return float64(value()) }))
	}
	gauge("engine", "queue_depth", "Commands that wait to be taken.", e.Queued)
	gauge("engine", "queue_capacity", "Commands that may wait; one more is turned away.", func() int { return e.QueueLength })
	gauge("processor", "calls_in_flight", "Calls to processors that are under way.", e.Calling)
}

// Wrote tells whether something was made durable since it was last asked, and
// nothing has failed to be since.
func (m *EngineMetrics) Wrote() bool { return m.wrote.Swap(false) }

// Failing tells whether the last command that was to be written was not.
func (m *EngineMetrics) Failing() bool { return m.failing.Load() }

// Committed implements engine.Observer.
func (m *EngineMetrics) Committed(commands int, took, commit time.Duration) {
	m.batch.Observe(float64(commands))
	m.took.Observe(took.Seconds())
	m.commit.Observe(commit.Seconds())
}

// Decided implements engine.Observer.
func (m *EngineMetrics) Decided(c payment.Command, answer engine.Answer, out payment.Outcome) {
	name := payment.CommandName(c)
	m.decisions[name][answer].Inc()
	switch answer {
	case engine.AnswerDone, engine.AnswerPending, engine.AnswerDeclined:
		if out.Payment == nil {
			break
		}
		if !m.wrote.Load() {
			m.wrote.Store(true)
			m.failing.Store(false)
		}
		m.spent(out.Payment.Currency)
	case engine.AnswerUnavailable, engine.AnswerUnknown, engine.AnswerFailed:
		m.wrote.Store(false)
		m.failing.Store(true)
	case engine.AnswerRefused, engine.AnswerReplayed:
	}
	if answer != engine.AnswerRefused {
		return
	}
	for _, g := range payment.Guards() {
		if out.Refusal.Has(g) {
			m.refusals.WithLabelValues(name, g.String()).Inc()
		}
	}
}

// spent notes that there are payments in a currency.
func (m *EngineMetrics) spent(c money.Currency) {
	if slices.Contains(*m.currencies.Load(), c) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := *m.currencies.Load(); !slices.Contains(known, c) {
		known = append(slices.Clone(known), c)
		m.currencies.Store(&known)
	}
}

// Currencies are those that payments were made in since the process began.
func (m *EngineMetrics) Currencies() []money.Currency { return *m.currencies.Load() }

// Retried implements engine.Observer.
func (m *EngineMetrics) Retried(err error) {
	reason := "fault"
	switch {
	case errors.Is(err, store.ErrConflict):
		reason = "conflict"
	case errors.Is(err, store.ErrUnknown):
		reason = "unknown"
	case errors.Is(err, store.ErrFull):
		reason = "full"
	case errors.Is(err, store.ErrBroken):
		reason = "broken"
	}
	m.retries.WithLabelValues(reason).Inc()
}

// results are the ends of a call to a processor.
var results = map[payment.Result]string{payment.Approved: "approved", payment.Refused: "refused"}

// noAnswer is the end of a call that is none.
const noAnswer = "no_answer"

// callSeconds are the buckets of the durations of calls.
var callSeconds = []float64{.01, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60}

// Called implements engine.Observer.
func (m *EngineMetrics) Called(kind payment.OperationKind, result payment.Result, took time.Duration, err error) {
	name, ok := results[result]
	if err != nil || !ok {
		name = noAnswer
	}
	m.calls.WithLabelValues(kind.String(), name).Observe(took.Seconds())
}

package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/capstan-pay/capstan/outbox"
)

// Deliveries measures and traces the attempts to deliver webhooks. It is what
// a deliverer's Observer has to be.
type Deliveries struct {
	attempts *prometheus.CounterVec
	duration *prometheus.HistogramVec
	traces   *Traces
}

// attemptResults are what may become of an attempt. The last one was not made
// to its end: the process stops, and makes it again when it begins.
var attemptResults = map[outbox.State]string{
	outbox.Delivered: "delivered", outbox.Waiting: "failed", outbox.GivenUp: "given_up", outbox.Stopped: "stopped", 0: "broken_off",
}

// Deliveries returns what watches the deliveries of dialects.
func (w *Watcher) Deliveries(dialects []string) *Deliveries {
	d := &Deliveries{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "delivery_attempts_total",
			Help: "Attempts to deliver a webhook, by dialect and what became of them. After one that failed another follows.",
		}, []string{"dialect", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "delivery_attempt_duration_seconds", Help: "How long attempts to deliver a webhook took.", Buckets: callSeconds,
		}, []string{"dialect"}),
		traces: w.Traces,
	}
	w.Metrics.registry.MustRegister(d.attempts, d.duration)
	for _, name := range dialects {
		d.duration.WithLabelValues(name)
		for _, result := range attemptResults {
			d.attempts.WithLabelValues(name, result)
		}
	}
	return d
}

// Attempting is told of an attempt before it is made, and what it returns after.
func (d *Deliveries) Attempting(ctx context.Context, one outbox.Delivery) (context.Context, func(outbox.State, time.Duration, error)) {
	end := func(error) {}
	if d.traces != nil {
		var wanted func(error)
		if ctx, wanted = d.traces.Following(ctx, "webhook.deliver", one.Payment, one.Version); wanted != nil {
			end = wanted
		}
	}
	return ctx, func(state outbox.State, took time.Duration, err error) {
		end(err)
		d.attempts.WithLabelValues(one.Dialect, attemptResults[state]).Inc()
		d.duration.WithLabelValues(one.Dialect).Observe(took.Seconds())
	}
}

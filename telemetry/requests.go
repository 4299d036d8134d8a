package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/capstan-pay/capstan/dialect"
)

// requests measures requests by dialect, operation and class. The series are
// found without a lock: there are few of them, made when they are first needed.
type requests struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec

	mu    sync.Mutex // of those who add a series
	known atomic.Pointer[map[endpoint]*series]
}

// endpoint is an operation of a dialect.
type endpoint struct{ dialect, operation string }

// series are those of an endpoint.
type series struct {
	duration prometheus.Observer
	class    []prometheus.Counter // by dialect.Class
}

// maxEndpoints bounds the number of series, should an operation's name ever not
// be of a bounded set; what comes above it is counted together.
const maxEndpoints = 256

// unnamed is the operation of a request that is for none.
const unnamed = "unknown"

func (r *requests) init(registry *prometheus.Registry) {
	r.total = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "requests_total",
		Help: "Requests answered, by dialect, operation, and the class of the answer.",
	}, []string{"dialect", "operation", "class"})
	r.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "request_duration_seconds",
		Help: "How long requests took, from their header to the end of the answer.", Buckets: seconds,
	}, []string{"dialect", "operation"})
	r.inFlight = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "requests_in_flight", Help: "Requests that are being answered.",
	}, []string{"dialect"})
	registry.MustRegister(r.total, r.duration, r.inFlight)
	r.known.Store(&map[endpoint]*series{})
}

// observe counts a request that was answered.
func (r *requests) observe(at endpoint, class dialect.Class, took time.Duration) {
	s := (*r.known.Load())[at]
	if s == nil {
		s = r.add(at)
	}
	s.duration.Observe(took.Seconds())
	s.class[class].Inc()
}

func (r *requests) add(at endpoint) *series {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := *r.known.Load()
	if len(known) >= maxEndpoints {
		at.operation = "other"
	}
	if s := known[at]; s != nil {
		return s
	}
	s := &series{duration: r.duration.WithLabelValues(at.dialect, at.operation), class: make([]prometheus.Counter, len(dialect.Classes())+1)}
	for _, c := range dialect.Classes() {
		s.class[c] = r.total.WithLabelValues(at.dialect, at.operation, c.String())
	}
	s.class[dialect.Unclassed] = s.class[dialect.Failed] // does not happen
	more := maps.Clone(known)
	more[at] = s
	r.known.Store(&more)
	return s
}

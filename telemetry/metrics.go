package telemetry

import (
	"net/http"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// namespace begins the name of every metric of ours.
const namespace = "capstan"

// seconds are the buckets of durations: from half a millisecond, which is a
// capture on a good disk, to the longest that anybody waits for a processor.
var seconds = []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60}

// Metrics are the metrics of one server.
type Metrics struct {
	registry *prometheus.Registry
	requests requests
	away     *prometheus.CounterVec
	Engine   *EngineMetrics // the engine's observer
}

// NewMetrics returns the metrics of a server of that version.
func NewMetrics(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.requests.init(m.registry)
	m.away = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "requests_turned_away_total",
		Help: "Requests that were told to come again because too many were there, by dialect. They are not among the requests answered.",
	}, []string{"dialect"})
	m.registry.MustRegister(m.away)
	m.Engine = newEngineMetrics(m.registry)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), built(version))
	return m
}

// Register adds what somebody else measures.
func (m *Metrics) Register(c prometheus.Collector) { m.registry.MustRegister(c) }

// TurnedAway counts the requests to a dialect that are turned away.
func (m *Metrics) TurnedAway(dialect string) prometheus.Counter {
	return m.away.WithLabelValues(dialect)
}

// Admission measures what is let in: how many requests are inside, how many
// connections there are, and how many were closed to make room.
func (m *Metrics) Admission(inside, open func() int, closed func() int64) {
	gauge := func(name, help string, value func() int) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help},
			func() float64 { return float64(value()) }))
	}
	gauge("requests_admitted", "Requests that were let in and are not answered.", inside)
	gauge("connections", "Connections to the main listener.", open)
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: namespace, Name: "connections_closed_total", Help: "Connections that were closed to make room for others, or because there was none.",
	}, func() float64 { return float64(closed()) }))
}

// Gatherer gives everything that is measured.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Handler serves the metrics to Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// built is a metric that is always 1 and says what the program is.
func built(version string) prometheus.Collector {
	labels := prometheus.Labels{"version": version, "revision": "unknown", "goversion": "unknown"}
	if info, ok := debug.ReadBuildInfo(); ok {
		labels["goversion"] = info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				labels["revision"] = s.Value
			}
		}
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; its labels say which program this is.", ConstLabels: labels,
	})
	g.Set(1)
	return g
}

package capstan

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/capstan-pay/capstan/admission"
)

// Unwatch takes everything away that watches the server, so that it can be
// measured what that costs. Nobody may use the server meanwhile.
func (s *Server) Unwatch() {
	s.watcher, s.Engine.Observer = nil, nil
	s.mux = s.route()
}

// Update is the flag that rewrites pages.
var Update = update

// ProbeAgain makes /readyz forget what it knows of the store.
func (s *Server) ProbeAgain() { s.health.probed = false }

// Gate is what counts the requests that are let in.
func (s *Server) Gate() *admission.Gate { return s.gate }

// Door is what watches connections.
func (s *Server) Door() *admission.Door { return s.door }

// Metrics are what is measured.
func (s *Server) Metrics() prometheus.Gatherer { return s.watcher.Metrics.Gatherer() }

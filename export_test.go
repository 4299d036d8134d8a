package capstan

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

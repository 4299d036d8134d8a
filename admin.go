package capstan

import (
	"net/http"

	"github.com/capstan-pay/capstan/admin"
)

// Admin returns the handler of the admin listener: whether the process lives,
// whether it takes requests, and administration.
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/", s.API())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.ready.Load() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
	return mux
}

// API serves administration. Its Guard is for whatever else on the admin
// listener is not for everybody.
func (s *Server) API() *admin.API { return admin.NewAPI(s.Desk(), s.Logger, s.Sandbox) }

// Ready says that the server takes requests: /readyz turns 200.
func (s *Server) Ready() { s.ready.Store(true) }

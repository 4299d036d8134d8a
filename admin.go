package capstan

import (
	"net/http"

	"github.com/capstan-pay/capstan/admin"
)

// Admin returns the handler of the admin listener: whether the process lives,
// whether it takes requests, its metrics, and administration. All but the first
// two are for administrators only.
func (s *Server) Admin() http.Handler {
	api := s.API()
	mux := http.NewServeMux()
	mux.Handle("/api/", api)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { tell(w, "ok", s.sick()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { tell(w, "ready", s.unready(r.Context())) })
	mux.Handle("GET /metrics", api.Guard(s.watcher.Metrics.Handler()))
	return mux
}

// API serves administration. Its Guard is for whatever else the admin listener
// serves that is not for everybody.
func (s *Server) API() *admin.API { return admin.NewAPI(s.Desk(), s.Logger, s.Sandbox) }

// tell answers with a word, or with what is wrong.
func tell(w http.ResponseWriter, well, wrong string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if wrong != "" {
		w.WriteHeader(http.StatusServiceUnavailable)
		well = wrong
	}
	_, _ = w.Write([]byte(well + "\n"))
}

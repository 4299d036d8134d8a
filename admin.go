package capstan

import (
	"net/http"
)

// Admin returns the handler of the admin listener: whether the process lives,
// whether it takes requests, and its metrics.
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { tell(w, "ok", s.sick()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { tell(w, "ready", s.unready(r.Context())) })
	mux.Handle("GET /metrics", s.watcher.Metrics.Handler())
	return mux
}

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

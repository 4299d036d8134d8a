package main

import (
	"net/http"
	"net/http/pprof"
)

// profiled serves Go's profiles below /debug/pprof, and h for all else. It is
// for the admin listener, and only when it was asked for: a profile tells how
// busy the server is, and taking one costs it time.
func profiled(h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

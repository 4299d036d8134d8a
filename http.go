package capstan

import (
	"net/http"
	"time"

	"github.com/capstan-pay/capstan/admission"
)

// HTTPServer returns an HTTP server for h with the bounds that a server on
// open ground needs: on the time to send a header and a body, and on sizes.
func HTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      90 * time.Second,
		IdleTimeout:       admission.IdleTimeout,
		MaxHeaderBytes:    64 << 10,
	}
}

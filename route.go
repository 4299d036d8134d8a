package capstan

import (
	"net/http"
	"strings"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/dialect/alipay"
	"github.com/capstan-pay/capstan/dialect/begateway"
	"github.com/capstan-pay/capstan/dialect/intents"
	"github.com/capstan-pay/capstan/dialect/wepay"
	"github.com/capstan-pay/capstan/receipt"
	"github.com/capstan-pay/capstan/sandbox"
)

// begatewayRoots are the first segments of begateway's paths (its section 1).
var begatewayRoots = []string{
	"/transactions", "/v2/transactions", "/credit_cards", "/v2/credit_cards", "/process", "/async", "/services", "/ctp", "/products", "/customer", "/beyag",
}

// route returns the main listener's handler. It decides by the raw path, most
// specific first, and never redirects or cleans a path: some dialects sign it.
func (s *Server) route() http.Handler {
	fallback := s.Dialect(wepay.Name)
	if fallback == nil {
		fallback = s.Dialects[0]
	}
	pick := func(name string) dialect.Dialect {
		if d := s.Dialect(name); d != nil {
			return d
		}
		return fallback
	}
	toAlipay, toIntents, toBegateway := pick(alipay.Name), pick(intents.Name), pick(begateway.Name)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		switch {
		case alipay.Owns(path):
			toAlipay.ServeHTTP(w, r)
		case under(path, "/v1"):
			toIntents.ServeHTTP(w, r)
		case isBegatewayPath(path):
			toBegateway.ServeHTTP(w, r)
		case s.Sandbox && under(path, "/_sandbox"):
			s.Sandboxed.ServeHTTP(w, r)
		case strings.HasPrefix(path, receipt.Path):
			s.Receipts.ServeHTTP(w, r)
		case under(path, "/_sandbox"), under(path, "/openapi"): // ours, and nothing is there
			sandbox.NotFound(w, r)
		case path == "/" && r.Method == http.MethodGet:
			s.home(w)
		default:
			fallback.ServeHTTP(w, r)
		}
	})
}

func isBegatewayPath(path string) bool {
	for _, root := range begatewayRoots {
		if under(path, root) {
			return true
		}
	}
	return false
}

// under tells whether path is root or below it.
func under(path, root string) bool {
	return strings.HasPrefix(path, root) && (len(path) == len(root) || path[len(root)] == '/')
}

func (s *Server) home(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	mode := "live"
	if s.Sandbox {
		mode = "sandbox"
	}
	var names []string
	for _, d := range s.Dialects {
		names = append(names, d.Name())
	}
	_, _ = w.Write([]byte(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Capstan</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:4em auto;padding:0 1em;color:#222}</style>
<h1>Capstan</h1><p>A payment authorization and capture server. This one is a <b>` + mode + `</b> and speaks: ` +
		strings.Join(names, ", ") + `.</p></html>
`))
}

package capstan

import (
	"net/http"
	"strings"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/dialect/alipay"
	"github.com/capstan-pay/capstan/dialect/begateway"
	"github.com/capstan-pay/capstan/dialect/intents"
	"github.com/capstan-pay/capstan/dialect/wepay"
	"github.com/capstan-pay/capstan/page"
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
	watched := map[string]http.Handler{}
	for _, d := range s.Dialects {
		watched[d.Name()] = s.watcher.Handler(d.Name(), d)
	}
	toAlipay, toIntents, toBegateway := watched[pick(alipay.Name).Name()], watched[pick(intents.Name).Name()], watched[pick(begateway.Name).Name()]
	toFallback := watched[fallback.Name()]
	var controls http.Handler
	if s.Sandbox {
		controls = s.watcher.Handler("sandbox", label("control", s.Sandboxed.ServeHTTP))
	}
	nothing := s.watcher.Handler("server", label("nothing", sandbox.NotFound))
	receipts := s.watcher.Handler("receipt", label("page", s.Receipts.ServeHTTP))
	described := s.watcher.Handler("server", label("openapi", describe))
	home := s.watcher.Handler("server", label("home", func(w http.ResponseWriter, _ *http.Request) { s.home(w) }))
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
			controls.ServeHTTP(w, r)
		case strings.HasPrefix(path, receipt.Path):
			receipts.ServeHTTP(w, r)
		case descriptions[path] != nil && s.Dialect(strings.TrimSuffix(strings.TrimPrefix(path, "/openapi/"), ".yaml")) != nil:
			described.ServeHTTP(w, r)
		case under(path, "/_sandbox"), under(path, "/openapi"): // ours, and nothing is there
			nothing.ServeHTTP(w, r)
		case path == "/" && r.Method == http.MethodGet:
			home.ServeHTTP(w, r)
		default:
			toFallback.ServeHTTP(w, r)
		}
	})
}

// descriptions are the dialects' own descriptions of themselves, by their paths.
var descriptions = map[string][]byte{"/openapi/" + wepay.Name + ".yaml": wepay.OpenAPI}

// describe answers with the description that the path names.
func describe(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Access-Control-Allow-Origin", "*") // for tools that run in a browser
	_, _ = w.Write(descriptions[r.URL.Path])
}

// named names the operation of what h serves.
func label(operation string, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dialect.MemoOf(r.Context()).Operation = operation
		h(w, r)
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

var homePage = page.New(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"><title>Capstan</title><style>{{style}}</style></head>
<body><main><h1>Capstan</h1><p>A payment authorization and capture server. This one is a <b>{{.Mode}}</b> and speaks: {{.Dialects}}.</p></main></body></html>
`, page.QuestionStyle, page.Alone, nil)

func (s *Server) home(w http.ResponseWriter) {
	mode := "live server"
	if s.Sandbox {
		mode = "sandbox"
	}
	var names []string
	for _, d := range s.Dialects {
		names = append(names, d.Name())
	}
	if err := homePage.Write(w, http.StatusOK, struct{ Mode, Dialects string }{mode, strings.Join(names, ", ")}); err != nil {
		s.Logger.Error("home page failed", "error", err)
	}
}

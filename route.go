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
	admitted := map[string]http.Handler{}
	for _, d := range s.Dialects {
		host, ok := d.(dialect.Host)
		if !ok {
			host = busy{}
		}
		admitted[d.Name()] = s.admitted(d.Name(), host, s.watcher.Handler(d.Name(), d))
	}
	var served [len(names)]http.Handler
	for i := range names {
		served[i] = admitted[s.at(owner(i)).Name()]
	}
	var controls http.Handler
	if s.Sandbox {
		controls = s.watcher.Handler("sandbox", label("control", s.Sandboxed.ServeHTTP))
	}
	nothing := s.watcher.Handler("server", label("nothing", sandbox.NotFound))
	receipts := s.admitted(receiptLabel, busy{}, s.watcher.Handler(receiptLabel, label("page", s.Receipts.ServeHTTP)))
	described := s.watcher.Handler("server", label("openapi", describe))
	home := s.watcher.Handler("server", label("home", func(w http.ResponseWriter, _ *http.Request) { s.home(w) }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch of := s.ownerOf(r.URL.Path); of {
		case ofControls:
			controls.ServeHTTP(w, r)
		case ofReceipts:
			receipts.ServeHTTP(w, r)
		case ofDescriptions:
			described.ServeHTTP(w, r)
		case ofNobody:
			nothing.ServeHTTP(w, r)
		case ofHome:
			if r.Method == http.MethodGet {
				home.ServeHTTP(w, r)
				return
			}
			served[ofOthers].ServeHTTP(w, r)
		case ofAlipay, ofIntents, ofBegateway, ofOthers:
			served[of].ServeHTTP(w, r)
		}
	})
}

// owner is whose a path is.
type owner uint8

const (
	ofAlipay owner = iota
	ofIntents
	ofBegateway
	ofOthers // that no dialect claims
	ofControls
	ofReceipts
	ofDescriptions
	ofHome   // a GET of it is; all else is of others
	ofNobody // ours, and nothing is there
)

// names are the dialects that own paths.
var names = [...]string{ofAlipay: alipay.Name, ofIntents: intents.Name, ofBegateway: begateway.Name, ofOthers: wepay.Name}

// ownerOf tells whose a path is, most specific first.
func (s *Server) ownerOf(path string) owner {
	switch {
	case alipay.Owns(path):
		return ofAlipay
	case under(path, "/v1"):
		return ofIntents
	case isBegatewayPath(path):
		return ofBegateway
	case s.Sandbox && under(path, "/_sandbox"):
		return ofControls
	case strings.HasPrefix(path, receipt.Path):
		return ofReceipts
	case descriptions[path] != nil && s.Dialect(strings.TrimSuffix(strings.TrimPrefix(path, "/openapi/"), ".yaml")) != nil:
		return ofDescriptions
	case under(path, "/_sandbox"), under(path, "/openapi"):
		return ofNobody
	case path == "/":
		return ofHome
	}
	return ofOthers
}

// at is the dialect that serves an owner's paths; nil if that is none.
func (s *Server) at(of owner) dialect.Dialect {
	if int(of) >= len(names) {
		return nil
	}
	for _, name := range []string{names[of], wepay.Name} {
		if d := s.Dialect(name); d != nil {
			return d
		}
	}
	return s.Dialects[0]
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

var homePage = page.Plain("Capstan", `<p>A payment authorization and capture server. This one is a <b>{{.Mode}}</b> and speaks: {{.Dialects}}.</p>
`, page.Alone)

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

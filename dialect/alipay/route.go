package alipay

import (
	"net/http"
	"strings"
)

// prefixes are what deployed wallets and the official SDKs put before /v1 or
// /v2.
var prefixes = []string{"", "/api", "/api/open", "/acl/api", "/aps/api", "/openapi", "/ams/api", "/ams/sandbox/api"}

// route is where a request goes.
type route struct {
	known bool   // the prefix and the version are ours
	v1    bool   // the path says /v1
	ams   bool   // it has the form of the official SDKs
	api   string // family and name, such as "payments/capture"
}

// Owns tells whether a path belongs to this API, whether or not it names an
// endpoint: a known prefix, /v1 or /v2, then payments or authorizations.
// Repeated slashes count as one.
func Owns(path string) bool {
	r := routeOf(path)
	return r.known && (strings.HasPrefix(r.api, "payments/") || strings.HasPrefix(r.api, "authorizations/"))
}

// routeOf reads the path of a request target. Nothing is decoded; repeated
// slashes count as one.
func routeOf(target string) route {
	path, _, _ := strings.Cut(target, "?")
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	for _, prefix := range prefixes {
		rest, ok := strings.CutPrefix(path, prefix)
		if !ok || !(strings.HasPrefix(rest, "/v1/") || strings.HasPrefix(rest, "/v2/")) {
			continue
		}
		return route{known: true, v1: rest[2] == '1', ams: strings.HasPrefix(prefix, "/ams"), api: canonical(rest[len("/v1/"):])}
	}
	return route{}
}

// canonical resolves the one alias there is.
func canonical(api string) string {
	if api == "payments/cancelPayment" {
		return "payments/cancel"
	}
	return api
}

// target is the path and query of a request as they were sent; of a target in
// absolute form only these. It is what the signature covers.
func target(r *http.Request) string {
	if r.RequestURI == "" {
		return pathOf(r.URL.RequestURI())
	}
	return pathOf(r.RequestURI)
}

// pathOf is the path and query of a request target.
func pathOf(t string) string {
	if strings.HasPrefix(t, "/") {
		return t
	}
	_, rest, absolute := strings.Cut(t, "://")
	if !absolute {
		return t
	}
	at := strings.IndexAny(rest, "/?")
	switch {
	case at < 0:
		return "/"
	case rest[at] == '?':
		return "/" + rest[at:]
	}
	return rest[at:]
}

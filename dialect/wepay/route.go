package wepay

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// route finds the endpoint of a request and the id in its path. Paths are
// taken to the letter: nothing is cleaned and nobody is redirected.
func route(r *http.Request) (*endpoint, string, *problem) {
	path, escaped := r.URL.Path, false
	if r.URL.RawPath != "" {
		path, escaped = r.URL.RawPath, true
	}
	name, rest, deep := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	at := resources[name]
	switch {
	case at == nil || path[0] != '/':
		return nil, "", notFound
	case !deep:
		return choose(at.all, r.Method, "")
	}
	id, action, deeper := strings.Cut(rest, "/")
	endpoints := at.one
	if deeper {
		endpoints = at.actions[action]
	}
	if id == "" || endpoints == nil {
		return nil, "", notFound
	}
	if escaped {
		var err error
		if id, err = url.PathUnescape(id); err != nil {
			return nil, "", notFound
		}
	}
	return choose(endpoints, r.Method, id)
}

func choose(endpoints []endpoint, method, id string) (*endpoint, string, *problem) {
	var allow []string
	for i := range endpoints {
		if endpoints[i].method == method {
			return &endpoints[i], id, nil
		}
		allow = append(allow, endpoints[i].method)
	}
	return nil, "", notAllowed(strings.Join(allow, ", "))
}

// correlate gives the request an id of its own, which every answer carries,
// and lets browsers read the answer.
func (d *Dialect) correlate(w http.ResponseWriter, r *http.Request) string {
	id := d.uuid()
	h := w.Header()
	h["X-Correlation-Id"] = []string{id}
	if len(r.Header["Origin"]) > 0 {
		h["Access-Control-Allow-Origin"] = anyOrigin
		h["Access-Control-Expose-Headers"] = exposed
	}
	return id
}

var (
	jsonType  = []string{"application/json"}
	anyOrigin = []string{"*"}
	exposed   = []string{"X-Correlation-Id"}
)

func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && len(r.Header["Access-Control-Request-Method"]) > 0
}

// preflightFor is how long a browser need not ask again.
const preflightFor = 24 * time.Hour

// answerPreflight lets a page of any origin call us. A page has an App-Id but
// no App-Token, so what it can reach with that is what tokenizes a card.
func answerPreflight(w http.ResponseWriter) {
	h := w.Header()
	h["Access-Control-Allow-Origin"] = anyOrigin
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	h.Set("Access-Control-Allow-Headers", "App-Id, App-Token, Api-Version, Content-Type, Unique-Key, WePay-Risk-Token, Client-IP")
	h.Set("Access-Control-Max-Age", strconv.Itoa(int(preflightFor.Seconds())))
	write(w, http.StatusOK, []byte("{}"))
}

func write(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	w.Write(body) // whoever is gone by now asks again
}

// Package begateway serves the card API of the beGateway family: holds, sales,
// captures, voids, refunds and queries under /transactions, with Basic
// authentication and one JSON object per transaction.
//
// Section numbers in comments are those of the specification that
// docs/dialects/begateway.md summarizes, together with what we decided where
// it is silent.
package begateway

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/capstan-pay/capstan/dialect"
)

// Name is the label of this dialect.
const Name = "begateway"

// Dialect serves the API.
type Dialect struct{ dialect.Services }

// New returns the dialect on its services.
func New(s dialect.Services) *Dialect { return &Dialect{s} }

// Name returns "begateway".
func (d *Dialect) Name() string { return Name }

const (
	transactionPath = "/transactions/"
	trackingPath    = transactionPath + "tracking_id/"
	renotifyPath    = "/renotify"
	cardPath        = "/credit_cards"
	receiptPath     = "/customer/transactions/"
)

// ServeHTTP answers a request. A path that is not served, and a method that a
// path does not have, are answered like a transaction that does not exist.
func (d *Dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	switch {
	case r.Method == http.MethodPost && path == "/transactions/captures":
		d.serve(w, r, "capture", d.capture)
	case r.Method == http.MethodPost && path == "/transactions/authorizations":
		d.serve(w, r, "authorize", d.authorize)
	case r.Method == http.MethodPost && path == "/transactions/payments":
		d.serve(w, r, "pay", d.pay)
	case r.Method == http.MethodPost && path == "/transactions/voids":
		d.serve(w, r, "void", d.void)
	case r.Method == http.MethodPost && path == "/transactions/refunds":
		d.serve(w, r, "refund", d.refund)
	case r.Method == http.MethodPost && (path == cardPath || path == "/v2"+cardPath):
		d.serve(w, r, "tokenize", func(c *call) answered { return d.tokenize(c, "") })
	case r.Method == http.MethodPost && strings.HasPrefix(path, cardPath+"/"):
		d.serveCard(w, r, path[len(cardPath)+1:])
	case r.Method == http.MethodPut && strings.HasPrefix(path, "/v2"+cardPath+"/"):
		d.serveCard(w, r, path[len("/v2"+cardPath)+1:])
	case r.Method == http.MethodPost && path == "/services/credit_cards/charges":
		d.serve(w, r, "charge", d.pay)
	case r.Method == http.MethodPost && strings.HasPrefix(path, transactionPath) && strings.HasSuffix(path, renotifyPath):
		uid, ok := segment(strings.TrimSuffix(path[len(transactionPath):], renotifyPath))
		if !ok {
			d.serveNothing(w, r)
			return
		}
		d.serve(w, r, "renotify", func(c *call) answered { return d.renotify(c, uid) })
	case r.Method == http.MethodGet && strings.HasPrefix(path, trackingPath):
		d.serveTracking(w, r, path[len(trackingPath):], d.queryTrackingOne)
	case r.Method == http.MethodGet && strings.HasPrefix(path, "/v2"+trackingPath):
		d.serveTracking(w, r, path[len("/v2"+trackingPath):], d.queryTracking)
	case r.Method == http.MethodGet && strings.HasPrefix(path, transactionPath):
		if uid, ok := segment(path[len(transactionPath):]); ok {
			d.serve(w, r, "query", func(c *call) answered { return d.query(c, uid) })
			return
		}
		d.serveNothing(w, r)
	case r.Method == http.MethodGet && strings.HasPrefix(path, receiptPath):
		dialect.MemoOf(r.Context()).Operation = "receipt"
		d.receipt(w, r, path[len(receiptPath):])
	case strings.HasPrefix(path, processPath):
		d.process(w, r, path[len(processPath):])
	default:
		d.serveNothing(w, r)
	}
}

// serveTracking serves a look-up by tracking id. The id is all that is left of
// the path: it may have any characters, escaped or not.
func (d *Dialect) serveTracking(w http.ResponseWriter, r *http.Request, escaped string, look func(*call, string) answered) {
	id, err := url.PathUnescape(escaped)
	if err != nil || id == "" {
		d.serveNothing(w, r)
		return
	}
	d.serve(w, r, "query", func(c *call) answered { return look(c, id) })
}

// serveCard serves a change of the card that a token stands for.
func (d *Dialect) serveCard(w http.ResponseWriter, r *http.Request, escaped string) {
	token, ok := segment(escaped)
	if !ok {
		d.serveNothing(w, r)
		return
	}
	d.serve(w, r, "tokenize", func(c *call) answered { return d.tokenize(c, token) })
}

// segment reads the last part of a path, escaped; ok is false when there is
// more than one part left, or none.
func segment(escaped string) (text string, ok bool) {
	text, err := url.PathUnescape(escaped)
	return text, err == nil && escaped != "" && !strings.Contains(escaped, "/")
}

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
	asyncPath       = "/async/"
)

// action carries out a request of a shop and says what is answered.
type action func(*call) answered

// ServeHTTP answers a request. A path that is not served, and a method that a
// path does not have, are answered like a transaction that does not exist.
func (d *Dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	operation, act := "", action(nil)
	switch r.Method {
	case http.MethodPost:
		if operation, act = d.posted(path); act == nil && strings.HasPrefix(path, asyncPath) {
			operation, act = d.later(path[len(asyncPath)-1:])
		}
	case http.MethodPut:
		operation, act = d.put(path)
	case http.MethodGet:
		operation, act = d.got(path)
	}
	switch {
	case act != nil:
		d.serve(w, r, operation, act)
	case (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.HasPrefix(path, receiptPath):
		dialect.MemoOf(r.Context()).Operation = "receipt"
		d.receipt(w, r, path[len(receiptPath):])
	case strings.HasPrefix(path, processPath):
		d.process(w, r, path[len(processPath):])
	default:
		d.serveNothing(w, r)
	}
}

// posted is what a POST to a path does, and its name in reports; nil if there
// is nothing.
func (d *Dialect) posted(path string) (operation string, act action) {
	switch path {
	case "/transactions/captures":
		return "capture", d.capture
	case "/transactions/authorizations":
		return "authorize", d.authorize
	case "/transactions/payments":
		return "pay", d.pay
	case "/transactions/voids":
		return "void", d.void
	case "/transactions/refunds":
		return "refund", d.refund
	case "/transactions/credits", "/transactions/payouts":
		return "credit", d.credit
	case "/services/credit_cards/charges":
		return "charge", d.pay
	case cardPath, "/v2" + cardPath:
		return "tokenize", func(c *call) answered { return d.tokenize(c, "") }
	case checkoutPath:
		return "checkout", d.checkout
	case productPath:
		return "product", d.product
	}
	if token, ok := segment(path, cardPath+"/", ""); ok {
		return "tokenize", func(c *call) answered { return d.tokenize(c, token) }
	}
	if uid, ok := segment(path, transactionPath, renotifyPath); ok {
		return "renotify", func(c *call) answered { return d.renotify(c, uid) }
	}
	return "", nil
}

// put is what a PUT to a path does.
func (d *Dialect) put(path string) (operation string, act action) {
	if token, ok := segment(path, "/v2"+cardPath+"/", ""); ok {
		return "tokenize", func(c *call) answered { return d.tokenize(c, token) }
	}
	return "", nil
}

// got is what a GET of a path does, where it has to be a shop's.
func (d *Dialect) got(path string) (operation string, act action) {
	// A tracking id is all that is left of the path: it may have any characters,
	// escaped or not.
	if id, ok := rest(path, trackingPath); ok {
		return "query", func(c *call) answered { return d.queryTrackingOne(c, id) }
	}
	if id, ok := rest(path, "/v2"+trackingPath); ok {
		return "query", func(c *call) answered { return d.queryTracking(c, id) }
	}
	if uid, ok := segment(path, transactionPath, ""); ok {
		return "query", func(c *call) answered { return d.query(c, uid) }
	}
	if token, ok := segment(path, checkoutPath+"/", ""); ok {
		return "query_checkout", func(c *call) answered { return d.queryCheckout(c, token) }
	}
	if id, ok := segment(path, asyncPath+"status/", ""); ok {
		return "async_status", func(c *call) answered { return d.laterStatus(c, id) }
	}
	if id, ok := segment(path, asyncPath+"result/", ""); ok {
		return "async_result", func(c *call) answered { return d.laterResult(c, id) }
	}
	return "", nil
}

// segment reads the one segment of an escaped path that is between a prefix and
// a suffix.
func segment(path, prefix, suffix string) (text string, ok bool) {
	if !strings.HasSuffix(path, suffix) {
		return "", false
	}
	if path = strings.TrimSuffix(path, suffix); strings.Contains(strings.TrimPrefix(path, prefix), "/") {
		return "", false
	}
	return rest(path, prefix)
}

// rest reads what is left of an escaped path after a prefix; there has to be
// something.
func rest(path, prefix string) (text string, ok bool) {
	escaped, ok := strings.CutPrefix(path, prefix)
	if !ok || escaped == "" {
		return "", false
	}
	text, err := url.PathUnescape(escaped)
	return text, err == nil
}

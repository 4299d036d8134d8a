// Package intents speaks PaymentIntents: the API of the seed, WooshPay's, and
// where that is silent Stripe's, whose shapes it copies. Forms and JSON are
// answered alike.
//
// A capture costs little here: it is decoded without reflection, reaches the
// engine without a look at the store, and its reply is appended to one buffer.
package intents

import (
	"net/http"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
)

// Name is the label of this dialect.
const Name = "intents"

// Dialect serves the API. It is safe for concurrent use.
type Dialect struct {
	dialect.Services
	account func(*merchant.Access) (any, error)
	calls   [routeCount]call
}

// New returns the dialect on its services.
func New(s dialect.Services) *Dialect {
	d := &Dialect{Services: s, calls: callTable()}
	d.account = d.newAccount
	return d
}

// Name returns "intents".
func (d *Dialect) Name() string { return Name }

// ServeHTTP answers a request, unknown paths included.
func (d *Dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isChallenge(r.URL.Path) {
		dialect.MemoOf(r.Context()).Operation = "challenge"
		d.serveChallenge(w, r)
		return
	}
	x := begin(d, w, r)
	defer x.end()
	if r.Method == http.MethodOptions {
		x.options()
		return
	}
	if problem := x.serve(r.Context()); problem != nil {
		x.refuse(problem)
	}
}

package intents

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/capstan-pay/capstan/dialect"
)

// route is one endpoint. Its number is kept with idempotency keys and is never
// given to another.
type route uint8

const (
	unknownRoute route = iota
	createRoute
	updateRoute
	confirmRoute
	captureRoute
	cancelRoute
	retrieveRoute
	chargeRoute
	refundRoute
	methodRoute
	chargeCaptureRoute
)

const intentsPath = "/v1/payment_intents"

// routeOf finds the endpoint of a request and the id in its path. A slash that
// is percent-encoded is a part of the id.
func routeOf(r *http.Request) (route, string) {
	if r.URL.RawPath == "" {
		return match(r.Method, r.URL.Path)
	}
	to, id := match(r.Method, r.URL.RawPath)
	id, err := url.PathUnescape(id)
	if err != nil {
		return unknownRoute, ""
	}
	return to, id
}

// match finds the endpoint of a path and the id in it, as it is written there.
func match(method, path string) (route, string) {
	rest, ok := strings.CutPrefix(path, "/v1/")
	if !ok {
		return unknownRoute, ""
	}
	object, rest, nested := strings.Cut(rest, "/")
	id, verb, further := strings.Cut(rest, "/")
	get := method == http.MethodGet || method == http.MethodHead
	post := method == http.MethodPost
	switch {
	case object == "payment_intents" && !nested && post:
		return createRoute, ""
	case !nested || id == "":
	case object == "payment_intents" && !further && get:
		return retrieveRoute, id
	case object == "payment_intents" && !further && post:
		return updateRoute, id
	case object == "payment_intents" && verb == "capture" && post:
		return captureRoute, id
	case object == "payment_intents" && verb == "confirm" && post:
		return confirmRoute, id
	case object == "payment_intents" && verb == "cancel" && post:
		return cancelRoute, id
	case object == "charges" && verb == "capture" && post:
		return chargeCaptureRoute, id
	case further || !get:
	case object == "charges":
		return chargeRoute, id
	case object == "refunds":
		return refundRoute, id
	case object == "payment_methods":
		return methodRoute, id
	}
	return unknownRoute, ""
}

// path is the path of an endpoint for an id.
func (r route) path(id string) string {
	switch r {
	case createRoute:
		return intentsPath
	case confirmRoute:
		return intentsPath + "/" + id + "/confirm"
	case captureRoute:
		return intentsPath + "/" + id + "/capture"
	case cancelRoute:
		return intentsPath + "/" + id + "/cancel"
	}
	return intentsPath + "/" + id
}

// operations are the names of the endpoints for whoever watches.
var operations = [...]string{
	unknownRoute: "", createRoute: "create", updateRoute: "update", confirmRoute: "confirm", captureRoute: "capture", cancelRoute: "cancel",
	retrieveRoute: "query", chargeRoute: "query_charge", refundRoute: "query_refund", methodRoute: "query_method", chargeCaptureRoute: "capture_charge",
}

func (r route) operation() string { return operations[r] }

// public tells whether a publishable key may come here (section 2).
func (r route) public() bool { return r == retrieveRoute || r == confirmRoute }

// serve carries out a request and replies, or returns what is wrong with it.
func (x *exchange) serve(ctx context.Context) (wrong *problem) {
	defer x.d.Rescue(Name, func() { wrong = failure() })
	x.route, x.id = routeOf(x.r)
	x.memo.Operation = x.route.operation()
	if x.route == unknownRoute {
		return x.unrecognized()
	}
	if problem := x.readVersion(); problem != nil {
		return problem
	}
	if problem := x.authenticate(ctx); problem != nil {
		return problem
	}
	x.memo.Merchant = x.account.ID
	if wait := x.d.Throttle(&x.account.Merchant, x.account.rate); wait > 0 {
		x.memo.Class = dialect.Throttled
		return tooMany(wait)
	}
	if x.account.publishable && !x.route.public() {
		return secretKeyRequired()
	}
	if problem := x.readKey(); problem != nil {
		return problem
	}
	if problem := x.readParams(); problem != nil {
		return problem
	}
	switch x.route {
	case createRoute:
		return x.create(ctx)
	case updateRoute:
		return x.update(ctx)
	case confirmRoute:
		return x.confirm(ctx)
	case captureRoute:
		return x.capture(ctx)
	case cancelRoute:
		return x.cancel(ctx)
	case chargeRoute:
		return x.charge(ctx)
	case chargeCaptureRoute:
		return x.captureCharge(ctx)
	case refundRoute:
		return x.refund(ctx)
	case methodRoute:
		return x.paymentMethod(ctx)
	}
	return x.retrieve(ctx)
}

func (x *exchange) unrecognized() *problem {
	return &problem{
		status: http.StatusNotFound,
		message: "Unrecognized request URL (" + x.r.Method + ": " + x.r.URL.Path + "). If you are trying to list objects, remove the trailing slash. " +
			"If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in your code.",
	}
}

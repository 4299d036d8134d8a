package intents

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/capstan-pay/capstan/dialect"
)

// route names a call. Its number is kept with idempotency keys and is never
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
	createEndpointRoute
	updateEndpointRoute
	retrieveEndpointRoute
	deleteEndpointRoute
	endpointsRoute
	rollEndpointRoute
	eventRoute
	eventsRoute
	createRefundRoute
	refundsRoute
	chargesRoute
	intentsRoute
	searchRoute
	createCustomerRoute
	retrieveCustomerRoute
	updateCustomerRoute
	deleteCustomerRoute
	customersRoute
	createMethodRoute
	updateMethodRoute
	methodsRoute
	attachRoute
	detachRoute
	createClockRoute
	retrieveClockRoute
	advanceClockRoute
	deleteClockRoute
	clocksRoute
	incrementRoute
	routeCount
)

const (
	get    = http.MethodGet
	post   = http.MethodPost
	remove = http.MethodDelete
)

// place is where a call is: /v1/object, /v1/object/{id} or
// /v1/object/{id}/verb. An object may have a slash in it.
type place struct {
	method, object string
	id             bool
	verb           string
}

// call is one line of section 10: something that can be asked.
type call struct {
	place
	operation string // its name for whoever watches
	serve     func(*exchange, context.Context) *problem
}

// callTable is section 10.
func callTable() [routeCount]call {
	return [routeCount]call{
		createRoute:    {place{post, "payment_intents", false, ""}, "create", (*exchange).create},
		updateRoute:    {place{post, "payment_intents", true, ""}, "update", (*exchange).update},
		confirmRoute:   {place{post, "payment_intents", true, "confirm"}, "confirm", (*exchange).confirm},
		captureRoute:   {place{post, "payment_intents", true, "capture"}, "capture", (*exchange).capture},
		cancelRoute:    {place{post, "payment_intents", true, "cancel"}, "cancel", (*exchange).cancel},
		incrementRoute: {place{post, "payment_intents", true, "increment_authorization"}, "increment", (*exchange).increment},
		retrieveRoute:  {place{get, "payment_intents", true, ""}, "query", (*exchange).retrieve},

		intentsRoute: {place{get, "payment_intents", false, ""}, "list", (*exchange).listIntents},
		searchRoute:  {place{get, "payment_intents/search", false, ""}, "search", (*exchange).search},

		chargeRoute:        {place{get, "charges", true, ""}, "query_charge", (*exchange).charge},
		chargeCaptureRoute: {place{post, "charges", true, "capture"}, "capture_charge", (*exchange).captureCharge},
		chargesRoute:       {place{get, "charges", false, ""}, "list_charges", (*exchange).listCharges},
		createRefundRoute:  {place{post, "refunds", false, ""}, "refund", (*exchange).createRefund},
		refundRoute:        {place{get, "refunds", true, ""}, "query_refund", (*exchange).refund},
		refundsRoute:       {place{get, "refunds", false, ""}, "list_refunds", (*exchange).listRefunds},
		methodRoute:        {place{get, "payment_methods", true, ""}, "query_method", (*exchange).paymentMethod},

		createMethodRoute: {place{post, "payment_methods", false, ""}, "create_method", (*exchange).createMethod},
		updateMethodRoute: {place{post, "payment_methods", true, ""}, "update_method", (*exchange).updateMethod},
		methodsRoute:      {place{get, "payment_methods", false, ""}, "list_methods", (*exchange).listMethods},
		attachRoute:       {place{post, "payment_methods", true, "attach"}, "attach_method", (*exchange).attach},
		detachRoute:       {place{post, "payment_methods", true, "detach"}, "detach_method", (*exchange).detach},

		createCustomerRoute:   {place{post, "customers", false, ""}, "create_customer", (*exchange).createCustomer},
		retrieveCustomerRoute: {place{get, "customers", true, ""}, "query_customer", (*exchange).retrieveCustomer},
		updateCustomerRoute:   {place{post, "customers", true, ""}, "update_customer", (*exchange).updateCustomer},
		deleteCustomerRoute:   {place{remove, "customers", true, ""}, "delete_customer", (*exchange).deleteCustomer},
		customersRoute:        {place{get, "customers", false, ""}, "list_customers", (*exchange).listCustomers},

		createClockRoute:   {place{post, testClocks, false, ""}, "create_clock", (*exchange).createClock},
		retrieveClockRoute: {place{get, testClocks, true, ""}, "query_clock", (*exchange).retrieveClock},
		advanceClockRoute:  {place{post, testClocks, true, "advance"}, "advance_clock", (*exchange).advanceClock},
		deleteClockRoute:   {place{remove, testClocks, true, ""}, "delete_clock", (*exchange).deleteClock},
		clocksRoute:        {place{get, testClocks, false, ""}, "list_clocks", (*exchange).listClocks},

		createEndpointRoute:   {place{post, "webhook_endpoints", false, ""}, "create_endpoint", (*exchange).createEndpoint},
		updateEndpointRoute:   {place{post, "webhook_endpoints", true, ""}, "update_endpoint", (*exchange).updateEndpoint},
		retrieveEndpointRoute: {place{get, "webhook_endpoints", true, ""}, "query_endpoint", (*exchange).retrieveEndpoint},
		deleteEndpointRoute:   {place{remove, "webhook_endpoints", true, ""}, "delete_endpoint", (*exchange).deleteEndpoint},
		endpointsRoute:        {place{get, "webhook_endpoints", false, ""}, "list_endpoints", (*exchange).listEndpoints},
		rollEndpointRoute:     {place{post, "webhook_endpoints", true, "roll_secret"}, "roll_secret", (*exchange).rollEndpoint},
		eventRoute:            {place{get, "events", true, ""}, "query_event", (*exchange).event},
		eventsRoute:           {place{get, "events", false, ""}, "list_events", (*exchange).events},
	}
}

// testHelpers begins the path of what only test mode has.
const (
	testHelpers = "test_helpers"
	testClocks  = testHelpers + "/test_clocks"
)

var routes = func() map[place]route {
	all := map[place]route{}
	for r, it := range callTable() {
		all[it.place] = route(r)
	}
	delete(all, place{})
	return all
}()

// routeOf finds the call of a request and the id in its path. A slash that
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

// match finds the call of a path and the id in it, as it is written there.
func match(method, path string) (route, string) {
	rest, ok := strings.CutPrefix(path, "/v1/")
	if !ok {
		return unknownRoute, ""
	}
	at := place{method: method}
	if method == http.MethodHead {
		at.method = get
	}
	var id string
	var further bool
	at.object, rest, at.id = strings.Cut(rest, "/")
	id, at.verb, further = strings.Cut(rest, "/")
	switch {
	case id == "search" && !further:
		at.object, at.id, id = at.object+"/search", false, ""
	case at.object == testHelpers:
		at.object, at.id = at.object+"/"+id, further
		id, at.verb, further = strings.Cut(at.verb, "/")
	}
	if at.id && id == "" || further && at.verb == "" {
		return unknownRoute, ""
	}
	to := routes[at]
	if to == unknownRoute {
		id = ""
	}
	return to, id
}

// path is the path of a call for an id.
func (at place) path(id string) string {
	path := "/v1/" + at.object
	if at.id {
		path += "/" + id
	}
	if at.verb != "" {
		path += "/" + at.verb
	}
	return path
}

// public tells whether a publishable key may come here (section 2).
func (r route) public() bool {
	return r == retrieveRoute || r == confirmRoute || r == createMethodRoute
}

// serve carries out a request and replies, or returns what is wrong with it.
func (x *exchange) serve(ctx context.Context) (wrong *problem) {
	defer x.d.Rescue(Name, func() { wrong = failure() })
	x.route, x.id = routeOf(x.r)
	x.memo.Operation = x.d.calls[x.route].operation
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
	return x.d.calls[x.route].serve(x, ctx)
}

func (x *exchange) unrecognized() *problem {
	return &problem{
		status: http.StatusNotFound,
		message: "Unrecognized request URL (" + x.r.Method + ": " + masked(x.r.URL.Path) + "). If you are trying to list objects, remove the trailing slash. " +
			"If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in your code.",
	}
}

// Package wepay speaks version 3 of the WePay API: payments whose capture is
// delayed. docs/dialects/wepay.md says what is a fact about the original and
// what is our decision.
package wepay

import (
	"net/http"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// Name is the label of this dialect.
const Name = "wepay"

// retain is how long a Unique-Key is remembered. An authorization lives seven
// days, and no retry of a request about it comes much later.
const retain = 30 * 24 * time.Hour

// Dialect serves the API.
type Dialect struct{ dialect.Services }

// New returns the dialect on its services.
func New(s dialect.Services) *Dialect {
	return &Dialect{s}
}

// Name returns "wepay".
func (d *Dialect) Name() string { return Name }

// PaymentID is how the dialect calls a payment: a UUID. It is empty for a
// payment that cannot be expressed here, one that is not paid by card or is in
// a currency other than USD and CAD.
func (d *Dialect) PaymentID(p *payment.Payment) string {
	if !sees(p) {
		return ""
	}
	return d.IDs.UUID(wireid.Name{Kind: wireid.Payment, Payment: p.ID})
}

// ParsePaymentID reads what PaymentID rendered, to the letter.
func (d *Dialect) ParsePaymentID(id string) (payment.ID, bool) {
	name, ok := d.IDs.ParseUUID(id)
	if !ok || name != (wireid.Name{Kind: wireid.Payment, Payment: name.Payment}) {
		return 0, false
	}
	return name.Payment, true
}

// endpoint is one method of one address.
type endpoint struct {
	method string
	name   string  // of the endpoint, for the rate limit and whoever watches
	key    keyRule // what is to become of a Unique-Key
	serve  func(*Dialect, *call) ([]byte, *problem)
}

// keyRule says what a method does with a Unique-Key.
type keyRule uint8

const (
	keyIgnored keyRule = iota
	keyOptional
	keyRequired
)

// resource is what there is at the addresses of one kind of object.
type resource struct {
	all     []endpoint            // "/payments"
	one     []endpoint            // "/payments/{id}"
	actions map[string][]endpoint // "/payments/{id}/capture"
}

// resources are the addresses, by their first word.
var resources = map[string]*resource{
	"payments": {
		all: []endpoint{
			{http.MethodGet, "list", keyIgnored, (*Dialect).listPayments},
			{http.MethodPost, "create", keyRequired, (*Dialect).create},
		},
		one: []endpoint{
			{http.MethodGet, "query", keyIgnored, (*Dialect).query},
			{http.MethodPost, "update", keyOptional, (*Dialect).update},
		},
		actions: map[string][]endpoint{
			"capture": {{http.MethodPost, "capture", keyOptional, (*Dialect).capture}},
			"cancel":  {{http.MethodPost, "cancel", keyOptional, (*Dialect).cancel}},
		},
	},
	"refunds": {
		all: []endpoint{
			{http.MethodGet, "list_refunds", keyIgnored, (*Dialect).listRefunds},
			{http.MethodPost, "refund", keyRequired, (*Dialect).refund},
		},
		one: []endpoint{{http.MethodGet, "query_refund", keyIgnored, (*Dialect).queryRefund}},
	},
	"tokens": {all: []endpoint{{http.MethodPost, tokenizing, keyIgnored, (*Dialect).tokenize}}},
	"payment_methods": {
		all: []endpoint{{http.MethodPost, "create_payment_method", keyOptional, (*Dialect).createMethod}},
		one: []endpoint{
			{http.MethodGet, "query_payment_method", keyIgnored, (*Dialect).queryMethod},
			{http.MethodDelete, "delete_payment_method", keyIgnored, (*Dialect).deleteMethod},
		},
	},
	"transaction_records": {
		all: []endpoint{{http.MethodGet, "list_transaction_records", keyIgnored, (*Dialect).listRecords}},
		one: []endpoint{{http.MethodGet, "query_transaction_record", keyIgnored, (*Dialect).queryRecord}},
	},
	"notifications": {
		all: []endpoint{{http.MethodGet, "list_notifications", keyIgnored, (*Dialect).listNotifications}},
		one: []endpoint{{http.MethodGet, "query_notification", keyIgnored, (*Dialect).queryNotification}},
	},
	"notification_preferences": {
		all: []endpoint{
			{http.MethodGet, "list_preferences", keyIgnored, (*Dialect).listPreferences},
			{http.MethodPost, "create_preference", keyOptional, (*Dialect).createPreference},
		},
		one: []endpoint{
			{http.MethodGet, "query_preference", keyIgnored, (*Dialect).queryPreference},
			{http.MethodPost, "update_preference", keyOptional, (*Dialect).updatePreference},
			{http.MethodDelete, "delete_preference", keyIgnored, (*Dialect).deletePreference},
		},
	},
}

// ServeHTTP answers a request, always in JSON. The order of the checks is that
// of section 4 of the dialect's document.
func (d *Dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	correlation, memo := d.correlate(w, r), dialect.MemoOf(r.Context())
	memo.RequestID = correlation
	if isPreflight(r) {
		memo.Operation = "preflight"
		answerPreflight(w)
		return
	}
	endpoint, id, problem := route(r)
	var body []byte
	if problem == nil {
		memo.Operation = endpoint.name
		c := &call{Dialect: d, r: r, endpoint: endpoint, id: id, correlation: correlation, memo: memo}
		if problem = c.admit(); problem == nil {
			body, problem = c.answer()
		}
	}
	if problem != nil {
		if problem.allow != "" {
			w.Header().Set("Allow", problem.allow)
		}
		write(w, problem.status, appendProblem(make([]byte, 0, 512), problem))
		return
	}
	write(w, http.StatusOK, body)
}

// answer makes the body of the answer, or says what is wrong.
func (c *call) answer() (body []byte, wrong *problem) {
	defer c.Rescue(Name, func() { body, wrong = nil, unexpected })
	return c.endpoint.serve(c.Dialect, c)
}

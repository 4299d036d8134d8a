// Package alipay speaks the wallet's side of the Alipay mini-program payment
// API, version 2: a merchant asks for a payment or an authorization of a wallet
// user, and captures it.
//
// Every request and every answer is signed with RSA. The answer to everything,
// errors included, is HTTP status 200; what happened is in its result.
package alipay

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/throttle"
	"github.com/capstan-pay/capstan/wireid"
)

// Name is the label of this dialect.
const Name = "alipay"

// Dialect serves the API.
type Dialect struct {
	dialect.Services
	signer *signer
	server serverKeys
	shelf  shelf
}

// New returns the dialect on its services.
func New(s dialect.Services) *Dialect {
	return &Dialect{Services: s, signer: newSigner(runtime.GOMAXPROCS(0))}
}

// Name returns "alipay".
func (d *Dialect) Name() string { return Name }

// apis are the endpoints by family and name, the same under /v1 and /v2.
var apis = map[string]func(*Dialect, context.Context, *call) []byte{
	"payments/capture":           (*Dialect).capture,
	"payments/pay":               (*Dialect).pay,
	"payments/inquiryPayment":    (*Dialect).inquiryPayment,
	"payments/void":              (*Dialect).void,
	"payments/cancel":            (*Dialect).cancel,
	"payments/refund":            (*Dialect).refund,
	"payments/inquiryRefund":     (*Dialect).inquiryRefund,
	"authorizations/applyToken":  (*Dialect).applyToken,
	"authorizations/cancelToken": (*Dialect).cancelToken,
}

// call is one request on its way.
type call struct {
	target string // path and query as they were sent: what is signed
	route  route
	client *client
	now    time.Time
	fields fields // of the body
	memo   *dialect.Memo
}

// ServeHTTP answers a request: always with status 200, always signed.
func (d *Dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{target: target(r), now: d.Clock.Now(), memo: dialect.MemoOf(r.Context())}
	c.memo.ClientID = r.Header.Get("Trace-Id")
	d.write(w, r, c, d.answer(r, c))
}

// answer makes the body of the answer. The checks are in the order of the
// documented table; the first one that fails answers.
func (d *Dialect) answer(r *http.Request, c *call) (answer []byte) {
	defer d.Rescue(Name, func() { answer, c.memo.Class = only(unknownException), dialect.Failed })
	c.route = routeOf(c.target)
	serve, known := apis[c.route.api]
	if !known || !c.route.known {
		return c.stop(invalidAPI, dialect.Invalid)
	}
	_, c.memo.Operation, _ = strings.Cut(c.route.api, "/")
	switch {
	case r.Method != http.MethodPost:
		return c.stop(methodNotSupported, dialect.Invalid)
	case !acceptable(r.Header):
		return c.stop(mediaTypeNotAcceptable, dialect.Invalid)
	}
	body, problem := d.authenticate(r, c)
	switch {
	case problem != nil:
		return c.stop(*problem, classOf(*problem))
	case d.exceeded(c):
		return c.stop(trafficExceeded(c.route), dialect.Throttled)
	case !c.client.may(c.route.api):
		return c.stop(accessDenied, dialect.Denied)
	}
	if problem := d.checkAgent(r.Header, c); problem != nil {
		return c.stop(*problem, dialect.Denied)
	}
	if c.fields, known = parseObject(body); !known {
		return c.stop(paramIllegal, dialect.Invalid)
	}
	answer = serve(d, r.Context(), c)
	if !documented(c.route.api, codeOf(answer)) {
		d.Logger.Error("alipay: a result that this call does not have", "call", c.route.api, "code", string(codeOf(answer)))
		return c.stop(unknownException, dialect.Failed)
	}
	return answer
}

// exceeded counts a request and tells whether it comes too early: above the
// client's own limit, or above the merchant's for everything.
func (d *Dialect) exceeded(c *call) bool {
	lane := throttle.Lane{Merchant: c.client.merchant, Name: Name}
	own, all := c.client.settings.perSecond, c.client.settings.rate
	return d.Limits.Pass(lane, own, c.now) > 0 || d.Throttle(&merchant.Merchant{ID: c.client.merchant}, all) > 0
}

// stop answers a request that is not carried out.
func (c *call) stop(with result, class dialect.Class) []byte {
	c.memo.Class = class
	return only(with)
}

// classOf is what a result that is about the sender comes to.
func classOf(r result) dialect.Class {
	switch r {
	case clientInvalid, signatureInvalid, keyNotFound:
		return dialect.Denied
	case unknownException:
		return dialect.Failed
	}
	return dialect.Invalid
}

// write signs an answer and sends it. The names of the headers are in lower
// case because some clients compare them byte by byte, and the signature is
// percent-encoded because all clients decode it so.
func (d *Dialect) write(w http.ResponseWriter, r *http.Request, c *call, body []byte) {
	client, at := clientID(r.Header), string(appendTime(nil, d.Clock.Now(), c.client.zone()))
	h := w.Header()
	h["Content-Type"] = nil // or net/http adds one of its own
	h["content-type"] = []string{"application/json; charset=UTF-8"}
	h["client-id"] = []string{client}
	h["response-time"] = []string{at}
	key, err := d.server.get(r.Context(), d.Services)
	if err == nil {
		var signature string
		signature, err = d.signer.sign(key.private, digest(r.Method, c.target, client, at, body))
		h["signature"] = []string{signatureLine(key, signature)}
	}
	if err != nil {
		d.Logger.Error("alipay: answer could not be signed", "error", err)
		delete(h, "signature")
	}
	h["Content-Length"] = []string{string(dialect.AppendInt(nil, int64(len(body))))}
	w.WriteHeader(http.StatusOK)
	w.Write(body) // the client may be gone: there is nobody to tell
}

// maxMinor is the largest amount that an Amount's 16 digits can say.
const maxMinor = 9_999_999_999_999_999

// sees tells whether a payment can be expressed here: a card's or a wallet's,
// in any currency, but no amount of more than 16 digits, and no payout.
func sees(p *payment.Payment) bool {
	return p.Amount <= maxMinor && p.Method.Kind != payment.PayeeCard
}

// PaymentID is how the dialect calls a payment: the day it was made and 39
// digits; empty if it cannot express it.
func (d *Dialect) PaymentID(p *payment.Payment) string {
	if !sees(p) {
		return ""
	}
	return d.IDs.Digits(wireid.Name{Kind: wireid.Payment, Payment: p.ID}, p.ID.Time())
}

// ParsePaymentID reads what PaymentID rendered, to the letter.
func (d *Dialect) ParsePaymentID(id string) (payment.ID, bool) {
	n, ok := d.IDs.ParseDigits(id)
	if !ok || n != (wireid.Name{Kind: wireid.Payment, Payment: n.Payment}) || d.IDs.Digits(n, n.Payment.Time()) != id {
		return 0, false
	}
	return n.Payment, true
}

// operationID is how the dialect calls an operation of a payment.
func (d *Dialect) operationID(p *payment.Payment, op *payment.Operation) string {
	return d.IDs.Digits(wireid.Name{Kind: wireid.Operation, Payment: p.ID, Operation: op.Number}, op.At)
}

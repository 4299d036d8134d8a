package wepay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
)

// call is one request on its way through the checks that all endpoints share.
type call struct {
	*Dialect
	*app
	r           *http.Request
	endpoint    *endpoint
	id          string // in the path; empty where there is none
	correlation string
	memo        *dialect.Memo
	version     string // Api-Version
	key         string // Unique-Key; empty is none
	body        value  // an object; empty for a request without a body
}

// admit carries out the stages 2 to 4a of the order of checks: credentials,
// rate limit, version, body, key.
func (c *call) admit() *problem {
	if p := c.authenticate(); p != nil {
		return p
	}
	if c.throttled() {
		return throttled
	}
	if p := c.readVersion(); p != nil {
		return p
	}
	if c.r.Method == http.MethodGet {
		return nil
	}
	if p := c.readBody(); p != nil {
		return p
	}
	return c.readKey()
}

// versions is what an Api-Version may look like. All of them are served as
// 3.0.
var versions = regexp.MustCompile(`^3\.[0-9]+([.-][A-Za-z0-9.]+)?$`)

// maxVersion is the length up to which a version is looked at.
const maxVersion = 64

func (c *call) readVersion() *problem {
	c.version = c.r.Header.Get("Api-Version")
	switch {
	case c.version == "":
		return header("Api-Version", isMissing, "The version of the API must be given, such as 3.0.")
	case c.version == "3.0": // nearly always
	case len(c.version) > maxVersion || !versions.MatchString(c.version):
		return header("Api-Version", isInvalid, "This version of the API is not served here.")
	}
	return nil
}

// readBody reads the body if there is one: a JSON object.
func (c *call) readBody() *problem {
	raw, err := dialect.ReadBody(c.r)
	switch {
	case errors.Is(err, dialect.ErrTooLarge):
		return wholeBody(isTooLarge, "The body has more than 1 MiB.")
	case err != nil:
		return wholeBody(isMalformed, "The body could not be read to its end.")
	case len(raw) == 0:
		return nil // the same as {}, and without a type
	}
	contentType := c.r.Header.Get("Content-Type")
	if contentType == "" {
		return header("Content-Type", isMissing, "The body must be declared as application/json.")
	}
	if contentType != "application/json" && !isJSON(contentType) {
		return header("Content-Type", isInvalid, "The body must be declared as application/json.")
	}
	body, ok := parse(raw)
	if !ok || body.kind != object {
		return wholeBody(isMalformed, "The body must be one JSON object in UTF-8.")
	}
	c.body = body
	return nil
}

func wholeBody(reason, message string) *problem {
	return invalid(detail{nil, inBody, reason, message})
}

// isJSON tells whether a Content-Type is application/json, with parameters or
// without.
func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/json")
}

// The longest Unique-Key, and the longest id.
const (
	maxKey = 255
	maxID  = 255 // characters
)

func (c *call) readKey() *problem {
	values := c.r.Header["Unique-Key"]
	given := len(values) > 0
	if given {
		c.key = values[0]
	}
	switch {
	case c.endpoint.key == keyIgnored:
		c.key = ""
	case c.key == "" && c.endpoint.key == keyRequired:
		return header("Unique-Key", isMissing, "A key must be given that is new for each request that is not a repeat.")
	case given && !visible(c.key):
		return header("Unique-Key", isInvalid, "A key must have 1 to 255 visible ASCII characters.")
	}
	return nil
}

func visible(key string) bool {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false
		}
	}
	return key != "" && len(key) <= maxKey
}

// checkID says what is wrong with the id in the path: its length is the only
// thing that can be.
func (c *call) checkID() []detail {
	if utf8.RuneCountInString(c.id) <= maxID {
		return nil
	}
	return []detail{{[]string{"id"}, inPath, isInvalid, "An id has 1 to 255 characters."}}
}

// nobody is a payment that does not exist. An id that names no payment is
// looked up as this one, so that it takes the way, and the time, of an id that
// names somebody else's.
const nobody payment.ID = 1

// payment returns the payment that the path names; nobody if it names none.
func (c *call) payment() payment.ID {
	if id, ok := c.ParsePaymentID(c.id); ok {
		return id
	}
	return nobody
}

// request returns what all commands to the engine have in common.
func (c *call) request(command payment.Command) payment.Request {
	r := payment.Request{
		Tenant: c.access.Tenant, Merchant: c.access.ID, Command: command, Retain: retain, Sees: sees, Patience: c.app.patience,
	}
	if c.key != "" {
		// One name space for all requests of an application.
		r.Key = payment.NewKey(c.access.Tenant, "wepay "+c.app.id, c.key)
		r.Fingerprint = c.fingerprint()
	}
	return r
}

// fingerprint is a keyed digest of the request: of its method, path, query and
// version and of the value of its body, however that is written.
func (c *call) fingerprint() payment.Fingerprint {
	canonical := c.body.canonical(make([]byte, 0, 512))
	sum := c.Keys.MAC("wepay fingerprint", []byte(c.r.Method), []byte(c.r.URL.Path), []byte(c.r.URL.RawQuery), []byte(c.version), canonical)
	return payment.Fingerprint(sum[:16])
}

// result is what became of a command.
type result struct {
	payment   *payment.Payment // as it is to be shown
	fresh     bool             // shown in answer to the command itself, not to a repeat
	operation *payment.Operation
}

// do puts a command to the engine. The problem is moved if a document that it
// brought along is not any more as it was read, and nothing was done.
func (c *call) do(r payment.Request, table []refusal) (result, *problem) {
	out, err := c.Engine.Do(c.r.Context(), r)
	switch {
	case errors.Is(err, document.ErrMoved):
		return result{}, moved
	case err != nil:
		return result{}, c.failed(err)
	}
	return c.conclude(out, table)
}

// repeated answers a request from what is kept under its key, without
// carrying anything out. It reports false when the key is free.
func (c *call) repeated(r payment.Request) (_ result, _ *problem, known bool) {
	r.Payment, r.Command = nobody, payment.Expire{}
	out, err := c.Engine.Do(c.r.Context(), r)
	if err != nil {
		return result{}, c.failed(err), true
	}
	if out.Refusal.Has(payment.NotFound) {
		return result{}, nil, false
	}
	res, problem := c.conclude(out, common)
	return res, problem, true
}

// unlessRepeated answers a repeat of a request that was right in its time, and
// anything else with what is wrong with it now. Early says that this is found
// before a key is looked at, so that one that was used for something else does
// not come first.
func (c *call) unlessRepeated(otherwise *problem, early bool) ([]byte, *problem) {
	if otherwise == unexpected {
		return nil, otherwise
	}
	res, problem, known := c.repeated(c.request(nil))
	switch {
	case !known, early && problem != nil && (problem == keyReused || problem.status == http.StatusForbidden):
		return nil, otherwise
	case problem != nil:
		return nil, problem
	}
	return c.render(res.payment, view{}), nil
}

// conclude makes of an outcome what is to be answered. A repeat is shown the
// payment as it is now.
func (c *call) conclude(out payment.Outcome, table []refusal) (result, *problem) {
	switch {
	case out.Refusal.Has(payment.KeyReused) && c.id != "":
		// The resource is looked up before the key is looked at.
		known, err := c.find(c.payment())
		if err != nil {
			return result{}, c.failed(err)
		}
		if known == nil {
			return result{}, notAccessible(inPath, "id")
		}
		return result{}, answer(table, out.Refusal)
	case out.Refusal != nil:
		problem := answer(table, out.Refusal)
		if problem == unexpected && !out.Refusal.Has(payment.Busy) {
			return result{}, c.failed(out.Refusal) // the table lacks a guard
		}
		return result{}, problem
	case out.Replayed && out.Pending:
		return result{}, answer(table, payment.Refuse(payment.InProcess))
	case out.Pending:
		return result{}, unexpected // nobody knows yet; a repeat finds out
	case !out.Replayed:
		return result{out.Payment, true, out.Op()}, nil
	}
	now, err := c.find(out.Payment.ID)
	if err == nil && now == nil {
		err = fmt.Errorf("payment %s of a repeated request is gone", out.Payment.ID)
	}
	if err != nil {
		return result{}, c.failed(err)
	}
	return result{now, false, now.Op(out.Operation)}, nil
}

// settled returns what is wrong with a payment's state. While nobody knows
// whether its hold was given back, nothing is wrong with it for good: it may
// turn out to be open.
func (c *call) settled(wrong *problem) *problem {
	if wrong != notCapturable && wrong != notCancelable && wrong != notUpdatable {
		return wrong
	}
	p, err := c.find(c.payment())
	if err != nil {
		return c.failed(err)
	}
	if p != nil {
		if op := p.Pending(); op != nil && (op.Kind == payment.OpVoid || op.Kind == payment.OpCancel) {
			return unexpected
		}
	}
	return wrong
}

// find returns a payment of the caller's as it is now, nil if there is none
// that this dialect can express.
func (c *call) find(id payment.ID) (*payment.Payment, error) {
	p, err := c.Engine.Payment(c.r.Context(), c.access.Tenant, c.access.ID, id)
	if err != nil || p == nil || !sees(p) {
		return nil, err
	}
	return p, nil
}

// render renders a payment in answer to the call.
func (c *call) render(p *payment.Payment, v view) []byte {
	v.apiVersion, v.accountID = c.version, c.accountID
	return c.appendPayment(make([]byte, 0, 1536), p, v)
}

// failed says that something went wrong that is not the client's doing.
func (c *call) failed(err error) *problem {
	level := slog.LevelError
	if errors.Is(err, context.Canceled) {
		level = slog.LevelDebug // the client has gone
	}
	c.Logger.Log(c.r.Context(), level, "request failed", "dialect", Name, "operation", c.endpoint.name, "request_id", c.correlation, "error", err)
	return unexpected
}

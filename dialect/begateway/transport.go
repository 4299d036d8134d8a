package begateway

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/wireid"
)

// call is one request of a shop.
type call struct {
	*http.Request
	shop *shop
	body []byte
	// patience is how long he waits for a processor that has to be asked.
	patience time.Duration

	flat bool // he wants replies without an envelope: version 3 of the API
}

// answered is what becomes of a call: a body, or a problem. An error is ours.
type answered struct {
	status  int // of the body; 0 is 200 OK
	body    []byte
	problem *problem
	err     error

	// pending is the transaction in the body if its processor has not answered.
	pending *transaction
}

// serve authenticates a request, reads it, and writes what the action makes of it.
func (d *Dialect) serve(w http.ResponseWriter, r *http.Request, operation string, act action) {
	s, err := d.authenticate(r)
	memo := dialect.MemoOf(r.Context())
	memo.Operation = operation
	switch {
	case err != nil:
		d.write(w, r, nil, answered{err: err})
		return
	case s == nil:
		w.Header()["WWW-Authenticate"] = []string{`Basic realm="` + Name + `"`}
		d.write(w, r, nil, answered{problem: unauthorized})
		return
	}
	memo.Merchant = s.merchant.ID
	if d.Throttle(s.merchant, s.rate) > 0 {
		memo.Class = dialect.Throttled
		d.write(w, r, s, answered{problem: tooMany})
		return
	}
	body, err := dialect.ReadBody(r)
	switch {
	case errors.Is(err, dialect.ErrTooLarge):
		w.Header()["Connection"] = []string{"close"}
		d.write(w, r, s, answered{problem: tooLarge})
	case err != nil: // the client broke off
		d.write(w, r, s, answered{problem: fails(base, textBadJSON)})
	default:
		d.write(w, r, s, d.answer(&call{Request: r, shop: s, body: body, patience: s.patience, flat: wantsFlat(r)}, act))
	}
}

// answer makes the answer to a call.
func (d *Dialect) answer(c *call, act action) (a answered) {
	defer d.Rescue(Name, func() { a = answered{problem: failed} })
	return act(c)
}

// serveNothing answers for what is not there.
func (d *Dialect) serveNothing(w http.ResponseWriter, r *http.Request) {
	d.write(w, r, nil, answered{problem: notFound})
}

// write writes an answer with the headers of section 2. The shop says how its
// problems look; nil is the default.
func (d *Dialect) write(w http.ResponseWriter, r *http.Request, s *shop, a answered) {
	id, memo := d.requestID(), dialect.MemoOf(r.Context())
	memo.RequestID, memo.ClientID = id, r.Header.Get("RequestID")
	if a.err != nil {
		d.Logger.Error("request failed", "dialect", Name, "operation", memo.Operation, "request_id", id, "error", a.err)
		a.problem = failed
	}
	status, body := cmp.Or(a.status, http.StatusOK), a.body
	if a.problem != nil {
		status, body = a.problem.render(s, wantsFlat(r))
	}
	h := w.Header()
	h["Content-Type"] = contentType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	h["Status"] = statusLine(status)
	h["X-Request-Id"] = []string{id}
	h["X-Content-Type-Options"] = nosniff
	if c := correlation(r); c != "" {
		h["RequestID"] = []string{c}
	}
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		d.Logger.Debug("reply not delivered", "dialect", Name, "request_id", id, "error", err)
	}
}

var (
	contentType = []string{"application/json"}
	nosniff     = []string{"nosniff"}
	statusOK    = []string{"200 OK"}
)

func statusLine(status int) []string {
	if status == http.StatusOK {
		return statusOK
	}
	return []string{strconv.Itoa(status) + " " + http.StatusText(status)}
}

// wantsFlat tells whether a caller asks for version 3 of the API, whose replies
// have no envelope. Every other version gets the shapes of version 2.
func wantsFlat(r *http.Request) bool { return r.Header.Get("X-Api-Version") == flatVersion }

const flatVersion = "3"

// render is the status and the body of a problem as a shop gets it.
func (p *problem) render(s *shop, flat bool) (status int, body []byte) {
	status, envelope := p.status, envelopeWrapped
	if flat {
		if status == http.StatusBadRequest {
			status = http.StatusUnprocessableEntity
		}
		return status, p.appendFlat(nil)
	}
	if s != nil {
		envelope = s.envelope
		if status == http.StatusBadRequest {
			status = s.validationStatus
		}
	}
	return status, p.append(nil, envelope)
}

// correlationLimit is how much of a client's own request id is given back.
const correlationLimit = 255

// correlation is the id that a client gave its request, empty if none.
func correlation(r *http.Request) string {
	id := r.Header.Get("RequestID")
	return id[:min(len(id), correlationLimit)]
}

// requestID is a random UUID of version 4.
func (d *Dialect) requestID() string {
	id, err := wireid.RandomUUID(d.Random)
	if err != nil {
		d.Logger.Error("no randomness for a request id", "dialect", Name, "error", err)
	}
	return id
}

package intents

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/capstan-pay/capstan/dialect"
)

// exchange is one request and its reply. It is used again for others: nothing
// that outlives the request may hold on to it or to its buffer.
type exchange struct {
	d       *Dialect
	w       http.ResponseWriter
	r       *http.Request
	memo    *dialect.Memo
	account *account
	route   route
	id      string // in the path
	params  params
	json    bool   // the request's flavour
	key     string // Idempotency-Key; empty for none
	name    [requestLength]byte
	said    reply
	buffer  []byte
}

var exchanges = sync.Pool{New: func() any { return &exchange{buffer: make([]byte, 0, 8<<10)} }}

const (
	requestPrefix  = "req_"
	defaultVersion = "2026-08-26.dahlia"
	chargesUntil   = "2022-11-15" // API versions before have charges in an intent
	maxKey         = 255
	maxBuffer      = 64 << 10
)

func begin(d *Dialect, w http.ResponseWriter, r *http.Request) *exchange {
	x := exchanges.Get().(*exchange)
	x.d, x.w, x.r, x.memo = d, w, r, dialect.MemoOf(r.Context())
	x.name = d.newName()
	h := w.Header()
	h["Content-Type"] = headerJSON
	h["Cache-Control"] = headerNoStore
	h["Access-Control-Allow-Origin"] = headerAnyOrigin
	h["Access-Control-Allow-Methods"] = headerMethods
	h["Access-Control-Expose-Headers"] = headerExposed
	h["Access-Control-Max-Age"] = headerMaxAge
	x.memo.RequestID = requestPrefix + string(x.name[:])
	h["Request-Id"] = []string{x.memo.RequestID}
	h["Stripe-Version"] = headerVersion
	return x
}

// newName makes a name for a request, without its prefix.
func (d *Dialect) newName() (name [requestLength]byte) {
	if _, err := io.ReadFull(d.Random, name[:]); err != nil {
		d.Logger.Error("no random bytes", "error", err)
	}
	for i, c := range name {
		name[i] = alphanumeric[c%62]
	}
	return name
}

func (x *exchange) end() {
	x.params.reset()
	if cap(x.buffer) > maxBuffer {
		x.buffer = make([]byte, 0, 8<<10)
	}
	*x = exchange{params: x.params, buffer: x.buffer}
	exchanges.Put(x)
}

// Values of headers that are always the same; nobody may change them.
var (
	headerJSON      = []string{"application/json"}
	headerNoStore   = []string{"no-cache, no-store"}
	headerAnyOrigin = []string{"*"}
	headerMethods   = []string{"GET, POST, HEAD, OPTIONS, DELETE"}
	headerExposed   = []string{"Request-Id, Idempotency-Key, Original-Request, Idempotent-Replayed, Stripe-Should-Retry, Stripe-Version"}
	headerAllowed   = []string{"Authorization, Content-Type, Accept, Idempotency-Key, Stripe-Version, Stripe-Account, Stripe-Context, X-Stripe-Client-User-Agent, X-Stripe-Client-Telemetry"}
	headerMaxAge    = []string{"300"}
	headerVersion   = []string{defaultVersion}
	headerTrue      = []string{"true"}
	headerFalse     = []string{"false"}
	headerOne       = []string{"1"}
)

// options answers a browser that asks what it may send.
func (x *exchange) options() {
	h := x.w.Header()
	x.memo.Operation = "options"
	delete(h, "Content-Type")
	h["Access-Control-Allow-Headers"] = headerAllowed
	x.w.WriteHeader(http.StatusNoContent)
}

// readVersion reads the API version. Any well-formed one is taken and given
// back.
func (x *exchange) readVersion() *problem {
	sent := x.r.Header["Stripe-Version"]
	if len(sent) == 0 {
		return nil
	}
	if len(sent) > 1 || !wellFormedVersion(sent[0]) {
		return &problem{status: http.StatusBadRequest, message: "Invalid API version: it must look like 2026-08-26 or 2026-08-26.dahlia."}
	}
	x.w.Header()["Stripe-Version"] = sent
	return nil
}

// wellFormedVersion tells whether v is YYYY-MM-DD, or that with a train after
// a dot.
func wellFormedVersion(v string) bool {
	if len(v) < 10 || len(v) > 40 {
		return false
	}
	for i, c := range []byte(v) {
		switch {
		case i == 4 || i == 7:
			if c != '-' {
				return false
			}
		case i < 10:
			if c < '0' || c > '9' {
				return false
			}
		case i == 10:
			if c != '.' || len(v) == 11 {
				return false
			}
		case (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_':
			return false
		}
	}
	return v[5:7] >= "01" && v[5:7] <= "12" && v[8:10] >= "01" && v[8:10] <= "31"
}

// legacy tells whether the request is of an API version that had charges in an
// intent.
func (x *exchange) legacy() bool { return x.w.Header()["Stripe-Version"][0][:10] < chargesUntil }

// readKey reads the idempotency key of a POST; other methods have none.
func (x *exchange) readKey() *problem {
	if x.r.Method != http.MethodPost {
		return nil
	}
	sent, ok := x.r.Header["Idempotency-Key"]
	if !ok {
		return nil
	}
	if len(sent) != 1 || sent[0] == "" || len(sent[0]) > maxKey {
		return &problem{status: http.StatusBadRequest, message: "Invalid Idempotency-Key: it must have 1 to 255 characters."}
	}
	x.key = sent[0]
	x.w.Header()["Idempotency-Key"] = sent
	return nil
}

// readParams reads the parameters: of the query, and of a body in either form.
// Where both have one, the query counts.
func (x *exchange) readParams() *problem {
	body, err := dialect.ReadBody(x.r)
	switch {
	case errors.Is(err, dialect.ErrTooLarge):
		return &problem{status: http.StatusRequestEntityTooLarge, message: "The request body is too large: at most 1 MiB is taken."}
	case err != nil:
		return &problem{status: http.StatusBadRequest, message: "The request body could not be read."}
	}
	x.json = isJSON(x.r.Header["Content-Type"])
	read, what := x.params.decodeForm, "urlencoded form"
	if x.json {
		read, what = x.params.decodeJSON, "JSON object"
	}
	text := string(body)
	if strings.TrimSpace(text) == "{}" {
		text = "" // the seed's sample of a request, whatever type it is sent under
	}
	if !read(text) {
		return &problem{status: http.StatusBadRequest, message: "Invalid request body: it must be one well-formed " + what + "."}
	}
	if x.r.URL.RawQuery != "" && !x.params.decodeForm(x.r.URL.RawQuery) {
		return &problem{status: http.StatusBadRequest, message: "Invalid query string."}
	}
	return nil
}

func isJSON(header []string) bool {
	if len(header) == 0 {
		return false
	}
	media, _, _ := strings.Cut(header[0], ";")
	media = strings.TrimSpace(media)
	return strings.EqualFold(media, "application/json") || len(media) > 5 && strings.EqualFold(media[len(media)-5:], "+json")
}

// out is the exchange's buffer, empty.
func (x *exchange) out() []byte { return x.buffer[:0] }

// reply sends a reply. The body becomes the exchange's buffer.
func (x *exchange) reply(status int, body []byte) {
	x.buffer = body
	x.w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body) // there is nobody left to tell
}

// refuse sends an error.
func (x *exchange) refuse(p *problem) {
	h := x.w.Header()
	if retry := p.shouldRetry(); retry != nil {
		h["Stripe-Should-Retry"] = retry
	}
	if p.status == http.StatusTooManyRequests {
		h["Retry-After"] = headerOne
	}
	if p.wait > time.Second {
		h["Retry-After"] = []string{strconv.FormatInt(int64((p.wait+time.Second-1)/time.Second), 10)}
	}
	if x.key != "" && h["Original-Request"] == nil {
		h["Original-Request"] = h["Request-Id"]
	}
	x.reply(p.status, p.append(x.out()))
}

// fault is what a client hears of a failure of ours, which is logged whole.
func (x *exchange) fault(err error) *problem {
	if x.r.Context().Err() == nil {
		x.d.Logger.Error("request failed", "dialect", Name, "operation", x.memo.Operation, "request_id", x.memo.RequestID, "error", err)
	}
	return failure()
}

// failure is the generic answer for faults of ours.
func failure() *problem {
	return &problem{
		status: http.StatusInternalServerError, kind: apiError, again: retrySilent,
		message: "An error occurred on our side. It is safe to repeat the request with the same Idempotency-Key.",
	}
}

// or is the first of two problems that is one.
func or(first, second *problem) *problem {
	if first != nil {
		return first
	}
	return second
}

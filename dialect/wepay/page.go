package wepay

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// cursor is a place in a listing and all that was asked of it, so that the
// next page can be asked for by the cursor alone. What it says is signed: one
// that was not made here for the same application is not read.
type cursor struct {
	List   string `json:"l"`           // what is listed: the first word of the path
	Back   bool   `json:"b,omitempty"` // towards the newer ones
	Size   int    `json:"s"`
	Filter filter `json:"f"`

	// The last one that was seen. Listings differ in what names it: a payment
	// with an operation or a notice of its, or a document's serial number. It is
	// shown as an id, which tells nothing.
	At    int64       `json:"t,omitempty"` // ms
	Place string      `json:"p,omitempty"`
	Last  wireid.Name `json:"-"`

	Later bool `json:"-"` // it was given, so it is not the first page
}

// filter is what a listing is narrowed to; what is zero does not count.
type filter struct {
	From       *int64 `json:"from,omitempty"`  // seconds, inclusive
	Until      *int64 `json:"until,omitempty"` // seconds, inclusive
	Least      *int64 `json:"least,omitempty"`
	Most       *int64 `json:"most,omitempty"`
	Owner      string `json:"owner,omitempty"`
	Payout     string `json:"payout,omitempty"`
	MethodType string `json:"type,omitempty"`
	Method     string `json:"method,omitempty"`
	Payment    string `json:"payment,omitempty"`
	Status     string `json:"status,omitempty"`
	Reference  string `json:"ref,omitempty"`
	Object     string `json:"object,omitempty"`
	ObjectID   string `json:"id,omitempty"`
	Expand     bool   `json:"expand,omitempty"`
}

// How many results a page may have, and has.
const (
	mostResults = 50
	results     = 10
)

// readPage reads which page of a listing is asked for. A cursor brings its
// filters along: others beside it are held against the rules and then ignored.
func (c *call) readPage(list string, read func(*params, *filter)) (cursor, []detail) {
	q, at := c.params(), cursor{List: list, Size: results}
	if text := q.values.Get("page"); text != "" {
		known, ok := c.parseCursor(list, text)
		if !ok {
			q.report(isInvalid, "This is no page that was named here.", "page")
		}
		at = known
	}
	if size := q.integer(1, mostResults, "page_size"); size != nil {
		at.Size = int(*size)
	}
	var asked filter
	read(q, &asked)
	if !at.Later {
		at.Filter = asked
	}
	return at, q.wrong
}

// signed is how many bytes of a cursor are its signature.
const signed = 16

// cursorText renders a cursor. It is the last parameter of the paths that
// show it, and nothing in it has to be escaped there: production clients cut
// the path at its last equals sign.
func (c *call) cursorText(at cursor) string {
	at.Place = c.IDs.UUID(at.Last)
	text, err := json.Marshal(at)
	if err != nil {
		panic(err) // it has nothing that could not be rendered
	}
	return base64.RawURLEncoding.EncodeToString(append(c.signCursor(text), text...))
}

func (c *call) signCursor(text []byte) []byte {
	sum := c.Keys.MAC("wepay cursor", []byte(c.app.id), text)
	return sum[:signed:signed]
}

// parseCursor reads what cursorText rendered, to the letter.
func (c *call) parseCursor(list, text string) (at cursor, ok bool) {
	if strings.ContainsAny(text, "\r\n") {
		return cursor{}, false // the decoder would skip them
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < signed || subtle.ConstantTimeCompare(raw[:signed], c.signCursor(raw[signed:])) != 1 {
		return cursor{}, false
	}
	if err := json.Unmarshal(raw[signed:], &at); err != nil || at.List != list {
		return cursor{}, false
	}
	at.Last, at.Later = c.IDs.ParseUUID(at.Place)
	return at, at.Later
}

// listing is what a cursor means for the core.
func (c *call) listing(at cursor) payment.Listing {
	l := payment.Listing{Tenant: c.access.Tenant, Merchant: c.access.ID, OldestFirst: at.Back, Limit: at.Size}
	if at.Later {
		l.After = payment.Place{At: time.UnixMilli(at.At).UTC(), Payment: at.Last.Payment, Operation: at.Last.Operation}
	}
	l.From, l.Until = at.Filter.period()
	return l
}

// period is from when until when something happened; zero is no bound.
func (f filter) period() (from, until time.Time) {
	if f.From != nil {
		from = time.Unix(min(*f.From, lastSecond), 0).UTC()
	}
	if f.Until != nil {
		until = time.Unix(min(*f.Until, lastSecond)+1, 0).UTC() // the whole of that second
	}
	return from, until
}

// lastSecond is one that is later than anything will happen. Bounds beyond it
// are no others: whoever wants none may say the greatest number there is.
const lastSecond = 253_402_300_799

// beside is the cursor of a page that begins beyond a place.
func (at cursor) beside(place payment.Place, back bool) *cursor {
	at.Back, at.At = back, place.At.UnixMilli()
	at.Last = wireid.Name{Kind: wireid.Other, Payment: place.Payment, Operation: place.Operation}
	return &at
}

// around returns the cursors of the next page and of the previous one, nil
// where there is none, of a page with these places, the first and the last
// one, of which more follow in the direction in which it was read.
func (at cursor) around(first, last payment.Place, more bool) (next, previous *cursor) {
	if more || at.Back {
		next = at.beside(last, false)
	}
	if at.Back && more || at.Later && !at.Back {
		previous = at.beside(first, true)
	}
	return next, previous
}

// appendPage appends the object of a page up to its results, whose array is
// left open.
func (c *call) appendPage(b []byte, next, previous *cursor) []byte {
	b = c.appendCursor(append(b, `{"next":`...), next)
	b = c.appendCursor(append(b, `,"previous":`...), previous)
	b = dialect.AppendString(append(b, `,"api_version":`...), c.version)
	return append(b, `,"results":[`...)
}

func (c *call) appendCursor(b []byte, at *cursor) []byte {
	if at == nil {
		return append(b, "null"...)
	}
	return dialect.AppendString(b, "/"+at.List+"?page="+c.cursorText(*at))
}

// appendResults appends a whole page.
func appendResults[T any](b []byte, items []T, render func([]byte, T) []byte) []byte {
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = render(b, item)
	}
	return append(b, "]}"...)
}

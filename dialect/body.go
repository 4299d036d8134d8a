package dialect

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// BodyLimit is how many bytes of a request's body are read.
const BodyLimit = 1 << 20

// ErrTooLarge is returned for a body of more than BodyLimit bytes.
var ErrTooLarge = errors.New("dialect: body too large")

// small is how large a body may be that is read without asking for room.
const small = 16 << 10

// Body is a request's body that has been read.
type Body struct {
	bytes.Reader
	text []byte
	err  error
	rest io.Reader // what was not read, nil if all was
	held int
}

// Close implements io.Closer.
func (*Body) Close() error { return nil }

// ReadAhead reads a request's body before anybody serves the request, so that
// whoever does so does not wait for it. A body of more than 16 KiB is asked room
// for as it arrives; ReadAhead returns false if there was none. The caller
// calls Done when the request is answered.
func ReadAhead(r *http.Request, room interface {
	Hold(bytes int) bool
	Release(bytes int)
},
) (b *Body, ok bool) {
	b, ok = &Body{}, true
	switch {
	case r.ContentLength > BodyLimit:
		b.err, b.rest = ErrTooLarge, r.Body
	case r.ContentLength >= 0 && r.ContentLength <= small:
		b.text = make([]byte, r.ContentLength)
		_, b.err = io.ReadFull(r.Body, b.text)
	default:
		ok = b.grow(r.Body, room.Hold)
	}
	b.Reset(b.text)
	r.Body = b
	return b, ok
}

// grow reads a large body, or one of which nobody says how large it is.
func (b *Body) grow(from io.Reader, hold func(int) bool) bool {
	b.text = make([]byte, 0, small)
	for {
		n, err := from.Read(b.text[len(b.text):cap(b.text)])
		b.text = b.text[:len(b.text)+n]
		switch {
		case len(b.text) > BodyLimit:
			b.text, b.err, b.rest = nil, ErrTooLarge, from
			return true
		case errors.Is(err, io.EOF):
			return true
		case err != nil:
			b.err = err
			return true
		case len(b.text) < cap(b.text):
			continue
		}
		more := min(2*cap(b.text), BodyLimit+1)
		if !hold(more - b.held) {
			b.text, b.rest = nil, from
			return false
		}
		b.held = more
		b.text = append(make([]byte, 0, more), b.text...)
	}
}

// Done gives back the room that the body had.
func (b *Body) Done(room interface{ Release(bytes int) }) {
	if b.held > 0 {
		room.Release(b.held)
		b.held = 0
	}
}

// Unread is what was not read of a body that is too large, or that there was no
// room for; nil of any other.
func (b *Body) Unread() io.Reader { return b.rest }

// ReadBody reads a request's body whole, up to BodyLimit.
func ReadBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.ContentLength == 0 {
		return nil, nil
	}
	if b, read := r.Body.(*Body); read {
		return b.text, b.err
	}
	if r.ContentLength > BodyLimit {
		return nil, ErrTooLarge
	}
	if r.ContentLength > 0 {
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, BodyLimit+1))
	if err == nil && len(body) > BodyLimit {
		return nil, ErrTooLarge
	}
	return body, err
}

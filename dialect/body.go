package dialect

import (
	"errors"
	"io"
	"net/http"
)

// BodyLimit is how many bytes of a request's body are read.
const BodyLimit = 1 << 20

// ErrTooLarge is returned for a body of more than BodyLimit bytes.
var ErrTooLarge = errors.New("dialect: body too large")

// discarded is how much of a body that is too large is thrown away. A client
// that is still sending when the connection is closed may never see the answer.
const discarded = 8 << 20

// ReadBody reads a request's body whole, up to BodyLimit.
func ReadBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.ContentLength == 0 {
		return nil, nil
	}
	if r.ContentLength > BodyLimit {
		return nil, tooLarge(r)
	}
	if r.ContentLength > 0 {
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, BodyLimit+1))
	if err == nil && len(body) > BodyLimit {
		return nil, tooLarge(r)
	}
	return body, err
}

func tooLarge(r *http.Request) error {
	_, _ = io.CopyN(io.Discard, r.Body, discarded) // as much as there is
	return ErrTooLarge
}

package wepay

import (
	"errors"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
)

// madeRefusals answer for a resource that was not made.
var madeRefusals = common[1:]

// make puts a new document of this dialect under the request's Unique-Key, if
// there is one, with others that are part of it. It returns the id of the
// document, which for a repeat is the first request's. The problem is moved if one of them
// is not any more as it was read, and nothing was made.
func (c *call) make(doc document.Document, with ...document.Document) (id string, wrong *problem) {
	r := c.request(payment.Nothing{})
	r.Context, r.Documents = []byte(doc.ID), append(with, doc)
	out, err := c.Engine.Do(c.r.Context(), r)
	switch {
	case errors.Is(err, document.ErrMoved):
		return "", moved
	case err != nil:
		return "", c.failed(err)
	case out.Refusal != nil:
		return "", answer(madeRefusals, out.Refusal)
	}
	return string(out.Context), nil
}

package wepay

import (
	"errors"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
)

// madeRefusals answer for a resource that was not made.
var madeRefusals = common[1:]

// make puts a document of this dialect, new or changed, under the request's
// Unique-Key, if there is one, with others that are part of it. It returns the id of the
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

// madeBefore returns the id of what a request made of which this is a repeat,
// and for anything else what is wrong with it. Early says that this is found
// before a key is looked at.
func (c *call) madeBefore(otherwise *problem, early bool) (id string, wrong *problem) {
	if c.key == "" || otherwise == unexpected {
		return "", otherwise
	}
	r := c.request(payment.Expire{})
	r.Payment = nobody
	out, err := c.Engine.Do(c.r.Context(), r)
	switch {
	case err != nil:
		return "", c.failed(err)
	case out.Refusal.Has(payment.NotFound), early && out.Refusal.Has(payment.KeyReused):
		return "", otherwise
	case out.Refusal != nil:
		return "", answer(madeRefusals, out.Refusal)
	}
	return string(out.Context), nil
}

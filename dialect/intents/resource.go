package intents

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
)

// Resources are the objects of this dialect that are no payments: webhook
// endpoints, customers, payment methods. Each is a document, whose Owner begins
// with the mode, so that the two modes see disjoint data.

// newID makes the id of a resource.
func (d *Dialect) newID(prefix string) (string, error) { return d.random(prefix, 24) }

// resource names a document of the account.
func (x *exchange) resource(kind, id string) document.Name {
	return document.Name{Tenant: x.account.Tenant, Merchant: x.account.ID, Dialect: Name, Kind: kind, ID: id}
}

// mode is that of the account's key.
func (a *account) mode() string {
	if a.test {
		return modeTest
	}
	return modeLive
}

// find returns a document of the account in its mode and reads its body; nil if
// there is none.
func (x *exchange) find(ctx context.Context, kind, id string, body any) (*document.Document, *problem) {
	if len(id) > 255 {
		return nil, nil
	}
	doc, err := x.d.Documents.Document(ctx, x.resource(kind, id))
	switch {
	case err != nil:
		return nil, x.fault(err)
	case doc == nil || doc.Owner != x.account.mode():
		return nil, nil
	}
	return doc, x.decode(doc, body)
}

// decode reads the body of a document.
func (x *exchange) decode(doc *document.Document, body any) *problem {
	if err := json.Unmarshal(doc.Body, body); err != nil {
		return x.fault(fmt.Errorf("intents: %s %s: %w", doc.Kind, doc.ID, err))
	}
	return nil
}

// keep puts documents and replies with an object, both together and once for
// each key. It tells whether one of the documents has changed meanwhile: then
// nothing was done.
func (x *exchange) keep(ctx context.Context, n *note, object []byte, documents ...document.Document) (moved bool, wrong *problem) {
	n.status, n.body = http.StatusOK, object
	if n.secret {
		if err := x.d.conceal(n); err != nil {
			return false, x.fault(err)
		}
	}
	out, err := x.ask(ctx, n, payment.Request{Command: payment.Nothing{}, Documents: documents})
	switch {
	case errors.Is(err, document.ErrMoved), errors.Is(err, document.ErrExists):
		return true, nil
	case err != nil:
		return false, x.fault(err)
	}
	return false, x.answer(out, n)
}

// revise changes a resource: it reads the document, lets change say what is to
// be put and answered, and begins again when somebody else was faster. An
// object that is not there is told as absent. What change finds wrong with the
// object is a final answer (settle); the parameters were read before.
func revise[T any](ctx context.Context, x *exchange, n *note, kind string, absent *problem, change func(*document.Document, *T) ([]byte, *problem)) *problem {
	for {
		var body T
		doc, problem := x.find(ctx, kind, x.id, &body)
		if problem != nil {
			return problem
		}
		if doc == nil {
			return x.settle(ctx, n, absent)
		}
		object, problem := change(doc, &body)
		switch {
		case problem == nil:
		case problem.status >= http.StatusInternalServerError || problem.again == retrySoon:
			return problem
		default:
			return x.settle(ctx, n, problem)
		}
		if doc.Body, problem = x.encode(body); problem != nil {
			return problem
		}
		doc.UpdatedAt = x.d.Clock.Now()
		if moved, problem := x.keep(ctx, n, object, *doc); !moved {
			return problem
		}
	}
}

// remove deletes a resource of the account, and replies that it did.
func (x *exchange) remove(ctx context.Context, kind, object string, absent *problem) *problem {
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	for {
		var body json.RawMessage
		doc, problem := x.find(ctx, kind, x.id, &body)
		if problem != nil {
			return problem
		}
		if doc == nil {
			return absent
		}
		switch err := x.d.Documents.DeleteDocument(ctx, doc.Name, doc.Version); {
		case errors.Is(err, document.ErrMoved):
			continue
		case err != nil:
			return x.fault(err)
		}
		b := dialect.AppendString(append(x.out(), "{\n  \"id\": "...), x.id)
		b = dialect.AppendString(append(b, ",\n  \"object\": "...), object)
		x.reply(http.StatusOK, append(b, ",\n  \"deleted\": true\n}\n"...))
		return nil
	}
}

// page reads a page of resources, newest first, and whether there is more. A
// nil wanted is all of them.
func (x *exchange) page(ctx context.Context, kind, what string, l listing, wanted func(*document.Document) bool) (page []document.Document, more bool, wrong *problem) {
	query := document.Listing{
		Tenant: x.account.Tenant, Merchant: x.account.ID, Dialect: Name, Kind: kind, Owner: x.account.mode(),
		From: l.from, Until: l.until, OldestFirst: l.before != "", Limit: l.limit + 1,
	}
	if wanted != nil {
		query.Limit = readAhead
	}
	if id := l.cursor(); id != "" {
		var body json.RawMessage
		doc, problem := x.find(ctx, kind, id, &body)
		if problem != nil {
			return nil, false, problem
		}
		if doc == nil {
			return nil, false, l.unknownCursor(what)
		}
		query.After = doc.Serial
	}
	for !more {
		some, err := x.d.Documents.Documents(ctx, query)
		if err != nil {
			return nil, false, x.fault(err)
		}
		for i := range some {
			if wanted != nil && !wanted(&some[i]) {
				continue
			}
			if more = len(page) == l.limit; more {
				break
			}
			page = append(page, some[i])
		}
		if len(some) < query.Limit {
			break
		}
		query.After = some[len(some)-1].Serial
	}
	if query.OldestFirst {
		slices.Reverse(page)
	}
	return page, more, nil
}

// readAhead is how many resources are read at a time while only some are wanted.
const readAhead = 100

// encode is the body of a document.
func (x *exchange) encode(body any) ([]byte, *problem) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, x.fault(err)
	}
	return text, nil
}

// pretty appends an object as JSON on lines of its own.
func pretty(b []byte, object any) ([]byte, error) {
	var compact bytes.Buffer
	e := json.NewEncoder(&compact)
	e.SetEscapeHTML(false)
	if err := e.Encode(object); err != nil {
		return b, err
	}
	return appendPretty(b, bytes.TrimSuffix(compact.Bytes(), []byte{'\n'}), 0), nil
}

// random returns a prefix with n alphanumeric characters, each as likely as
// the others.
func (d *Dialect) random(prefix string, n int) (string, error) {
	made := []byte(prefix)
	for len(made) < len(prefix)+n {
		var raw [64]byte
		if _, err := io.ReadFull(d.Random, raw[:]); err != nil {
			return "", err
		}
		for _, c := range raw {
			if c < 248 && len(made) < len(prefix)+n { // 248 is 4 * 62
				made = append(made, alphanumeric[c%62])
			}
		}
	}
	return string(made), nil
}

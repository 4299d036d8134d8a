package begateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

const (
	asyncKind   = "async"
	asyncKept   = 24 * time.Hour      // how long a result is there
	asyncWaited = 30 * 24 * time.Hour // how long one is waited for
)

// later is what POST /async/<path> does where a POST to the path does
// something (section 8.5). The request is carried out before it is answered, so
// that nothing of it can be lost; what is not waited for is the processor.
func (d *Dialect) later(path string) (operation string, act action) {
	operation, now := d.posted(path)
	if uid, ok := segment(path, processPath, returnPath); ok && d.Sandbox {
		operation, now = "finish", func(c *call) answered { return d.finish(c, uid) }
	}
	if now == nil {
		return "", nil
	}
	return operation, func(c *call) answered {
		inner := *c
		inner.patience = 0
		a := d.answer(&inner, now)
		if a.err != nil {
			return a
		}
		id, err := wireid.RandomUUID(d.Random)
		if err != nil {
			return answered{err: err}
		}
		result := document.Document{Name: c.asyncName(id), CreatedAt: d.Clock.Now()}
		if err := d.file(c, &result, a); err != nil {
			return answered{err: err}
		}
		b := dialect.AppendString([]byte(`{"status":"processing","request_id":`), id)
		b = dialect.AppendString(append(b, `,"status_url":`...), d.PublicURL+asyncPath+"status/"+id)
		b = dialect.AppendString(append(b, `,"response_url":`...), d.PublicURL+asyncPath+"result/"+id)
		return answered{body: append(b, '}')}
	}
}

// asyncResult is what is kept of a request: the transaction that its processor
// has not answered, or, sealed, what is answered.
type asyncResult struct {
	Version   int        `json:"v"`
	Payment   payment.ID `json:"payment,omitempty"`
	Operation int        `json:"operation,omitempty"`
	Status    int        `json:"status,omitempty"`
	Body      []byte     `json:"body,omitempty"`
	Flat      bool       `json:"flat,omitempty"` // in the shape of version 3
}

// file keeps what was answered to a request.
func (d *Dialect) file(c *call, paper *document.Document, a answered) error {
	kept := asyncResult{Version: 1, Flat: c.flat, Status: http.StatusOK, Body: a.body}
	paper.Expires = d.Clock.Now().Add(asyncKept)
	switch {
	case a.pending != nil:
		kept = asyncResult{Version: 1, Flat: c.flat, Payment: a.pending.payment, Operation: a.pending.operation}
		paper.Expires = paper.CreatedAt.Add(asyncWaited)
	case a.problem != nil:
		kept.Status, kept.Body = a.problem.render(c.shop, c.flat)
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	paper.UpdatedAt = d.Clock.Now()
	if paper.Sealed, err = d.Keys.Seal(paper.Purpose(), text); err != nil {
		return fmt.Errorf("begateway: seal a result: %w", err)
	}
	return d.Documents.PutDocument(c.Context(), paper)
}

func (c *call) asyncName(id string) document.Name {
	return document.Name{Tenant: c.shop.merchant.Tenant, Merchant: c.shop.merchant.ID, Dialect: Name, Kind: asyncKind, ID: id}
}

// lookLater returns what is kept of a request. Done tells whether it has been
// answered; nil is nothing known.
func (d *Dialect) lookLater(c *call, id string) (paper *document.Document, kept *asyncResult, err error) {
	paper, err = d.Documents.Document(c.Context(), c.asyncName(id))
	if err != nil || paper == nil || paper.Over(d.Clock.Now()) {
		return nil, nil, err
	}
	text, err := d.Keys.Open(paper.Purpose(), paper.Sealed)
	if err != nil {
		return nil, nil, fmt.Errorf("begateway: open a result: %w", err)
	}
	kept = &asyncResult{}
	if err := json.Unmarshal(text, kept); err != nil {
		return nil, nil, fmt.Errorf("begateway: a result: %w", err)
	}
	if kept.Payment == 0 {
		return paper, kept, nil
	}
	return d.settleLater(c, paper, kept)
}

// settleLater keeps the answer of a transaction that was pending, if its
// processor has answered since.
func (d *Dialect) settleLater(c *call, paper *document.Document, kept *asyncResult) (*document.Document, *asyncResult, error) {
	t := transaction{kept.Payment, kept.Operation}
	p, err := d.Engine.Payment(c.Context(), paper.Tenant, paper.Merchant, t.payment)
	if err != nil || p == nil || isPending(p, t) {
		return paper, kept, err
	}
	asked := *c
	asked.flat = kept.Flat
	a := d.show(&asked, p, t, c.shop.form())
	if a.err != nil {
		return nil, nil, a.err
	}
	err = d.file(&asked, paper, a)
	if errors.Is(err, document.ErrMoved) { // somebody was faster
		err = nil
	}
	return paper, &asyncResult{Status: http.StatusOK, Body: a.body}, err
}

// laterStatus answers GET /async/status/{id}.
func (d *Dialect) laterStatus(c *call, id string) answered {
	_, kept, err := d.lookLater(c, id)
	switch {
	case err != nil:
		return answered{err: err}
	case kept == nil:
		return answered{body: appendLater("unknown", id)}
	case kept.Payment != 0:
		return answered{body: appendLater("processing", id)}
	}
	b := appendLater("completed", id)
	b = dialect.AppendString(append(b[:len(b)-1], `,"response_url":`...), d.PublicURL+asyncPath+"result/"+id)
	return answered{body: append(b, '}')}
}

// laterResult answers GET /async/result/{id} with the answer that the request
// would have had. One that is not 200 is given once.
func (d *Dialect) laterResult(c *call, id string) answered {
	paper, kept, err := d.lookLater(c, id)
	switch {
	case err != nil:
		return answered{err: err}
	case kept == nil:
		return answered{status: http.StatusNotFound, body: appendLater("unknown", id)}
	case kept.Payment != 0:
		return answered{status: http.StatusTooEarly, body: appendLater("processing", id)}
	case kept.Status != http.StatusOK:
		if err := d.take(c.Context(), paper); errors.Is(err, document.ErrMoved) {
			return answered{status: http.StatusNotFound, body: appendLater("unknown", id)}
		} else if err != nil {
			return answered{err: err}
		}
	}
	return answered{status: kept.Status, body: kept.Body}
}

func (d *Dialect) take(ctx context.Context, paper *document.Document) error {
	return d.Documents.DeleteDocument(ctx, paper.Name, paper.Version)
}

func appendLater(status, id string) []byte {
	b := dialect.AppendString([]byte(`{"status":`), status)
	b = dialect.AppendString(append(b, `,"request_id":`...), id)
	return append(b, '}')
}

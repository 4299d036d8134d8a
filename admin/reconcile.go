package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/capstan-pay/capstan/reconcile"
)

// Reconciliation compares the books with remote processors. Only a server has
// it: it knows them.
type Reconciliation interface {
	Reconcile(ctx context.Context, since time.Time) ([]reconcile.Finding, error)
	Settle(ctx context.Context, operation, note string) error
	Adopt(ctx context.Context, operation, note string) error
}

// Since is how far back to look; zero is from the beginning.
type Since struct {
	Since time.Time `json:"since,omitzero"`
}

// Settlement is how a difference was settled.
type Settlement struct {
	Operation string `json:"operation"`
	Reason    string `json:"reason"`
}

var noProcessors = Problem{http.StatusConflict, "only a running server knows its processors"}

// Reconcile returns in what the books and the processors differ.
func (d *Desk) Reconcile(ctx context.Context, s Since) ([]reconcile.Finding, error) {
	if d.Processors == nil {
		return nil, noProcessors
	}
	return d.Processors.Reconcile(ctx, s.Since)
}

// Settle writes down how a difference was settled, and who says so.
func (d *Desk) Settle(ctx context.Context, s Settlement) error {
	note, err := d.note(s)
	if err != nil {
		return err
	}
	return d.Processors.Settle(ctx, s.Operation, note)
}

// Adopt books what a processor has performed and what is not known here, with
// who says so.
func (d *Desk) Adopt(ctx context.Context, s Settlement) error {
	note, err := d.note(s)
	if err != nil {
		return err
	}
	return d.Processors.Adopt(ctx, s.Operation, note)
}

// note is who says why.
func (d *Desk) note(s Settlement) (string, error) {
	if d.Processors == nil {
		return "", noProcessors
	}
	return d.because(s.Reason)
}

// Reconcile asks the server in what its books and the processors differ.
func (c *Client) Reconcile(ctx context.Context, s Since) ([]reconcile.Finding, error) {
	var out struct{ Findings []reconcile.Finding }
	return out.Findings, c.call(ctx, http.MethodPost, s, &out, "api/reconcile")
}

// Settle has the server write down how a difference was settled.
func (c *Client) Settle(ctx context.Context, s Settlement) error {
	return c.call(ctx, http.MethodPost, s, nil, "api/reconcile/settle")
}

// Adopt has the server book what a processor has performed.
func (c *Client) Adopt(ctx context.Context, s Settlement) error {
	return c.call(ctx, http.MethodPost, s, nil, "api/reconcile/adopt")
}

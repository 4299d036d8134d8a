// Package document says what a dialect may keep of its own: webhook endpoints,
// customers, payment methods, preferences. A document has a name, a version
// and a body that nobody else reads.
package document

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Name is what a document is called: no two have the same.
type Name struct {
	Tenant   int64
	Merchant int64  // 0 is no merchant's own but the tenant's
	Dialect  string // or whoever else keeps it
	Kind     string // the dialect's own word: "webhook_endpoint", "customer", ...
	ID       string // as the dialect shows it
}

// Document is a resource of a dialect.
type Document struct {
	Name
	Owner     string // what it belongs to, in the dialect's words; empty is nothing
	CreatedAt time.Time
	UpdatedAt time.Time
	Expires   time.Time // it may be forgotten from then on; zero is never

	Body   []byte // the dialect's own, never looked at
	Sealed []byte // what is secret, sealed for Purpose

	// Version is 1 when it is new, and grows by one with each change. Serial
	// grows with each new document of a store. Both are set by the store.
	Version int
	Serial  int64
}

// Purpose is what Sealed is sealed for: it opens in no other document.
func (n Name) Purpose() string {
	return fmt.Sprintf("document %d/%d/%q/%q/%q", n.Tenant, n.Merchant, n.Dialect, n.Kind, n.ID)
}

// Over tells whether the document's time is over at now.
func (d *Document) Over(now time.Time) bool { return !d.Expires.IsZero() && !now.Before(d.Expires) }

// Listing asks for a page of documents of one kind, in the order in which they
// were made. A document that is there all the while is on one page, whatever
// is made or deleted meanwhile.
type Listing struct {
	Tenant   int64
	Merchant int64
	Dialect  string
	Kind     string
	Owner    string // only what belongs to it; empty is all

	From  time.Time // not created before this moment; zero is no bound
	Until time.Time // created before this moment; zero is no bound

	After       int64 // beyond the document with this Serial; 0 is where the listing begins
	OldestFirst bool  // the newest come first otherwise
	Limit       int   // how many at most
}

// What a store answers instead of doing what it was asked. Nothing was written
// then.
var (
	// ErrExists: a document with that name is there already.
	ErrExists = errors.New("document: already exists")
	// ErrMoved: it is not there in that version any more. Read it again.
	ErrMoved = errors.New("document: has moved on")
)

// Store keeps documents. Times are kept to the millisecond.
type Store interface {
	// Document returns one, nil if there is none. One whose time is over may
	// still be there.
	Document(ctx context.Context, n Name) (*Document, error)

	// Documents returns a page.
	Documents(ctx context.Context, l Listing) ([]Document, error)

	// PutDocument stores d. With Version 0 it is new, and ErrExists if it is
	// not. Otherwise it replaces that very version, or is ErrMoved; Owner and
	// CreatedAt stay as they are. Afterwards d is as it is stored.
	PutDocument(ctx context.Context, d *Document) error

	// DeleteDocument deletes one that is there in that version, or is
	// ErrMoved. Of several callers at once one is told that it did.
	DeleteDocument(ctx context.Context, n Name, version int) error
}

package postgres

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/store"
)

const (
	documentColumns = `d.tenant, d.merchant, d.dialect, d.kind, d.id, d.owner, d.version, d.serial, d.created_at, d.updated_at, d.expires, d.body, d.sealed`
	selectDocument  = `SELECT ` + documentColumns + ` FROM documents d`
	documentNamed   = ` WHERE d.tenant = $1 AND d.merchant = $2 AND d.dialect = $3 AND d.kind = $4 AND d.id = $5`
)

func documentOf(r row) document.Document {
	return document.Document{
		Name:  document.Name{Tenant: r.int(0), Merchant: r.int(1), Dialect: r.text(2), Kind: r.text(3), ID: r.text(4)},
		Owner: r.text(5), Version: int(r.int(6)), Serial: r.int(7), CreatedAt: r.time(8), UpdatedAt: r.time(9), Expires: r.time(10),
		Body: r.bytes(11), Sealed: r.bytes(12),
	}
}

// Document implements document.Store.
func (s *Store) Document(ctx context.Context, n document.Name) (*document.Document, error) {
	return loadDocument(ctx, s.readers, selectDocument+documentNamed, n)
}

func loadDocument(ctx context.Context, q querier, query string, n document.Name) (found *document.Document, err error) {
	err = each(ctx, q, query, func(r row) error {
		d := documentOf(r)
		found = &d
		return nil
	}, n.Tenant, n.Merchant, n.Dialect, n.Kind, n.ID)
	return found, err
}

// Documents implements document.Store.
func (s *Store) Documents(ctx context.Context, l document.Listing) (page []document.Document, err error) {
	low, high, order := int64(0), int64(math.MaxInt64), `DESC`
	switch {
	case l.OldestFirst:
		low, order = l.After, `ASC`
	case l.After != 0:
		high = l.After
	}
	from, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !l.From.IsZero() {
		from = ceilMilli(l.From)
	}
	if !l.Until.IsZero() {
		until = ceilMilli(l.Until)
	}
	err = each(ctx, s.readers, selectDocument+` WHERE d.tenant = $1 AND d.merchant = $2 AND d.dialect = $3 AND d.kind = $4
			AND d.serial > $5 AND d.serial < $6 AND d.created_at >= $7 AND d.created_at < $8 AND ($9 = '' OR d.owner = $9)
			ORDER BY d.serial `+order+` LIMIT $10`,
		func(r row) error {
			page = append(page, documentOf(r))
			return nil
		}, l.Tenant, l.Merchant, l.Dialect, l.Kind, low, high, from, until, l.Owner, max(l.Limit, 0))
	return page, err
}

// ceilMilli is the first millisecond that is not before t.
func ceilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

// PutDocument implements document.Store.
func (s *Store) PutDocument(ctx context.Context, d *document.Document) error {
	var stored *document.Document
	err := s.change(ctx, func(tx pgx.Tx) error {
		old, err := loadDocument(ctx, tx, selectDocument+documentNamed+` FOR UPDATE`, d.Name)
		if err != nil {
			return err
		}
		if err := puttable(d, old); err != nil {
			return err
		}
		query := moveDocument
		arguments := []any{
			d.Tenant, d.Merchant, d.Dialect, d.Kind, d.ID, d.Version + 1, d.UpdatedAt.UnixMilli(), milliOrNull(d.Expires), nonEmpty(d.Body), nonEmpty(d.Sealed),
		}
		if old == nil {
			query, arguments = addDocument, append(arguments, d.Owner, d.CreatedAt.UnixMilli())
		}
		return each(ctx, tx, query+` RETURNING `+documentColumns, func(r row) error {
			after := documentOf(r)
			stored = &after
			return nil
		}, arguments...)
	})
	switch {
	case codeOf(err) == uniqueViolation:
		return document.ErrExists
	case err != nil:
		return err
	}
	*d = *stored
	return nil
}

const (
	addDocument = `INSERT INTO documents AS d (tenant, merchant, dialect, kind, id, version, updated_at, expires, body, sealed, owner, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	moveDocument = `UPDATE documents d SET version = $6, updated_at = $7, expires = $8, body = $9, sealed = $10` + documentNamed
)

// puttable tells whether a document may be put where old is; nil is none.
func puttable(d, old *document.Document) error {
	switch {
	case d.Version == 0 && old != nil:
		return document.ErrExists
	case d.Version != 0 && (old == nil || old.Version != d.Version):
		return document.ErrMoved
	}
	return nil
}

func milliOrNull(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

// nonEmpty is nil for nothing: nobody tells an empty body from none.
func nonEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// DeleteDocument implements document.Store.
func (s *Store) DeleteDocument(ctx context.Context, n document.Name, version int) error {
	return s.change(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM documents d`+documentNamed+` AND d.version = $6`, n.Tenant, n.Merchant, n.Dialect, n.Kind, n.ID, version)
		if err == nil && tag.RowsAffected() == 0 {
			err = document.ErrMoved
		}
		return err
	})
}

// filed is a document of a batch: its version before, and what becomes of it.
type filed struct {
	was int // 0: it was not there
	now *document.Document
}

// file looks up the documents of changes, and locks them.
func (w *writing) file(ctx context.Context, changes []store.Change) error {
	var names []document.Name
	for i := range changes {
		for j := range changes[i].Documents {
			names = append(names, changes[i].Documents[j].Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.SortFunc(names, func(a, b document.Name) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Dialect, b.Dialect), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	w.documents = map[document.Name]*filed{}
	var those rows
	those.reset(lockDocuments)
	for _, n := range slices.Compact(names) {
		w.documents[n] = &filed{}
		c := those.next()
		c[0].int8(n.Tenant)
		c[1].int8(n.Merchant)
		c[2].text(n.Dialect)
		c[3].text(n.Kind)
		c[4].text(n.ID)
	}
	t := travel(ctx, w.b.conn.Conn())
	t.send(&those, func(r row) error {
		old := documentOf(r)
		if f := w.documents[old.Name]; f != nil {
			f.was, f.now = old.Version, &old
		}
		return nil
	})
	if _, err := t.home(); err != nil {
		return fmt.Errorf("postgres: look documents up: %w", err)
	}
	return nil
}

// putDocuments puts the documents of a change.
func (w *writing) putDocuments(c *store.Change) error {
	for i := range c.Documents {
		d := c.Documents[i]
		f := w.documents[d.Name]
		if err := puttable(&d, f.now); err != nil {
			return err
		}
		if f.now != nil {
			d.Owner, d.CreatedAt = f.now.Owner, f.now.CreatedAt
		}
		d.Version++
		f.now = &d
	}
	return nil
}

func (w *writing) fillDocuments() {
	for _, f := range w.documents {
		r, d := &w.addDocuments, f.now
		if d.Version == f.was {
			continue
		}
		if f.was > 0 {
			r = &w.moveDocuments
		}
		c := r.next()
		c[0].int8(d.Tenant)
		c[1].int8(d.Merchant)
		c[2].text(d.Dialect)
		c[3].text(d.Kind)
		c[4].text(d.ID)
		c[5].int4(d.Version)
		c[6].int8(d.UpdatedAt.UnixMilli())
		c[7].timeOrNull(d.Expires)
		c[8].bytes(d.Body)
		c[9].bytes(d.Sealed)
		c[10].text(d.Owner)
		c[11].int8(d.CreatedAt.UnixMilli())
		c[12].int4(f.was)
	}
}

// Documents implements store.Audit.
func (a *audit) Documents(fn func(document.Document) error) error {
	return a.each(selectDocument+` ORDER BY d.serial`, func(r row) error { return fn(documentOf(r)) })
}

package sqlite

import (
	"context"
	"math"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/store"
)

const selectDocument = `SELECT tenant, merchant, dialect, kind, id, owner, version, serial, created_at, updated_at, expires, body, sealed FROM documents`

func documentOf(row *sqlite.Stmt) document.Document {
	return document.Document{
		Name: document.Name{
			Tenant: row.ColumnInt64(0), Merchant: row.ColumnInt64(1), Dialect: row.ColumnText(2), Kind: row.ColumnText(3), ID: row.ColumnText(4),
		},
		Owner: row.ColumnText(5), Version: row.ColumnInt(6), Serial: row.ColumnInt64(7),
		CreatedAt: columnTime(row, 8), UpdatedAt: columnTime(row, 9), Expires: columnTime(row, 10),
		Body: columnBytes(row, 11), Sealed: columnBytes(row, 12),
	}
}

func bindName(stmt *sqlite.Stmt, param int, n document.Name) {
	stmt.BindInt64(param, n.Tenant)
	stmt.BindInt64(param+1, n.Merchant)
	stmt.BindText(param+2, n.Dialect)
	stmt.BindText(param+3, n.Kind)
	stmt.BindText(param+4, n.ID)
}

// Document implements document.Store.
func (s *Store) Document(ctx context.Context, n document.Name) (found *document.Document, err error) {
	err = s.read(ctx, func(r *reader) error {
		found, err = loadDocument(r.conn, n)
		return err
	})
	return found, err
}

func loadDocument(conn *sqlite.Conn, n document.Name) (found *document.Document, err error) {
	stmt := conn.Prep(selectDocument + ` WHERE tenant = ? AND merchant = ? AND dialect = ? AND kind = ? AND id = ?`)
	bindName(stmt, 1, n)
	err = each(stmt, func(row *sqlite.Stmt) error {
		d := documentOf(row)
		found = &d
		return nil
	})
	return found, err
}

// Documents implements document.Store.
func (s *Store) Documents(ctx context.Context, l document.Listing) (page []document.Document, err error) {
	query := selectDocument + ` WHERE tenant = ? AND merchant = ? AND dialect = ? AND kind = ? AND serial > ? AND serial < ? AND created_at >= ? AND created_at < ?`
	if l.Owner != "" {
		query += ` AND owner = ?10`
	}
	low, high := int64(0), int64(math.MaxInt64)
	if l.OldestFirst {
		low, query = l.After, query+` ORDER BY serial LIMIT ?9`
	} else {
		query += ` ORDER BY serial DESC LIMIT ?9`
		if l.After != 0 {
			high = l.After
		}
	}
	err = s.read(ctx, func(r *reader) error {
		stmt := r.conn.Prep(query)
		stmt.BindInt64(1, l.Tenant)
		stmt.BindInt64(2, l.Merchant)
		stmt.BindText(3, l.Dialect)
		stmt.BindText(4, l.Kind)
		stmt.BindInt64(5, low)
		stmt.BindInt64(6, high)
		stmt.BindInt64(7, math.MinInt64)
		if !l.From.IsZero() {
			stmt.BindInt64(7, ceilMilli(l.From))
		}
		stmt.BindInt64(8, math.MaxInt64)
		if !l.Until.IsZero() {
			stmt.BindInt64(8, ceilMilli(l.Until))
		}
		stmt.BindInt64(9, int64(max(l.Limit, 0)))
		if l.Owner != "" {
			stmt.BindText(10, l.Owner)
		}
		return each(stmt, func(row *sqlite.Stmt) error {
			page = append(page, documentOf(row))
			return nil
		})
	})
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
	stored := *d
	err := s.change(ctx, func(conn *sqlite.Conn) (err error) {
		stored, err = putDocument(conn, stored)
		return err
	})
	if err == nil {
		*d = stored
	}
	return err
}

// writeDocuments puts the documents of a change.
func (b *batch) writeDocuments(c *store.Change) error {
	for i := range c.Documents {
		if _, err := putDocument(b.w.conn, c.Documents[i]); err != nil {
			return err
		}
	}
	return nil
}

func putDocument(conn *sqlite.Conn, d document.Document) (document.Document, error) {
	var stmt *sqlite.Stmt
	if d.Version == 0 {
		stmt = conn.Prep(`INSERT INTO documents (tenant, merchant, dialect, kind, id, version, updated_at, expires, body, sealed, created_at, owner)
			VALUES (?, ?, ?, ?, ?, ? + 1, ?, ?, ?, ?, ?, ?)`)
		stmt.BindInt64(11, d.CreatedAt.UnixMilli())
		if stmt.BindNull(12); d.Owner != "" {
			stmt.BindText(12, d.Owner)
		}
	} else {
		stmt = conn.Prep(`UPDATE documents SET version = version + 1, updated_at = ?7, expires = ?8, body = ?9, sealed = ?10
			WHERE tenant = ?1 AND merchant = ?2 AND dialect = ?3 AND kind = ?4 AND id = ?5 AND version = ?6`)
	}
	bindName(stmt, 1, d.Name)
	stmt.BindInt64(6, int64(d.Version))
	stmt.BindInt64(7, d.UpdatedAt.UnixMilli())
	bindTime(stmt, 8, d.Expires)
	bindBytes(stmt, 9, d.Body)
	bindBytes(stmt, 10, d.Sealed)
	err := run(stmt)
	switch {
	case sqlite.ErrCode(err) == sqlite.ResultConstraintUnique:
		return d, document.ErrExists
	case err != nil:
		return d, err
	case conn.Changes() == 0:
		return d, document.ErrMoved
	}
	if err := stampDocument(conn, d.Name); err != nil {
		return d, err
	}
	stored, err := loadDocument(conn, d.Name)
	if err != nil {
		return d, err
	}
	return *stored, nil
}

func stampDocument(conn *sqlite.Conn, n document.Name) error {
	return stamp(conn, "documents", `tenant = ? AND merchant = ? AND dialect = ? AND kind = ? AND id = ?`, n.Tenant, n.Merchant, n.Dialect, n.Kind, n.ID)
}

// DeleteDocument implements document.Store.
func (s *Store) DeleteDocument(ctx context.Context, n document.Name, version int) error {
	return s.change(ctx, func(conn *sqlite.Conn) error {
		stmt := conn.Prep(`DELETE FROM documents WHERE tenant = ? AND merchant = ? AND dialect = ? AND kind = ? AND id = ? AND version = ?`)
		bindName(stmt, 1, n)
		stmt.BindInt64(6, int64(version))
		err := run(stmt)
		if err == nil && conn.Changes() == 0 {
			err = document.ErrMoved
		}
		return err
	})
}

// Documents implements store.Audit.
func (a *audit) Documents(fn func(document.Document) error) error {
	return a.each(selectDocument+` ORDER BY serial`, func(row *sqlite.Stmt) error { return fn(documentOf(row)) })
}

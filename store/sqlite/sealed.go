package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/store"
)

// SealedDocuments implements store.Registry.
func (s *Store) SealedDocuments(ctx context.Context, after int64, limit int) (found []document.Document, err error) {
	err = s.read(ctx, func(r *reader) error {
		stmt := r.conn.Prep(selectDocument + ` WHERE serial > ? AND sealed IS NOT NULL ORDER BY serial LIMIT ?`)
		stmt.BindInt64(1, after)
		stmt.BindInt64(2, int64(limit))
		return each(stmt, func(row *sqlite.Stmt) error {
			found = append(found, documentOf(row))
			return nil
		})
	})
	return found, err
}

// SwapSealed implements store.Registry.
func (s *Store) SwapSealed(ctx context.Context, at store.Sealed, old, fresh []byte) (swapped bool, err error) {
	err = s.change(ctx, func(conn *sqlite.Conn) error {
		var stmt *sqlite.Stmt
		var fresher func() error // gives the row its new checksum
		switch c := at.Credential; {
		case at.Meta != "":
			stmt = conn.Prep(`UPDATE meta SET value = ?1 WHERE value = ?2 AND name = ?3`)
			stmt.BindText(3, at.Meta)
			fresher = func() error { return stamp(conn, "meta", `name = ?`, at.Meta) }
		case c.Lookup != "":
			stmt = conn.Prep(`UPDATE credentials SET sealed = ?1 WHERE sealed = ?2 AND dialect = ?3 AND kind = ?4 AND lookup = ?5`)
			stmt.BindText(3, c.Dialect)
			stmt.BindText(4, c.Kind)
			stmt.BindText(5, c.Lookup)
			fresher = func() error {
				return stamp(conn, "credentials", `dialect = ? AND kind = ? AND lookup = ?`, c.Dialect, c.Kind, c.Lookup)
			}
		default:
			stmt = conn.Prep(`UPDATE documents SET sealed = ?1 WHERE sealed = ?2 AND tenant = ?3 AND merchant = ?4 AND dialect = ?5 AND kind = ?6 AND id = ?7`)
			bindName(stmt, 3, at.Document)
			fresher = func() error { return stampDocument(conn, at.Document) }
		}
		stmt.BindBytes(1, fresh)
		stmt.BindBytes(2, old)
		err := run(stmt)
		swapped = err == nil && conn.Changes() == 1
		if !swapped {
			return err
		}
		return fresher()
	})
	return swapped && err == nil, err
}

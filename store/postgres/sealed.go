package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/store"
)

// SealedDocuments implements store.Registry.
func (s *Store) SealedDocuments(ctx context.Context, after int64, limit int) (found []document.Document, err error) {
	err = each(ctx, s.readers, selectDocument+` WHERE d.serial > $1 AND d.sealed IS NOT NULL ORDER BY d.serial LIMIT $2`, func(r row) error {
		found = append(found, documentOf(r))
		return nil
	}, after, limit)
	return found, err
}

// SwapSealed implements store.Registry.
func (s *Store) SwapSealed(ctx context.Context, at store.Sealed, old, fresh []byte) (swapped bool, err error) {
	err = s.change(ctx, func(tx pgx.Tx) error {
		var tag pgconn.CommandTag
		var err error
		switch {
		case at.Meta != "":
			tag, err = tx.Exec(ctx, `UPDATE meta SET value = $1 WHERE value = $2 AND name = $3`, fresh, old, at.Meta)
		case at.Credential.Lookup != "":
			tag, err = tx.Exec(ctx, `UPDATE credentials SET sealed = $1 WHERE sealed = $2 AND dialect = $3 AND kind = $4 AND lookup = $5`,
				fresh, old, at.Credential.Dialect, at.Credential.Kind, at.Credential.Lookup)
		default:
			n := at.Document
			tag, err = tx.Exec(ctx, `UPDATE documents SET sealed = $1 WHERE sealed = $2 AND tenant = $3 AND merchant = $4 AND dialect = $5 AND kind = $6 AND id = $7`,
				fresh, old, n.Tenant, n.Merchant, n.Dialect, n.Kind, n.ID)
		}
		swapped = err == nil && tag.RowsAffected() == 1
		return err
	})
	return swapped && err == nil, err
}

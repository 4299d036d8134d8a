package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/capstan-pay/capstan/internal/failpoint"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/store"
)

// change runs fn in a transaction of its own, again when it collides with
// another one.
func (s *Store) change(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return s.changeAt(ctx, s.options.Isolation, fn)
}

// changeAt is change at an isolation level. What skips locked rows is right at
// READ COMMITTED, and would often collide at any other.
func (s *Store) changeAt(ctx context.Context, level pgx.TxIsoLevel, fn func(tx pgx.Tx) error) error {
	if s.readOnly {
		return ErrReadOnly
	}
	return again(ctx, func() error {
		return s.writers.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
			err := pgx.BeginTxFunc(ctx, c, pgx.TxOptions{IsoLevel: level}, func(tx pgx.Tx) error {
				err := fn(texts{tx})
				failpoint.Reach("postgres.change.before")
				return err
			})
			failpoint.Reach("postgres.change.after")
			if err == nil {
				err = waited(ctx, c.Conn())
			}
			return err
		})
	})
}

// Meta implements store.Registry.
func (s *Store) Meta(ctx context.Context, name string) ([]byte, error) {
	return meta(ctx, s.readers, name)
}

func meta(ctx context.Context, q querier, name string) (value []byte, err error) {
	err = each(ctx, q, `SELECT value FROM meta WHERE name = $1`, func(r row) error {
		value = r.bytes(0)
		return nil
	}, name)
	return value, err
}

// PutMeta implements store.Registry.
func (s *Store) PutMeta(ctx context.Context, name string, value []byte, once bool) (kept []byte, err error) {
	err = s.change(ctx, func(tx pgx.Tx) error {
		err := putMeta(ctx, tx, name, value, once)
		if err == nil {
			kept, err = meta(ctx, tx, name)
		}
		return err
	})
	return kept, err
}

func putMeta(ctx context.Context, tx pgx.Tx, name string, value []byte, once bool) error {
	if value == nil {
		value = []byte{}
	}
	_, err := tx.Exec(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE NOT $3`, name, value, once)
	return err
}

const selectMerchant = `SELECT id, tenant, name, disabled, created_at, settings FROM merchants`

func merchantOf(r row) (m merchant.Merchant, err error) {
	m = merchant.Merchant{ID: r.int(0), Tenant: r.int(1), Name: r.text(2), Disabled: r.bool(3), CreatedAt: r.time(4)}
	if settings := r.bytes(5); settings != nil {
		err = json.Unmarshal(settings, &m.Settings)
	}
	return m, err
}

// settingsText is nil for no settings.
func settingsText(settings map[string]json.RawMessage) (*string, error) {
	if len(settings) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(settings)
	text := string(b)
	return &text, err
}

// CreateMerchant implements store.Registry. One merchant is created at a time,
// so that no two get one tenant.
func (s *Store) CreateMerchant(ctx context.Context, m *merchant.Merchant, credentials []merchant.Credential) error {
	created := *m
	err := s.change(ctx, func(tx pgx.Tx) error {
		created = *m
		if err := createMerchant(ctx, tx, &created); err != nil {
			return err
		}
		for _, c := range credentials {
			c.Merchant = created.ID
			if _, err := putCredential(ctx, tx, c, ``); err != nil {
				return err
			}
		}
		return nil
	})
	if codeOf(err) == uniqueViolation {
		return store.ErrExists
	}
	if err == nil {
		m.ID, m.Tenant = created.ID, created.Tenant
	}
	return err
}

// createMerchant inserts a merchant and sets its ID and tenant.
func createMerchant(ctx context.Context, tx pgx.Tx, m *merchant.Merchant) error {
	settings, err := settingsText(m.Settings)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `LOCK TABLE merchants IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		return err
	}
	return tx.QueryRow(ctx, `INSERT INTO merchants (tenant, name, disabled, created_at, settings)
		VALUES (coalesce(nullif($1, 0), (SELECT greatest(max(tenant), max(id), 0) + 1 FROM merchants)), $2, $3, $4, $5) RETURNING id, tenant`,
		m.Tenant, m.Name, m.Disabled, m.CreatedAt.UnixMilli(), settings).Scan(&m.ID, &m.Tenant)
}

// Merchant implements store.Registry.
func (s *Store) Merchant(ctx context.Context, id int64) (found *merchant.Merchant, err error) {
	err = each(ctx, s.readers, selectMerchant+` WHERE id = $1`, func(r row) error {
		m, err := merchantOf(r)
		found = &m
		return err
	}, id)
	return found, err
}

// Merchants implements store.Registry.
func (s *Store) Merchants(ctx context.Context) (all []merchant.Merchant, err error) {
	err = each(ctx, s.readers, selectMerchant+` ORDER BY id`, func(r row) error {
		m, err := merchantOf(r)
		all = append(all, m)
		return err
	})
	return all, err
}

// UpdateMerchant implements store.Registry.
func (s *Store) UpdateMerchant(ctx context.Context, m merchant.Merchant) error {
	return s.change(ctx, func(tx pgx.Tx) error { return updateMerchant(ctx, tx, m) })
}

func updateMerchant(ctx context.Context, tx pgx.Tx, m merchant.Merchant) error {
	settings, err := settingsText(m.Settings)
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `UPDATE merchants SET name = $1, disabled = $2, settings = $3 WHERE id = $4`, m.Name, m.Disabled, settings, m.ID)
	if err == nil && tag.RowsAffected() == 0 {
		err = fmt.Errorf("postgres: there is no merchant %d", m.ID)
	}
	return err
}

const selectCredential = `SELECT merchant, dialect, kind, lookup, data, sealed, disabled, hint, created_at, expires_at FROM credentials`

func credentialOf(r row) merchant.Credential {
	return merchant.Credential{
		Merchant: r.int(0), Dialect: r.text(1), Kind: r.text(2), Lookup: r.text(3), Data: r.bytes(4), Sealed: r.bytes(5), Disabled: r.bool(6),
		Hint: r.text(7), CreatedAt: r.time(8), ExpiresAt: r.time(9),
	}
}

func putCredential(ctx context.Context, tx pgx.Tx, c merchant.Credential, onConflict string) (pgconn.CommandTag, error) {
	return tx.Exec(ctx, `INSERT INTO credentials (merchant, dialect, kind, lookup, data, sealed, disabled, hint, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, nullif($8, ''), $9, $10) `+onConflict,
		c.Merchant, c.Dialect, c.Kind, c.Lookup, nonEmpty(c.Data), nonEmpty(c.Sealed), c.Disabled, c.Hint, milliOrNull(c.CreatedAt), milliOrNull(c.ExpiresAt))
}

const replaceCredential = `ON CONFLICT (dialect, kind, lookup) DO UPDATE SET merchant = excluded.merchant, data = excluded.data, sealed = excluded.sealed,
	disabled = excluded.disabled, hint = excluded.hint, created_at = excluded.created_at, expires_at = excluded.expires_at`

// Credential implements store.Registry.
func (s *Store) Credential(ctx context.Context, dialect, kind, lookup string) (found *merchant.Credential, err error) {
	err = each(ctx, s.readers, selectCredential+` WHERE dialect = $1 AND kind = $2 AND lookup = $3`, func(r row) error {
		c := credentialOf(r)
		found = &c
		return nil
	}, dialect, kind, lookup)
	return found, err
}

// Credentials implements store.Registry.
func (s *Store) Credentials(ctx context.Context, of int64) (all []merchant.Credential, err error) {
	err = each(ctx, s.readers, selectCredential+` WHERE merchant = $1 ORDER BY dialect, kind, lookup`,
		func(r row) error {
			all = append(all, credentialOf(r))
			return nil
		}, of)
	return all, err
}

// PutCredential implements store.Registry.
func (s *Store) PutCredential(ctx context.Context, c merchant.Credential) error {
	return s.change(ctx, func(tx pgx.Tx) error {
		_, err := putCredential(ctx, tx, c, replaceCredential)
		return err
	})
}

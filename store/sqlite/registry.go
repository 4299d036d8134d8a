package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/store"
)

// Meta implements store.Registry.
func (s *Store) Meta(ctx context.Context, name string) (value []byte, err error) {
	err = s.read(ctx, func(r *reader) error { value, err = meta(r.conn, name); return err })
	return value, err
}

func meta(conn *sqlite.Conn, name string) (value []byte, err error) {
	stmt := conn.Prep(`SELECT value FROM meta WHERE name = ?`)
	stmt.BindText(1, name)
	err = each(stmt, func(row *sqlite.Stmt) error {
		value = append([]byte{}, columnBytes(row, 0)...)
		return nil
	})
	return value, err
}

// PutMeta implements store.Registry.
func (s *Store) PutMeta(ctx context.Context, name string, value []byte, once bool) (kept []byte, err error) {
	err = s.change(ctx, func(conn *sqlite.Conn) error {
		if err := putMeta(conn, name, value, once); err != nil {
			return err
		}
		kept, err = meta(conn, name)
		return err
	})
	return kept, err
}

func putMeta(conn *sqlite.Conn, name string, value []byte, once bool) error {
	stmt := conn.Prep(adding(`INSERT`, "meta") + ` ON CONFLICT (name)
		DO UPDATE SET value = excluded.value, checksum = excluded.checksum WHERE NOT ?`)
	stmt.BindText(1, name)
	stmt.BindBytes(2, value)
	stmt.BindBool(3, once)
	return run(stmt)
}

// metaAhead is under what name it is kept how far the sandbox's clock is
// ahead, in milliseconds.
const metaAhead = "clock_offset"

// ClockAhead implements store.Registry.
func (s *Store) ClockAhead(ctx context.Context) (ahead time.Duration, err error) {
	err = s.read(ctx, func(r *reader) error { ahead, err = clockAhead(r.conn); return err })
	return ahead, err
}

func clockAhead(conn *sqlite.Conn) (time.Duration, error) {
	text, err := meta(conn, metaAhead)
	if err != nil || text == nil {
		return 0, err
	}
	ms, err := strconv.ParseInt(string(text), 10, 64)
	return time.Duration(ms) * time.Millisecond, err
}

// MoveClock implements store.Registry.
func (s *Store) MoveClock(ctx context.Context, ahead time.Duration) (now time.Duration, err error) {
	err = s.change(ctx, func(conn *sqlite.Conn) error {
		if now, err = clockAhead(conn); err != nil {
			return err
		}
		now = max(now, ahead.Truncate(time.Millisecond))
		return putMeta(conn, metaAhead, strconv.AppendInt(nil, now.Milliseconds(), 10), false)
	})
	return now, err
}

const selectMerchant = `SELECT id, tenant, name, disabled, created_at, settings FROM merchants`

func merchantOf(row *sqlite.Stmt) (m merchant.Merchant, err error) {
	m = merchant.Merchant{
		ID: row.ColumnInt64(0), Tenant: row.ColumnInt64(1), Name: row.ColumnText(2),
		Disabled: row.ColumnBool(3), CreatedAt: columnTime(row, 4),
	}
	if settings := columnBytes(row, 5); settings != nil {
		err = json.Unmarshal(settings, &m.Settings)
	}
	return m, err
}

func bindSettings(stmt *sqlite.Stmt, param int, settings map[string]json.RawMessage) error {
	if len(settings) == 0 {
		stmt.BindNull(param)
		return nil
	}
	text, err := json.Marshal(settings)
	stmt.BindText(param, string(text))
	return err
}

// CreateMerchant implements store.Registry.
func (s *Store) CreateMerchant(ctx context.Context, m *merchant.Merchant, credentials []merchant.Credential) error {
	created := *m
	err := s.change(ctx, func(conn *sqlite.Conn) error {
		if err := createMerchant(conn, &created); err != nil {
			return err
		}
		for _, c := range credentials {
			c.Merchant = created.ID
			if err := putCredential(conn, `INSERT`, c); err != nil {
				return err
			}
		}
		return nil
	})
	if sqlite.ErrCode(err) == sqlite.ResultConstraintPrimaryKey {
		return store.ErrExists
	}
	if err == nil {
		m.ID, m.Tenant = created.ID, created.Tenant
	}
	return err
}

// createMerchant inserts a merchant and sets its ID and tenant.
func createMerchant(conn *sqlite.Conn, m *merchant.Merchant) error {
	stmt := conn.Prep(`INSERT INTO merchants (tenant, name, disabled, created_at, settings)
		VALUES (ifnull(?, (SELECT max(ifnull(max(tenant), 0), ifnull(max(id), 0)) + 1 FROM merchants)), ?, ?, ?, ?) RETURNING id, tenant`)
	bind(stmt, 1, m.Tenant)
	stmt.BindText(2, m.Name)
	stmt.BindBool(3, m.Disabled)
	stmt.BindInt64(4, m.CreatedAt.UnixMilli())
	if err := bindSettings(stmt, 5, m.Settings); err != nil {
		return err
	}
	err := each(stmt, func(row *sqlite.Stmt) error {
		m.ID, m.Tenant = row.ColumnInt64(0), row.ColumnInt64(1)
		return nil
	})
	if err != nil {
		return err
	}
	return stamp(conn, "merchants", `id = ?`, m.ID)
}

// Merchant implements store.Registry.
func (s *Store) Merchant(ctx context.Context, id int64) (found *merchant.Merchant, err error) {
	err = s.read(ctx, func(r *reader) error {
		stmt := r.conn.Prep(selectMerchant + ` WHERE id = ?`)
		stmt.BindInt64(1, id)
		return each(stmt, func(row *sqlite.Stmt) error {
			m, err := merchantOf(row)
			found = &m
			return err
		})
	})
	return found, err
}

// Merchants implements store.Registry.
func (s *Store) Merchants(ctx context.Context) (all []merchant.Merchant, err error) {
	err = s.read(ctx, func(r *reader) error {
		return each(r.conn.Prep(selectMerchant+` ORDER BY id`), func(row *sqlite.Stmt) error {
			m, err := merchantOf(row)
			all = append(all, m)
			return err
		})
	})
	return all, err
}

// UpdateMerchant implements store.Registry.
func (s *Store) UpdateMerchant(ctx context.Context, m merchant.Merchant) error {
	return s.change(ctx, func(conn *sqlite.Conn) error { return updateMerchant(conn, m) })
}

func updateMerchant(conn *sqlite.Conn, m merchant.Merchant) error {
	stmt := conn.Prep(`UPDATE merchants SET name = ?, disabled = ?, settings = ? WHERE id = ?`)
	stmt.BindText(1, m.Name)
	stmt.BindBool(2, m.Disabled)
	if err := bindSettings(stmt, 3, m.Settings); err != nil {
		return err
	}
	stmt.BindInt64(4, m.ID)
	err := run(stmt)
	if err == nil && conn.Changes() == 0 {
		err = fmt.Errorf("sqlite: there is no merchant %d", m.ID)
	}
	if err != nil {
		return err
	}
	return stamp(conn, "merchants", `id = ?`, m.ID)
}

const selectCredential = `SELECT merchant, dialect, kind, lookup, data, sealed, disabled, hint, created_at, expires_at FROM credentials`

func credentialOf(row *sqlite.Stmt) merchant.Credential {
	return merchant.Credential{
		Merchant: row.ColumnInt64(0), Dialect: row.ColumnText(1), Kind: row.ColumnText(2), Lookup: row.ColumnText(3),
		Data: columnBytes(row, 4), Sealed: columnBytes(row, 5), Disabled: row.ColumnBool(6),
		Hint: row.ColumnText(7), CreatedAt: columnTime(row, 8), ExpiresAt: columnTime(row, 9),
	}
}

func putCredential(conn *sqlite.Conn, verb string, c merchant.Credential) error {
	stmt := conn.Prep(adding(verb, "credentials"))
	stmt.BindInt64(1, c.Merchant)
	stmt.BindText(2, c.Dialect)
	stmt.BindText(3, c.Kind)
	stmt.BindText(4, c.Lookup)
	bindBytes(stmt, 5, c.Data)
	bindBytes(stmt, 6, c.Sealed)
	stmt.BindBool(7, c.Disabled)
	if stmt.BindNull(8); c.Hint != "" {
		stmt.BindText(8, c.Hint)
	}
	bindTime(stmt, 9, c.CreatedAt)
	bindTime(stmt, 10, c.ExpiresAt)
	return run(stmt)
}

// Credential implements store.Registry.
func (s *Store) Credential(ctx context.Context, dialect, kind, lookup string) (found *merchant.Credential, err error) {
	err = s.read(ctx, func(r *reader) error {
		stmt := r.conn.Prep(selectCredential + ` WHERE dialect = ? AND kind = ? AND lookup = ?`)
		stmt.BindText(1, dialect)
		stmt.BindText(2, kind)
		stmt.BindText(3, lookup)
		return each(stmt, func(row *sqlite.Stmt) error {
			c := credentialOf(row)
			found = &c
			return nil
		})
	})
	return found, err
}

// Credentials implements store.Registry.
func (s *Store) Credentials(ctx context.Context, of int64) (all []merchant.Credential, err error) {
	err = s.read(ctx, func(r *reader) error {
		stmt := r.conn.Prep(selectCredential + ` WHERE merchant = ? ORDER BY dialect, kind, lookup`)
		stmt.BindInt64(1, of)
		return each(stmt, func(row *sqlite.Stmt) error {
			all = append(all, credentialOf(row))
			return nil
		})
	})
	return all, err
}

// PutCredential implements store.Registry.
func (s *Store) PutCredential(ctx context.Context, c merchant.Credential) error {
	return s.change(ctx, func(conn *sqlite.Conn) error { return putCredential(conn, `INSERT OR REPLACE`, c) })
}

package sqlite

import (
	"context"
	"math"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/store"
)

const selectAct = `SELECT number, at, by, action, merchant, subject, details, chain FROM acts`

func actOf(row *sqlite.Stmt) store.Act {
	a := store.Act{
		Number: row.ColumnInt64(0), At: columnTime(row, 1), By: row.ColumnText(2), Action: row.ColumnText(3),
		Merchant: row.ColumnInt64(4), Subject: row.ColumnText(5), Details: columnBytes(row, 6),
	}
	row.ColumnBytes(7, a.Chain[:])
	return a
}

// Administer implements store.Acts.
func (s *Store) Administer(ctx context.Context, c store.Administration) (store.Act, error) {
	act, create := c.Act, c.Create
	if c.Create != nil { // its ID is set only when it is there
		created := *c.Create
		c.Create = &created
	}
	err := s.change(ctx, func(conn *sqlite.Conn) error {
		var last store.Act
		err := each(conn.Prep(selectAct+` ORDER BY number DESC LIMIT 1`), func(row *sqlite.Stmt) error {
			last = actOf(row)
			return nil
		})
		if err == nil && act.Number != last.Number+1 {
			err = store.ErrConflict
		}
		if err == nil && c.Create != nil {
			err = createMerchant(conn, c.Create)
			act.Merchant = c.Create.ID
		}
		if err == nil && c.Change != nil {
			err = updateMerchant(conn, *c.Change)
		}
		for name, value := range c.Meta {
			if err == nil {
				err = putMeta(conn, name, value, false)
			}
		}
		if err == nil {
			err = putOwn(conn, c, act.Merchant)
		}
		if err != nil {
			return err
		}
		act.Chain = act.Follow(last.Chain)
		return addAct(conn, act)
	})
	if err != nil {
		return store.Act{}, err
	}
	if create != nil {
		create.ID, create.Tenant = c.Create.ID, c.Create.Tenant
	}
	return act, nil
}

// putOwn stores the credentials of an administration, and refuses to take one
// from another merchant. Those of a merchant that was just created are his.
func putOwn(conn *sqlite.Conn, a store.Administration, created int64) error {
	for _, c := range a.Put {
		if a.Create != nil {
			c.Merchant = created
		}
		stmt := conn.Prep(selectCredential + ` WHERE dialect = ? AND kind = ? AND lookup = ?`)
		stmt.BindText(1, c.Dialect)
		stmt.BindText(2, c.Kind)
		stmt.BindText(3, c.Lookup)
		err := each(stmt, func(row *sqlite.Stmt) error {
			if row.ColumnInt64(0) != c.Merchant {
				return store.ErrExists
			}
			return nil
		})
		if err == nil {
			err = putCredential(conn, `INSERT OR REPLACE`, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func addAct(conn *sqlite.Conn, a store.Act) error {
	stmt := conn.Prep(`INSERT INTO acts (number, at, by, action, merchant, subject, details, chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
	stmt.BindInt64(1, a.Number)
	stmt.BindInt64(2, a.At.UnixMilli())
	stmt.BindText(3, a.By)
	stmt.BindText(4, a.Action)
	bind(stmt, 5, a.Merchant)
	stmt.BindText(6, a.Subject)
	bindBytes(stmt, 7, a.Details)
	stmt.BindBytes(8, a.Chain[:])
	return run(stmt)
}

// Acts implements store.Acts.
func (s *Store) Acts(ctx context.Context, merchant, before int64, limit int) (acts []store.Act, err error) {
	if before == 0 {
		before = math.MaxInt64
	}
	err = s.read(ctx, func(r *reader) error {
		query := selectAct + ` WHERE number < ?`
		if merchant != 0 {
			query += ` AND merchant = ?3`
		}
		stmt := r.conn.Prep(query + ` ORDER BY number DESC LIMIT ?2`)
		stmt.BindInt64(1, before)
		stmt.BindInt64(2, int64(limit))
		if merchant != 0 {
			stmt.BindInt64(3, merchant)
		}
		return each(stmt, func(row *sqlite.Stmt) error {
			acts = append(acts, actOf(row))
			return nil
		})
	})
	return acts, err
}

func (a *audit) Acts(fn func(store.Act) error) error {
	return a.each(selectAct+` ORDER BY number`, func(row *sqlite.Stmt) error { return fn(actOf(row)) })
}

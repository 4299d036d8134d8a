package sqlite

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/wallet"
)

// CreateUser implements store.Registry.
func (s *Store) CreateUser(ctx context.Context, m int64, u *wallet.User, opening []wallet.Balance, at time.Time) error {
	var id int64
	err := s.change(ctx, func(conn *sqlite.Conn) error {
		stmt := conn.Prep(`INSERT INTO wallet_users (tenant, frozen) VALUES (?, ?)`)
		stmt.BindInt64(1, u.Tenant)
		stmt.BindBool(2, u.Frozen)
		if err := run(stmt); err != nil {
			return err
		}
		id = conn.LastInsertRowID()
		if err := stamp(conn, "wallet_users", `id = ?`, id); err != nil {
			return err
		}
		for _, b := range opening {
			b.User = id
			empty := conn.Prep(`INSERT INTO wallet_balances (user, currency, available) VALUES (?, ?, 0)`)
			empty.BindInt64(1, id)
			empty.BindText(2, string(b.Currency))
			if err := run(empty); err != nil {
				return err
			}
			if err := s.writer.deposit(m, b, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		u.ID = id
	}
	return err
}

// Deposit implements store.Registry.
func (s *Store) Deposit(ctx context.Context, m, tenant int64, b wallet.Balance, at time.Time) error {
	return s.change(ctx, func(conn *sqlite.Conn) error {
		u, err := user(conn, tenant, b.User)
		if err == nil && u == nil {
			err = fmt.Errorf("sqlite: there is no wallet user %d", b.User)
		}
		if err != nil {
			return err
		}
		return s.writer.deposit(m, b, at)
	})
}

// deposit posts money from the issuance account to a wallet, or back. It takes
// a number as an event does.
func (w *writer) deposit(m int64, b wallet.Balance, at time.Time) error {
	issuance := ledger.Account{Merchant: m, Kind: ledger.Issuance, Currency: b.Currency}
	purseOf := ledger.Account{Merchant: m, Kind: ledger.Wallet, Holder: b.User, Currency: b.Currency}
	entry := ledger.Move(b.Available, issuance, purseOf)
	if entry == nil {
		return nil
	}
	if err := w.addDeposit(m, b.User, at, entry); err != nil {
		return err
	}
	return w.give(purse{b.User, b.Currency}, b.Available)
}

// addDeposit appends a deposit with its entry.
func (w *writer) addDeposit(m, user int64, at time.Time, entry ledger.Entry) error {
	w.lastEvent++
	stmt := w.conn.Prep(adding(`INSERT`, "deposits"))
	stmt.BindInt64(1, w.lastEvent)
	stmt.BindInt64(2, m)
	stmt.BindInt64(3, user)
	stmt.BindInt64(4, at.UnixMilli())
	if err := run(stmt); err != nil {
		return err
	}
	return w.post(entry)
}

// User implements store.Registry.
func (s *Store) User(ctx context.Context, tenant, id int64) (found *wallet.User, balances []wallet.Balance, err error) {
	err = s.view(ctx, func(r *reader) error {
		if found, err = user(r.conn, tenant, id); err != nil || found == nil {
			return err
		}
		stmt := r.conn.Prep(`SELECT currency, available FROM wallet_balances WHERE user = ? ORDER BY currency`)
		stmt.BindInt64(1, id)
		return each(stmt, func(row *sqlite.Stmt) error {
			balances = append(balances, wallet.Balance{User: id, Currency: money.Currency(row.ColumnText(0)), Available: row.ColumnInt64(1)})
			return nil
		})
	})
	return found, balances, err
}

func user(conn *sqlite.Conn, tenant, id int64) (found *wallet.User, err error) {
	stmt := conn.Prep(`SELECT frozen FROM wallet_users WHERE id = ? AND tenant = ?`)
	stmt.BindInt64(1, id)
	stmt.BindInt64(2, tenant)
	err = each(stmt, func(row *sqlite.Stmt) error {
		found = &wallet.User{ID: id, Tenant: tenant, Frozen: row.ColumnBool(0)}
		return nil
	})
	return found, err
}

// UpdateUser implements store.Registry.
func (s *Store) UpdateUser(ctx context.Context, u wallet.User) error {
	return s.change(ctx, func(conn *sqlite.Conn) error {
		stmt := conn.Prep(`UPDATE wallet_users SET frozen = ? WHERE id = ? AND tenant = ?`)
		stmt.BindBool(1, u.Frozen)
		stmt.BindInt64(2, u.ID)
		stmt.BindInt64(3, u.Tenant)
		err := run(stmt)
		if err == nil && conn.Changes() == 0 {
			err = fmt.Errorf("sqlite: there is no wallet user %d", u.ID)
		}
		if err != nil {
			return err
		}
		return stamp(conn, "wallet_users", `id = ?`, u.ID)
	})
}

const (
	selectGrants = `SELECT tenant, name, user, expires_at, revoked FROM wallet_grants`
	selectGrant  = selectGrants + ` WHERE tenant = ? AND name = ?`
)

// PutGrant implements store.Registry.
func (s *Store) PutGrant(ctx context.Context, g wallet.Grant) error {
	return s.change(ctx, func(conn *sqlite.Conn) error { return putGrant(conn, g) })
}

func putGrant(conn *sqlite.Conn, g wallet.Grant) error {
	stmt := conn.Prep(adding(`INSERT OR REPLACE`, "wallet_grants"))
	stmt.BindInt64(1, g.Tenant)
	stmt.BindText(2, g.Name)
	stmt.BindInt64(3, g.User)
	stmt.BindInt64(4, g.ExpiresAt.UnixMilli())
	stmt.BindBool(5, g.Revoked)
	return run(stmt)
}

// UseGrant implements store.Registry.
func (s *Store) UseGrant(ctx context.Context, tenant int64, name string) (first bool, err error) {
	err = s.change(ctx, func(conn *sqlite.Conn) error {
		stmt := conn.Prep(`UPDATE wallet_grants SET revoked = 1 WHERE tenant = ? AND name = ? AND NOT revoked`)
		stmt.BindInt64(1, tenant)
		stmt.BindText(2, name)
		err := run(stmt)
		first = err == nil && conn.Changes() == 1
		if !first {
			return err
		}
		return stamp(conn, "wallet_grants", `tenant = ? AND name = ?`, tenant, name)
	})
	return first && err == nil, err
}

// Grant implements store.Registry.
func (s *Store) Grant(ctx context.Context, tenant int64, name string) (found *wallet.Grant, err error) {
	err = s.read(ctx, func(r *reader) error {
		stmt := r.conn.Prep(selectGrant)
		stmt.BindInt64(1, tenant)
		stmt.BindText(2, name)
		return each(stmt, func(row *sqlite.Stmt) error {
			g := grantOf(row)
			found = &g
			return nil
		})
	})
	return found, err
}

func grantOf(row *sqlite.Stmt) wallet.Grant {
	return wallet.Grant{
		Tenant: row.ColumnInt64(0), Name: row.ColumnText(1), User: row.ColumnInt64(2),
		ExpiresAt: time.UnixMilli(row.ColumnInt64(3)).UTC(), Revoked: row.ColumnBool(4),
	}
}

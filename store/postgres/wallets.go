package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/wallet"
)

// CreateUser implements store.Registry.
func (s *Store) CreateUser(ctx context.Context, m int64, u *wallet.User, opening []wallet.Balance, at time.Time) error {
	var id int64
	err := s.change(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `INSERT INTO wallet_users (tenant, frozen) VALUES ($1, $2) RETURNING id`, u.Tenant, u.Frozen).Scan(&id)
		if err != nil {
			return err
		}
		for _, b := range opening {
			b.User = id
			_, err := tx.Exec(ctx, `INSERT INTO wallet_balances (tenant, holder, currency, available) VALUES ($1, $2, $3, 0)`, u.Tenant, id, string(b.Currency))
			if err == nil {
				err = s.deposit(ctx, tx, m, u.Tenant, b, at)
			}
			if err != nil {
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
	return s.change(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `INSERT INTO wallet_balances (tenant, holder, currency, available)
			SELECT tenant, id, $3, 0 FROM wallet_users WHERE tenant = $1 AND id = $2
			ON CONFLICT (tenant, holder, currency) DO UPDATE SET available = wallet_balances.available`, tenant, b.User, string(b.Currency))
		if err == nil && tag.RowsAffected() == 0 {
			err = fmt.Errorf("postgres: there is no wallet user %d", b.User)
		}
		if err != nil {
			return err
		}
		return s.deposit(ctx, tx, m, tenant, b, at)
	})
}

// deposit posts money from the issuance account to a wallet, or back.
func (s *Store) deposit(ctx context.Context, tx pgx.Tx, m, tenant int64, b wallet.Balance, at time.Time) error {
	issuance := ledger.Account{Merchant: m, Kind: ledger.Issuance, Currency: b.Currency}
	purseOf := ledger.Account{Merchant: m, Kind: ledger.Wallet, Holder: b.User, Currency: b.Currency}
	entry := ledger.Move(b.Available, issuance, purseOf)
	if entry == nil {
		return nil
	}
	numbers := map[ownAccount]int64{{tenant, issuance}: 0, {tenant, purseOf}: 0}
	if err := s.number(ctx, tx.Conn(), numbers); err != nil {
		return err
	}
	var postings []int64
	for _, p := range entry {
		account := numbers[ownAccount{tenant, p.Account}]
		postings = append(postings, account, p.Minor)
		if _, err := tx.Exec(ctx, `INSERT INTO balance_changes (tenant, account, minor) VALUES ($1, $2, $3)`, tenant, account, p.Minor); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `INSERT INTO deposits (tenant, merchant, holder, at, postings) VALUES ($1, $2, $3, $4, $5)`,
		tenant, m, b.User, at.UnixMilli(), postings)
	if err == nil {
		_, err = tx.Exec(ctx, `UPDATE wallet_balances SET available = available + $1 WHERE tenant = $2 AND holder = $3 AND currency = $4`,
			b.Available, tenant, b.User, string(b.Currency))
	}
	return err
}

// User implements store.Registry.
func (s *Store) User(ctx context.Context, tenant, id int64) (found *wallet.User, balances []wallet.Balance, err error) {
	err = each(ctx, s.readers, `SELECT u.frozen, b.currency, b.available FROM wallet_users u
		LEFT JOIN wallet_balances b ON b.tenant = u.tenant AND b.holder = u.id WHERE u.tenant = $1 AND u.id = $2 ORDER BY b.currency`,
		func(r row) error {
			found = &wallet.User{ID: id, Tenant: tenant, Frozen: r.bool(0)}
			if r[1] != nil {
				balances = append(balances, wallet.Balance{User: id, Currency: money.Currency(r.text(1)), Available: r.int(2)})
			}
			return nil
		}, tenant, id)
	return found, balances, err
}

// UpdateUser implements store.Registry.
func (s *Store) UpdateUser(ctx context.Context, u wallet.User) error {
	return s.change(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE wallet_users SET frozen = $1 WHERE tenant = $2 AND id = $3`, u.Frozen, u.Tenant, u.ID)
		if err == nil && tag.RowsAffected() == 0 {
			err = fmt.Errorf("postgres: there is no wallet user %d", u.ID)
		}
		return err
	})
}

const grantColumns = `tenant, name, holder, expires_at, revoked`

func grantOf(r row) wallet.Grant {
	return wallet.Grant{Tenant: r.int(0), Name: r.text(1), User: r.int(2), ExpiresAt: time.UnixMilli(r.int(3)).UTC(), Revoked: r.bool(4)}
}

// PutGrant implements store.Registry.
func (s *Store) PutGrant(ctx context.Context, g wallet.Grant) error {
	return s.change(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO wallet_grants (tenant, name, holder, expires_at, revoked) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (tenant, name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at, revoked = excluded.revoked`,
			g.Tenant, g.Name, g.User, g.ExpiresAt.UnixMilli(), g.Revoked)
		return err
	})
}

// UseGrant implements store.Registry.
func (s *Store) UseGrant(ctx context.Context, tenant int64, name string) (first bool, err error) {
	err = s.change(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE wallet_grants SET revoked = true WHERE tenant = $1 AND name = $2 AND NOT revoked`, tenant, name)
		first = err == nil && tag.RowsAffected() == 1
		return err
	})
	return first && err == nil, err
}

// Grant implements store.Registry.
func (s *Store) Grant(ctx context.Context, tenant int64, name string) (found *wallet.Grant, err error) {
	err = each(ctx, s.readers, `SELECT `+grantColumns+` FROM wallet_grants WHERE tenant = $1 AND name = $2`,
		func(r row) error {
			g := grantOf(r)
			found = &g
			return nil
		}, tenant, name)
	return found, err
}

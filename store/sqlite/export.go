package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

var _ store.Movable = (*Store)(nil)

// InUse implements store.Movable. Who has the store open for writing is the
// only one.
func (s *Store) InUse(context.Context) (time.Time, error) { return time.Time{}, nil }

// Export implements store.Movable.
func (s *Store) Export(ctx context.Context, fn func(store.Export) error) error {
	return s.Audit(ctx, func(view store.Audit) error {
		a, ok := view.(*audit)
		if !ok {
			return fmt.Errorf("sqlite: unexpected %T", view)
		}
		return fn(a)
	})
}

// exported are the tables with what is moved.
const exported = `meta merchants credentials wallet_users wallet_balances wallet_grants deposits states events records timers counters
	marks documents notices deliveries attempts acts`

// Rows implements store.Export.
func (a *audit) Rows() (rows int64, err error) {
	for _, table := range strings.Fields(exported) {
		n, err := integer(a.conn, `SELECT count(*) FROM `+table)
		if err != nil {
			return 0, err
		}
		rows += int64(n)
	}
	return rows, nil
}

// Meta implements store.Export. How far the clock is ahead is not among them.
func (a *audit) Meta(fn func(store.Meta) error) error {
	return a.each(`SELECT name, value FROM meta WHERE name <> '`+metaAhead+`' ORDER BY name`, func(row *sqlite.Stmt) error {
		return fn(store.Meta{Name: row.ColumnText(0), Value: columnBytes(row, 1)})
	})
}

// Merchants implements store.Export.
func (a *audit) Merchants(fn func(merchant.Merchant) error) error {
	return a.each(selectMerchant+` ORDER BY id`, func(row *sqlite.Stmt) error {
		m, err := merchantOf(row)
		if err != nil {
			return err
		}
		return fn(m)
	})
}

// Credentials implements store.Export.
func (a *audit) Credentials(fn func(merchant.Credential) error) error {
	return a.each(selectCredential+` ORDER BY dialect, kind, lookup`, func(row *sqlite.Stmt) error { return fn(credentialOf(row)) })
}

// Users implements store.Export.
func (a *audit) Users(fn func(wallet.User) error) error {
	return a.each(`SELECT id, tenant, frozen FROM wallet_users ORDER BY id`, func(row *sqlite.Stmt) error {
		return fn(wallet.User{ID: row.ColumnInt64(0), Tenant: row.ColumnInt64(1), Frozen: row.ColumnBool(2)})
	})
}

// Grants implements store.Export.
func (a *audit) Grants(fn func(wallet.Grant) error) error {
	return a.each(selectGrants+` ORDER BY tenant, name`, func(row *sqlite.Stmt) error { return fn(grantOf(row)) })
}

// Deposits implements store.Export.
func (a *audit) Deposits(fn func(store.Deposit) error) error {
	return a.postings(func(lines func(int64, func(ledger.Posting) error) error) error {
		return a.each(`SELECT d.id, d.merchant, d.user, d.at, ifnull(u.tenant, 0) FROM deposits d LEFT JOIN wallet_users u ON u.id = d.user ORDER BY d.id`,
			func(row *sqlite.Stmt) error {
				d := store.Deposit{Merchant: row.ColumnInt64(1), User: row.ColumnInt64(2), At: columnTime(row, 3), Tenant: row.ColumnInt64(4)}
				err := lines(row.ColumnInt64(0), func(p ledger.Posting) error {
					d.Entry = append(d.Entry, p)
					return nil
				})
				if err != nil {
					return err
				}
				return fn(d)
			})
	})
}

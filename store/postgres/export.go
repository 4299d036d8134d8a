package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

var _ store.Movable = (*Store)(nil)

// InUse implements store.Movable: until the last lease of another instance.
func (s *Store) InUse(ctx context.Context) (until time.Time, err error) {
	var last *time.Time
	err = s.readers.QueryRow(ctx, `SELECT max(lease_until) FROM instances WHERE epoch <> $1 AND lease_until > clock_timestamp()`, s.epoch.Load()).Scan(&last)
	if last != nil {
		until = *last
	}
	return until, err
}

// Export implements store.Movable.
func (s *Store) Export(ctx context.Context, fn func(store.Export) error) error {
	return s.view(ctx, func(a *audit) error { return fn(a) })
}

// exported are the tables with what is moved.
const exported = `meta merchants credentials wallet_users wallet_balances wallet_grants deposits states events records timers counters
	marks documents notices deliveries attempts acts`

// Rows implements store.Export.
func (a *audit) Rows() (rows int64, err error) {
	for _, table := range strings.Fields(exported) {
		var n int64
		if err := a.tx.QueryRow(a.ctx, `SELECT count(*) FROM `+table).Scan(&n); err != nil {
			return 0, err
		}
		rows += n
	}
	return rows, nil
}

// Meta implements store.Export.
func (a *audit) Meta(fn func(store.Meta) error) error {
	return a.each(`SELECT name, value FROM meta ORDER BY name`, func(r row) error {
		return fn(store.Meta{Name: r.text(0), Value: r.bytes(1)})
	})
}

// Merchants implements store.Export.
func (a *audit) Merchants(fn func(merchant.Merchant) error) error {
	return a.each(selectMerchant+` ORDER BY id`, func(r row) error {
		m, err := merchantOf(r)
		if err != nil {
			return err
		}
		return fn(m)
	})
}

// Credentials implements store.Export.
func (a *audit) Credentials(fn func(merchant.Credential) error) error {
	return a.each(selectCredential+` ORDER BY dialect, kind, lookup`, func(r row) error { return fn(credentialOf(r)) })
}

// Users implements store.Export.
func (a *audit) Users(fn func(wallet.User) error) error {
	return a.each(`SELECT id, tenant, frozen FROM wallet_users ORDER BY id, tenant`, func(r row) error {
		return fn(wallet.User{ID: r.int(0), Tenant: r.int(1), Frozen: r.bool(2)})
	})
}

// Grants implements store.Export.
func (a *audit) Grants(fn func(wallet.Grant) error) error {
	return a.each(`SELECT `+grantColumns+` FROM wallet_grants ORDER BY tenant, name`, func(r row) error { return fn(grantOf(r)) })
}

// Deposits implements store.Export.
func (a *audit) Deposits(fn func(store.Deposit) error) error {
	accounts, err := a.accounts()
	if err != nil {
		return err
	}
	return a.each(`SELECT tenant, merchant, holder, at, postings FROM deposits ORDER BY id, tenant`, func(r row) error {
		d := store.Deposit{Tenant: r.int(0), Merchant: r.int(1), User: r.int(2), At: r.time(3)}
		for postings := r.ints(4); len(postings) > 1; postings = postings[2:] {
			d.Entry = append(d.Entry, ledger.Posting{Account: accounts[numbered{d.Tenant, postings[0]}], Minor: postings[1]})
		}
		return fn(d)
	})
}

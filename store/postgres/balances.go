package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/ledger"
)

const (
	selectBalances = `SELECT a.merchant, a.kind, a.holder, a.currency, sum(b.minor)::bigint
		FROM (SELECT tenant, account, minor FROM balances UNION ALL SELECT tenant, account, minor FROM balance_changes) b
		JOIN accounts a ON a.tenant = b.tenant AND a.id = b.account`
	groupBalances = ` GROUP BY a.merchant, a.kind, a.holder, a.currency`
)

// Balances implements store.Reader: what was added up, and what has come since.
func (s *Store) Balances(ctx context.Context, merchant int64) (ledger.Balances, error) {
	return balancesOf(func(fn func(row) error) error {
		if merchant == 0 {
			return each(ctx, s.readers, selectBalances+groupBalances, fn)
		}
		return each(ctx, s.readers, selectBalances+` WHERE a.merchant = $1`+groupBalances, fn, merchant)
	})
}

func balancesOf(rows func(fn func(row) error) error) (ledger.Balances, error) {
	balances := ledger.Balances{}
	err := rows(func(r row) error {
		balances[accountOf(r, 0)] = r.int(4)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return balances, nil
}

// rollUpAfter is how many changes of balances are worth being added up.
const rollUpAfter = 10_000

// rollUp adds the changes of balances up when there are more than a number of
// them. It keeps nobody waiting: commits only append changes.
func (s *Store) rollUp(ctx context.Context, after int) error {
	var count int
	err := s.readers.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM balance_changes LIMIT $1) c`, after+1).Scan(&count)
	if err != nil || count <= after {
		return err
	}
	return s.change(ctx, func(tx pgx.Tx) error {
		var mine bool // of several instances one does it
		if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(hashtext('capstan balances'), hashtext(current_schema()))`).Scan(&mine); err != nil || !mine {
			return err
		}
		_, err := tx.Exec(ctx, `WITH gone AS (DELETE FROM balance_changes RETURNING tenant, account, minor)
			INSERT INTO balances (tenant, account, minor) SELECT tenant, account, sum(minor)::bigint FROM gone GROUP BY tenant, account
			ON CONFLICT (tenant, account) DO UPDATE SET minor = balances.minor + excluded.minor`)
		return err
	})
}

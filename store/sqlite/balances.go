package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
)

// rollUpAfter is how many entries above the mark are added to the rolled-up
// balances in one transaction. Fewer are left for the next time.
const rollUpAfter = 20_000

// Balances implements store.Reader: the balances rolled up to the mark, and
// the entries above it.
func (s *Store) Balances(ctx context.Context, merchant int64) (balances ledger.Balances, err error) {
	err = s.view(ctx, func(r *reader) error {
		balances, err = r.balances(merchant)
		return err
	})
	return balances, err
}

func (r *reader) balances(merchant int64) (ledger.Balances, error) {
	fresh, err := r.fresh(-1)
	if err != nil {
		return nil, err
	}
	balances := ledger.Balances{}
	query := `SELECT id, merchant, kind, holder, currency, minor FROM accounts LEFT JOIN balances ON account = id WHERE ?1 = 0 OR merchant = ?1`
	if merchant != 0 {
		query = `SELECT id, merchant, kind, holder, currency, minor FROM accounts LEFT JOIN balances ON account = id WHERE merchant = ?1`
	}
	stmt, err := r.conn.Prepare(query) // an audit meets stores whose tables are damaged
	if err != nil {
		return nil, err
	}
	stmt.BindInt64(1, merchant)
	err = each(stmt, func(row *sqlite.Stmt) error {
		sum, err := money.Sum(row.ColumnInt64(5), fresh.sums[row.ColumnInt64(0)])
		balances[accountOf(row, 1)] = sum
		return err
	})
	return balances, err
}

func accountOf(row *sqlite.Stmt, column int) ledger.Account {
	return ledger.Account{
		Merchant: row.ColumnInt64(column), Kind: ledger.Kind(row.ColumnInt64(column + 1)),
		Holder: row.ColumnInt64(column + 2), Currency: money.Currency(row.ColumnText(column + 3)),
	}
}

// slice is the sum of some entries above the mark.
type slice struct {
	from, to int64 // the mark, and where it is to be moved
	count    int
	sums     map[int64]int64 // by account
}

// fresh sums the first entries above the mark, limit of them; -1 is all.
func (r *reader) fresh(limit int64) (slice, error) {
	f := slice{sums: map[int64]int64{}}
	mark, err := r.conn.Prepare(`SELECT entry FROM balances_mark`)
	if err != nil {
		return f, err
	}
	err = each(mark, func(row *sqlite.Stmt) error {
		f.from = row.ColumnInt64(0)
		return nil
	})
	if err != nil {
		return f, err
	}
	f.to = f.from
	stmt, err := r.conn.Prepare(selectEntries + ` WHERE id > ? ORDER BY id LIMIT ?`)
	if err != nil {
		return f, err
	}
	stmt.BindInt64(1, f.from)
	stmt.BindInt64(2, limit)
	err = each(stmt, func(row *sqlite.Stmt) error {
		f.to = row.ColumnInt64(0)
		f.count++
		return eachLine(row, func(account, minor int64) (err error) {
			f.sums[account], err = money.Sum(f.sums[account], minor)
			return err
		})
	})
	return f, err
}

// rollUp adds the entries above the mark to the rolled-up balances, a slice
// at a time, so that it never keeps the writer waiting for long.
func (s *Store) rollUp(ctx context.Context) error {
	for {
		var f slice
		err := s.view(ctx, func(r *reader) (err error) {
			f, err = r.fresh(rollUpAfter)
			return err
		})
		if err != nil || f.count < rollUpAfter {
			return err
		}
		if err := s.change(ctx, func(conn *sqlite.Conn) error { return addBalances(conn, f) }); err != nil {
			return err
		}
	}
}

// addBalances moves the mark and the balances on. If the mark has moved
// meanwhile there is nothing to do.
func addBalances(conn *sqlite.Conn, f slice) error {
	mark := conn.Prep(`UPDATE balances_mark SET entry = ? WHERE entry = ?`)
	mark.BindInt64(1, f.to)
	mark.BindInt64(2, f.from)
	if err := run(mark); err != nil || conn.Changes() == 0 {
		return err
	}
	add := conn.Prep(`INSERT INTO balances (account, minor) VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET minor = minor + excluded.minor`)
	for account, minor := range f.sums {
		add.BindInt64(1, account)
		add.BindInt64(2, minor)
		if err := run(add); err != nil {
			return err
		}
	}
	return nil
}

package sqlite

import (
	"context"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

// Audit implements store.Reader. While fn runs the log cannot begin anew, so
// the file beside the store grows with what is written meanwhile.
func (s *Store) Audit(ctx context.Context, fn func(store.Audit) error) error {
	return s.view(ctx, func(r *reader) error {
		if _, err := integer(r.conn, `SELECT count(*) FROM balances_mark`); err != nil { // begins the snapshot
			return err
		}
		return fn(&audit{r.conn})
	})
}

type audit struct{ conn *sqlite.Conn }

// each calls fn with every row of a query. The statement is its own, so walks
// may be nested.
func (a *audit) each(query string, fn func(row *sqlite.Stmt) error) error {
	stmt, _, err := a.conn.PrepareTransient(query)
	if err != nil {
		return err
	}
	err = each(stmt, fn)
	return errors.Join(err, stmt.Finalize())
}

const selectStates = `SELECT payment, tenant, merchant, version, status, updated_at,
	authorized, extended, captured, voided, released, refunded FROM states`

func stateOf(row *sqlite.Stmt) store.State {
	return store.State{
		Payment: payment.ID(row.ColumnInt64(0)), Tenant: row.ColumnInt64(1), Merchant: row.ColumnInt64(2),
		Version: row.ColumnInt(3), Status: payment.Status(row.ColumnInt64(4)), UpdatedAt: columnTime(row, 5),
		Authorized: row.ColumnInt64(6), Extended: row.ColumnInt64(7), Captured: row.ColumnInt64(8),
		Voided: row.ColumnInt64(9), Released: row.ColumnInt64(10), Refunded: row.ColumnInt64(11),
	}
}

func (a *audit) States(fn func(store.State) error) error {
	return a.each(selectStates+` ORDER BY payment`, func(row *sqlite.Stmt) error { return fn(stateOf(row)) })
}

// Events sorts the numbers of the events only, and looks each event up.
func (a *audit) Events(fn func(payment.ID, int, payment.Event) error) error {
	event, _, err := a.conn.PrepareTransient(selectEvent + ` LIMIT 1`)
	if err != nil {
		return err
	}
	defer event.Finalize()
	h := history{event: event}
	return a.each(`SELECT id FROM events ORDER BY payment, sequence, id`, func(order *sqlite.Stmt) error {
		var id payment.ID
		var sequence int
		var e payment.Event
		event.BindInt64(1, order.ColumnInt64(0))
		err := each(event, func(row *sqlite.Stmt) error {
			id, sequence = payment.ID(row.ColumnInt64(1)), row.ColumnInt(2)
			if err := h.read(row, &e); err != nil {
				return fmt.Errorf("event %d of payment %s: %w", sequence, id, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
		return fn(id, sequence, e)
	})
}

// Postings walks the deposits and then the events.
func (a *audit) Postings(fn func(payment.ID, int, ledger.Posting) error) error {
	accounts := map[int64]ledger.Account{}
	err := a.each(`SELECT id, merchant, kind, holder, currency FROM accounts`, func(row *sqlite.Stmt) error {
		accounts[row.ColumnInt64(0)] = accountOf(row, 1)
		return nil
	})
	if err != nil {
		return err
	}
	entries, _, err := a.conn.PrepareTransient(selectEntries + ` WHERE id BETWEEN ? AND ?`)
	if err != nil {
		return err
	}
	defer entries.Finalize()
	seen := 0
	of := func(number int64, id payment.ID, sequence int) error {
		entries.BindInt64(1, number*rowsPer)
		entries.BindInt64(2, number*rowsPer+rowsPer-1)
		return each(entries, func(row *sqlite.Stmt) error {
			seen++
			return eachLine(row, func(account, minor int64) error {
				if _, ok := accounts[account]; !ok {
					return fmt.Errorf("a posting of payment %s is to account %d, which does not exist", id, account)
				}
				return fn(id, sequence, ledger.Posting{Account: accounts[account], Minor: minor})
			})
		})
	}
	err = a.each(`SELECT id FROM deposits ORDER BY id`, func(row *sqlite.Stmt) error { return of(row.ColumnInt64(0), 0, 0) })
	if err != nil {
		return err
	}
	err = a.each(`SELECT id, payment, sequence FROM events ORDER BY payment, sequence, id`, func(row *sqlite.Stmt) error {
		return of(row.ColumnInt64(0), payment.ID(row.ColumnInt64(1)), row.ColumnInt(2))
	})
	if err != nil {
		return err
	}
	all, err := integer(a.conn, `SELECT count(*) FROM entries`)
	if err == nil && all != seen {
		err = fmt.Errorf("%d of %d entries belong to no event and no deposit", all-seen, all)
	}
	return err
}

func (a *audit) Records(fn func(store.Record) error) error {
	return a.each(selectRecord, func(row *sqlite.Stmt) error {
		var r store.Record
		if err := readRecord(row, &r); err != nil {
			return err
		}
		return fn(r)
	})
}

func (a *audit) Timers(fn func(payment.Timer) error) error {
	return a.each(selectTimer, func(row *sqlite.Stmt) error { return fn(timerOf(row)) })
}

func (a *audit) WalletBalances(fn func(int64, wallet.Balance) error) error {
	return a.each(`SELECT ifnull(tenant, 0), user, currency, available FROM wallet_balances LEFT JOIN wallet_users ON id = user`, func(row *sqlite.Stmt) error {
		return fn(row.ColumnInt64(0), wallet.Balance{User: row.ColumnInt64(1), Currency: money.Currency(row.ColumnText(2)), Available: row.ColumnInt64(3)})
	})
}

package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

// Audit implements store.Reader. While fn runs the database cannot clean up
// what is overwritten meanwhile.
func (s *Store) Audit(ctx context.Context, fn func(store.Audit) error) error {
	return s.view(ctx, func(a *audit) error { return fn(a) })
}

// view calls fn with a view of one moment.
func (s *Store) view(ctx context.Context, fn func(*audit) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, s.readers, options, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT FROM meta LIMIT 1`); err != nil { // begins the snapshot
			return err
		}
		return fn(&audit{ctx: ctx, tx: tx})
	})
}

// audit reads in one transaction.
type audit struct {
	ctx     context.Context //nolint:containedctx // it lives as long as the call it was given to
	tx      pgx.Tx
	cursors int
}

// fetched is how many rows a walk has in memory at a time.
const fetched = 1000

// each calls fn with every row of a query. Walks may be nested: each has a
// cursor of its own, and what was fetched is copied. One that gives little is a
// single round trip.
func (a *audit) each(query string, fn func(row) error) error {
	a.cursors++
	cursor := fmt.Sprintf("walk_%d", a.cursors)
	fetch := fmt.Sprintf(`FETCH %d FROM %s`, fetched, cursor)
	some, err := a.trip(`DECLARE `+cursor+` NO SCROLL CURSOR FOR `+query, fetch)
	for err == nil {
		for _, r := range some {
			if err := fn(r); err != nil {
				return err
			}
		}
		if len(some) < fetched { // the cursor ends with the transaction
			return nil
		}
		some, err = a.trip(fetch)
	}
	return err
}

// trip sends statements together and returns a copy of the rows that they give.
func (a *audit) trip(statements ...string) (rows []row, err error) {
	pipe := a.tx.Conn().PgConn().StartPipeline(a.ctx)
	for _, s := range statements {
		pipe.SendQueryParams(s, nil, nil, nil, binaryFormat)
	}
	err = pipe.Sync()
	for range statements {
		if err != nil {
			break
		}
		var result any
		if result, err = pipe.GetResults(); err != nil {
			break
		}
		reader, ok := result.(*pgconn.ResultReader)
		if !ok {
			err = fmt.Errorf("postgres: unexpected %T", result)
			break
		}
		for reader.NextRow() {
			values := row(reader.Values())
			copied := make(row, len(values))
			for i := range values {
				copied[i] = values.bytes(i)
			}
			rows = append(rows, copied)
		}
		_, err = reader.Close()
	}
	return rows, errors.Join(err, pipe.Close())
}

const selectStates = `SELECT payment, tenant, merchant, version, status, updated_at,
	authorized, extended, captured, voided, released, refunded FROM states`

func stateOf(r row) store.State {
	return store.State{
		Payment: payment.ID(r.int(0)), Tenant: r.int(1), Merchant: r.int(2), Version: int(r.int(3)), Status: payment.Status(r.int(4)),
		UpdatedAt: r.time(5), Authorized: r.int(6), Extended: r.int(7), Captured: r.int(8), Voided: r.int(9), Released: r.int(10), Refunded: r.int(11),
	}
}

func (a *audit) States(fn func(store.State) error) error {
	return a.each(selectStates+` ORDER BY payment, tenant`, func(r row) error { return fn(stateOf(r)) })
}

const selectAuditEvents = `SELECT payment, sequence, kind, at, operation, amount, body FROM events`

func (a *audit) Events(fn func(payment.ID, int, payment.Event) error) error {
	return a.each(selectAuditEvents+` ORDER BY payment, sequence, tenant`, func(r row) error {
		id, sequence := payment.ID(r.int(0)), int(r.int(1))
		var e payment.Event
		if err := readEvent(r, 2, &e); err != nil {
			return fmt.Errorf("event %d of payment %s: %w", sequence, id, err)
		}
		return fn(id, sequence, e)
	})
}

// Postings walks the deposits and then the events.
func (a *audit) Postings(fn func(payment.ID, int, ledger.Posting) error) error {
	accounts, err := a.accounts()
	if err != nil {
		return err
	}
	entry := func(r row) error {
		tenant, id, sequence := r.int(0), payment.ID(r.int(1)), int(r.int(2))
		for postings := r.ints(3); len(postings) > 1; postings = postings[2:] {
			account := accounts[numbered{tenant, postings[0]}] // one that does not exist is the zero one
			if err := fn(id, sequence, ledger.Posting{Account: account, Minor: postings[1]}); err != nil {
				return err
			}
		}
		return nil
	}
	if err = a.each(`SELECT tenant, 0::bigint, 0, postings FROM deposits ORDER BY id, tenant`, entry); err != nil {
		return err
	}
	return a.each(`SELECT tenant, payment, sequence, postings FROM events WHERE postings IS NOT NULL ORDER BY payment, sequence, tenant`, entry)
}

// numbered is what an account is called in postings.
type numbered struct{ tenant, id int64 }

func (a *audit) accounts() (map[numbered]ledger.Account, error) {
	accounts := map[numbered]ledger.Account{}
	err := a.each(`SELECT tenant, id, merchant, kind, holder, currency FROM accounts`, func(r row) error {
		accounts[numbered{r.int(0), r.int(1)}] = accountOf(r, 2)
		return nil
	})
	return accounts, err
}

func (a *audit) Records(fn func(store.Record) error) error {
	return a.each(`SELECT `+recordColumns+` FROM records r ORDER BY coalesce(r.payment, 0), r.at, r.key`, func(r row) error {
		record, err := readRecord(r)
		if err != nil {
			return err
		}
		return fn(*record)
	})
}

func (a *audit) Timers(fn func(payment.Timer) error) error {
	return a.each(`SELECT `+timerColumns+` FROM timers ORDER BY payment, due, kind, operation`, func(r row) error { return fn(timerOf(r)) })
}

func (a *audit) WalletBalances(fn func(int64, wallet.Balance) error) error {
	return a.each(`SELECT tenant, holder, currency, available FROM wallet_balances ORDER BY holder, currency, tenant`, func(r row) error {
		return fn(r.int(0), wallet.Balance{User: r.int(1), Currency: money.Currency(r.text(2)), Available: r.int(3)})
	})
}

func (a *audit) Counters(fn func(store.Counter) error) error {
	return a.each(`SELECT value, expires, tenant, name FROM counters ORDER BY tenant, name`, func(r row) error {
		return fn(store.Counter{Value: r.bytes(0), Expires: r.time(1), Tenant: r.int(2), Name: r.text(3)})
	})
}

// Balances implements store.Audit.
func (a *audit) Balances() (ledger.Balances, error) {
	return balancesOf(func(fn func(row) error) error { return a.each(selectBalances+groupBalances, fn) })
}

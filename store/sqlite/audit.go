package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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

// Events follows the history of each payment. Where the histories do not lead
// to all events, every event is sorted into its place instead.
func (a *audit) Events(fn func(payment.ID, int, payment.Event) error) error {
	event, _, err := a.conn.PrepareTransient(selectEvent + ` LIMIT 1`)
	if err != nil {
		return err
	}
	defer event.Finalize()
	h := history{event: event}
	return a.numbers(func(number int64, id payment.ID, sequence int) error {
		var e payment.Event
		event.BindInt64(1, number)
		err := each(event, func(row *sqlite.Stmt) error { return h.read(row, &e) })
		if err != nil {
			return fmt.Errorf("event %d of payment %s: %w", sequence, id, err)
		}
		return fn(id, sequence, e)
	})
}

// Postings walks the deposits and then the events.
func (a *audit) Postings(fn func(payment.ID, int, ledger.Posting) error) error {
	return a.postings(func(lines func(int64, func(ledger.Posting) error) error) error {
		err := a.each(`SELECT id FROM deposits ORDER BY id`, func(row *sqlite.Stmt) error {
			return lines(row.ColumnInt64(0), func(p ledger.Posting) error { return fn(0, 0, p) })
		})
		if err != nil {
			return err
		}
		return a.numbers(func(number int64, id payment.ID, sequence int) error {
			return lines(number, func(p ledger.Posting) error { return fn(id, sequence, p) })
		})
	})
}

// postings calls fn with a function that calls another with each posting of a
// number, which is an event's or a deposit's.
func (a *audit) postings(fn func(lines func(number int64, fn func(ledger.Posting) error) error) error) error {
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
	return fn(func(number int64, fn func(ledger.Posting) error) error {
		entries.BindInt64(1, number*rowsPer)
		entries.BindInt64(2, number*rowsPer+rowsPer-1)
		return each(entries, func(row *sqlite.Stmt) error {
			return eachLine(row, func(account, minor int64) error { // an account that does not exist is the zero one
				return fn(ledger.Posting{Account: accounts[account], Minor: minor})
			})
		})
	})
}

// numbers calls fn with the number of each event, by payment and sequence.
func (a *audit) numbers(fn func(number int64, id payment.ID, sequence int) error) error {
	linked, err := a.linked()
	if err != nil {
		return err
	}
	if !linked {
		return a.each(`SELECT id, payment, sequence FROM events ORDER BY payment, sequence, id`, func(row *sqlite.Stmt) error {
			return fn(row.ColumnInt64(0), payment.ID(row.ColumnInt64(1)), row.ColumnInt(2))
		})
	}
	event, _, err := a.conn.PrepareTransient(selectEvent)
	if err != nil {
		return err
	}
	defer event.Finalize()
	var chain []int64
	return a.each(`SELECT payment, version, last_event FROM states ORDER BY payment`, func(row *sqlite.Stmt) error {
		id := payment.ID(row.ColumnInt64(0))
		chain, err = follow(event, chain[:0], id, row.ColumnInt(1), row.ColumnInt64(2))
		if err != nil {
			return err
		}
		if len(chain) != row.ColumnInt(1) {
			return a.search(id, fn)
		}
		for i, number := range slices.Backward(chain) {
			if err := fn(number, id, len(chain)-i); err != nil {
				return err
			}
		}
		return nil
	})
}

// linked tells whether there are as many events as the state rows say.
func (a *audit) linked() (bool, error) {
	said, err := integer(a.conn, `SELECT ifnull(sum(version), 0) FROM states`)
	if err != nil {
		return false, err
	}
	events, err := integer(a.conn, `SELECT count(*) FROM events`)
	return said == events, err
}

// follow appends the numbers of a payment's events, the latest first, as far as
// one leads to the next.
func follow(event *sqlite.Stmt, chain []int64, id payment.ID, version int, last int64) ([]int64, error) {
	for number := last; len(chain) < version; {
		before := len(chain)
		event.BindInt64(1, number)
		// Events of one commit stand side by side, so one look finds them all.
		err := some(event, func(row *sqlite.Stmt) (bool, error) {
			if row.ColumnInt64(0) != number || payment.ID(row.ColumnInt64(1)) != id || row.ColumnInt(2) != version-len(chain) {
				return false, nil
			}
			chain = append(chain, number)
			number = row.ColumnInt64(3)
			return len(chain) < version, nil
		})
		if err != nil || len(chain) == before {
			return chain, err
		}
	}
	return chain, nil
}

// search looks through all events for those of a payment whose history is
// broken.
func (a *audit) search(id payment.ID, fn func(number int64, id payment.ID, sequence int) error) error {
	query := fmt.Sprintf(`SELECT id, payment, sequence FROM events WHERE payment = %d ORDER BY sequence, id`, int64(id))
	return a.each(query, func(row *sqlite.Stmt) error {
		return fn(row.ColumnInt64(0), payment.ID(row.ColumnInt64(1)), row.ColumnInt(2))
	})
}

// Records sorts the numbers of the records only, and looks each record up.
func (a *audit) Records(fn func(store.Record) error) error {
	record, _, err := a.conn.PrepareTransient(selectRecord + ` WHERE id = ?`)
	if err != nil {
		return err
	}
	defer record.Finalize()
	return a.each(`SELECT id FROM records ORDER BY payment, id`, func(order *sqlite.Stmt) error {
		var r store.Record
		record.BindInt64(1, order.ColumnInt64(0))
		if err := each(record, func(row *sqlite.Stmt) error { return readRecord(row, &r) }); err != nil {
			return fmt.Errorf("record %d: %w", order.ColumnInt64(0), err)
		}
		return fn(r)
	})
}

// metaSwept names the moment up to which expired records were swept, Unix
// milliseconds.
const metaSwept = "records_swept"

func (a *audit) Swept() (time.Time, error) {
	swept, err := integer(a.conn, `SELECT max(ifnull((SELECT CAST(CAST(value AS TEXT) AS INTEGER) FROM meta WHERE name = '`+metaSwept+`'), 0),
		ifnull((SELECT max(at) FROM records), 0))`)
	return time.UnixMilli(int64(swept)).UTC(), err
}

// metaNoticesSwept is the same for notices, by when they happened.
const metaNoticesSwept = "notices_swept"

func (a *audit) NoticesSwept() (time.Time, error) {
	swept, err := integer(a.conn, `SELECT CAST(CAST(value AS TEXT) AS INTEGER) FROM meta WHERE name = '`+metaNoticesSwept+`'`)
	if err != nil || swept == 0 {
		return time.Time{}, err
	}
	return time.UnixMilli(int64(swept)).UTC(), nil
}

func (a *audit) Balances() (ledger.Balances, error) { return (&reader{a.conn}).balances(0) }

func (a *audit) Timers(fn func(payment.Timer) error) error {
	return a.each(selectTimer+` ORDER BY payment, due, kind, operation`, func(row *sqlite.Stmt) error { return fn(timerOf(row)) })
}

func (a *audit) WalletBalances(fn func(int64, wallet.Balance) error) error {
	return a.each(`SELECT ifnull(tenant, 0), user, currency, available FROM wallet_balances LEFT JOIN wallet_users ON id = user ORDER BY user, currency`, func(row *sqlite.Stmt) error {
		return fn(row.ColumnInt64(0), wallet.Balance{User: row.ColumnInt64(1), Currency: money.Currency(row.ColumnText(2)), Available: row.ColumnInt64(3)})
	})
}

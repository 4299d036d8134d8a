package sqlite

import (
	"context"
	"fmt"
	"slices"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// Trail implements store.Reader. Records and timers are looked through from end
// to end: an index for this would slow every command down.
func (s *Store) Trail(ctx context.Context, id payment.ID) (found *store.Trail, err error) {
	err = s.view(ctx, func(r *reader) error {
		a := &audit{r.conn}
		t := &store.Trail{}
		if err := a.each(selectStates+fmt.Sprintf(` WHERE payment = %d`, id), func(row *sqlite.Stmt) error {
			t.State = stateOf(row)
			return nil
		}); err != nil || t.State.Payment == 0 {
			return err
		}
		_, events, err := r.history().load(t.State.Tenant, id)
		if err != nil {
			return err
		}
		t.Events = slices.Clone(events)
		if t.Entries, err = a.entries(id, len(events)); err != nil {
			return err
		}
		err = a.each(selectRecord+fmt.Sprintf(` WHERE payment = %d ORDER BY id`, id), func(row *sqlite.Stmt) error {
			t.Records = append(t.Records, store.Record{})
			return readRecord(row, &t.Records[len(t.Records)-1])
		})
		if err != nil {
			return err
		}
		found = t
		return a.each(selectTimer+fmt.Sprintf(` WHERE payment = %d ORDER BY due, kind, operation`, id), func(row *sqlite.Stmt) error {
			t.Timers = append(t.Timers, timerOf(row))
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// entries returns what was posted with each of a payment's events, found by
// the numbers of the events, which are walked back from the last one.
func (a *audit) entries(id payment.ID, events int) ([]ledger.Entry, error) {
	entries := make([]ledger.Entry, events)
	var number int64
	if err := a.each(fmt.Sprintf(`SELECT last_event FROM states WHERE payment = %d`, id), func(row *sqlite.Stmt) error {
		number = row.ColumnInt64(0)
		return nil
	}); err != nil {
		return nil, err
	}
	for i := events - 1; i >= 0; i-- {
		first, last := number*rowsPer, number*rowsPer+rowsPer-1
		err := a.each(selectEntries+fmt.Sprintf(` WHERE id BETWEEN %d AND %d`, first, last), func(row *sqlite.Stmt) error {
			return eachLine(row, func(account, minor int64) error {
				p := ledger.Posting{Minor: minor}
				err := a.each(fmt.Sprintf(`SELECT id, merchant, kind, holder, currency FROM accounts WHERE id = %d`, account), func(row *sqlite.Stmt) error {
					p.Account = accountOf(row, 1)
					return nil
				})
				entries[i] = append(entries[i], p)
				return err
			})
		})
		if err != nil {
			return nil, err
		}
		if err := a.each(fmt.Sprintf(`SELECT previous FROM events WHERE id = %d`, number), func(row *sqlite.Stmt) error {
			number = row.ColumnInt64(0)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

package postgres

import (
	"context"
	"fmt"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// Trail implements store.Reader. Records and timers are looked through from end
// to end: an index for this would slow every command down.
func (s *Store) Trail(ctx context.Context, id payment.ID) (found *store.Trail, err error) {
	err = s.view(ctx, func(a *audit) error {
		t := &store.Trail{}
		err := a.each(selectStates+fmt.Sprintf(` WHERE payment = %d`, id), func(r row) error {
			t.State = stateOf(r)
			return nil
		})
		if err != nil || t.State.Payment == 0 {
			return err
		}
		of := fmt.Sprintf(` WHERE tenant = %d AND payment = %d`, t.State.Tenant, id)
		err = a.each(selectAuditEvents+of+` ORDER BY sequence`, func(r row) error {
			var e payment.Event
			err := readEvent(r, 2, &e)
			t.Events = append(t.Events, e)
			return err
		})
		if err != nil {
			return err
		}
		t.Entries = make([]ledger.Entry, len(t.Events))
		err = a.each(`SELECT e.sequence, e.postings[2 * i], a.merchant, a.kind, a.holder, a.currency
			FROM events e CROSS JOIN LATERAL generate_series(1, cardinality(e.postings) / 2) i
			JOIN accounts a ON a.tenant = e.tenant AND a.id = e.postings[2 * i - 1]`+
			fmt.Sprintf(` WHERE e.tenant = %d AND e.payment = %d ORDER BY e.sequence, i`, t.State.Tenant, id), func(r row) error {
			at := r.int(0) - 1
			if at < 0 || at >= int64(len(t.Entries)) {
				return fmt.Errorf("postgres: event %d of payment %s with %d events", at+1, id, len(t.Entries))
			}
			t.Entries[at] = append(t.Entries[at], ledger.Posting{Account: accountOf(r, 2), Minor: r.int(1)})
			return nil
		})
		if err != nil {
			return err
		}
		err = a.each(`SELECT `+recordColumns+` FROM records r`+of+` ORDER BY at, version, key`, func(r row) error {
			record, err := readRecord(r)
			t.Records = append(t.Records, *record)
			return err
		})
		if err != nil {
			return err
		}
		found = t
		return a.each(`SELECT `+timerColumns+` FROM timers`+of+` ORDER BY due, kind, operation`, func(r row) error {
			t.Timers = append(t.Timers, timerOf(r))
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

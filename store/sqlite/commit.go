package sqlite

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// purse names a guarded wallet balance.
type purse struct {
	user     int64
	currency money.Currency
}

// write writes all changes, in order.
func (b *batch) write(changes []store.Change) error {
	for i := range changes {
		c := &changes[i]
		if err := b.writeRecord(c); err != nil {
			return err
		}
		if err := b.writePayment(c); err != nil {
			return err
		}
		if err := b.writeTimers(c); err != nil {
			return err
		}
		if err := b.writeNotices(c); err != nil {
			return err
		}
		if err := b.noteCounters(c); err != nil {
			return err
		}
		if err := b.writeDocuments(c); err != nil {
			return err
		}
	}
	if err := b.writeCounters(); err != nil {
		return err
	}
	return b.writePurses()
}

// writeRecord keeps the record of a change. A key that was not looked up is
// taken for free: if it is not, the unique index says so.
func (b *batch) writeRecord(c *store.Change) error {
	r := &c.Record
	if r.Key == (payment.Key{}) {
		return nil
	}
	stmt := &b.w.stmt
	if c.Resolves {
		if err := runRecord(b.w.summed(stmt.resolve), r); err != nil {
			return err
		}
		if b.w.conn.Changes() == 0 {
			return store.ErrConflict
		}
		b.records[r.Key] = r
		return nil
	}
	old := b.records[r.Key]
	if old == nil {
		err := runRecord(b.w.summed(stmt.addRecord), r)
		if sqlite.ErrCode(err) != sqlite.ResultConstraintUnique {
			b.records[r.Key] = r
			return err
		}
		if old, err = b.lookUp(r.Key); err != nil {
			return err
		}
	}
	if old == nil || !old.Free(r.At) {
		return store.ErrConflict
	}
	stmt.dropRecord.BindBytes(1, r.Key[:])
	if err := run(stmt.dropRecord); err != nil {
		return err
	}
	b.records[r.Key] = r
	if err := runRecord(b.w.summed(stmt.addRecord), r); err != nil {
		return err
	}
	// Its id may be that of a record which was deleted before.
	if id, lowest := b.w.conn.LastInsertRowID(), b.w.lowest.Load(); lowest == 0 || id < lowest {
		b.w.lowest.Store(id)
	}
	return nil
}

// writePayment appends the events and postings of a change and moves the
// state row on.
func (b *batch) writePayment(c *store.Change) error {
	p := c.Payment
	if p == nil {
		return nil
	}
	if len(c.Events) == 0 || len(c.Entries) != len(c.Events) {
		return fmt.Errorf("sqlite: payment %s changes by %d events with %d entries", p.ID, len(c.Events), len(c.Entries))
	}
	at, err := b.position(p.ID)
	if err != nil {
		return err
	}
	first := p.Version - len(c.Events)
	if at.version != first || (at.version > 0 && at.tenant != p.Tenant) {
		return store.ErrConflict
	}
	state := b.w.stmt.addState
	if at.version > 0 {
		state = b.w.stmt.moveState
	}
	for i := range c.Events {
		if err := b.writeEvent(p.ID, first+i+1, at.lastEvent, &c.Events[i]); err != nil {
			return err
		}
		at.lastEvent = b.w.lastEvent
		if err := b.w.post(c.Entries[i]); err != nil {
			return err
		}
		b.move(c.Entries[i])
		if err := b.writeMarks(p, &c.Events[i]); err != nil {
			return err
		}
	}
	if err := runState(state, p, at.version == 0, at.lastEvent); err != nil {
		return err
	}
	at.version, at.tenant = p.Version, p.Tenant
	return nil
}

// position returns where a payment stands, looking it up if need be.
func (b *batch) position(id payment.ID) (*loaded, error) {
	at := b.payments[id]
	if at == nil {
		f, err := b.w.history.find(id)
		if err != nil {
			return nil, err
		}
		at = &loaded{tenant: f.tenant, version: f.version, lastEvent: f.lastEvent}
		b.payments[id] = at
	}
	return at, nil
}

// writeEvent appends an event under the next number.
func (b *batch) writeEvent(id payment.ID, sequence int, previous int64, e *payment.Event) error {
	w := b.w
	w.lastEvent++
	w.body = e.AppendBody(w.body[:0])
	row := w.summed(w.stmt.addEvent)
	row.integer(w.lastEvent)
	row.integer(int64(id))
	row.integer(int64(sequence))
	row.orNull(previous)
	row.integer(int64(e.Kind))
	row.integer(e.At.UnixMilli())
	row.orNull(int64(e.Operation))
	row.orNull(e.Amount)
	row.bytes(w.body)
	return row.run()
}

// A row of entries has perRow postings, and a number has rowsPer rows.
const (
	perRow  = 4
	rowsPer = 4
)

// post appends the entry that came with the last event or deposit.
func (w *writer) post(entry ledger.Entry) error {
	if len(entry) > perRow*rowsPer {
		return fmt.Errorf("sqlite: an entry of %d postings", len(entry))
	}
	for row := 0; row*perRow < len(entry); row++ {
		stmt := w.stmt.addEntry
		stmt.BindInt64(1, w.lastEvent*rowsPer+int64(row))
		for i := range perRow {
			at := row*perRow + i
			if at >= len(entry) {
				stmt.BindNull(2 + 2*i)
				stmt.BindNull(3 + 2*i)
				continue
			}
			account, err := w.account(entry[at].Account)
			if err != nil {
				return err
			}
			stmt.BindInt64(2+2*i, account)
			stmt.BindInt64(3+2*i, entry[at].Minor)
		}
		if err := run(stmt); err != nil {
			return err
		}
	}
	return nil
}

// eachLine calls fn with the postings of a row of entries, whose columns are
// all selected.
func eachLine(row *sqlite.Stmt, fn func(account, minor int64) error) error {
	for i := range perRow {
		account := row.ColumnInt64(1 + 2*i)
		if account == 0 {
			break
		}
		if err := fn(account, row.ColumnInt64(2+2*i)); err != nil {
			return err
		}
	}
	return nil
}

const selectEntries = `SELECT id, account1, minor1, account2, minor2, account3, minor3, account4, minor4 FROM entries`

// account returns the number of an account, giving it one if need be.
func (w *writer) account(a ledger.Account) (int64, error) {
	if id, ok := w.accounts[a]; ok {
		return id, nil
	}
	var id int64
	w.bindAccount(w.stmt.account, a)
	err := each(w.stmt.account, func(row *sqlite.Stmt) error { id = row.ColumnInt64(0); return nil })
	if err != nil {
		return 0, err
	}
	if id == 0 {
		w.bindAccount(w.stmt.addAccount, a)
		if err := run(w.stmt.addAccount); err != nil {
			return 0, err
		}
		id = w.conn.LastInsertRowID()
		w.fresh = append(w.fresh, a)
	}
	if len(w.accounts) >= accountsKept {
		clear(w.accounts)
	}
	w.accounts[a] = id
	return id, nil
}

func (w *writer) bindAccount(stmt *sqlite.Stmt, a ledger.Account) {
	stmt.BindInt64(1, a.Merchant)
	stmt.BindInt64(2, int64(a.Kind))
	stmt.BindInt64(3, a.Holder)
	stmt.BindText(4, string(a.Currency))
}

// writeTimers removes timers that are done and sets new ones.
func (b *batch) writeTimers(c *store.Change) error {
	for i := range c.Done {
		t, stmt := &c.Done[i], b.w.stmt.dropTimer
		stmt.BindInt64(1, t.Due.UnixMilli())
		stmt.BindInt64(2, int64(t.Payment))
		stmt.BindInt64(3, int64(t.Kind))
		stmt.BindInt64(4, int64(t.Operation))
		stmt.BindInt64(5, int64(t.Attempt))
		if err := run(stmt); err != nil {
			return err
		}
		if b.w.conn.Changes() == 0 {
			return store.ErrConflict
		}
	}
	for i := range c.Timers {
		t, row := &c.Timers[i], b.w.summed(b.w.stmt.setTimer)
		row.integer(t.Due.UnixMilli())
		row.integer(int64(t.Payment))
		row.integer(int64(t.Kind))
		row.integer(int64(t.Operation))
		row.integer(t.Tenant)
		row.integer(t.Merchant)
		row.orNull(int64(t.Attempt))
		if err := row.run(); err != nil {
			return err
		}
	}
	return nil
}

// move notes what an entry gives to wallet users and takes from them.
func (b *batch) move(entry ledger.Entry) {
	for _, p := range entry {
		if p.Account.Kind != ledger.Wallet {
			continue
		}
		if b.moved == nil {
			b.moved = map[purse]int64{}
		}
		b.moved[purse{p.Account.Holder, p.Account.Currency}] += p.Minor
	}
}

// writePurses brings the guarded balances up to date.
func (b *batch) writePurses() error {
	order := slices.SortedFunc(maps.Keys(b.moved), func(a, b purse) int {
		return cmp.Or(cmp.Compare(a.user, b.user), cmp.Compare(a.currency, b.currency))
	})
	for _, of := range order {
		if err := b.w.give(of, b.moved[of]); err != nil {
			return fmt.Errorf("balance of wallet user %d in %s: %w", of.user, of.currency, err)
		}
	}
	return nil
}

// give adds to a guarded balance, or takes from it. That it stays above zero
// is seen to by a constraint of the table.
func (w *writer) give(of purse, minor int64) error {
	if minor == 0 {
		return nil
	}
	stmt := w.stmt.movePurse
	stmt.BindInt64(1, minor)
	stmt.BindInt64(2, of.user)
	stmt.BindText(3, string(of.currency))
	if err := run(stmt); err != nil || w.conn.Changes() > 0 {
		return err
	}
	stmt = w.stmt.addPurse
	stmt.BindInt64(1, minor)
	stmt.BindText(2, string(of.currency))
	stmt.BindInt64(3, of.user)
	err := run(stmt)
	if err == nil && w.conn.Changes() == 0 {
		err = errors.New("there is no such user")
	}
	return err
}

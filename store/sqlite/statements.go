package sqlite

import (
	"fmt"

	"zombiezen.com/go/sqlite"
)

// statements are those that a batch runs, prepared once.
type statements struct {
	begin, commit, rollback *sqlite.Stmt

	record, state, event              *sqlite.Stmt // load
	addRecord, resolve, dropRecord    *sqlite.Stmt
	addEvent, addState, moveState     *sqlite.Stmt
	account, addAccount, addEntry     *sqlite.Stmt
	dropTimer, setTimer               *sqlite.Stmt
	payer, grant, movePurse, addPurse *sqlite.Stmt
	counter, setCounter               *sqlite.Stmt
	addNotice, addDelivery            *sqlite.Stmt
	firstWaiting                      *sqlite.Stmt
	addMark                           *sqlite.Stmt

	all []*sqlite.Stmt
}

const (
	selectRecord = `SELECT key, tenant, fingerprint, payment, version, operation, refusal, pending, at, expires, context FROM records`
	selectState  = `SELECT tenant, merchant, version, last_event FROM states WHERE payment = ?`
	selectEvent  = `SELECT id, payment, sequence, previous, kind, at, operation, amount, body FROM events WHERE id <= ? ORDER BY id DESC`
	recordByKey  = selectRecord + ` WHERE key = ?`
)

func (s *statements) prepare(conn *sqlite.Conn) error {
	for _, p := range []struct {
		stmt  **sqlite.Stmt
		query string
	}{
		{&s.begin, `BEGIN IMMEDIATE`},
		{&s.commit, `COMMIT`},
		{&s.rollback, `ROLLBACK`},

		{&s.record, recordByKey},
		{&s.state, selectState},
		{&s.event, selectEvent},

		{&s.addRecord, `INSERT INTO records (` + columns["records"] + `, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
		{&s.resolve, `UPDATE records SET fingerprint = ?3, payment = ?, version = ?, operation = ?,
			refusal = ?, pending = ?, at = ?, expires = ?, context = ?, checksum = ? WHERE key = ?1 AND tenant = ?2 AND pending = 1`},
		{&s.dropRecord, `DELETE FROM records WHERE key = ?`},

		{&s.addEvent, `INSERT INTO events (` + columns["events"] + `, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
		{&s.addState, `INSERT INTO states (version, last_event, status, updated_at, authorized, extended, captured, voided, released, refunded, payment, tenant, merchant)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
		{&s.moveState, `UPDATE states SET version = ?, last_event = ?, status = ?, updated_at = ?,
			authorized = ?, extended = ?, captured = ?, voided = ?, released = ?, refunded = ? WHERE payment = ?`},

		{&s.account, `SELECT id FROM accounts WHERE merchant = ? AND kind = ? AND holder = ? AND currency = ?`},
		{&s.addAccount, `INSERT INTO accounts (merchant, kind, holder, currency) VALUES (?, ?, ?, ?)`},
		{&s.addEntry, `INSERT INTO entries (id, account1, minor1, account2, minor2, account3, minor3, account4, minor4)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`},

		{&s.dropTimer, `DELETE FROM timers WHERE due = ? AND payment = ? AND kind = ? AND operation = ? AND ifnull(attempt, 0) = ?`},
		{&s.setTimer, `INSERT OR REPLACE INTO timers (` + columns["timers"] + `, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`},

		{&s.payer, `SELECT frozen, ifnull((SELECT available FROM wallet_balances WHERE user = id AND currency = ?), 0)
			FROM wallet_users WHERE id = ? AND tenant = ?`},
		{&s.grant, selectGrant},
		{&s.movePurse, `UPDATE wallet_balances SET available = available + ? WHERE user = ? AND currency = ?`},
		{&s.addPurse, `INSERT INTO wallet_balances (available, user, currency) SELECT ?, id, ? FROM wallet_users WHERE id = ?`},

		{&s.counter, `SELECT value, expires FROM counters WHERE tenant = ? AND name = ?`},
		{&s.setCounter, adding(`INSERT`, "counters") + `
			ON CONFLICT (tenant, name) DO UPDATE SET value = excluded.value, expires = excluded.expires, checksum = excluded.checksum`},

		{&s.addNotice, adding(`INSERT`, "notices")},
		{&s.addDelivery, adding(`INSERT`, "deliveries")},
		{&s.firstWaiting, selectFirstWaiting},
		{&s.addMark, `INSERT OR IGNORE INTO marks (tenant, merchant, kind, value, at, payment, operation) VALUES (?, ?, ?, ?, ?, ?, ?)`},
	} {
		stmt, err := s.add(conn, p.query)
		if err != nil {
			return err
		}
		*p.stmt = stmt
	}
	return nil
}

// add prepares a statement that lives as long as the connection.
func (s *statements) add(conn *sqlite.Conn, query string) (*sqlite.Stmt, error) {
	stmt, trailing, err := conn.PrepareTransient(query)
	if err == nil && trailing != 0 {
		err = fmt.Errorf("%d bytes are left over", trailing)
	}
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	s.all = append(s.all, stmt)
	return stmt, nil
}

func (s *statements) finalize() {
	for _, stmt := range s.all {
		stmt.Finalize()
	}
}

package sqlite

import (
	"fmt"

	"zombiezen.com/go/sqlite"
)

// strays find rows that belong to nothing. Each query names one in a text. A
// store without any merchant is a test's.
var strays = []string{
	`SELECT 'the history of payment ' || e.payment || ' is broken at event ' || e.sequence FROM events e LEFT JOIN events p ON p.id = e.previous
		WHERE e.sequence > 1 AND (p.payment IS NOT e.payment OR p.sequence IS NOT e.sequence - 1) OR e.sequence = 1 AND e.previous IS NOT NULL`,
	`SELECT 'the history of payment ' || s.payment || ' has lost its end' FROM states s LEFT JOIN events e ON e.id = s.last_event
		WHERE e.payment IS NOT s.payment OR e.sequence IS NOT s.version`,
	`SELECT 'the key ' || lower(hex(key)) || ' has ' || count(*) || ' records' FROM records GROUP BY key HAVING count(*) > 1`,
	`SELECT 'entry ' || id || ' belongs to no event and no deposit' FROM entries
		WHERE id / 4 NOT IN (SELECT id FROM events) AND id / 4 NOT IN (SELECT id FROM deposits)`,
	`SELECT 'deposit ' || d.id || ' is of merchant ' || d.merchant || ' and wallet user ' || d.user || ', who are not both there' FROM deposits d
		WHERE merchant NOT IN (SELECT id FROM merchants) AND EXISTS (SELECT 1 FROM merchants) OR user NOT IN (SELECT id FROM wallet_users)`,
	`SELECT 'the entry of deposit ' || d.id || ' does not balance' FROM deposits d JOIN entries e ON e.id = d.id * 4
		WHERE minor1 + ifnull(minor2, 0) + ifnull(minor3, 0) + ifnull(minor4, 0) <> 0`,
	`SELECT 'deposit ' || d.id || ' is posted for another merchant or wallet user' FROM deposits d JOIN entries e ON e.id = d.id * 4
		JOIN accounts a ON a.id IN (e.account1, e.account2) WHERE a.merchant <> d.merchant OR a.holder NOT IN (0, d.user)`,
	`SELECT 'entry ' || id || ' is not in order' FROM entries
		WHERE (account2 IS NULL) <> (minor2 IS NULL) OR (account3 IS NULL) <> (minor3 IS NULL) OR (account4 IS NULL) <> (minor4 IS NULL)
		OR account2 IS NULL AND account3 IS NOT NULL OR account3 IS NULL AND account4 IS NOT NULL OR id % 4 <> 0 AND id - 1 NOT IN (SELECT id FROM entries)`,
	`SELECT 'it is not known up to which entry balances are rolled up' WHERE NOT EXISTS (SELECT 1 FROM balances_mark)`,
	`SELECT 'it is not known which numbers documents have had' FROM (SELECT max(serial) AS last FROM documents)
		WHERE last > ifnull((SELECT max(seq) FROM sqlite_sequence WHERE name = 'documents' AND typeof(seq) = 'integer'), 0)`,
	`SELECT 'deposit ' || d.id || ' has no entry' FROM deposits d WHERE NOT EXISTS (SELECT 1 FROM entries WHERE id = d.id * 4)`,
	`SELECT 'there is a balance of account ' || account || ', which does not exist' FROM balances WHERE account NOT IN (SELECT id FROM accounts)`,
	`SELECT 'there is a balance of ' || currency || ' of wallet user ' || user || ', who does not exist' FROM wallet_balances
		WHERE user NOT IN (SELECT id FROM wallet_users)`,
	`SELECT 'a grant is of wallet user ' || g.user || ', who does not exist in tenant ' || g.tenant FROM wallet_grants g
		LEFT JOIN wallet_users u ON u.id = g.user AND u.tenant = g.tenant WHERE u.id IS NULL`,
	`SELECT 'a ' || dialect || ' credential (' || kind || ') is of merchant ' || merchant || ', who does not exist' FROM credentials
		WHERE merchant NOT IN (SELECT id FROM merchants) AND (merchant <> 0 OR dialect <> 'admin')`,
	`SELECT 'payment ' || s.payment || ' is of tenant ' || s.tenant || ', its merchant ' || s.merchant || ' of tenant ' || m.tenant FROM states s
		JOIN merchants m ON m.id = s.merchant WHERE m.tenant <> s.tenant`,
	`SELECT 'payment ' || s.payment || ' is of merchant ' || s.merchant || ', who does not exist' FROM states s
		WHERE s.merchant NOT IN (SELECT id FROM merchants) AND EXISTS (SELECT 1 FROM merchants)`,
	`SELECT 'document ' || serial || ' (' || dialect || ' ' || kind || ') is of merchant ' || merchant || ' of tenant ' || tenant || ', who does not exist' FROM documents d
		WHERE NOT EXISTS (SELECT 1 FROM merchants m WHERE m.tenant = d.tenant AND d.merchant IN (m.id, 0)) AND EXISTS (SELECT 1 FROM merchants)`,
}

// straysEach bounds what is said of one kind of stray.
const straysEach = 100

// Strays looks for rows that belong to nothing and for definitions that have
// changed, and has SQLite look through its pages: whether indexes have what
// their tables have, and each key once.
func (a *audit) Strays(fn func(what string) error) error {
	say := func(row *sqlite.Stmt) error { return fn(row.ColumnText(0)) }
	for _, query := range strays {
		if err := a.each(fmt.Sprintf("%s LIMIT %d", query, straysEach), say); err != nil {
			return err
		}
	}
	if err := a.changed(fn); err != nil {
		return err
	}
	if err := a.redefined(fn); err != nil {
		return err
	}
	return a.each(fmt.Sprintf("PRAGMA integrity_check(%d)", straysEach), func(row *sqlite.Stmt) error {
		if row.ColumnText(0) == "ok" {
			return nil
		}
		return fn("the file is damaged: " + row.ColumnText(0))
	})
}

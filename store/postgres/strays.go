package postgres

import "fmt"

// strays find rows that belong to nothing. Each query names one in a text. A
// store without any merchant is a test's.
var strays = []string{
	`SELECT format('event %s of payment %s is of tenant %s, where that payment is not', e.sequence, e.payment, e.tenant) FROM events e
		LEFT JOIN states s ON s.tenant = e.tenant AND s.payment = e.payment WHERE s.payment IS NULL`,
	`SELECT format('payment %s is there %s times', payment, count(*)) FROM states GROUP BY payment HAVING count(*) > 1`,
	`SELECT format('event %s of payment %s has half a posting', sequence, payment) FROM events WHERE cardinality(postings) % 2 <> 0`,
	`SELECT format('a posting of payment %s is to account %s, which does not exist', p.payment, p.account) FROM postings p
		LEFT JOIN accounts a ON a.tenant = p.tenant AND a.id = p.account WHERE a.id IS NULL`,
	`SELECT format('deposit %s is of merchant %s and wallet user %s, who are not both there', d.id, d.merchant, d.holder) FROM deposits d
		WHERE NOT EXISTS (SELECT FROM merchants m WHERE m.id = d.merchant) AND EXISTS (SELECT FROM merchants)
			OR NOT EXISTS (SELECT FROM wallet_users u WHERE u.tenant = d.tenant AND u.id = d.holder)`,
	`SELECT format('the entry of deposit %s does not balance', id) FROM deposits
		WHERE coalesce((SELECT sum(postings[2 * i]) FROM generate_series(1, cardinality(postings) / 2) i), 1) <> 0`,
	`SELECT format('deposit %s is posted for another merchant or wallet user', d.id) FROM deposits d
		JOIN accounts a ON a.tenant = d.tenant AND a.id IN (d.postings[1], d.postings[3]) WHERE a.merchant <> d.merchant OR a.holder NOT IN (0, d.holder)`,
	`SELECT format('there is a balance of account %s, which does not exist', b.account)
		FROM (SELECT tenant, account FROM balances UNION SELECT tenant, account FROM balance_changes) b
		LEFT JOIN accounts a ON a.tenant = b.tenant AND a.id = b.account WHERE a.id IS NULL`,
	`SELECT format('there is a balance of %s of wallet user %s, who does not exist', b.currency, b.holder) FROM wallet_balances b
		LEFT JOIN wallet_users u ON u.tenant = b.tenant AND u.id = b.holder WHERE u.id IS NULL`,
	`SELECT format('a grant is of wallet user %s, who does not exist in tenant %s', g.holder, g.tenant) FROM wallet_grants g
		LEFT JOIN wallet_users u ON u.tenant = g.tenant AND u.id = g.holder WHERE u.id IS NULL`,
	`SELECT format('a %s credential (%s) is of merchant %s, who does not exist', c.dialect, c.kind, c.merchant) FROM credentials c
		LEFT JOIN merchants m ON m.id = c.merchant WHERE m.id IS NULL AND NOT (c.merchant = 0 AND c.dialect = 'admin')`,
	`SELECT format('payment %s is of tenant %s, its merchant %s of tenant %s', s.payment, s.tenant, s.merchant, m.tenant) FROM states s
		JOIN merchants m ON m.id = s.merchant WHERE m.tenant <> s.tenant`,
	`SELECT format('payment %s is of merchant %s, who does not exist', s.payment, s.merchant) FROM states s
		LEFT JOIN merchants m ON m.id = s.merchant WHERE m.id IS NULL AND EXISTS (SELECT FROM merchants)`,
	`SELECT format('document %s (%s %s) is of merchant %s of tenant %s, who does not exist', d.serial, d.dialect, d.kind, d.merchant, d.tenant) FROM documents d
		WHERE NOT EXISTS (SELECT FROM merchants m WHERE m.tenant = d.tenant AND d.merchant IN (m.id, 0)) AND EXISTS (SELECT FROM merchants)`,
}

// straysEach bounds what is said of one kind of stray.
const straysEach = 100

// Strays looks for rows that belong to nothing. Whether its files are sound is
// the database's business: see pg_amcheck.
func (a *audit) Strays(fn func(what string) error) error {
	for _, query := range strays {
		if err := a.each(fmt.Sprintf("%s LIMIT %d", query, straysEach), func(r row) error { return fn(r.text(0)) }); err != nil {
			return err
		}
	}
	return nil
}

package verify_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// freely takes away what keeps the log of administration as it was written.
const freely = "DROP TRIGGER acts_stay; DROP TRIGGER acts_last; "

// changes are made in a sound store behind everybody's back, each in a store of
// its own. The finding has to name what is wrong.
var changes = []struct{ name, change, want string }{
	{"who administered", freely + "UPDATE acts SET by = 'bob' WHERE number = 2", "act 2 of the log of administration was changed"},
	{"what was administered", freely + "UPDATE acts SET details = NULL WHERE number = 3", "act 3 of the log of administration was changed"},
	{"an act that is gone", freely + "DELETE FROM acts WHERE number = 2", "goes from act 1 to act 3"},
	{"the first act", freely + "DELETE FROM acts WHERE number = 1", "goes from act 0 to act 2"},
	{"an act at another time", freely + "UPDATE acts SET at = at + 1 WHERE number = 1", "act 1 of the log of administration was changed"},
	{"a captured total", "UPDATE states SET captured = captured + 1 WHERE payment = %first", "captured is stored as 501"},
	{"an authorized total", "UPDATE states SET authorized = authorized + 1 WHERE payment = %first", "authorized is stored as 1001"},
	{"a released total", "UPDATE states SET released = released - 1 WHERE payment = %first", "released is stored as 499"},
	{"a refunded total", "UPDATE states SET refunded = 0 WHERE payment = %first", "refunded is stored as 0"},
	{"a voided total", "UPDATE states SET voided = 0 WHERE voided > 0", "voided is stored as 0"},
	{"an extension", "UPDATE states SET extended = 1 WHERE payment = %first", "extended is stored as 1"},
	{"a status", "UPDATE states SET status = 4 WHERE status = 5", "status is stored as authorized, its history says captured"},
	{"an expired hold opened again", "UPDATE states SET status = 4 WHERE status = 7", "status is stored as authorized, its history says expired"},
	{"a version", "UPDATE states SET version = version - 1, last_event = (SELECT previous FROM events WHERE id = last_event) WHERE payment = %first", "version is stored as 4"},
	{"a time", "UPDATE states SET updated_at = updated_at + 1 WHERE payment = %first", "time of the last event is stored as"},
	{"a merchant", "UPDATE states SET merchant = merchant + 1 WHERE payment = %first", "is booked to merchant 1, not 2"},
	{"a missing state", "DELETE FROM states WHERE payment = %first", "has events but no state row"},
	{"a missing history", "DELETE FROM events WHERE payment = %first", "has a state row but no events"},
	{"a missing event", "DELETE FROM events WHERE id = (SELECT max(id) FROM events WHERE payment = %first)", "version is stored as 5, its history says 4"},
	{"the amount of an event", "UPDATE events SET amount = amount + 1 WHERE kind = 8 AND payment = %first", "captured is stored as 500, its history says 502"},
	{"the kind of an event", "UPDATE events SET kind = 9 WHERE kind = 8 AND payment = %first", "event 4 leaves 500 held while it is declined"},
	{"the operation of an event", "UPDATE events SET operation = operation + 1 WHERE kind = 8 AND payment = %first", "event 3 belongs to operation 3 of 1"},
	{"an event before its time", "UPDATE events SET at = at - 100000 WHERE id = (SELECT max(id) FROM events WHERE payment = %first)", "event 5 is older than the one before"},
	{"an event twice", "UPDATE events SET kind = 8, amount = 0, operation = 2 WHERE id = (SELECT max(id) FROM events WHERE payment = %first)", "event 5 (hold_captured) comes after operation 2 was done"},
	{"the details of a capture", "UPDATE events SET body = NULL WHERE kind = 8 AND payment = %first", "event 3 begins operation 2 without saying who asked"},
	{"the amount of a posting", "UPDATE entries SET minor1 = minor1 + 1 WHERE id = (SELECT min(id) FROM entries)", "the entry of deposit 1 does not balance"},
	{"both sides of an entry", "UPDATE entries SET minor1 = minor1 * 2, minor2 = minor2 * 2, minor3 = minor3 * 2, minor4 = minor4 * 2 WHERE id = (SELECT max(id) FROM entries)", "the postings of event 2 to held are off by"},
	{"a missing posting", "UPDATE entries SET account2 = NULL, minor2 = NULL WHERE id = (SELECT max(id) FROM entries)", "the postings of event 2 to held are off by"},
	{"a missing entry", "DELETE FROM entries WHERE id = (SELECT max(id) FROM entries)", "the postings of event 2 to acquirer are off by"},
	{"the account of a posting", "UPDATE entries SET account2 = (SELECT id FROM accounts WHERE kind = 3) WHERE account2 = (SELECT id FROM accounts WHERE kind = 2)", "to platform_fees are off by -290"},
	{"a wallet balance", "UPDATE wallet_balances SET available = available + 1", "wallet user 1 has 4301 USD, the postings say 4300"},
	{"a missing wallet balance", "DELETE FROM wallet_balances", "wallet user 1 has no balance of USD"},
	{"a posting to a wallet", "UPDATE entries SET minor1 = minor1 - 1 WHERE account1 = (SELECT id FROM accounts WHERE kind = 6)", "wallet user 1 has 4300 USD, the postings say"},
	{"a record of a later version", "UPDATE records SET version = 99 WHERE payment = %first", "speaks of version 99 of 5"},
	{"a record of another operation", "UPDATE records SET operation = 99 WHERE payment = %first", "speaks of operation 99 of 4"},
	{"a record of no payment", "UPDATE records SET payment = payment + 1 WHERE payment = %first", "the command of event 3 has no idempotency record"},
	{"a pending record that is final", "UPDATE records SET pending = NULL WHERE pending IS NOT NULL", "an operation waits for its processor, but the record of its key"},
	{"a missing pending record", "DELETE FROM records WHERE pending IS NOT NULL", "operation 2 waits for its processor, but its key"},
	{"a final record that is pending", "UPDATE records SET pending = 1 WHERE payment = %first", "is pending, but no operation waits for it"},
	{"a missing processor timer", "DELETE FROM timers WHERE kind = 4", "operation 2 waits for its processor, but nobody will ask again"},
	{"a missing deadline", "DELETE FROM timers WHERE kind = 1", "its deadline of 2026-01-16T12:00:00Z is not on the agenda"},
	{"a missing settlement", "DELETE FROM timers WHERE kind = 3", "operation 2 is in transit, but nothing will settle it at 2026-01-15T13:00:00Z"},
	{"a record of an earlier version", "UPDATE records SET version = version - 1 WHERE payment = %first AND operation > 1", "speaks of version 3, before operation 3 began"},
	{"a record of another tenant", "UPDATE records SET tenant = tenant + 1 WHERE payment = %first", "is of tenant 2, not 1"},
	{"the tenant of a payment", "UPDATE states SET tenant = tenant + 1 WHERE payment = %first", "is of tenant 1, not 2"},
	{"a deadline put off", "UPDATE timers SET due = due + 86400000 WHERE kind = 1", "its deadline of 2026-01-16T12:00:00Z is not on the agenda"},
	{"a timer of no payment", "UPDATE timers SET payment = -payment WHERE kind = 1", "something is written of it, but it has no events"},
	{"an unbalanced deposit", "UPDATE entries SET account2 = NULL, minor2 = NULL WHERE id / 4 IN (SELECT id FROM deposits)", "the entry of deposit 1 does not balance"},
	{"a missing record", "DELETE FROM records WHERE pending IS NULL AND payment = %first AND operation = 3", "the command of event 4 has no idempotency record, though that is kept for ever"},
	{"a missing record that may go one day", "DELETE FROM records WHERE expires = (SELECT max(expires) FROM records)", "has no idempotency record, though that is kept until 2026-01-16T12:"},
	{"a record that is a refusal now", "UPDATE records SET refusal = '{}' WHERE payment = %first AND operation = 3", "the command of event 4 has no idempotency record"},
	{"a record under another key that waits", "UPDATE records SET key = x'00000000000000000000000000000001' WHERE pending IS NOT NULL", "is pending, but no operation waits for it"},
	{"a record without a key", "UPDATE records SET key = zeroblob(16) WHERE id = (SELECT min(id) FROM records)", "has no key"},
	{"two records under a key", "DROP INDEX records_by_key; INSERT INTO records SELECT id + 1000, key, tenant, fingerprint, payment, version, operation, refusal, pending, at, expires, context, checksum FROM records WHERE id = 1", "has 2 records"},
	{"a rolled-up balance", "INSERT INTO balances VALUES (1, 5)", "is said to have"},
	{"a mark above what was rolled up", "UPDATE balances_mark SET entry = 9", "is said to have"},
	{"a balance of no account", "INSERT INTO balances VALUES (99, 5)", "there is a balance of account 99, which does not exist"},
	{"an account that is gone", "DELETE FROM accounts WHERE kind = 2", "to an account that does not exist"},
	{"an entry of nothing", "INSERT INTO entries (id, account1, minor1, account2, minor2) VALUES (40000, 1, 5, 2, -5)", "entry 40000 belongs to no event and no deposit"},
	{"a missing deposit", "DELETE FROM deposits", "belongs to no event and no deposit"},
	{"a deposit to nobody", "UPDATE deposits SET user = 77", "is of merchant 1 and wallet user 77, who are not both there"},
	{"a wallet user who is gone", "DELETE FROM wallet_users", "of wallet user 1, who does not exist"},
	{"a grant of nobody", "UPDATE wallet_grants SET user = 77", "a grant is of wallet user 77, who does not exist in tenant 1"},
	{"a credential of nobody", "UPDATE credentials SET merchant = 77", "a test credential (key) is of merchant 77, who does not exist"},
	{"the tenant of a merchant", "UPDATE merchants SET tenant = 9", "is of tenant 1, its merchant 1 of tenant 9"},
	{"a merchant who is gone", "INSERT INTO merchants (id, tenant, name, disabled, created_at) VALUES (5, 5, 'x', 0, 0); DELETE FROM merchants WHERE id = 1", "is of merchant 1, who does not exist"},
	{"a document of nobody", "INSERT INTO documents (tenant, merchant, dialect, kind, id, version, created_at, updated_at) VALUES (1, 0, 'x', 'y', '1', 1, 0, 0), (9, 0, 'x', 'y', '1', 1, 0, 0)", "(x y) is of merchant 0 of tenant 9, who does not exist"},
	{"a link in a history", "UPDATE events SET previous = previous - 1 WHERE payment = %first AND sequence = 4", "is broken at event 4"},
	{"the end of a history", "UPDATE states SET last_event = last_event - 1 WHERE payment = %first", "has lost its end"},
	{"an event of another payment", "UPDATE events SET payment = (SELECT max(payment) FROM states) WHERE payment = %first AND sequence = 5", "version is stored as 5, its history says 4"},
	{"an event under another number", "UPDATE events SET sequence = 9 WHERE payment = %first AND sequence = 5", "event 9 follows event 4"},
	{"a place in the listing", "DELETE FROM marks WHERE payment = %first", `is not listed under "", operation 0`},
	{"a place at another moment", "UPDATE marks SET at = at + 1 WHERE kind = 'test.order'", `is listed under "test.order", operation 0, where it does not belong`},
	{"a place under another label", "UPDATE marks SET value = 'v2' WHERE kind = 'test.void'", `is not listed under "test.void", operation 2`},
	{"a place of another merchant", "UPDATE marks SET merchant = 2 WHERE payment = %first", "is listed by merchant 2 of tenant 1, not 1 of 1"},
	{"a missing planned capture", "DELETE FROM timers WHERE kind = 2", "a capture is planned for 2026-01-15T15:00:00Z, but not on the agenda"},
	{"a planned capture before its time", "UPDATE timers SET due = due - 1 WHERE kind = 2", "a capture is planned for 2026-01-15T15:00:00Z, but not on the agenda"},
	{"a settlement put off", "UPDATE timers SET due = due + 60000 WHERE kind = 3", "in transit, but nothing will settle it at 2026-01-15T13:00:00Z"},
	{"a missing settlement of a refund", "DELETE FROM timers WHERE kind = 3 AND operation = 3", "operation 3 is in transit, but nothing will settle it at 2026-01-15T14:02:00Z"},
	{"a refund that settles as more", "UPDATE events SET amount = 41 WHERE kind = 28", "settles 41 with a fee of 0 of operation 3, which has 40 and 0"},
	{"a refund that settles as a capture", "UPDATE events SET kind = 18 WHERE kind = 28", "(capture_settled) belongs to operation 3, which is of another kind"},
	{"a refund that settles before it was made", "UPDATE events SET operation = 2 WHERE kind = 16 AND payment IN (SELECT payment FROM events WHERE kind = 28)", "event 4 (money_refunded) belongs to operation 2, which is of another kind"},
	{"a refund that settles at once", "DELETE FROM entries WHERE id = (SELECT max(id) FROM entries WHERE account1 IN (SELECT id FROM accounts WHERE kind = 4))", "to in_transit are off by"},
	{"a review that is decided twice", "UPDATE events SET kind = 29 WHERE kind = 8 AND previous IN (SELECT id FROM events WHERE kind = 29)", "(hold_passed) decides a review that is passed"},
	{"a review that is decided otherwise", "UPDATE events SET kind = 30 WHERE kind = 29", "(hold_captured) takes from a hold whose review is failed"},
	{"a review that failed, decided otherwise", "UPDATE events SET kind = 29 WHERE kind = 30", "voids a hold because of a review that is passed"},
	{"a capture of what is held up", "UPDATE events SET sequence = 7 - sequence WHERE kind IN (8, 29) AND payment IN (SELECT payment FROM events WHERE kind = 29)", "(hold_captured) takes from a hold whose review is in_review"},
	{"the payer's deadline", "DELETE FROM timers WHERE kind = 1 AND payment = (SELECT payment FROM states WHERE status = 3)", "is awaiting_payer, but its deadline of 2026-01-15T13:00:00Z is not on the agenda"},
	{"an attempt that is forgotten", "UPDATE timers SET attempt = NULL WHERE kind = 4", "attempt 0 was the last"},
	{"a timer for another operation", "UPDATE timers SET operation = 9 WHERE kind = 4", "a processor timer is for operation 9 of 2"},
	{"a timer of another merchant", "UPDATE timers SET merchant = 2 WHERE kind = 4", "a processor timer is of merchant 2 of tenant 1, not 1 of 1"},
	{"a counter nobody has counted", "INSERT INTO counters (tenant, name, value, expires) VALUES (1, '1/USD/2026-01', x'01', 5)", `counter "1/USD/2026-01" of tenant 1`},
}

// TestEveryChangeIsFound wants the audit to find each of them.
func TestEveryChangeIsFound(t *testing.T) {
	t.Parallel()
	sound := filepath.Join(t.TempDir(), "sound.db")
	build(t, sound)
	if r := audit(t, sound); !r.Clean() || r.Payments != 15 || r.Postings < 20 || r.Marks != 20 {
		t.Fatalf("the sound store: %+v", r)
	}
	for _, c := range changes {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "changed.db")
			copyStore(t, sound, path)
			if changed := execute(t, path, strings.ReplaceAll(c.change, "%first", "(SELECT min(payment) FROM states)")); changed == 0 {
				t.Fatalf("nothing was changed by %s", c.change)
			}
			var found []string
			for _, f := range audit(t, path).Findings {
				found = append(found, f.String())
			}
			if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, c.want) }) {
				t.Errorf("not found: %s\nwant %s\ngot  %s", c.change, c.want, strings.Join(found, "\n     "))
			}
		})
	}
}

// TestSweptRecordsAreNotMissed: what had expired may be gone.
func TestSweptRecordsAreNotMissed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "swept.db")
	build(t, path)
	execute(t, path, "DELETE FROM records WHERE expires IS NOT NULL AND pending IS NULL")
	if audit(t, path).Clean() {
		t.Error("records that had not expired are not missed")
	}
	put(t, path, "records_swept", "1768564920000") // the day after
	for _, f := range audit(t, path).Findings {
		t.Error(f)
	}
}

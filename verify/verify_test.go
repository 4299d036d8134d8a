package verify_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/processor/book"
	storesqlite "github.com/capstan-pay/capstan/store/sqlite"
	"github.com/capstan-pay/capstan/verify"
	"github.com/capstan-pay/capstan/wallet"
)

var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// silent never answers a capture above 900, save that it declines one of 950.
type silent struct{ book.Processor }

func (silent) Decide(i payment.Instruction, payer *payment.Payer) payment.Answer {
	if i.Kind == payment.OpCapture && i.Amount > 900 {
		return payment.Answer{Result: payment.Pending}
	}
	if i.Payment.Method.Kind == payment.WalletMethod {
		return book.Processor{}.Decide(i, payer)
	}
	return payment.Answer{Result: payment.Approved, Reference: "r"}
}

func (silent) Perform(_ context.Context, o processor.Order) (payment.Answer, error) {
	if o.Amount == 950 {
		return payment.Answer{Result: payment.Refused, Reason: payment.DoNotHonor}, nil
	}
	return payment.Answer{}, context.DeadlineExceeded
}

// build makes a store with a payment of each kind: captured in parts, settled
// later, voided, refunded, expired, paid from a wallet, one whose hold was
// enlarged in vain, and one whose processor does not answer.
func build(t *testing.T, path string) {
	t.Helper()
	st, err := storesqlite.Open(t.Context(), path, storesqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := clock.NewShifted(clock.Fixed(noon), 0)
	e := engine.New(engine.Config{
		Store: st, Clock: now, IDs: payment.NewIDs(0),
		Processor: func(int64, payment.Method) processor.Processor { return silent{} },
	})
	m := merchant.Merchant{Name: "m"}
	user := wallet.User{}
	if err := st.CreateMerchant(t.Context(), &m, nil); err != nil {
		t.Fatal(err)
	}
	user.Tenant = m.Tenant
	if err := st.CreateUser(t.Context(), m.ID, &user, []wallet.Balance{{Currency: "USD", Available: 5000}}, noon); err != nil {
		t.Fatal(err)
	}
	keys := 0
	do := func(id payment.ID, c payment.Command) *payment.Payment {
		t.Helper()
		keys++
		out, err := e.Do(t.Context(), payment.Request{
			Tenant: m.Tenant, Merchant: m.ID, Payment: id, Command: c, Key: payment.NewKey(m.Tenant, "test", fmt.Sprint(keys)),
		})
		if err != nil || out.Refusal != nil {
			t.Fatalf("%T: %v %v", c, out.Refusal, err)
		}
		return out.Payment
	}
	hold := func(amount int64, change func(*payment.Intake)) payment.ID {
		intake := payment.Intake{
			Dialect: "test", Currency: "USD", Amount: amount, Fee: 10, Method: payment.Method{Kind: payment.CardMethod},
			Policy: payment.Policy{HoldFor: 24 * time.Hour},
		}
		if change != nil {
			change(&intake)
		}
		return do(0, payment.Create{Intake: intake, Attempt: &payment.Attempt{}}).ID
	}
	order := []payment.Label{{Kind: "order", Value: "7"}}
	parts := hold(1000, func(i *payment.Intake) { i.Labels = order })
	do(parts, payment.Capture{Amount: 300, Labels: order})
	do(parts, payment.Capture{Amount: 200, Final: true})
	do(parts, payment.Refund{Amount: 100})
	do(hold(500, nil), payment.Void{})
	do(hold(600, func(i *payment.Intake) { i.Policy.SettleAfter = time.Hour }), payment.Capture{Final: true})
	do(hold(700, func(i *payment.Intake) { i.Method = payment.Method{Kind: payment.WalletMethod, User: user.ID} }), payment.Capture{Amount: 100})
	do(hold(900, func(i *payment.Intake) { i.Policy.OverCapture = payment.NoCap }), payment.Capture{Amount: 950})
	hold(800, func(i *payment.Intake) { i.Policy.HoldFor = time.Minute })
	if err := e.Advance(t.Context(), now, 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	do(hold(900, func(i *payment.Intake) { i.Policy.SettleAfter = time.Hour }), payment.Capture{Final: true})
	do(hold(1100, nil), payment.Capture{Final: true}) // pending for ever
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

func audit(t *testing.T, path string) *verify.Report {
	t.Helper()
	st, err := storesqlite.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	report, err := verify.Audit(t.Context(), st)
	if err != nil {
		return &verify.Report{Findings: []verify.Finding{{Text: err.Error()}}} // what cannot be read is found, too
	}
	return report
}

// TestEveryChangeIsFound changes one thing in a sound store at a time, behind
// everybody's back, and wants the audit to find it.
func TestEveryChangeIsFound(t *testing.T) {
	sound := filepath.Join(t.TempDir(), "sound.db")
	build(t, sound)
	if r := audit(t, sound); !r.Clean() || r.Payments != 8 || r.Postings < 20 {
		t.Fatalf("the sound store: %+v", r)
	}
	const first = "(SELECT min(payment) FROM states)"
	for name, change := range map[string]string{
		"a captured total":                "UPDATE states SET captured = captured + 1 WHERE payment = " + first,
		"an authorized total":             "UPDATE states SET authorized = authorized + 1 WHERE payment = " + first,
		"a released total":                "UPDATE states SET released = released - 1 WHERE payment = " + first,
		"a refunded total":                "UPDATE states SET refunded = 0 WHERE payment = " + first,
		"a voided total":                  "UPDATE states SET voided = 0 WHERE voided > 0",
		"an extension":                    "UPDATE states SET extended = 1 WHERE payment = " + first,
		"a status":                        "UPDATE states SET status = 4 WHERE status = 5",
		"an expired hold opened again":    "UPDATE states SET status = 4 WHERE status = 7",
		"a version":                       "UPDATE states SET version = version - 1, last_event = (SELECT previous FROM events WHERE id = last_event) WHERE payment = " + first,
		"a time":                          "UPDATE states SET updated_at = updated_at + 1 WHERE payment = " + first,
		"a merchant":                      "UPDATE states SET merchant = merchant + 1 WHERE payment = " + first,
		"a missing state":                 "DELETE FROM states WHERE payment = " + first,
		"a missing history":               "DELETE FROM events WHERE payment = " + first,
		"a missing event":                 "DELETE FROM events WHERE id = (SELECT max(id) FROM events WHERE payment = " + first + ")",
		"the amount of an event":          "UPDATE events SET amount = amount + 1 WHERE kind = 8 AND payment = " + first,
		"the kind of an event":            "UPDATE events SET kind = 9 WHERE kind = 8 AND payment = " + first,
		"the operation of an event":       "UPDATE events SET operation = operation + 1 WHERE kind = 8 AND payment = " + first,
		"an event before its time":        "UPDATE events SET at = at - 100000 WHERE id = (SELECT max(id) FROM events WHERE payment = " + first + ")",
		"an event twice":                  "UPDATE events SET kind = 8, amount = 0, operation = 2 WHERE id = (SELECT max(id) FROM events WHERE payment = " + first + ")",
		"the details of a capture":        "UPDATE events SET body = NULL WHERE kind = 8 AND payment = " + first,
		"the amount of a posting":         "UPDATE entries SET minor1 = minor1 + 1 WHERE id = (SELECT min(id) FROM entries)",
		"both sides of an entry":          "UPDATE entries SET minor1 = minor1 * 2, minor2 = minor2 * 2, minor3 = minor3 * 2, minor4 = minor4 * 2 WHERE id = (SELECT max(id) FROM entries)",
		"a missing posting":               "UPDATE entries SET account2 = NULL, minor2 = NULL WHERE id = (SELECT max(id) FROM entries)",
		"a missing entry":                 "DELETE FROM entries WHERE id = (SELECT max(id) FROM entries)",
		"the account of a posting":        "UPDATE entries SET account2 = (SELECT id FROM accounts WHERE kind = 3) WHERE account2 = (SELECT id FROM accounts WHERE kind = 2)",
		"a wallet balance":                "UPDATE wallet_balances SET available = available + 1",
		"a missing wallet balance":        "DELETE FROM wallet_balances",
		"a posting to a wallet":           "UPDATE entries SET minor1 = minor1 - 1 WHERE account1 = (SELECT id FROM accounts WHERE kind = 6)",
		"a record of a later version":     "UPDATE records SET version = 99 WHERE payment = " + first,
		"a record of another operation":   "UPDATE records SET operation = 99 WHERE payment = " + first,
		"a record of no payment":          "UPDATE records SET payment = payment + 1 WHERE payment = " + first,
		"a pending record that is final":  "UPDATE records SET pending = NULL WHERE pending IS NOT NULL",
		"a missing pending record":        "DELETE FROM records WHERE pending IS NOT NULL",
		"a final record that is pending":  "UPDATE records SET pending = 1 WHERE payment = " + first,
		"a missing processor timer":       "DELETE FROM timers WHERE kind = 4",
		"a missing deadline":              "DELETE FROM timers WHERE kind = 1",
		"a missing settlement":            "DELETE FROM timers WHERE kind = 3",
		"a record of an earlier version":  "UPDATE records SET version = version - 1 WHERE payment = " + first + " AND operation > 1",
		"a record of another tenant":      "UPDATE records SET tenant = tenant + 1 WHERE payment = " + first,
		"the tenant of a payment":         "UPDATE states SET tenant = tenant + 1 WHERE payment = " + first,
		"a deadline put off":              "UPDATE timers SET due = due + 86400000 WHERE kind = 1",
		"a timer of no payment":           "UPDATE timers SET payment = -payment WHERE kind = 1",
		"a missing place in a listing":    "DELETE FROM marks WHERE kind = '' AND payment = " + first,
		"a missing label of a payment":    "DELETE FROM marks WHERE kind = 'order' AND operation = 0",
		"a missing label of a capture":    "DELETE FROM marks WHERE kind = 'order' AND operation = 2",
		"a place in a listing moved":      "UPDATE marks SET at = at + 1 WHERE kind = '' AND payment = " + first,
		"a place with another merchant":   "UPDATE marks SET merchant = merchant + 1 WHERE kind = '' AND payment = " + first,
		"a label with another value":      "UPDATE marks SET value = 'x' WHERE kind = 'order' AND operation = 0",
		"a label nobody gave":             "INSERT INTO marks SELECT tenant, merchant, 'order', 'x', at, payment, 0 FROM marks WHERE kind = '' AND payment = " + first,
		"a listed payment without events": "UPDATE marks SET payment = payment + 1 WHERE kind = 'order' AND operation = 2",
		"an unbalanced deposit":           "UPDATE entries SET account2 = NULL, minor2 = NULL WHERE id / 4 IN (SELECT id FROM deposits)",
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "changed.db")
			copyStore(t, sound, path)
			if changed := execute(t, path, change); changed == 0 {
				t.Fatalf("nothing was changed by %s", change)
			}
			if audit(t, path).Clean() {
				t.Errorf("not found: %s", change)
			}
		})
	}
}

func copyStore(t *testing.T, from, to string) {
	t.Helper()
	conn, err := sqlite.OpenConn(from, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.ExecuteTransient(conn, "VACUUM INTO ?", &sqlitex.ExecOptions{Args: []any{to}}); err != nil {
		t.Fatal(err)
	}
}

func execute(t *testing.T, path, change string) int {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.ExecuteTransient(conn, change, nil); err != nil {
		t.Fatal(err)
	}
	return conn.Changes()
}

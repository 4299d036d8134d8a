package verify_test

import (
	"context"
	"fmt"
	"sync/atomic"
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
	"github.com/capstan-pay/capstan/risk"
	"github.com/capstan-pay/capstan/store"
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
// enlarged in vain, one that is to be captured later, one that waits for its
// payer, one whose processor does not answer, refunds on their way, and holds that
// an operator has to look at or has looked at.
func build(t *testing.T, path string) {
	t.Helper()
	st, err := storesqlite.Open(t.Context(), path, storesqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	config, err := risk.Parse([]byte(`{"rules":[{"level":"shop","alias":"all","action":"review","cel":"operation.amount > 0"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	checks, err := config.Compile(risk.Setup{Names: risk.Levels{Shop: "shop", Merchant: "merchant", PSP: "psp"}})
	if err != nil {
		t.Fatal(err)
	}
	var looked atomic.Bool
	now := clock.NewShifted(clock.Fixed(noon), 0)
	e := engine.New(engine.Config{
		Store: st, Clock: now, IDs: payment.NewIDs(0),
		Processor: func(int64, payment.Method) processor.Processor { return silent{} },
		Checks: func(context.Context, int64, bool) (*risk.Checks, error) {
			if !looked.Load() {
				return nil, nil
			}
			return checks, nil
		},
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
	if err := st.PutCredential(t.Context(), merchant.Credential{Merchant: m.ID, Dialect: "test", Kind: "key", Lookup: "k"}); err != nil {
		t.Fatal(err)
	}
	if err := st.PutGrant(t.Context(), wallet.Grant{Tenant: m.Tenant, Name: "g", User: user.ID, ExpiresAt: noon}); err != nil {
		t.Fatal(err)
	}
	keys, retain := 0, time.Duration(0)
	do := func(id payment.ID, c payment.Command) *payment.Payment {
		t.Helper()
		keys++
		out, err := e.Do(t.Context(), payment.Request{
			Tenant: m.Tenant, Merchant: m.ID, Payment: id, Command: c, Key: payment.NewKey(m.Tenant, "test", fmt.Sprint(keys)), Retain: retain,
		})
		if err != nil || out.Refusal != nil {
			t.Fatalf("%T: %v %v", c, out.Refusal, err)
		}
		return out.Payment
	}
	intake := func(amount int64, change func(*payment.Intake)) payment.Intake {
		i := payment.Intake{
			Dialect: "test", Currency: "USD", Amount: amount, Fee: 10, Method: payment.Method{Kind: payment.CardMethod},
			Policy: payment.Policy{HoldFor: 24 * time.Hour},
		}
		if change != nil {
			change(&i)
		}
		return i
	}
	hold := func(amount int64, change func(*payment.Intake)) payment.ID {
		return do(0, payment.Create{Intake: intake(amount, change), Attempt: &payment.Attempt{}}).ID
	}
	parts := hold(1000, nil)
	do(parts, payment.Capture{Amount: 300})
	do(parts, payment.Capture{Amount: 200, Final: true})
	do(parts, payment.Refund{Amount: 100})
	do(hold(500, nil), payment.Void{})
	do(hold(600, func(i *payment.Intake) { i.Policy.SettleAfter = time.Hour }), payment.Capture{Final: true})
	do(hold(700, func(i *payment.Intake) { i.Method = payment.Method{Kind: payment.WalletMethod, User: user.ID} }), payment.Capture{Amount: 100})
	do(hold(900, func(i *payment.Intake) { i.Policy.OverCapture = payment.NoCap }), payment.Capture{Amount: 950})
	hold(800, func(i *payment.Intake) { i.Policy.HoldFor = time.Minute })
	hold(810, func(i *payment.Intake) {
		i.Policy.CaptureAt = noon.Add(3 * time.Hour)
		i.Labels = []payment.Label{{Kind: "test.order", Value: "o1"}}
	})
	do(0, payment.Create{Intake: intake(820, func(i *payment.Intake) {
		i.Method, i.Policy.PayerDeadline = payment.Method{Kind: payment.WalletMethod}, time.Hour
	}), Attempt: &payment.Attempt{}})
	refunded := hold(840, func(i *payment.Intake) { i.Policy.RefundSettleAfter = time.Minute })
	do(refunded, payment.Capture{Final: true})
	do(refunded, payment.Refund{Amount: 40})
	retain = 24 * time.Hour
	do(hold(830, nil), payment.Void{Amount: 30, Asked: payment.Asked{Labels: []payment.Label{{Kind: "test.void", Value: "v1"}}}})
	retain = 0
	if err := e.Advance(t.Context(), now, 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, decided := range []payment.Command{payment.Nothing{}, payment.Review{Passed: true}, payment.Review{}} {
		looked.Store(true)
		held := hold(850, func(i *payment.Intake) { i.Policy.ReviewsHold = true })
		looked.Store(false)
		do(held, decided)
		if decided == (payment.Review{Passed: true}) {
			do(held, payment.Capture{Final: true})
		}
	}
	transit := hold(900, func(i *payment.Intake) { i.Policy.SettleAfter, i.Policy.RefundSettleAfter = time.Hour, 2*time.Hour })
	do(transit, payment.Capture{Final: true})
	do(transit, payment.Refund{Amount: 50})
	do(hold(1100, nil), payment.Capture{Final: true}) // pending for ever
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for number := range int64(3) {
		act := store.Act{Number: number + 1, At: noon, By: "alice", Action: "merchant.set", Merchant: m.ID, Subject: "risk", Details: []byte(`{}`)}
		if _, err := st.Administer(t.Context(), store.Administration{Act: act}); err != nil {
			t.Fatal(err)
		}
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
	if err := sqlitex.ExecuteScript(conn, change, nil); err != nil {
		t.Fatal(err)
	}
	return conn.Changes()
}

// put keeps a value in a store as the store itself does.
func put(t *testing.T, path, name, value string) {
	t.Helper()
	st, err := storesqlite.Open(t.Context(), path, storesqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := st.PutMeta(t.Context(), name, []byte(value), false); err != nil {
		t.Fatal(err)
	}
}

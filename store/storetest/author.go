package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// noon is when the tests happen.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

const (
	tenant     = 11
	merchantID = 21
)

// fataler is what is common to *testing.T and *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// author makes changes by deciding real commands, as the engine does.
type author struct {
	t    fataler
	now  time.Time
	ids  *payment.IDs
	keys int
}

func newAuthor(t fataler) *author {
	return &author{t: t, now: noon, ids: payment.NewIDs(1)}
}

// key returns a key that was not used before.
func (a *author) key() payment.Key {
	a.keys++
	return payment.NewKey(tenant, "test", fmt.Sprint(a.keys))
}

// card is what a payment by card is asked for with.
func card(amount int64, currency money.Currency) payment.Intake {
	return payment.Intake{
		Dialect: "intents", Currency: currency, Amount: amount, Fee: amount / 50, Reference: "order 7", Details: []byte(`{"metadata":{}}`),
		Method: payment.Method{Kind: payment.CardMethod, Brand: "visa", First6: "424242", Last4: "4242", ExpMonth: 12, ExpYear: 2030, Fingerprint: "f1"},
		Policy: payment.Policy{HoldFor: 7 * 24 * time.Hour, SettleAfter: time.Hour, RefundSettleAfter: time.Hour},
	}
}

// purse is what a payment by a wallet user is asked for with.
func purse(user, amount int64, currency money.Currency) payment.Intake {
	return payment.Intake{
		Dialect: "alipay", Currency: currency, Amount: amount,
		Method: payment.Method{Kind: payment.WalletMethod, User: user},
		Policy: payment.Policy{HoldFor: 24 * time.Hour},
	}
}

// approve answers every instruction at once.
func approve(payment.Instruction) payment.Answer {
	return payment.Answer{Result: payment.Approved, Reference: "ref 1", AuthCode: "A1B2"}
}

// wait leaves every instruction without an answer.
func wait(payment.Instruction) payment.Answer { return payment.Answer{Result: payment.Pending} }

// create makes a new payment and asks for its authorization.
func (a *author) create(intake payment.Intake) store.Change {
	p := &payment.Payment{ID: a.ids.Next(a.now), Tenant: tenant, Merchant: merchantID}
	return a.decide(p, payment.Create{Intake: intake, Attempt: &payment.Attempt{Asked: payment.Asked{Dialect: intake.Dialect}}}, approve)
}

// decide decides a command and returns what follows, under a new key.
func (a *author) decide(p *payment.Payment, c payment.Command, ask func(payment.Instruction) payment.Answer) store.Change {
	a.t.Helper()
	key := a.key()
	d, err := payment.Decide(p, c, payment.Env{Now: a.now, Key: key, Ask: ask})
	if err != nil {
		a.t.Fatalf("decide %T: %v", c, err)
	}
	change := store.Change{Events: d.Events, Entries: d.Entries, Timers: d.Timers}
	if len(d.Events) > 0 {
		change.Payment = d.Payment
	}
	change.Record = store.Record{
		Key: key, Tenant: p.Tenant, Fingerprint: payment.Fingerprint{1, 2, 3, byte(a.keys)}, Payment: p.ID, Version: d.Payment.Version,
		Operation: d.Operation, Refusal: d.Refusal, Pending: d.Pending(), At: a.now,
	}
	return change
}

// capture is the change of a capture of amount, which must be permitted.
func (a *author) capture(p *payment.Payment, amount int64) store.Change {
	a.t.Helper()
	c := a.decide(p, payment.Capture{Amount: amount, Dialect: "intents"}, approve)
	if c.Record.Refusal != nil {
		a.t.Fatalf("capture of %d: %v", amount, c.Record.Refusal)
	}
	return c
}

// touched is what a batch of changes has to look at.
func touched(changes []store.Change) store.Touched {
	var touched store.Touched
	for _, c := range changes {
		if c.Record.Key != (payment.Key{}) {
			touched.Keys = append(touched.Keys, store.Ref[payment.Key]{Tenant: c.Record.Tenant, Name: c.Record.Key})
		}
		if c.Payment != nil {
			touched.Payments = append(touched.Payments, store.Ref[payment.ID]{Tenant: c.Payment.Tenant, Name: c.Payment.ID})
		}
	}
	return touched
}

// commit writes changes as one batch.
func commit(s store.Store, changes ...store.Change) error {
	b, err := s.Begin(context.Background(), touched(changes))
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer b.Rollback()
	return b.Commit(context.Background(), changes)
}

// must writes changes as one batch and fails the test when that fails.
func must(t fataler, s store.Store, changes ...store.Change) {
	t.Helper()
	if err := commit(s, changes...); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

// ctx is for tests that are not about contexts.
var ctx = context.Background()

// check fails the test on an error.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

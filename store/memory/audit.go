package memory

import (
	"slices"
	"time"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

// audit is a copy of everything, payments in the order of their IDs.
type audit struct {
	payments []history
	records  []store.Record
	timers   []payment.Timer
	deposits []ledger.Entry
	purses   map[purse]int64
	users    []wallet.User
	counters []counter
	latest   time.Time // at which a record was written, or up to which they were swept
	balances ledger.Balances
	acts     []store.Act
	outbox   mail
	marks    []store.Mark

	documents []document.Document
}

func (a *audit) States(fn func(store.State) error) error {
	for _, h := range a.payments {
		if err := fn(h.state); err != nil {
			return err
		}
	}
	return nil
}

func (a *audit) Events(fn func(payment.ID, int, payment.Event) error) error {
	for _, h := range a.payments {
		for i, e := range h.events {
			if err := fn(h.state.Payment, i+1, e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *audit) Postings(fn func(payment.ID, int, ledger.Posting) error) error {
	each := func(id payment.ID, sequence int, entry ledger.Entry) error {
		for _, p := range entry {
			if err := fn(id, sequence, p); err != nil {
				return err
			}
		}
		return nil
	}
	for _, entry := range a.deposits {
		if err := each(0, 0, entry); err != nil {
			return err
		}
	}
	for _, h := range a.payments {
		for i, entry := range h.entries {
			if err := each(h.state.Payment, i+1, entry); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *audit) Records(fn func(store.Record) error) error {
	for _, r := range a.records {
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

func (a *audit) Timers(fn func(payment.Timer) error) error {
	for _, t := range a.timers {
		if err := fn(t); err != nil {
			return err
		}
	}
	return nil
}

func (a *audit) WalletBalances(fn func(int64, wallet.Balance) error) error {
	for of, minor := range a.purses {
		i := slices.IndexFunc(a.users, func(u wallet.User) bool { return u.ID == of.user })
		if err := fn(a.users[i].Tenant, wallet.Balance{User: of.user, Currency: of.currency, Available: minor}); err != nil {
			return err
		}
	}
	return nil
}

func (a *audit) Counters(fn func(store.Counter) error) error {
	for _, c := range a.counters {
		if err := fn(c.Counter); err != nil {
			return err
		}
	}
	return nil
}

func (a *audit) Marks(fn func(store.Mark) error) error {
	for _, m := range a.marks {
		if err := fn(m); err != nil {
			return err
		}
	}
	return nil
}

func (a *audit) Documents(fn func(document.Document) error) error {
	for _, d := range a.documents {
		if err := fn(d); err != nil {
			return err
		}
	}
	return nil
}

// Swept: records go when they are swept, and to make room for another.
func (a *audit) Swept() (time.Time, error) { return a.latest, nil }

func (a *audit) Balances() (ledger.Balances, error) { return a.balances, nil }

// Strays: there are none, for nothing is kept twice.
func (a *audit) Strays(func(string) error) error { return nil }

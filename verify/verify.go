// Package verify audits a store: it recomputes everything from the history
// with arithmetic of its own, and reports whatever disagrees. It reads what was
// written without calling the rules that wrote it; of the payment package it
// uses the words and the table of permitted moves, not the code.
package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

// Finding is one thing that does not agree.
type Finding struct {
	Payment payment.ID `json:"payment,omitempty"` // 0 when it is about no single payment
	Text    string     `json:"text"`
}

// String is the finding in one line.
func (f Finding) String() string {
	if f.Payment == 0 {
		return f.Text
	}
	return fmt.Sprintf("payment %s: %s", f.Payment, f.Text)
}

// Report is what an audit found, and how much it looked at.
type Report struct {
	Payments int       `json:"payments"`
	Events   int       `json:"events"`
	Postings int       `json:"postings"`
	Records  int       `json:"records"`
	Timers   int       `json:"timers"`
	Counters int       `json:"counters"` // of risk checks
	Notices  int       `json:"notices"`
	Sent     int       `json:"deliveries"`
	Findings []Finding `json:"findings"`
	More     int       `json:"more"` // findings beyond the first maxFindings
}

// maxFindings is how many findings are kept; the rest is counted.
const maxFindings = 1000

// Clean tells whether everything agrees.
func (r *Report) Clean() bool { return len(r.Findings) == 0 }

func (r *Report) add(id payment.ID, format string, args ...any) {
	if len(r.Findings) == maxFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, Finding{id, fmt.Sprintf(format, args...)})
}

// Audit looks at one consistent state of a store. An error means that it could
// not be read to the end, not that something disagrees.
func Audit(ctx context.Context, s store.Reader) (*Report, error) {
	r := &Report{Findings: []Finding{}}
	err := s.Audit(ctx, func(view store.Audit) error {
		a := &audit{
			report: r, accounts: map[payment.ID]*account{}, users: map[int64]map[money.Currency]int64{}, trial: map[money.Currency]int64{},
			pending: map[payment.Key]payment.ID{}, keys: map[payment.Key]bool{},
		}
		return a.run(view)
	})
	return r, err
}

// audit is an audit in the making.
type audit struct {
	report   *Report
	accounts map[payment.ID]*account
	users    map[int64]map[money.Currency]int64 // wallet balances by the postings
	trial    map[money.Currency]int64
	pending  map[payment.Key]payment.ID // keys of operations that wait
	keys     map[payment.Key]bool
	counters map[store.Ref[string]]counted // nil until the history was read
	mail     mail
}

func (a *audit) run(view store.Audit) error {
	for _, step := range []func() error{
		func() error { return view.Events(a.event) },
		func() error { return view.Postings(a.posting) },
		func() error { return view.States(a.state) },
		func() error { return view.Records(a.record) },
		func() error { return view.Timers(a.timer) },
		func() error { return view.WalletBalances(a.balance) },
		func() error { return view.Counters(a.counter) },
		func() error { return a.outbox(view) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	a.conclude()
	return nil
}

// posting adds up one posting, by payment and event, by user and in all.
func (a *audit) posting(id payment.ID, sequence int, p ledger.Posting) error {
	a.report.Postings++
	a.trial[p.Account.Currency] += p.Minor
	if p.Account.Kind == ledger.Wallet {
		if a.users[p.Account.Holder] == nil {
			a.users[p.Account.Holder] = map[money.Currency]int64{}
		}
		a.users[p.Account.Holder][p.Account.Currency] += p.Minor
	}
	if p.Minor == 0 {
		a.report.add(id, "event %d posts nothing to %s", sequence, p.Account.Kind)
	}
	if id == 0 {
		if p.Account.Kind != ledger.Wallet && p.Account.Kind != ledger.Issuance {
			a.report.add(0, "a posting to %s belongs to no payment", p.Account.Kind)
		}
		return nil
	}
	acc := a.accounts[id]
	if acc == nil {
		a.report.add(id, "has postings but no events")
		return nil
	}
	acc.posted(a.report, id, sequence, p)
	return nil
}

// state holds a stored state row against the history.
func (a *audit) state(s store.State) error {
	a.report.Payments++
	acc := a.accounts[s.Payment]
	if acc == nil {
		a.report.add(s.Payment, "has a state row but no events")
		return nil
	}
	acc.stated = true
	acc.tenant, acc.merchant = s.Tenant, s.Merchant
	differ := func(what string, stored, computed any) {
		if stored != computed {
			a.report.add(s.Payment, "%s is stored as %v, its history says %v", what, stored, computed)
		}
	}
	differ("version", s.Version, acc.version)
	differ("status", s.Status, acc.status)
	differ("authorized", s.Authorized, acc.authorized)
	differ("extended", s.Extended, acc.extended)
	differ("captured", s.Captured, acc.captured)
	differ("voided", s.Voided, acc.voided)
	differ("released", s.Released, acc.released)
	differ("refunded", s.Refunded, acc.refunded)
	if !s.UpdatedAt.Equal(acc.updated) {
		differ("time of the last event", s.UpdatedAt.Format(time.RFC3339Nano), acc.updated.Format(time.RFC3339Nano))
	}
	if acc.booked != 0 && acc.booked != s.Merchant {
		a.report.add(s.Payment, "is booked to merchant %d, not %d", acc.booked, s.Merchant)
	}
	return nil
}

// record holds an idempotency record against the payment it speaks of.
func (a *audit) record(r store.Record) error {
	a.report.Records++
	if a.keys[r.Key] {
		a.report.add(r.Payment, "the key %x has two records", r.Key)
	}
	a.keys[r.Key] = true
	if r.Key == (payment.Key{}) {
		a.report.add(r.Payment, "an idempotency record has no key")
	}
	if r.Payment == 0 {
		if r.Refusal == nil && (r.Version != 0 || r.Operation != 0 || r.Pending) { // else it is about documents alone
			a.report.add(0, "the record of key %x has neither payment nor refusal", r.Key)
		}
		return nil
	}
	acc := a.accounts[r.Payment]
	switch {
	case acc == nil:
		a.report.add(r.Payment, "an idempotency record speaks of it, but it has no events")
		return nil
	case r.Version < 0 || r.Version > acc.version || r.Version == 0 && r.Refusal == nil:
		a.report.add(r.Payment, "the record of key %x speaks of version %d of %d", r.Key, r.Version, acc.version)
	case r.Operation < 0 || r.Operation > len(acc.operations):
		a.report.add(r.Payment, "the record of key %x speaks of operation %d of %d", r.Key, r.Operation, len(acc.operations))
	case r.Operation != 0 && acc.operations[r.Operation-1].begun > r.Version:
		a.report.add(r.Payment, "the record of key %x speaks of version %d, before operation %d began", r.Key, r.Version, r.Operation)
	case r.Tenant != acc.tenant:
		a.report.add(r.Payment, "the record of key %x is of tenant %d, not %d", r.Key, r.Tenant, acc.tenant)
	case r.Pending && a.pending[r.Key] != r.Payment:
		a.report.add(r.Payment, "the record of key %x is pending, but no operation waits for it", r.Key)
	case !r.Pending && a.pending[r.Key] == r.Payment:
		a.report.add(r.Payment, "an operation waits for its processor, but the record of its key %x is final", r.Key)
	}
	if r.At.After(acc.updated) && r.Refusal == nil && r.Version == acc.version && r.Operation != 0 {
		a.report.add(r.Payment, "the record of key %x is younger than what it speaks of", r.Key)
	}
	delete(a.pending, r.Key)
	return nil
}

// timer notes what is on the agenda.
func (a *audit) timer(t payment.Timer) error {
	a.report.Timers++
	acc := a.accounts[t.Payment]
	if acc == nil {
		a.report.add(t.Payment, "a %s timer is set for it, but it has no events", t.Kind)
		return nil
	}
	if acc.stated && (t.Tenant != acc.tenant || t.Merchant != acc.merchant) {
		a.report.add(t.Payment, "a %s timer is of merchant %d of tenant %d, not %d of %d", t.Kind, t.Merchant, t.Tenant, acc.merchant, acc.tenant)
	}
	acc.timers = append(acc.timers, t)
	return nil
}

// balance holds a guarded balance row against the postings.
func (a *audit) balance(_ int64, b wallet.Balance) error {
	posted := a.users[b.User][b.Currency]
	if b.Available != posted {
		a.report.add(0, "wallet user %d has %d %s, the postings say %d", b.User, b.Available, b.Currency, posted)
	}
	if b.Available < 0 {
		a.report.add(0, "wallet user %d has %d %s", b.User, b.Available, b.Currency)
	}
	delete(a.users[b.User], b.Currency)
	return nil
}

// conclude looks at what is missing.
func (a *audit) conclude() {
	for currency, sum := range a.trial {
		if sum != 0 {
			a.report.add(0, "the trial balance of %s is %d", currency, sum)
		}
	}
	for user, left := range a.users {
		for currency, minor := range left {
			if minor != 0 {
				a.report.add(0, "wallet user %d has no balance of %s, the postings say %d", user, currency, minor)
			}
		}
	}
	for key, id := range a.pending {
		a.report.add(id, "an operation waits for its processor, but its key %x has no record", key)
	}
	for id, acc := range a.accounts {
		if !acc.stated {
			a.report.add(id, "has events but no state row")
		}
		acc.conclude(a.report, id)
	}
}

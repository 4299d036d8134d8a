package verify

import (
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/wallet"
)

type balance = wallet.Balance

// books is what all postings add up to.
type books struct {
	accounts ledger.Balances
	trial    map[money.Currency]int64
	users    map[purse]int64 // what the postings say that wallets have
}

type purse struct {
	user     int64
	currency money.Currency
}

func newBooks() *books {
	return &books{accounts: ledger.Balances{}, trial: map[money.Currency]int64{}, users: map[purse]int64{}}
}

// add adds one posting, by account, by user and in all.
func (b *books) add(p ledger.Posting) {
	b.accounts[p.Account] += p.Minor
	b.trial[p.Account.Currency] += p.Minor
	if p.Account.Kind == ledger.Wallet {
		b.users[purse{p.Account.Holder, p.Account.Currency}] += p.Minor
	}
}

// compare holds the balances that the store tells against the postings.
func (b *books) compare(r *Report, told ledger.Balances) {
	for account, minor := range b.accounts {
		if told[account] != minor {
			r.add(0, "the %s account of merchant %d (holder %d) is said to have %d %s, the postings say %d",
				account.Kind, account.Merchant, account.Holder, told[account], account.Currency, minor)
		}
	}
	for account, minor := range told {
		if _, posted := b.accounts[account]; !posted && minor != 0 {
			r.add(0, "the %s account of merchant %d (holder %d) is said to have %d %s, nothing was ever posted to it",
				account.Kind, account.Merchant, account.Holder, minor, account.Currency)
		}
	}
}

// wallet holds a guarded balance row against the postings.
func (b *books) wallet(r *Report, row balance) {
	of := purse{row.User, row.Currency}
	if posted := b.users[of]; row.Available != posted {
		r.add(0, "wallet user %d has %d %s, the postings say %d", row.User, row.Available, row.Currency, posted)
	}
	if row.Available < 0 {
		r.add(0, "wallet user %d has %d %s", row.User, row.Available, row.Currency)
	}
	delete(b.users, of)
}

// conclude looks at what is left: the sum of everything, and wallets that have
// no guarded balance.
func (b *books) conclude(r *Report) {
	for currency, sum := range b.trial {
		if sum != 0 {
			r.add(0, "the trial balance of %s is %d", currency, sum)
		}
	}
	for of, minor := range b.users {
		if minor != 0 {
			r.add(0, "wallet user %d has no balance of %s, the postings say %d", of.user, of.currency, minor)
		}
	}
}

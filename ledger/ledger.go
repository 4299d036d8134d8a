// Package ledger keeps double-entry books: entries of two or more postings
// that sum to zero. It is pure: it neither stores nor reads anything.
//
// A posting's amount is credit positive: a liability such as the merchant's
// balance grows with a positive amount, an asset such as the acquirer's debt
// to us grows with a negative one.
package ledger

import (
	"errors"
	"fmt"

	"github.com/capstan-pay/capstan/money"
)

// Kind says what an account is for.
type Kind uint8

// The kinds of account.
const (
	_            Kind = iota
	Held              // money reserved by open authorizations of a merchant
	Merchant          // what we owe the merchant
	PlatformFees      // what the platform kept of the merchant's captures
	InTransit         // captured and not yet settled to the merchant, less what was refunded and not yet settled
	Acquirer          // the card networks' side: what they promised or owe
	Wallet            // the balance of one wallet user
	Issuance          // where wallet balances come from: top-ups
)

var kindNames = [...]string{
	Held: "held", Merchant: "merchant", PlatformFees: "platform_fees", InTransit: "in_transit",
	Acquirer: "acquirer", Wallet: "wallet", Issuance: "issuance",
}

// Kinds lists every kind of account, in a fixed order.
func Kinds() []Kind {
	return []Kind{Held, Merchant, PlatformFees, InTransit, Acquirer, Wallet, Issuance}
}

// String is the name of the kind in APIs and reports, such as "held".
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("ledger.Kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// Account names one account in one currency.
type Account struct {
	Merchant int64 // whose books
	Kind     Kind
	Holder   int64 // the wallet user's id; 0 for all other kinds
	Currency money.Currency
}

// Posting is one line of an entry.
type Posting struct {
	Account Account
	Minor   int64 // credit positive
}

// Entry is a set of postings that belong together.
type Entry []Posting

// ErrUnbalanced is returned for an entry whose postings do not sum to zero in
// each currency, or that has fewer than two.
var ErrUnbalanced = errors.New("ledger: unbalanced entry")

// Move returns the entry that takes minor units from one account and gives
// them to another of the same currency. Moving nothing is an empty entry.
func Move(minor int64, from, to Account) Entry {
	if from.Currency != to.Currency {
		panic("ledger: Move from " + string(from.Currency) + " to " + string(to.Currency))
	}
	if minor == 0 {
		return nil
	}
	return Entry{{from, -minor}, {to, minor}}
}

// Check returns nil when the entry is empty or balanced in every currency.
func (e Entry) Check() error {
	if len(e) == 0 {
		return nil
	}
	if len(e) < 2 {
		return fmt.Errorf("%w: a single posting", ErrUnbalanced)
	}
	for _, p := range e {
		sum, err := e.sum(p.Account.Currency)
		if err != nil {
			return err
		}
		if sum != 0 {
			return fmt.Errorf("%w: off by %d %s", ErrUnbalanced, sum, p.Account.Currency)
		}
	}
	return nil
}

func (e Entry) sum(c money.Currency) (sum int64, err error) {
	for _, p := range e {
		if p.Account.Currency != c {
			continue
		}
		if sum, err = money.Sum(sum, p.Minor); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// Balances is a set of account balances, credit positive.
type Balances map[Account]int64

// Apply adds an entry. It returns an error, and adds nothing, when the entry is
// not balanced or a balance would leave the 64-bit range.
func (b Balances) Apply(e Entry) error {
	if err := e.Check(); err != nil {
		return err
	}
	for i, p := range e {
		sum, err := money.Sum(b[p.Account], p.Minor)
		if err != nil {
			for _, added := range e[:i] {
				b[added.Account] -= added.Minor
			}
			return err
		}
		b[p.Account] = sum
	}
	return nil
}

// Trial sums all balances by currency. In sound books every sum is zero.
func (b Balances) Trial() map[money.Currency]int64 {
	trial := map[money.Currency]int64{}
	for account, minor := range b {
		trial[account.Currency] += minor
	}
	return trial
}

// Package wallet holds the users of closed-loop wallets: people with a balance
// in our own ledger, and the access tokens by which a merchant may charge them.
package wallet

import (
	"time"

	"github.com/capstan-pay/capstan/money"
)

// User is somebody with balances.
type User struct {
	ID     int64
	Tenant int64
	Frozen bool // may not pay
}

// Grant is an access token: a user's standing permission to be charged.
// Only the token's keyed hash is kept.
type Grant struct {
	Name      string // keyed hash of the token, hex
	Tenant    int64
	User      int64
	ExpiresAt time.Time
	Revoked   bool
}

// Valid tells whether the grant may be used at now.
func (g Grant) Valid(now time.Time) bool { return !g.Revoked && now.Before(g.ExpiresAt) }

// Balance is what a user has of one currency.
type Balance struct {
	User      int64
	Currency  money.Currency
	Available int64 // minor units, never negative
}

package store

import (
	"context"
	"time"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wallet"
)

// MetaMove is the name of the value that marks a store which is being moved
// elsewhere, or was, or of which not all is there yet: no server takes it.
const MetaMove = "move"

// Movable is a Store whose contents can be moved into another one, also of
// another kind.
type Movable interface {
	Store

	// Export calls fn with a view of one consistent state.
	Export(ctx context.Context, fn func(Export) error) error

	// Import writes a parcel as it is, all of it or nothing. What it says is
	// not checked; what is there already is an error.
	Import(ctx context.Context, p *Parcel) error

	// InUse tells until when another process that has the store open for
	// writing keeps it, as far as is known of it now: one that lives moves that
	// moment on, one that has died does not. Zero is nobody.
	InUse(ctx context.Context) (until time.Time, err error)
}

// Export is an Audit that also walks through what is not audited, so that its
// walks together are the whole store, but for how far a sandbox's clock is
// ahead. Walks that go through an unchanged store once more go the same way.
type Export interface {
	Audit

	// Rows is how many rows there are in all, about.
	Rows() (int64, error)
	// Meta: all named values, by name.
	Meta(func(Meta) error) error
	// Merchants: all, by ID.
	Merchants(func(merchant.Merchant) error) error
	// Credentials: all, by dialect, kind and lookup.
	Credentials(func(merchant.Credential) error) error
	// Users: all wallet users, by ID.
	Users(func(wallet.User) error) error
	// Grants: all, by tenant and name.
	Grants(func(wallet.Grant) error) error
	// Deposits: all, in the order of their postings.
	Deposits(func(Deposit) error) error
}

// Meta is a named value.
type Meta struct {
	Name  string
	Value []byte
}

// Deposit is money put into a wallet, or taken out of it.
type Deposit struct {
	Tenant, Merchant, User int64
	At                     time.Time
	Entry                  ledger.Entry
}

// Purse is a guarded wallet balance.
type Purse struct {
	Tenant int64
	wallet.Balance
}

// History is all of a payment: Entries[i] belongs to Events[i].
type History struct {
	State   State
	Events  []payment.Event
	Entries []ledger.Entry
}

// Told is a notice, without its deliveries, and how many it was written with.
type Told struct {
	outbox.Notice
	Told int
}

// Parcel is a part of a store on its way into another.
type Parcel struct {
	Forget []string // names of values that are removed
	Meta   []Meta   // replace those that are there

	Merchants   []merchant.Merchant
	Credentials []merchant.Credential
	Users       []wallet.User
	Purses      []Purse
	Grants      []wallet.Grant
	Deposits    []Deposit
	Payments    []History
	Records     []Record
	Timers      []payment.Timer
	Counters    []Counter
	Marks       []Mark
	Documents   []document.Document
	Notices     []Told
	Deliveries  []outbox.Delivery
	Attempts    []outbox.Attempt
	Acts        []Act
}

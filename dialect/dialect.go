// Package dialect is what the four wire APIs have in common: the services they
// stand on, and small tools for reading requests and writing replies.
//
// A dialect turns bytes into a command, asks the engine, and turns the outcome
// into bytes. It decides nothing about money. The engine knows no dialect, and
// dialects do not know each other.
package dialect

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"github.com/capstan-pay/capstan/card"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/receipt"
	"github.com/capstan-pay/capstan/throttle"
	"github.com/capstan-pay/capstan/vault"
	"github.com/capstan-pay/capstan/wallet"
	"github.com/capstan-pay/capstan/wireid"
)

// Dialect is one wire API.
type Dialect interface {
	// Name is its label, such as "wepay".
	Name() string

	// Handler serves its requests, unknown paths included.
	http.Handler

	// Issue makes credentials for a new merchant: what to keep of them, and
	// the JSON-able object that is shown to the merchant once.
	Issue(ctx context.Context, m merchant.Merchant) (keep []merchant.Credential, show any, err error)

	// PaymentID is how the dialect calls a payment; empty if it cannot
	// express it. ParsePaymentID reads it back.
	PaymentID(*payment.Payment) string
	ParsePaymentID(id string) (payment.ID, bool)

	KeyKeeper
}

// Engine is what a dialect asks. See the engine package for the promises.
type Engine interface {
	// Do carries out a request once.
	Do(context.Context, payment.Request) (payment.Outcome, error)
	// Payment returns a merchant's payment as it is now, nil if he has none
	// with that ID.
	Payment(ctx context.Context, tenant, merchant int64, id payment.ID) (*payment.Payment, error)
	// Recorded returns the outcome kept under a key, if any.
	Recorded(ctx context.Context, tenant int64, key payment.Key) (payment.Outcome, bool, error)
}

// Wallets is what a dialect needs to know of wallet users.
type Wallets interface {
	Grant(ctx context.Context, tenant int64, name string) (*wallet.Grant, error)
	PutGrant(ctx context.Context, g wallet.Grant) error
	User(ctx context.Context, tenant, id int64) (*wallet.User, []wallet.Balance, error)
	// UseGrant revokes a grant, and tells whether it was there and not revoked
	// before: of several callers at once, on any instance, one is told so.
	UseGrant(ctx context.Context, tenant int64, name string) (bool, error)
}

// Meta keeps a few named values, one of each in a store.
type Meta interface {
	// Meta returns a value, nil if there is none.
	Meta(ctx context.Context, name string) ([]byte, error)
	// PutMeta sets a value; with once it leaves one that is there and returns it.
	PutMeta(ctx context.Context, name string, value []byte, once bool) ([]byte, error)
}

// Listings is where payments are found otherwise than by their ids: all of a
// merchant's, or those that were given a label. See [Services.Page].
type Listings interface {
	List(ctx context.Context, l payment.Listing) ([]payment.Place, error)
}

// Services are what every dialect stands on.
type Services struct {
	Engine    Engine
	Merchants *merchant.Directory
	Wallets   Wallets
	Meta      Meta
	Outbox    Outbox
	Listings  Listings
	Documents document.Store
	Clock     clock.Clock
	IDs       *wireid.Codec
	Keys      *keyring.Keyring
	Cards     card.Inspector
	Vault     *vault.Vault      // cards that may be charged again
	Limits    *throttle.Limiter // of all dialects together
	Logger    *slog.Logger
	Random    io.Reader // for request ids and the like; safe for concurrent use
	Receipts  *receipt.Desk

	// Anywhere finds a payment in every tenant, for pages of a sandbox whose
	// address does not say whose it is; nil outside a sandbox.
	Anywhere func(context.Context, payment.ID) (*payment.Payment, error)

	PublicURL string // what receipts and redirects begin with, without a slash at the end
	Sandbox   bool
}

// Mask is what a logger may show of a secret: nothing.
const Mask = "[secret]"

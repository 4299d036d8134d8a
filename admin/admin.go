// Package admin is what an operator does to a store: merchants, their keys and
// settings, the keys of the administrators themselves, and the log of all
// that. A Desk works on a store, a Client through a running server's admin
// listener; both are an Administrator.
//
// docs/admin.md describes the HTTP API.
package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/explain"
)

// Administrator administers a store. An error of the caller's is a Problem.
type Administrator interface {
	CreateMerchant(context.Context, NewMerchant) (Created, error)
	Merchants(context.Context) ([]Merchant, error)
	Merchant(ctx context.Context, id string) (Merchant, error)
	ChangeMerchant(ctx context.Context, id string, c Change) (Merchant, error)

	Keys(ctx context.Context, merchant string) ([]Key, error)
	// AddKey makes another key; with Replace it ends the others of its kind.
	AddKey(ctx context.Context, merchant string, k NewKey) (Issued, error)
	// DisableKey disables a key for good, at once.
	DisableKey(ctx context.Context, merchant, key string) (Key, error)

	AdminKeys(context.Context) ([]Key, error)
	AddAdminKey(context.Context, NewAdminKey) (IssuedAdminKey, error)
	DisableAdminKey(ctx context.Context, key string) (Key, error)

	// ServerRisk returns the risk configuration for all merchants, "null" if
	// there is none; SetServerRisk sets it, and with "null" takes it away.
	ServerRisk(context.Context) (json.RawMessage, error)
	SetServerRisk(ctx context.Context, document json.RawMessage) error

	// Deliveries returns deliveries of messages to a merchant, the latest
	// first. Redeliver has some made again, whatever became of them.
	Deliveries(ctx context.Context, merchant string, q DeliveryQuery) ([]Delivery, error)
	Redeliver(ctx context.Context, merchant string, r Redelivery) (Redelivered, error)

	// Reviews returns operations of a merchant that a risk rule wants somebody to
	// look at, the latest first.
	Reviews(ctx context.Context, merchant string, q ReviewQuery) ([]Review, error)

	// Log returns acts of administration, the latest first.
	Log(context.Context, LogQuery) ([]Act, error)
	// Explain tells the story of a payment, by any id of it.
	Explain(ctx context.Context, id string) (*explain.Story, error)
}

// NewMerchant is a merchant that is to be made.
type NewMerchant struct {
	Name     string                     `json:"name"`
	Tenant   int64                      `json:"tenant,omitempty"`   // 0: one of its own
	Dialects []string                   `json:"dialects,omitempty"` // in which it gets credentials; empty is all, "none" alone is none
	Settings map[string]json.RawMessage `json:"settings,omitempty"`
}

// Merchant is a merchant as he is shown.
type Merchant struct {
	ID        string                     `json:"merchant"`
	Name      string                     `json:"name"`
	Tenant    int64                      `json:"tenant"`
	Disabled  bool                       `json:"disabled"`
	CreatedAt time.Time                  `json:"created_at"`
	Settings  map[string]json.RawMessage `json:"settings"`
}

// Created is a new merchant with his credentials, which are shown this once.
type Created struct {
	Merchant
	Credentials map[string]json.RawMessage `json:"credentials"` // by dialect
}

// Change is what is to be different about a merchant; nil leaves it. A setting
// of null goes back to its default.
type Change struct {
	Name     *string                    `json:"name,omitempty"`
	Disabled *bool                      `json:"disabled,omitempty"`
	Settings map[string]json.RawMessage `json:"settings,omitempty"`
}

// Key is a key as it may be shown again.
type Key struct {
	ID        string     `json:"key"`
	Dialect   string     `json:"dialect,omitempty"` // none: an administrator's
	Kind      string     `json:"kind"`
	Hint      string     `json:"hint,omitempty"`
	Name      string     `json:"name,omitempty"` // of the administrator
	Status    string     `json:"status"`         // active, expiring, expired or disabled
	CreatedAt *time.Time `json:"created_at,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// NewKey is a key that is to be made.
type NewKey struct {
	Dialect   string `json:"dialect"`              // or "webhook"
	Kind      string `json:"kind,omitempty"`       // empty is the usual one
	PublicKey string `json:"public_key,omitempty"` // of a pair that the merchant has made

	// Replace ends the keys of that kind that are usable now, after Overlap
	// seconds: until then old and new ones are good. Nil is a day, or nothing
	// where there is one key at a time.
	Replace bool   `json:"replace,omitempty"`
	Overlap *int64 `json:"overlap_seconds,omitempty"`
}

// Issued is a key that was made. Credentials is shown this once.
type Issued struct {
	Dialect     string          `json:"dialect"`
	Kind        string          `json:"kind"`
	Credentials json.RawMessage `json:"credentials"`
	Ending      []Key           `json:"ending,omitempty"` // the keys that it replaces
}

// NewAdminKey is a key for an administrator.
type NewAdminKey struct {
	Name    string `json:"name"`
	Seconds int64  `json:"seconds,omitempty"` // how long it is good; 0 is for ever
}

// IssuedAdminKey is one that was made. Token is shown this once.
type IssuedAdminKey struct {
	Key
	Token string `json:"token"`
}

// LogQuery asks for acts: up to Limit of them with numbers below Before.
type LogQuery struct {
	Merchant string // empty is every one
	Before   int64  // 0 is no bound
	Limit    int    // 0 is 100; at most 1000
}

// Act is one thing that an administrator did.
type Act struct {
	Number   int64           `json:"number"`
	At       time.Time       `json:"at"`
	By       string          `json:"by"`
	Action   string          `json:"action"`
	Merchant string          `json:"merchant,omitempty"`
	Subject  string          `json:"subject,omitempty"`
	Details  json.RawMessage `json:"details,omitempty"`
}

// Problem is an error of the caller's. Its text may be shown to him.
type Problem struct {
	Status int // of HTTP
	Text   string
}

func (p Problem) Error() string { return p.Text }

func invalid(format string, args ...any) error {
	return Problem{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

func missing(format string, args ...any) error {
	return Problem{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) error {
	return Problem{http.StatusConflict, fmt.Sprintf(format, args...)}
}

// Bounds of what a request may ask for.
const (
	usualShown    = 100
	mostShown     = 1000
	longestReason = 500
)

// bound puts the usual limit where none was asked for.
func bound(limit *int) error {
	if *limit == 0 {
		*limit = usualShown
	}
	if *limit < 1 || *limit > mostShown {
		return invalid("limit is a number from 1 to %d", mostShown)
	}
	return nil
}

// because returns who decides and why, as a payment's history keeps it.
func (d *Desk) because(reason string) (string, error) {
	reason = strings.TrimSpace(reason)
	if reason == "" || len(reason) > longestReason {
		return "", invalid("a reason of up to %d bytes is wanted", longestReason)
	}
	return d.by + ": " + reason, nil
}

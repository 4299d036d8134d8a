// Package merchant says who may use the server: merchants, their credentials
// in each dialect, and their settings.
package merchant

import (
	"encoding/json"
	"time"
)

// Merchant is a party that takes payments. The tenant is the platform, PSP or
// wallet it belongs to: nothing that happens crosses tenants.
type Merchant struct {
	ID        int64
	Tenant    int64
	Name      string
	Disabled  bool
	CreatedAt time.Time

	// Settings are what an operator may change, by "<dialect>.<setting>".
	// A missing one has its dialect's default.
	Settings map[string]json.RawMessage
}

// Credential lets a merchant in through one dialect.
type Credential struct {
	Merchant int64 // 0 with the dialect "admin": an administrator's
	Dialect  string
	Kind     string // the dialect's own word: "app", "client", "secret_key", ...

	// Lookup finds it: a public identifier in clear, or the keyed hash of a
	// secret. It is unique within dialect and kind.
	Lookup string

	Data     []byte // what is not secret, the dialect's own document
	Sealed   []byte // what is, sealed under the key file
	Disabled bool

	// Hint is what of a secret may be shown again, so that whoever has it can
	// tell which credential is his: its beginning and its last characters.
	Hint      string
	CreatedAt time.Time
	ExpiresAt time.Time // it lets nobody in from then on; zero is never
}

// Usable tells whether the credential lets its merchant in at that moment.
func (c *Credential) Usable(at time.Time) bool {
	return !c.Disabled && (c.ExpiresAt.IsZero() || at.Before(c.ExpiresAt))
}

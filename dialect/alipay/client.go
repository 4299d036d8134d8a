package alipay

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/merchant"
)

// maxClientID is the longest Client-Id there is.
const maxClientID = 128

// clientKind is the kind of this API's credentials; their lookup is the
// Client-Id.
const clientKind = "client"

// client is a merchant as this API knows him. It is not changed once made.
type client struct {
	id       string
	tenant   int64
	merchant int64
	keys     map[int]publicKey // by version
	agents   map[string]agent  // by the digest of their tokens
	settings settings
}

// publicKey is one of a client's keys.
type publicKey struct {
	*rsa.PublicKey
	until time.Time // not good from then on; zero is never
}

// good tells whether requests may be signed with the key at a moment.
func (k publicKey) good(at time.Time) bool { return k.until.IsZero() || at.Before(k.until) }

// clientKeys is what a credential's Data holds.
type clientKeys struct {
	Version int               `json:"v"`
	Keys    map[string][]byte `json:"keys"`             // SPKI DER by key version
	Made    map[string]int64  `json:"made,omitempty"`   // when a version was added, Unix milliseconds
	Until   map[string]int64  `json:"until,omitempty"`  // when a version ends, Unix milliseconds
	Agents  map[string]agent  `json:"agents,omitempty"` // by the digest of their tokens
}

// findClient returns the client with that Client-Id, nil if there is none or
// it is disabled. Its keys and settings are read once per credential found.
func (d *Dialect) findClient(ctx context.Context, id string) (*client, error) {
	access, err := d.Merchants.Find(ctx, Name, clientKind, id)
	if err != nil || access == nil {
		return nil, err
	}
	c, err := access.Once(readClient)
	if err != nil {
		return nil, err
	}
	return c.(*client), nil
}

func readClient(a *merchant.Access) (any, error) {
	var doc clientKeys
	if err := json.Unmarshal(a.Credential.Data, &doc); err != nil {
		return nil, fmt.Errorf("credential of client %q: %w", a.Credential.Lookup, err)
	}
	c := &client{
		id: a.Credential.Lookup, tenant: a.Tenant, merchant: a.ID,
		keys: make(map[int]publicKey, len(doc.Keys)), agents: doc.Agents, settings: settingsOf(&a.Merchant),
	}
	for version, der := range doc.Keys {
		n, err := strconv.Atoi(version)
		var key publicKey
		if err == nil {
			key.PublicKey, err = parsePublicDER(der)
		}
		if err != nil {
			return nil, fmt.Errorf("key %q of client %q: %w", version, c.id, err)
		}
		if until, ends := doc.Until[version]; ends {
			key.until = time.UnixMilli(until).UTC()
		}
		c.keys[n] = key
	}
	return c, nil
}

// zone is the client's time zone, UTC for nobody.
func (c *client) zone() *time.Location {
	if c == nil {
		return time.UTC
	}
	return c.settings.zone
}

// may tells whether the client is permitted to call an API.
func (c *client) may(api string) bool {
	_, name, _ := strings.Cut(api, "/")
	return len(c.settings.apis) == 0 || slices.Contains(c.settings.apis, name)
}

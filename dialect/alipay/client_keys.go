package alipay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
)

// clientKey is the kind of the keys that a client signs his requests with.
const clientKey = "client_key"

// KeyKinds implements dialect.KeyKeeper.
func (d *Dialect) KeyKinds() []dialect.KeyKind {
	return []dialect.KeyKind{{Name: clientKey, Public: true}, {Name: agentToken}}
}

// ListKeys implements dialect.KeyKeeper: the versions of each client's key, of
// which one that was disabled is not listed any more, and his agents' tokens.
func (d *Dialect) ListKeys(has []merchant.Credential) ([]dialect.Key, error) {
	var keys []dialect.Key
	for _, c := range clientsOf(has) {
		var doc clientKeys
		if err := json.Unmarshal(c.Data, &doc); err != nil {
			return nil, fmt.Errorf("alipay: credential of client %q: %w", c.Lookup, err)
		}
		for _, version := range slices.SortedFunc(maps.Keys(doc.Keys), byNumber) {
			k := dialect.Key{
				ID: dialect.KeyID(c, version), Dialect: Name, Kind: clientKey, Hint: c.Lookup + " version " + version,
				CreatedAt: c.CreatedAt, Disabled: c.Disabled,
			}
			if made, ok := doc.Made[version]; ok {
				k.CreatedAt = time.UnixMilli(made).UTC()
			}
			if until, ok := doc.Until[version]; ok {
				k.ExpiresAt = time.UnixMilli(until).UTC()
			}
			keys = append(keys, k)
		}
		for _, digest := range slices.Sorted(maps.Keys(doc.Agents)) {
			keys = append(keys, doc.Agents[digest].key(c, digest))
		}
	}
	return keys, nil
}

func clientsOf(has []merchant.Credential) (clients []merchant.Credential) {
	for _, c := range has {
		if c.Dialect == Name && c.Kind == clientKind {
			clients = append(clients, c)
		}
	}
	return clients
}

func byNumber(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

// AddKey implements dialect.KeyKeeper.
func (d *Dialect) AddKey(ctx context.Context, m merchant.Merchant, has []merchant.Credential, kind, public string) ([]merchant.Credential, any, error) {
	c := merchant.Credential{Merchant: m.ID, Dialect: Name, Kind: clientKind, Lookup: d.newClientID(m), CreatedAt: d.Clock.Now()}
	for _, known := range clientsOf(has) {
		if !known.Disabled {
			c = known
			break
		}
	}
	switch {
	case kind == clientKey:
		return d.addKey(ctx, c, public)
	case kind != agentToken:
		return nil, nil, dialect.ErrNoKind
	case public != "":
		return nil, nil, dialect.ErrNoPublic
	case c.Data == nil:
		return nil, nil, errNoClient
	}
	return d.addAgent(c)
}

// errNoClient is returned for an agent of nobody.
var errNoClient = errors.New("alipay: the merchant has no client that an agent could act for: make a client_key first")

// EndKey implements dialect.KeyKeeper. A version that is disabled is forgotten.
func (d *Dialect) EndKey(has []merchant.Credential, id string, at time.Time) (merchant.Credential, error) {
	for _, c := range clientsOf(has) {
		var doc clientKeys
		if err := json.Unmarshal(c.Data, &doc); err != nil {
			return merchant.Credential{}, fmt.Errorf("alipay: credential of client %q: %w", c.Lookup, err)
		}
		for version := range doc.Keys {
			if dialect.KeyID(c, version) != id {
				continue
			}
			until, ends := doc.Until[version]
			switch {
			case at.IsZero():
				doc.drop(version)
			case !ends || at.UnixMilli() < until:
				if doc.Until == nil {
					doc.Until = map[string]int64{}
				}
				doc.Until[version] = at.UnixMilli()
			}
			var err error
			c.Data, err = json.Marshal(doc)
			return c, err
		}
		for digest, a := range doc.Agents {
			if a.key(c, digest).ID != id {
				continue
			}
			doc.Agents[digest] = a.end(at)
			var err error
			c.Data, err = json.Marshal(doc)
			return c, err
		}
	}
	return merchant.Credential{}, dialect.ErrNoKey
}

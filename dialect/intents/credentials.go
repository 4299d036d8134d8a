package intents

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
)

// The modes of a key, as they stand in it.
const (
	modeTest = "test"
	modeLive = "live"
)

// keyLength is how many alphanumeric characters follow a key's prefix: more
// than 256 bits.
const keyLength = 48

// shown is what a merchant is handed, once.
type shown struct {
	SecretKey      string `json:"secret_key,omitempty"`
	PublishableKey string `json:"publishable_key,omitempty"`
}

// Issue makes a secret and a publishable key: test keys in a sandbox, live
// keys otherwise. Only their keyed hashes are kept.
func (d *Dialect) Issue(_ context.Context, m merchant.Merchant) ([]merchant.Credential, any, error) {
	secret, err := d.newKey("sk_" + d.mode() + "_")
	if err != nil {
		return nil, nil, err
	}
	public, err := d.newKey("pk_" + d.mode() + "_")
	if err != nil {
		return nil, nil, err
	}
	keep := []merchant.Credential{d.credential(m.ID, secret), d.credential(m.ID, public)}
	return keep, shown{secret, public}, nil
}

// credential is what is kept of a key.
func (d *Dialect) credential(m int64, key string) merchant.Credential {
	kind, test, _ := keyKind(key)
	mode := modeLive
	if test {
		mode = modeTest
	}
	sum := d.Keys.MAC(keyPurpose, []byte(key))
	return merchant.Credential{
		Merchant: m, Dialect: Name, Kind: kind, Lookup: hex.EncodeToString(sum[:]), Data: []byte(mode),
		Hint: dialect.Hint(key[:8], key), CreatedAt: d.Clock.Now(),
	}
}

// mode is that of the keys which this server makes.
func (d *Dialect) mode() string {
	if d.Sandbox {
		return modeTest
	}
	return modeLive
}

// KeyKinds implements dialect.KeyKeeper.
func (d *Dialect) KeyKinds() []dialect.KeyKind {
	return []dialect.KeyKind{{Name: kindSecret}, {Name: kindPublishable}}
}

// ListKeys implements dialect.KeyKeeper.
func (d *Dialect) ListKeys(has []merchant.Credential) ([]dialect.Key, error) {
	return dialect.RowKeys(has, Name, kindSecret, kindPublishable), nil
}

// AddKey implements dialect.KeyKeeper.
func (d *Dialect) AddKey(_ context.Context, m merchant.Merchant, _ []merchant.Credential, kind, public string) ([]merchant.Credential, any, error) {
	prefix := map[string]string{kindSecret: "sk_", kindPublishable: "pk_"}[kind]
	switch {
	case prefix == "":
		return nil, nil, dialect.ErrNoKind
	case public != "":
		return nil, nil, dialect.ErrNoPublic
	}
	key, err := d.newKey(prefix + d.mode() + "_")
	if err != nil {
		return nil, nil, err
	}
	show := shown{SecretKey: key}
	if kind == kindPublishable {
		show = shown{PublishableKey: key}
	}
	return []merchant.Credential{d.credential(m.ID, key)}, show, nil
}

// EndKey implements dialect.KeyKeeper.
func (d *Dialect) EndKey(has []merchant.Credential, id string, at time.Time) (merchant.Credential, error) {
	return dialect.EndRow(has, Name, id, at, kindSecret, kindPublishable)
}

func (d *Dialect) newKey(prefix string) (string, error) { return d.random(prefix, keyLength) }

package begateway

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
)

// signingKey is the kind of the key that webhooks are signed with. It is part
// of the shop, and there is one at a time.
const signingKey = "signing_key"

// KeyKinds implements dialect.KeyKeeper.
func (d *Dialect) KeyKinds() []dialect.KeyKind {
	return []dialect.KeyKind{{Name: keyCredential}, {Name: signingKey, Single: true}}
}

// ListKeys implements dialect.KeyKeeper.
func (d *Dialect) ListKeys(has []merchant.Credential) ([]dialect.Key, error) {
	keys := dialect.RowKeys(has, Name, keyCredential)
	if shop := shopOf(has); shop != nil {
		keys = append(keys, dialect.Key{ID: dialect.KeyID(*shop, signingKey), Dialect: Name, Kind: signingKey, CreatedAt: shop.CreatedAt})
	}
	return keys, nil
}

func shopOf(has []merchant.Credential) *merchant.Credential {
	i := slices.IndexFunc(has, func(c merchant.Credential) bool { return c.Dialect == Name && c.Kind == shopCredential })
	if i < 0 {
		return nil
	}
	return &has[i]
}

// AddKey implements dialect.KeyKeeper. Webhooks carry the shop's newest secret key.
func (d *Dialect) AddKey(ctx context.Context, m merchant.Merchant, has []merchant.Credential, kind, public string) ([]merchant.Credential, any, error) {
	switch {
	case kind != keyCredential && kind != signingKey:
		return nil, nil, dialect.ErrNoKind
	case public != "":
		return nil, nil, dialect.ErrNoPublic
	}
	shop := shopOf(has)
	if shop == nil {
		return d.Issue(ctx, m)
	}
	plain, err := d.Keys.Open(SealPurpose, shop.Sealed)
	if err != nil {
		return nil, nil, fmt.Errorf("begateway: open a shop's keys: %w", err)
	}
	var secrets sealedShop
	if err := json.Unmarshal(plain, &secrets); err != nil {
		return nil, nil, fmt.Errorf("begateway: a shop's keys: %w", err)
	}
	show := Credentials{ShopID: strconv.FormatInt(m.ID, 10)}
	if kind == signingKey {
		if secrets.PrivateKey, show.PublicKey, err = d.newSigningKey(); err != nil {
			return nil, nil, err
		}
		keep, err := d.credentials(m.ID, show.ShopID, secrets)
		if err != nil {
			return nil, nil, err
		}
		return keep[:1], show, nil // the secret key is as it was
	}
	secrets.SecretKey = keyring.Token()
	show.SecretKey = secrets.SecretKey
	keep, err := d.credentials(m.ID, show.ShopID, secrets)
	if err != nil {
		return nil, nil, err
	}
	keep[0].CreatedAt = shop.CreatedAt // of the signing key
	return keep, show, nil
}

// EndKey implements dialect.KeyKeeper.
func (d *Dialect) EndKey(has []merchant.Credential, id string, at time.Time) (merchant.Credential, error) {
	if shop := shopOf(has); shop != nil && dialect.KeyID(*shop, signingKey) == id {
		return merchant.Credential{}, dialect.ErrKeyStays
	}
	return dialect.EndRow(has, Name, id, at, keyCredential)
}

package begateway

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
)

// sandboxKey signs the webhooks of all sandbox shops. It is public and guards
// nothing; making one for each shop would take most of a sandbox's start.
//
//go:embed sandbox_key.pem
var sandboxKey []byte

const (
	keyBits = 2048

	// SealPurpose is what the keys of shops are sealed for.
	SealPurpose = "begateway shop"
)

// Credentials are what a merchant is shown once.
type Credentials struct {
	ShopID    string `json:"shop_id"`
	SecretKey string `json:"secret_key,omitempty"`
	PublicKey string `json:"public_key,omitempty"` // of the key that signs webhooks: base64 SubjectPublicKeyInfo, one line
}

// sealedShop is what is kept sealed of a shop: webhooks carry its own
// credentials and are signed (section 9).
type sealedShop struct {
	Version    int    `json:"v"`
	SecretKey  string `json:"secret_key"`
	PrivateKey []byte `json:"private_key"` // PKCS #8
}

// Issue makes a shop for a merchant that has its number, which is the shop's
// id too. Issuing again leaves the id and gives it another secret key; an
// earlier one is good until it is disabled.
func (d *Dialect) Issue(_ context.Context, m merchant.Merchant) ([]merchant.Credential, any, error) {
	if m.ID < 1 {
		return nil, nil, errors.New("begateway: a shop needs a merchant that is stored")
	}
	shopID := strconv.FormatInt(m.ID, 10)
	private, public, err := d.newSigningKey()
	if err != nil {
		return nil, nil, fmt.Errorf("begateway: make a signing key: %w", err)
	}
	show := Credentials{ShopID: shopID, SecretKey: keyring.Token(), PublicKey: public}
	keep, err := d.credentials(m.ID, shopID, sealedShop{Version: 1, SecretKey: show.SecretKey, PrivateKey: private})
	return keep, show, err
}

// credentials are what is kept of a shop and of its secret key.
func (d *Dialect) credentials(m int64, shopID string, secrets sealedShop) ([]merchant.Credential, error) {
	data, err := json.Marshal(credentialData{Version: 1, ShopID: shopID})
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(secrets)
	if err != nil {
		return nil, err
	}
	sealed, err := d.Keys.Seal(SealPurpose, plain)
	if err != nil {
		return nil, fmt.Errorf("begateway: seal a shop's keys: %w", err)
	}
	now := d.Clock.Now()
	return []merchant.Credential{
		{Merchant: m, Dialect: Name, Kind: shopCredential, Lookup: shopID, Data: data, Sealed: sealed, CreatedAt: now},
		{
			Merchant: m, Dialect: Name, Kind: keyCredential, Lookup: d.keyLookup(shopID, secrets.SecretKey), Data: data,
			Hint: dialect.Hint("", secrets.SecretKey), CreatedAt: now,
		},
	}, nil
}

// newSigningKey is a key for a shop's webhooks: PKCS #8, and its public half in
// base64.
func (d *Dialect) newSigningKey() (private []byte, public string, err error) {
	var key *rsa.PrivateKey
	if d.Sandbox {
		key, err = publishedKey()
	} else {
		key, err = rsa.GenerateKey(rand.Reader, keyBits)
	}
	if err != nil {
		return nil, "", err
	}
	if private, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return nil, "", err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	return private, base64.StdEncoding.EncodeToString(der), err
}

var publishedKey = sync.OnceValues(func() (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(sandboxKey)
	if block == nil {
		return nil, errors.New("begateway: the sandbox key is no PEM block")
	}
	return parseKey(block.Bytes)
})

// parseKey reads an RSA key in PKCS #8.
func parseKey(der []byte) (*rsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("begateway: a signing key: %w", err)
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("begateway: a signing key is no RSA key")
	}
	return private, nil
}

package begateway

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
)

// sandboxKey signs the webhooks of all sandbox shops. It is public and guards
// nothing; making one for each shop would take most of a sandbox's start.
//
//go:embed sandbox_key.pem
var sandboxKey []byte

const (
	keyBits     = 2048
	sealPurpose = "begateway shop"
)

// Credentials are what a merchant is shown once.
type Credentials struct {
	ShopID    string `json:"shop_id"`
	SecretKey string `json:"secret_key"`
	PublicKey string `json:"public_key"` // of the key that signs webhooks: base64 SubjectPublicKeyInfo, one line
}

// sealedShop is what is kept sealed of a shop: webhooks carry its own
// credentials and are signed (section 9).
type sealedShop struct {
	Version    int    `json:"v"`
	SecretKey  string `json:"secret_key"`
	PrivateKey []byte `json:"private_key"` // PKCS #8
}

// Issue makes a shop for a merchant. Its id is a random number: that no two
// shops have the same is the store's promise, which refuses a lookup that is
// taken.
func (d *Dialect) Issue(_ context.Context, m merchant.Merchant) ([]merchant.Credential, any, error) {
	shopID, err := d.newShopID()
	if err != nil {
		return nil, nil, err
	}
	key, err := d.newSigningKey()
	if err != nil {
		return nil, nil, fmt.Errorf("begateway: make a signing key: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	show := Credentials{ShopID: shopID, SecretKey: keyring.Token(), PublicKey: base64.StdEncoding.EncodeToString(public)}

	data, err := json.Marshal(credentialData{Version: 1, ShopID: shopID})
	if err != nil {
		return nil, nil, err
	}
	plain, err := json.Marshal(sealedShop{Version: 1, SecretKey: show.SecretKey, PrivateKey: private})
	if err != nil {
		return nil, nil, err
	}
	sealed, err := d.Keys.Seal(sealPurpose, plain)
	if err != nil {
		return nil, nil, fmt.Errorf("begateway: seal a shop's keys: %w", err)
	}
	return []merchant.Credential{
		{Merchant: m.ID, Dialect: Name, Kind: shopCredential, Lookup: shopID, Data: data, Sealed: sealed},
		{Merchant: m.ID, Dialect: Name, Kind: keyCredential, Lookup: d.keyLookup(shopID, show.SecretKey), Data: data},
	}, show, nil
}

// Shop ids have 15 digits: they fit every client's integers.
const (
	firstShopID = 100_000_000_000_000
	shopIDs     = 900_000_000_000_000
)

func (d *Dialect) newShopID() (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(d.Random, b[:]); err != nil {
		return "", fmt.Errorf("begateway: make a shop id: %w", err)
	}
	return strconv.FormatUint(firstShopID+binary.BigEndian.Uint64(b[:])%shopIDs, 10), nil
}

func (d *Dialect) newSigningKey() (*rsa.PrivateKey, error) {
	if !d.Sandbox {
		return rsa.GenerateKey(rand.Reader, keyBits)
	}
	block, _ := pem.Decode(sandboxKey)
	if block == nil {
		return nil, errors.New("begateway: the sandbox key is no PEM block")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("begateway: the sandbox key is no RSA key")
	}
	return private, nil
}

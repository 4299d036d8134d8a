package alipay

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
)

// Credentials are what a new merchant is shown once.
type Credentials struct {
	ClientID           string `json:"client_id"`
	KeyVersion         string `json:"key_version"`
	MerchantPrivateKey string `json:"merchant_private_key,omitempty"` // PKCS#8 PEM; missing where the merchant has made it himself
	ServerPublicKey    string `json:"server_public_key"`              // SPKI PEM
}

// Issue makes a client with a key pair. Of the pair only the public half is
// kept. In the sandbox every merchant has the same, published pair. What is
// shown is a *Credentials.
func (d *Dialect) Issue(ctx context.Context, m merchant.Merchant) ([]merchant.Credential, any, error) {
	return d.addKey(ctx, merchant.Credential{Merchant: m.ID, Dialect: Name, Kind: clientKind, Lookup: d.newClientID(m), CreatedAt: d.Clock.Now()}, "")
}

// addKey adds a key to a client: the public half that the merchant handed in,
// or that of a pair made for him.
func (d *Dialect) addKey(ctx context.Context, c merchant.Credential, public string) ([]merchant.Credential, any, error) {
	doc := clientKeys{Version: 1}
	if c.Data != nil {
		if err := json.Unmarshal(c.Data, &doc); err != nil {
			return nil, nil, fmt.Errorf("alipay: credential of client %q: %w", c.Lookup, err)
		}
	}
	newest := 0
	for version := range doc.Keys {
		n, err := strconv.Atoi(version)
		if err != nil {
			return nil, nil, fmt.Errorf("alipay: key version %q of client %q", version, c.Lookup)
		}
		newest = max(newest, n)
	}
	show := &Credentials{ClientID: c.Lookup, KeyVersion: strconv.Itoa(newest + 1)}
	der, err := d.merchantKey(public, show)
	if err != nil {
		return nil, nil, err
	}
	server, err := d.server.get(ctx, d.Services)
	if err != nil {
		return nil, nil, err
	}
	if show.ServerPublicKey, err = publicPEM(server.private); err != nil {
		return nil, nil, err
	}
	if doc.Keys == nil {
		doc.Keys = map[string][]byte{}
	}
	if doc.Made == nil {
		doc.Made = map[string]int64{}
	}
	doc.Keys[show.KeyVersion], doc.Made[show.KeyVersion] = der, d.Clock.Now().UnixMilli()
	c.Data, err = json.Marshal(doc)
	return []merchant.Credential{c}, show, err
}

// newClientID makes a Client-Id: public, but of no other client.
func (d *Dialect) newClientID(m merchant.Merchant) string {
	var name [16]byte
	binary.BigEndian.PutUint64(name[:8], uint64(m.ID))
	binary.BigEndian.PutUint64(name[8:], uint64(d.Clock.Now().UnixMilli()))
	sum := d.Keys.MAC("alipay client", name[:])
	return "MERCHANT_" + base32.StdEncoding.EncodeToString(sum[:10])
}

// merchantKey returns the public half of a merchant's key as DER; the private
// half of one that was made here is to be shown.
func (d *Dialect) merchantKey(public string, show *Credentials) ([]byte, error) {
	if public != "" {
		der, err := publicDER(public)
		if err != nil {
			return nil, dialect.ErrBadPublic
		}
		return der, nil
	}
	var private *rsa.PrivateKey
	var err error
	if d.Sandbox {
		private, err = publishedMerchant()
	} else {
		private, err = rsa.GenerateKey(rand.Reader, minKeyBits)
	}
	if err != nil {
		return nil, err
	}
	if show.MerchantPrivateKey, err = privatePEM(private); err != nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(&private.PublicKey)
}

// UpdateKeys returns a client credential's Data with public keys added or
// replaced, by version, and others retired. A key is SPKI, as PEM or as the
// bare base64 of its DER; versions are numbers from 1.
func UpdateKeys(data []byte, add map[string]string, retire []string) ([]byte, error) {
	doc := clientKeys{Version: 1}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("alipay: credential: %w", err)
	}
	if doc.Keys == nil {
		doc.Keys = map[string][]byte{}
	}
	for _, version := range retire {
		doc.drop(version)
	}
	for version, text := range add {
		n, err := strconv.ParseUint(version, 10, 31)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != version {
			return nil, fmt.Errorf("alipay: key version %q is not a number from 1", version)
		}
		der, err := publicDER(text)
		if err != nil {
			return nil, fmt.Errorf("alipay: key version %s: %w", version, err)
		}
		doc.drop(version)
		doc.Keys[version] = der
	}
	return json.Marshal(doc)
}

func (d *clientKeys) drop(version string) {
	delete(d.Keys, version)
	delete(d.Made, version)
	delete(d.Until, version)
}

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

	"github.com/capstan-pay/capstan/merchant"
)

// Credentials are what a new merchant is shown once.
type Credentials struct {
	ClientID           string `json:"client_id"`
	KeyVersion         string `json:"key_version"`
	MerchantPrivateKey string `json:"merchant_private_key"` // PKCS#8 PEM
	ServerPublicKey    string `json:"server_public_key"`    // SPKI PEM
}

// Issue makes a client with a key pair. Of the pair only the public half is
// kept. In the sandbox every merchant has the same, published pair. What is
// shown is a *Credentials.
func (d *Dialect) Issue(ctx context.Context, m merchant.Merchant) ([]merchant.Credential, any, error) {
	show := &Credentials{ClientID: d.newClientID(m), KeyVersion: "1"}
	private, err := d.merchantKey()
	if err != nil {
		return nil, nil, err
	}
	if show.MerchantPrivateKey, err = privatePEM(private); err != nil {
		return nil, nil, err
	}
	server, err := d.server.get(ctx, d.Services)
	if err != nil {
		return nil, nil, err
	}
	if show.ServerPublicKey, err = publicPEM(server.private); err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	data, err := json.Marshal(document{Version: 1, Keys: map[string][]byte{show.KeyVersion: der}})
	if err != nil {
		return nil, nil, err
	}
	return []merchant.Credential{{Merchant: m.ID, Dialect: Name, Kind: clientKind, Lookup: show.ClientID, Data: data}}, show, nil
}

// newClientID makes a Client-Id: public, but of no other client.
func (d *Dialect) newClientID(m merchant.Merchant) string {
	var name [16]byte
	binary.BigEndian.PutUint64(name[:8], uint64(m.ID))
	binary.BigEndian.PutUint64(name[8:], uint64(d.Clock.Now().UnixMilli()))
	sum := d.Keys.MAC("alipay client", name[:])
	return "MERCHANT_" + base32.StdEncoding.EncodeToString(sum[:10])
}

func (d *Dialect) merchantKey() (*rsa.PrivateKey, error) {
	if d.Sandbox {
		return publishedMerchant()
	}
	return rsa.GenerateKey(rand.Reader, minKeyBits)
}

// UpdateKeys returns a client credential's Data with public keys added or
// replaced, by version, and others retired. A key is SPKI, as PEM or as the
// bare base64 of its DER; versions are numbers from 1.
func UpdateKeys(data []byte, add map[string]string, retire []string) ([]byte, error) {
	doc := document{Version: 1}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("alipay: credential: %w", err)
	}
	if doc.Keys == nil {
		doc.Keys = map[string][]byte{}
	}
	for _, version := range retire {
		delete(doc.Keys, version)
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
		doc.Keys[version] = der
	}
	return json.Marshal(doc)
}

package begateway

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"github.com/capstan-pay/capstan/merchant"
)

// How errors are wrapped (section 3.1).
const (
	envelopeWrapped = "wrapped"
	envelopeFlat    = "flat"
	envelopeBoth    = "both"
)

// shop is a merchant as this API sees him: who he is, and what his settings
// say.
type shop struct {
	id       string
	number   int64 // the same as a number
	merchant *merchant.Merchant
	settings

	sealed []byte // of a shop's own credential; see keysOf
	once   sync.Once
	keys   *shopKeys
	fault  error
}

// shopKeys are what a shop's notifications are sent with.
type shopKeys struct {
	secret  string
	private *rsa.PrivateKey
}

// credentialData is what is kept of a shop in clear, with each of its
// credentials.
type credentialData struct {
	Version int    `json:"v"`
	ShopID  string `json:"shop_id"`
}

// readShop makes the shop of an access.
func readShop(a *merchant.Access) (any, error) {
	var data credentialData
	if err := json.Unmarshal(a.Credential.Data, &data); err != nil {
		return nil, fmt.Errorf("begateway: credential of merchant %d: %w", a.Merchant.ID, err)
	}
	number, err := strconv.ParseInt(data.ShopID, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("begateway: shop id of merchant %d is no number", a.Merchant.ID)
	}
	return &shop{id: data.ShopID, number: number, merchant: &a.Merchant, settings: readSettings(&a.Merchant), sealed: a.Credential.Sealed}, nil
}

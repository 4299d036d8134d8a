package begateway

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
)

// Kinds of credential. A secret key is found by the keyed hash of shop id and
// key together, so a shop that does not exist and a key that is wrong take the
// same way, and no secret is ever compared. The shop itself is found by its
// id: it carries what is sealed.
const (
	shopCredential = "shop"
	keyCredential  = "secret_key"
)

// authenticate returns the shop that a request's Basic credentials let in, nil
// if they do not.
func (d *Dialect) authenticate(r *http.Request) (*shop, error) {
	shopID, secret, ok := r.BasicAuth()
	if !ok {
		return nil, nil
	}
	return d.findShop(r.Context(), keyCredential, d.keyLookup(shopID, secret))
}

func (d *Dialect) findShop(ctx context.Context, kind, lookup string) (*shop, error) {
	access, err := d.Merchants.Find(ctx, Name, kind, lookup)
	if err != nil {
		return nil, fmt.Errorf("begateway: find %s: %w", kind, err)
	}
	if access == nil {
		return nil, nil
	}
	s, err := access.Once(readShop)
	if err != nil {
		return nil, err
	}
	return s.(*shop), nil
}

// keyLookup is what a shop's secret key is found by.
func (d *Dialect) keyLookup(shopID, secret string) string {
	sum := d.Keys.MAC("begateway secret key", []byte(shopID), []byte(secret))
	return hex.EncodeToString(sum[:])
}

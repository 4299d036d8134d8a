package wepay

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// tokenKind is the kind of credential that lets an application in. An
// application may have several tokens at a time, so that they can be changed.
const tokenKind = "token"

// credential is what is kept beside the hash of a token.
type credential struct {
	AppID string `json:"app_id"`
}

// Shown is what a merchant is told, once.
type Shown struct {
	AppID     string `json:"app_id"`
	AppToken  string `json:"app_token"`
	AccountID string `json:"account_id"`
}

// Issue makes a token for a merchant's application. The application and its
// account follow from the merchant, so a second call gives another token of
// the same.
func (d *Dialect) Issue(_ context.Context, m merchant.Merchant) ([]merchant.Credential, any, error) {
	token, err := d.newToken()
	if err != nil {
		return nil, nil, fmt.Errorf("make a token: %w", err)
	}
	known := credential{AppID: appID(m.ID)}
	data, err := json.Marshal(known)
	if err != nil {
		return nil, nil, err
	}
	keep := []merchant.Credential{{
		Merchant: m.ID, Dialect: Name, Kind: tokenKind, Lookup: d.tokenName(token), Data: data,
		Hint: dialect.Hint(d.environment(), token), CreatedAt: d.Clock.Now(),
	}}
	return keep, Shown{known.AppID, token, d.accountOf(m.ID)}, nil
}

// firstAppID makes application ids the six digits that WePay's had.
const firstAppID = 100_000

func appID(merchant int64) string { return strconv.FormatInt(firstAppID+merchant, 10) }

// accountOf is the id of a merchant's account.
func (d *Dialect) accountOf(merchant int64) string {
	return d.IDs.UUID(wireid.Name{Kind: wireid.Merchant, Payment: payment.ID(merchant)})
}

// newToken makes an App-Token in the shape that WePay's had: base64 of five
// digits, an underscore and a UUID behind the name of the environment. Scanners
// for leaked secrets know a stage token by its 62 characters.
func (d *Dialect) newToken() (string, error) {
	var random [4]byte
	if _, err := io.ReadFull(d.Random, random[:]); err != nil {
		return "", err
	}
	digits := 10_000 + binary.BigEndian.Uint32(random[:])%90_000
	return d.environment() + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%d_%s", digits, d.uuid())), nil
}

// environment is what tokens begin with.
func (d *Dialect) environment() string {
	if d.Sandbox {
		return "stage_"
	}
	return "prod_"
}

// mostTokens is how many tokens of an application may be good at a time.
const mostTokens = 3

// KeyKinds implements dialect.KeyKeeper.
func (d *Dialect) KeyKinds() []dialect.KeyKind {
	return []dialect.KeyKind{{Name: tokenKind, Most: mostTokens}}
}

// ListKeys implements dialect.KeyKeeper.
func (d *Dialect) ListKeys(has []merchant.Credential) ([]dialect.Key, error) {
	return dialect.RowKeys(has, Name, tokenKind), nil
}

// AddKey implements dialect.KeyKeeper.
func (d *Dialect) AddKey(ctx context.Context, m merchant.Merchant, _ []merchant.Credential, kind, public string) ([]merchant.Credential, any, error) {
	switch {
	case kind != tokenKind:
		return nil, nil, dialect.ErrNoKind
	case public != "":
		return nil, nil, dialect.ErrNoPublic
	}
	return d.Issue(ctx, m)
}

// EndKey implements dialect.KeyKeeper.
func (d *Dialect) EndKey(has []merchant.Credential, id string, at time.Time) (merchant.Credential, error) {
	return dialect.EndRow(has, Name, id, at, tokenKind)
}

// uuid returns a random UUID.
func (d *Dialect) uuid() string {
	id, err := wireid.RandomUUID(d.Random)
	if err != nil {
		panic(err) // the system's source of randomness does not fail
	}
	return id
}

package alipay

import (
	"context"
	"encoding/hex"
	"io"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/wallet"
)

// newToken makes an access token of a user and the grant to be kept of it.
func (d *Dialect) newToken(tenant, user int64, expires time.Time) (string, wallet.Grant, error) {
	var secret [32]byte
	if _, err := io.ReadFull(d.Random, secret[:]); err != nil {
		return "", wallet.Grant{}, err
	}
	token := "at" + hex.EncodeToString(secret[:])
	return token, wallet.Grant{Name: wallet.GrantName(d.Keys.MAC, token), Tenant: tenant, User: user, ExpiresAt: expires}, nil
}

// refreshToken is the refresh token that belongs to an access token. It follows
// from it, so that revoking the one finds the other.
func refreshToken(mac wallet.MAC, token string) string {
	return named(mac, "wallet refresh token", token)
}

// refreshName is what the grant behind a refresh token is called. It cannot be
// used to pay.
func refreshName(mac wallet.MAC, token string) string { return named(mac, "wallet refresh", token) }

func named(mac wallet.MAC, purpose, secret string) string {
	sum := mac(purpose, []byte(secret))
	return hex.EncodeToString(sum[:])
}

// refreshValidity is how much longer a refresh token lives than its access
// token.
const refreshValidity = 30 * 24 * time.Hour

// exchange is one kind of thing that applyToken exchanges, with what it says
// of one that is unknown, used or expired.
type exchange struct {
	name                   func(wallet.MAC, string) string
	invalid, used, expired result
}

var (
	codeExchange    = exchange{wallet.CodeName, invalidAuthCode, usedAuthCode, expiredAuthCode}
	refreshExchange = exchange{refreshName, invalidRefreshToken, usedRefreshToken, expiredRefreshToken}
)

// v1 renames the results for authorization codes as they are called under /v1.
func (r result) v1() result {
	switch r {
	case invalidAuthCode:
		r.code = "INVALID_CODE"
	case usedAuthCode:
		r.code = "USED_CODE"
	case expiredAuthCode:
		r.code = "EXPIRED_CODE"
	}
	return r
}

// applyToken exchanges a code or a refresh token for an access token:
// POST /v2/authorizations/applyToken.
func (d *Dialect) applyToken(ctx context.Context, c *call) []byte {
	f := c.fields
	f.id("appId", 32)
	f.id("customerBelongsTo", 64)
	authClient, kind := f.id("authClientId", 128), f.required("grantType", 32)
	code, refresh, extend := f.id("authCode", 64), f.id("refreshToken", 128), f.extend()
	given, by := code, codeExchange
	if kind == "REFRESH_TOKEN" {
		given, by = refresh, refreshExchange
	}
	known := kind == "AUTHORIZATION_CODE" || kind == "REFRESH_TOKEN"
	switch {
	case *f.bad || (known && given == ""):
		return only(paramIllegal)
	case !known:
		return d.tokenReply(c, unsupportedGrantType, extend)
	case authClient != "" && authClient != c.client.id:
		return d.tokenReply(c, invalidAuthClient, extend)
	}
	if c.client.settings.partner != partnerActive {
		return d.tokenReply(c, invalidClientStatus, extend)
	}
	user, problem, err := d.spend(ctx, c, by, given)
	var token string
	var access, renewal wallet.Grant
	if err == nil && problem == nil {
		token, access, renewal, err = d.issueToken(ctx, c, user)
	}
	switch {
	case err != nil:
		d.Logger.Error("alipay: applyToken", "error", err)
		return d.tokenReply(c, unknownException, extend)
	case problem != nil && c.route.v1:
		return d.tokenReply(c, problem.v1(), extend)
	case problem != nil:
		return d.tokenReply(c, *problem, extend)
	}
	b := newReply(success, c.client.settings.zone)
	b.text("accessToken", token)
	b.time("accessTokenExpiryTime", access.ExpiresAt)
	b.text("refreshToken", refreshToken(d.Keys.MAC, token))
	b.time("refreshTokenExpiryTime", renewal.ExpiresAt)
	b.text("customerId", strconv.FormatInt(user, 10))
	b.raw("extendInfo", extend)
	return b.done()
}

// issueToken makes an access token and its refresh token, and keeps both.
func (d *Dialect) issueToken(ctx context.Context, c *call, user int64) (token string, access, renewal wallet.Grant, err error) {
	until := c.now.Add(c.client.settings.tokenValidity)
	token, access, err = d.newToken(c.client.tenant, user, until)
	if err != nil {
		return "", access, renewal, err
	}
	renewal = access
	renewal.Name, renewal.ExpiresAt = refreshName(d.Keys.MAC, refreshToken(d.Keys.MAC, token)), until.Add(refreshValidity)
	if err = d.Wallets.PutGrant(ctx, renewal); err == nil {
		err = d.Wallets.PutGrant(ctx, access)
	}
	return token, access, renewal, err
}

func (d *Dialect) tokenReply(c *call, what result, extend []byte) []byte {
	b := newReply(what, c.client.settings.zone)
	b.raw("extendInfo", extend)
	return b.done()
}

// spend uses a code or a refresh token up and returns whose it is, or why it
// counts for nothing. Of several callers at once one gets the user.
func (d *Dialect) spend(ctx context.Context, c *call, by exchange, given string) (int64, *result, error) {
	name := by.name(d.Keys.MAC, given)
	grant, err := d.Wallets.Grant(ctx, c.client.tenant, name)
	switch {
	case err != nil:
		return 0, nil, err
	case grant == nil:
		return 0, &by.invalid, nil
	case grant.Revoked:
		return 0, &by.used, nil
	case !grant.Valid(c.now):
		return 0, &by.expired, nil
	}
	first, err := d.Wallets.UseGrant(ctx, c.client.tenant, name)
	if err != nil || !first {
		return 0, &by.used, err
	}
	return grant.User, nil, nil
}

// cancelToken revokes an access token and its refresh token:
// POST /v1/authorizations/cancelToken.
func (d *Dialect) cancelToken(ctx context.Context, c *call) []byte {
	f := c.fields
	token, authClient, extend := f.required("accessToken", 128), f.id("authClientId", 128), f.extend()
	f.id("appId", 32)
	if *f.bad {
		return only(paramIllegal)
	}
	if authClient != "" && authClient != c.client.id {
		return d.tokenReply(c, invalidAuthClient, extend)
	}
	what, err := d.revoke(ctx, c, token)
	if err != nil {
		d.Logger.Error("alipay: cancelToken", "error", err)
		what = unknownException
	}
	return d.tokenReply(c, what, extend)
}

func (d *Dialect) revoke(ctx context.Context, c *call, token string) (result, error) {
	name := wallet.GrantName(d.Keys.MAC, token)
	grant, err := d.Wallets.Grant(ctx, c.client.tenant, name)
	switch {
	case err != nil:
		return result{}, err
	case grant == nil || grant.Revoked:
		return invalidAccessToken, nil
	case !grant.Valid(c.now):
		return expiredAccessToken, nil
	}
	if _, err := d.Wallets.UseGrant(ctx, c.client.tenant, refreshName(d.Keys.MAC, refreshToken(d.Keys.MAC, token))); err != nil {
		return result{}, err
	}
	first, err := d.Wallets.UseGrant(ctx, c.client.tenant, name)
	if err != nil || !first {
		return invalidAccessToken, err
	}
	return success, nil
}

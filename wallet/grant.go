package wallet

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// MAC is a keyed digest, as a keyring makes it.
type MAC func(purpose string, parts ...[]byte) [32]byte

// GrantName is what a grant is called whose access token is given.
func GrantName(mac MAC, token string) string { return named(mac, "wallet grant", token) }

// CodeName is what the grant behind an authorization code is called. It cannot
// be used to pay, only to be exchanged for an access token.
func CodeName(mac MAC, code string) string { return named(mac, "wallet code", code) }

// PaymentCodeName is what the grant behind a payment code is called. It pays
// once, at a till, and is no access token.
func PaymentCodeName(mac MAC, code string) string { return named(mac, "wallet payment code", code) }

func named(mac MAC, purpose, token string) string {
	sum := mac(purpose, []byte(token))
	return hex.EncodeToString(sum[:])
}

// NewGrant makes an access token of a user and the grant to be kept of it.
func NewGrant(mac MAC, tenant, user int64, expires time.Time) (token string, g Grant) {
	token = "at" + random()
	return token, Grant{Name: GrantName(mac, token), Tenant: tenant, User: user, ExpiresAt: expires}
}

// NewCode makes an authorization code of a user and the grant to be kept of it.
func NewCode(mac MAC, tenant, user int64, expires time.Time) (code string, g Grant) {
	code = "ac" + random()[:40]
	return code, Grant{Name: CodeName(mac, code), Tenant: tenant, User: user, ExpiresAt: expires}
}

// NewPaymentCode makes a payment code, as a user's phone shows it at a till, and
// the grant to be kept of it: "28" and 16 digits.
func NewPaymentCode(mac MAC, tenant, user int64, expires time.Time) (code string, g Grant) {
	var b [8]byte
	rand.Read(b[:])
	code = fmt.Sprintf("28%016d", binary.BigEndian.Uint64(b[:])%1e16)
	return code, Grant{Name: PaymentCodeName(mac, code), Tenant: tenant, User: user, ExpiresAt: expires}
}

// random returns 256 bits in hexadecimal.
func random() string {
	b := make([]byte, 32)
	rand.Read(b)
	return hex.EncodeToString(b)
}

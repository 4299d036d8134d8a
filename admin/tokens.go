package admin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/store"
)

// A token is tokenPrefix, the id of its key, an underscore and a 256-bit
// secret. Of the secret a keyed digest is kept, with merchant number 0.
const (
	tokenPrefix  = "capstan_admin_"
	tokenDialect = "admin"
	tokenKind    = "token"
	tokenPurpose = "admin token"
)

// tokenData is what is kept of a token in clear.
type tokenData struct {
	Name   string `json:"name"`
	Digest []byte `json:"digest"`
}

// AddAdminKey implements Administrator.
func (d *Desk) AddAdminKey(ctx context.Context, in NewAdminKey) (IssuedAdminKey, error) {
	name, err := checkName(in.Name)
	if err != nil {
		return IssuedAdminKey{}, err
	}
	if in.Seconds < 0 || in.Seconds > 10*mostOverlap {
		return IssuedAdminKey{}, invalid("a key is good for up to ten years, or for ever with 0")
	}
	var raw [6]byte
	rand.Read(raw[:])
	id, secret := hex.EncodeToString(raw[:]), keyring.Token()
	c := merchant.Credential{Dialect: tokenDialect, Kind: tokenKind, Lookup: id, Hint: dialect.Hint(tokenPrefix+id, secret)}
	if c.Data, err = json.Marshal(tokenData{name, d.tokenDigest(id, secret)}); err != nil {
		return IssuedAdminKey{}, err
	}
	act := store.Act{Action: "admin_key.create", Subject: adminKeyID(c)}
	err = d.administer(ctx, act, func(a *store.Administration) error {
		c.CreatedAt = d.Clock.Now()
		if in.Seconds > 0 {
			c.ExpiresAt = c.CreatedAt.Add(time.Duration(in.Seconds) * time.Second)
		}
		others, err := d.Store.Credentials(ctx, 0)
		if err != nil {
			return err
		}
		for _, other := range others {
			if k, err := d.showAdminKey(other); err != nil || k.Name == name && (k.Status == "active" || k.Status == "expiring") {
				return cmpError(err, conflict("there is a key of that name: disable it first, or take another name"))
			}
		}
		a.Put = []merchant.Credential{c}
		return detail(&a.Act, map[string]any{"name": name, "seconds": in.Seconds})
	})
	if err != nil {
		return IssuedAdminKey{}, err
	}
	k, err := d.showAdminKey(c)
	return IssuedAdminKey{k, tokenPrefix + id + "_" + secret}, err
}

func cmpError(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func (d *Desk) tokenDigest(id, secret string) []byte {
	sum := d.Config.Keys.MAC(tokenPurpose, []byte(id), []byte(secret))
	return sum[:]
}

func adminKeyID(c merchant.Credential) string { return "adm_" + c.Lookup }

func (d *Desk) showAdminKey(c merchant.Credential) (Key, error) {
	var data tokenData
	if err := json.Unmarshal(c.Data, &data); err != nil {
		return Key{}, err
	}
	k := d.showKey(dialect.Key{ID: adminKeyID(c), Kind: tokenKind, Hint: c.Hint, CreatedAt: c.CreatedAt, ExpiresAt: c.ExpiresAt, Disabled: c.Disabled})
	k.Name = data.Name
	return k, nil
}

// AdminKeys implements Administrator.
func (d *Desk) AdminKeys(ctx context.Context) ([]Key, error) {
	has, err := d.Store.Credentials(ctx, 0)
	if err != nil {
		return nil, err
	}
	shown := []Key{}
	for _, c := range has {
		if c.Dialect != tokenDialect {
			continue
		}
		k, err := d.showAdminKey(c)
		if err != nil {
			return nil, err
		}
		shown = append(shown, k)
	}
	slices.SortStableFunc(shown, func(a, b Key) int { return a.CreatedAt.Compare(*b.CreatedAt) })
	return shown, nil
}

// DisableAdminKey implements Administrator.
func (d *Desk) DisableAdminKey(ctx context.Context, key string) (Key, error) {
	var shown Key
	err := d.administer(ctx, store.Act{Action: "admin_key.disable", Subject: key}, func(a *store.Administration) error {
		lookup, ok := strings.CutPrefix(key, "adm_")
		if !ok {
			return missing("there is no administrator's key %q", key)
		}
		c, err := d.Store.Credential(ctx, tokenDialect, tokenKind, lookup)
		if err != nil {
			return err
		}
		if c == nil {
			return missing("there is no administrator's key %q", key)
		}
		c.Disabled = true
		a.Put = []merchant.Credential{*c}
		if shown, err = d.showAdminKey(*c); err != nil {
			return err
		}
		return detail(&a.Act, map[string]string{"name": shown.Name})
	})
	return shown, err
}

// Admit returns who a token lets in, and whether it lets anybody in.
func (d *Desk) Admit(ctx context.Context, token string) (name string, ok bool, err error) {
	rest, _ := strings.CutPrefix(token, tokenPrefix)
	id, secret, _ := strings.Cut(rest, "_")
	if len(id) > 64 {
		return "", false, nil
	}
	c, err := d.Store.Credential(ctx, tokenDialect, tokenKind, id)
	if err != nil {
		return "", false, err
	}
	var data tokenData
	if c != nil {
		if err := json.Unmarshal(c.Data, &data); err != nil {
			return "", false, err
		}
	}
	right := subtle.ConstantTimeCompare(d.tokenDigest(id, secret), data.Digest) == 1
	if !right || c == nil || !c.Usable(d.Clock.Now()) {
		return "", false, nil
	}
	return data.Name, true, nil
}

package wepay

import (
	"encoding/hex"
	"errors"
	"time"

	"github.com/capstan-pay/capstan/card"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/vault"
)

// tokenizing is the name of the endpoint that pages call.
const tokenizing = "tokenize"

// tokenLife is how long a token is good. How long the original's were could
// not be found.
const tokenLife = 30 * time.Minute

// tokenize is POST /tokens: it keeps a card for a short time and names it by a
// token, which is good for one payment or payment method. The page of a
// platform calls it, with an App-Id and without an App-Token. The security code
// is looked at and not kept.
func (d *Dialect) tokenize(c *call) ([]byte, *problem) {
	m, wrong := c.readToken()
	if wrong != nil {
		return nil, invalid(wrong...)
	}
	now := d.Clock.Now()
	if m.expired(now) {
		return nil, bodyDetail(isInvalid, "The card has expired.", "payment_methods", byCard, "expiration_year")
	}
	id := d.uuid()
	kept := vault.Card{Tenant: c.access.Tenant, Merchant: c.access.ID, Token: c.tokenCard(id), Method: m.kept, Expires: now.Add(tokenLife)}
	if _, err := d.Vault.Keep(c.r.Context(), kept, m.secret.Number); errors.Is(err, card.ErrNumber) {
		return nil, bodyDetail(isInvalid, "This is not a card number.", "payment_methods", byCard, "card_number")
	} else if err != nil {
		return nil, c.failed(err)
	}
	b := appendNamed(make([]byte, 0, 256), id, "tokens")
	b = dialect.AppendInt(append(b, `,"create_time":`...), now.Unix())
	b = dialect.AppendString(append(b, `,"api_version":`...), c.version)
	return append(b, '}'), nil
}

// readToken reads the body of POST /tokens; details say what is wrong with it.
func (c *call) readToken() (m method, wrong []detail) {
	var f fields
	if f.must(&c.body, "resource") {
		f.oneOf(&c.body, []string{"payment_methods"}, "resource")
	}
	if f.must(&c.body, "payment_methods") {
		if in := f.object(&c.body, "payment_methods"); in != nil {
			r := methodReader{call: c, f: &f, in: in, at: []string{"payment_methods"}, shapes: []string{byCard}}
			m = r.read()
		}
	}
	return m, f.wrong
}

// tokenCard is what the vault calls the card of a token: a keyed hash, since
// whoever has the token can charge the card.
func (c *call) tokenCard(token string) string {
	sum := c.Keys.MAC("wepay token", []byte(token))
	return hex.EncodeToString(sum[:])
}

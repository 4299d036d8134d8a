package alipay

import (
	"context"

	"github.com/capstan-pay/capstan/payment"
)

// requestKey names a request: what a client calls it, within the client and
// the API.
func (c *client) requestKey(api, requestID string) payment.Key {
	return payment.NewKey(c.tenant, Name+" "+api+" "+c.id, requestID)
}

// do carries out a command, together with others if the answers to earlier ones
// are still to be signed.
func (d *Dialect) do(ctx context.Context, r payment.Request) (payment.Outcome, error) {
	d.signer.gather()
	return d.Engine.Do(ctx, r)
}

// fingerprint digests what a repeat must have in common with the first
// request. It is keyed, since there are access tokens among the parts.
func (d *Dialect) fingerprint(api string, parts ...string) payment.Fingerprint {
	var room [8][]byte
	raw := room[:0]
	for _, p := range parts {
		raw = append(raw, []byte(p))
	}
	sum := d.Keys.MAC("alipay fingerprint "+api, raw...)
	return payment.Fingerprint(sum[:len(payment.Fingerprint{})])
}

// contextOf is the reply context that counts for an outcome: that of the
// first request under the key for a repeat, else this request's own.
func contextOf(out payment.Outcome, own replyContext) (replyContext, error) {
	if !out.Replayed || out.Refusal.Has(payment.KeyReused) {
		return own, nil
	}
	return decodeContext(out.Context)
}

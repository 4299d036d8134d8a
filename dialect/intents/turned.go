package intents

import (
	"sync"

	"github.com/capstan-pay/capstan/dialect"
)

// turnedAway is the body of what those hear who come when there are too many.
var turnedAway = sync.OnceValue(func() []byte { return tooMany(0).append(nil) })

// TurnAway is 429 rate_limit, as for those who ask too often: nothing was done,
// and no key is used up.
func (d *Dialect) TurnAway(dialect.Asked) dialect.TurnedAway {
	p, name := tooMany(0), d.newName()
	return dialect.TurnedAway{
		Status: p.status,
		Fields: []dialect.Field{
			{Name: "Content-Type", Value: headerJSON[0]},
			{Name: "Cache-Control", Value: headerNoStore[0]},
			{Name: "Access-Control-Allow-Origin", Value: headerAnyOrigin[0]},
			{Name: "Access-Control-Expose-Headers", Value: headerExposed[0]},
			{Name: "Request-Id", Value: requestPrefix + string(name[:])},
			{Name: "Stripe-Version", Value: defaultVersion},
			{Name: "Stripe-Should-Retry", Value: p.shouldRetry()[0]},
			{Name: "Retry-After", Value: headerOne[0]},
		},
		Body: turnedAway(),
	}
}

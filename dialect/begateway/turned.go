package begateway

import (
	"sync"

	"github.com/capstan-pay/capstan/dialect"
)

var turnedAway = [2]func() []byte{
	sync.OnceValue(func() []byte { _, body := tooMany.render(nil, false); return body }),
	sync.OnceValue(func() []byte { _, body := tooMany.render(nil, true); return body }),
}

// TurnAway is 429: callers are told to come again until it is 200. The shop is
// not known yet, so the body is in the envelope that shops have by default.
func (d *Dialect) TurnAway(q dialect.Asked) dialect.TurnedAway {
	body := turnedAway[0]
	if q.Header("x-api-version") == flatVersion {
		body = turnedAway[1]
	}
	return dialect.TurnedAway{
		Status: tooMany.status,
		Fields: []dialect.Field{
			{Name: "Content-Type", Value: contentType[0]},
			{Name: "Status", Value: statusLine(tooMany.status)[0]},
			{Name: "X-Request-Id", Value: d.requestID()},
			{Name: "X-Content-Type-Options", Value: nosniff[0]},
			{Name: "Retry-After", Value: "1"},
		},
		Body: body(),
	}
}

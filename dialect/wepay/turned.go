package wepay

import (
	"sync"

	"github.com/capstan-pay/capstan/dialect"
)

var turnedAway = sync.OnceValue(func() []byte { return appendProblem(nil, unexpected) })

// TurnAway is row 21, as where the engine has too much to do: the endpoint has
// no other answer for a request that is good and has to come again (section 4,
// row 19 is for those who ask too often).
func (d *Dialect) TurnAway(q dialect.Asked) dialect.TurnedAway {
	t := dialect.TurnedAway{
		Status: unexpected.status,
		Fields: []dialect.Field{
			{Name: "Content-Type", Value: jsonType[0]},
			{Name: "X-Correlation-Id", Value: d.uuid()},
			{Name: "Retry-After", Value: "1"},
		},
		Body: turnedAway(),
	}
	if q.Header("origin") != "" {
		t.Fields = append(t.Fields,
			dialect.Field{Name: "Access-Control-Allow-Origin", Value: anyOrigin[0]},
			dialect.Field{Name: "Access-Control-Expose-Headers", Value: exposed[0]})
	}
	return t
}

package wepay

import (
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/throttle"
)

// window is the time in which an application may make so many requests to one
// endpoint.
const window = 10 * time.Second

// throttled tells whether a request comes too early: above the application's
// own limit for this endpoint, or above the merchant's for everything.
func (c *call) throttled() bool {
	lane := throttle.Lane{Merchant: c.access.ID, Name: Name + " " + c.app.id + " " + c.endpoint.name}
	if c.perEndpoint != (throttle.Rule{}) && c.Limits.Pass(lane, c.perEndpoint, c.Clock.Now()) > 0 || c.Throttle(&c.access.Merchant, c.rate) > 0 {
		c.memo.Class = dialect.Throttled
		return true
	}
	return false
}

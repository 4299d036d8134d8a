package dialect

import (
	"time"

	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/throttle"
)

// What an operator may set for a merchant in all dialects together.
var (
	requestsPerSecond = merchant.Number("throttle.requests_per_second", 0, 0, 100_000,
		"requests through all dialects together that each instance takes in a second, on average; 0 is no bound")
	burst = merchant.Number("throttle.burst", 0, 0, 100_000,
		"how many of them may come at once after a pause; 0 is as many as in a second")
)

// Settings are the settings that all dialects have in common.
func Settings() []merchant.Declaration {
	return []merchant.Declaration{requestsPerSecond.Declaration, burst.Declaration}
}

// RateOf is how often a merchant may ask, through all dialects together. It
// belongs with what is read of an access once.
func RateOf(m *merchant.Merchant) throttle.Rule {
	return throttle.Steady(int(requestsPerSecond.Of(m)), int(burst.Of(m)))
}

// Throttle counts a request of a merchant under his rate. It returns 0 when the
// request passes, else how long he has to wait. A dialect asks when it knows
// who is asking, and before it asks the engine: what the engine has taken is
// answered.
func (s Services) Throttle(m *merchant.Merchant, rate throttle.Rule) (wait time.Duration) {
	if rate == (throttle.Rule{}) {
		return 0
	}
	return s.Limits.Pass(throttle.Lane{Merchant: m.ID}, rate, s.Clock.Now())
}

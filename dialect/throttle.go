package dialect

import (
	"time"

	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/throttle"
)

// RateOf is how often a merchant may ask, through all dialects together: the
// settings throttle.requests_per_second and throttle.burst. There is no bound
// unless the first is set. It belongs with what is read of an access once.
func RateOf(m *merchant.Merchant) throttle.Rule {
	return throttle.Steady(merchant.Setting(m, "throttle.requests_per_second", 0), merchant.Setting(m, "throttle.burst", 0))
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

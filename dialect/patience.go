package dialect

import (
	"time"

	"github.com/capstan-pay/capstan/merchant"
)

// longestPatience is the most that Patience returns.
const longestPatience = time.Minute

// Patience is how long a caller of a dialect waits for a processor that has to
// be asked, before he is told that nobody knows yet: the merchant's setting
// <dialect>.processor_patience_ms, else what the dialect's clients tolerate.
func Patience(m *merchant.Merchant, name string, otherwise time.Duration) time.Duration {
	ms := merchant.Setting(m, name+".processor_patience_ms", otherwise.Milliseconds())
	return time.Duration(min(max(ms, 0), longestPatience.Milliseconds())) * time.Millisecond
}

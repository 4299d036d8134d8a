package dialect

import (
	"time"

	"github.com/capstan-pay/capstan/merchant"
)

// longestPatience is the most that may be set.
const longestPatience = time.Minute

// Patience declares the setting <dialect>.processor_patience_ms: how long a
// caller waits for a processor that has to be asked, before he is told that
// nobody knows yet. Otherwise is what the dialect's clients tolerate.
func Patience(name string, otherwise time.Duration) merchant.Setting[int64] {
	return merchant.Number(name+".processor_patience_ms", otherwise.Milliseconds(), 0, longestPatience.Milliseconds(),
		"milliseconds that a caller waits for a processor before he is told that the outcome is not known yet")
}

// Seconds is a setting of whole seconds as a duration.
func Seconds(s merchant.Setting[int64], m *merchant.Merchant) time.Duration {
	return time.Duration(s.Of(m)) * time.Second
}

// Milliseconds is a setting of whole milliseconds as a duration.
func Milliseconds(s merchant.Setting[int64], m *merchant.Merchant) time.Duration {
	return time.Duration(s.Of(m)) * time.Millisecond
}

// Century is the longest time a setting may name, in seconds.
const Century = 100 * 365 * 24 * 3600

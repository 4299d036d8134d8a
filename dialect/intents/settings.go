package intents

import (
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
)

// What an operator may set for an account.
var (
	captureWindow = merchant.Number(Name+".capture_window_seconds", 7*24*3600, 1, 365*24*3600,
		"how long a hold lives, from the creation of the intent") // the seed's 7 days
	overcapture = merchant.Number(Name+".overcapture", 0, 0, 1000,
		"percent of a hold that may be captured where the intent asks for it: 20 and 120 both mean a fifth more; 0 is the hold alone")
	patience = dialect.Patience(Name, 20*time.Second)
	lockWait = merchant.Number(Name+".lock_wait_ms", 5000, 0, 60_000,
		"milliseconds that a call waits for another operation of its intent, before it answers `lock_timeout`")
)

// Settings are the settings of this dialect.
func Settings() []merchant.Declaration {
	return []merchant.Declaration{captureWindow.Declaration, overcapture.Declaration, patience.Declaration, lockWait.Declaration}
}

// set reads the settings of the account's merchant.
func (a *account) set(m *merchant.Merchant) {
	a.window = dialect.Seconds(captureWindow, m)
	a.patience = dialect.Milliseconds(patience, m)
	a.lockWait = dialect.Milliseconds(lockWait, m)
	a.rate = dialect.RateOf(m)
	// A percentage below 100 is what may come on top, else all together.
	if a.over = overcapture.Of(m); a.over > 0 && a.over < 100 {
		a.over += 100
	}
}

package alipay

import (
	"slices"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/throttle"
)

// settings are what an operator may change for a merchant, under "alipay.".
type settings struct {
	authValidity     time.Duration  // auth_validity_seconds: how long an authorization lives
	maxCaptureAmount int64          // max_capture_amount, minor units; 0 is no bound
	maxCaptures      int            // max_captures on one authorization; 0 is no bound
	timeTolerance    time.Duration  // request_time_tolerance, seconds; 0 does not check
	authSuccess      bool           // auth_success_status: inquiries show AUTH_SUCCESS before the first capture
	currencies       []string       // currencies supported; empty is all that circulate
	zone             *time.Location // time_zone, an offset such as "+08:00"
	cashierURL       string         // cashier_url: where payers confirm; the payment's id is appended
	tokenValidity    time.Duration  // token_validity_seconds, of access tokens
	perSecond        throttle.Rule  // max_requests_per_second on one instance; 0 is no bound
	rate             throttle.Rule  // of the merchant's requests through all dialects
	patience         time.Duration  // processor_patience_ms: how long a caller waits for a processor
	apis             []string       // apis the client may call, such as "capture"; empty is all
}

// Defaults of settings.
const (
	defaultAuthValidity  = 7 * 24 * time.Hour
	defaultMaxCaptures   = 100
	defaultPatience      = 3 * time.Second
	defaultTokenValidity = 365 * 24 * time.Hour
	orderValidity        = 30 * time.Minute // of a cashier order that names no expiry
)

func settingsOf(m *merchant.Merchant) settings {
	seconds := func(name string, otherwise time.Duration) time.Duration {
		n := merchant.Setting(m, "alipay."+name, int64(otherwise/time.Second))
		if n < 0 || n > int64(100*365*24*time.Hour/time.Second) {
			return otherwise
		}
		return time.Duration(n) * time.Second
	}
	return settings{
		authValidity:     seconds("auth_validity_seconds", defaultAuthValidity),
		maxCaptureAmount: max(merchant.Setting(m, "alipay.max_capture_amount", int64(0)), 0),
		maxCaptures:      max(merchant.Setting(m, "alipay.max_captures", defaultMaxCaptures), 0),
		timeTolerance:    seconds("request_time_tolerance", 0),
		authSuccess:      merchant.Setting(m, "alipay.auth_success_status", false),
		currencies:       merchant.Setting(m, "alipay.currencies", []string(nil)),
		zone:             parseZone(merchant.Setting(m, "alipay.time_zone", "")),
		cashierURL:       merchant.Setting(m, "alipay.cashier_url", ""),
		tokenValidity:    seconds("token_validity_seconds", defaultTokenValidity),
		perSecond:        throttle.Steady(merchant.Setting(m, "alipay.max_requests_per_second", 0), 0),
		rate:             dialect.RateOf(m),
		patience:         dialect.Patience(m, Name, defaultPatience),
		apis:             merchant.Setting(m, "alipay.apis", []string(nil)),
	}
}

// supports tells whether the wallet takes a currency.
func (s settings) supports(currency string) bool {
	return money.Currency(currency).Known() && (len(s.currencies) == 0 || slices.Contains(s.currencies, currency))
}

package alipay

import (
	"slices"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/throttle"
)

// What an operator may set for a merchant.
var (
	authValidity = merchant.Number(Name+".auth_validity_seconds", 7*24*3600, 1, dialect.Century,
		"how long an authorization lives")
	maxCaptureAmount = merchant.Number(Name+".max_capture_amount", 0, 0, payment.MaxAmount,
		"the most one capture may have, in minor units; 0 is no bound")
	maxCaptures = merchant.Number(Name+".max_captures", 100, 0, 1_000_000,
		"captures there may be of one authorization; 0 is no bound")
	timeTolerance = merchant.Number(Name+".request_time_tolerance", 0, 0, dialect.Century,
		"seconds that a request's time may be off; 0 does not check")
	authSuccess = merchant.Switch(Name+".auth_success_status", false,
		"inquiries show `AUTH_SUCCESS` before the first capture")
	currencies = merchant.Texts(Name+".currencies", "an array of ISO 4217 currencies",
		"those the wallet supports; empty is all", func(s string) bool { return money.Currency(s).Known() })
	timeZone = merchant.Text(Name+".time_zone", `an offset such as "+08:00"`, "+00:00",
		"of all times shown", func(s string) bool { _, err := time.Parse("-07:00", s); return err == nil })
	cashierURL = merchant.Text(Name+".cashier_url", "an http or https URL, or empty", "",
		"where payers confirm; the payment's id is appended. Empty is the sandbox's own page", isPageURL)
	tokenValidity = merchant.Number(Name+".token_validity_seconds", 365*24*3600, 1, dialect.Century,
		"how long an access token is valid; a refresh token lives 30 days longer")
	maxRequests = merchant.Number(Name+".max_requests_per_second", 0, 0, 1_000_000,
		"requests of one client that each instance takes in a second; 0 is no bound")
	refundWindow = merchant.Number(Name+".refund_window_seconds", 365*24*3600, 0, dialect.Century,
		"how long after a capture it may be refunded; 0 is no bound")
	partner = merchant.Choice(Name+".partner_status", partnerActive,
		"how the wallet has the merchant as a partner: one that is frozen or closed gets no payments, refunds or tokens", partnerActive, partnerFrozen, partnerClosed)
	notifyCaptures = merchant.Switch(Name+".notify_capture", false,
		"captures are told of at `paymentNotifyUrl`")
	patience  = dialect.Patience(Name, 3*time.Second)
	permitted = merchant.Texts(Name+".apis", "an array of names of calls, such as \"capture\"",
		"the calls a client may make; empty is all", func(s string) bool { return slices.Contains(callNames, s) })
)

// What a merchant may be to the wallet.
const (
	partnerActive = "active"
	partnerFrozen = "frozen"
	partnerClosed = "closed"
)

// callNames are what the calls are called, without their families.
var callNames = []string{"capture", "pay", "inquiryPayment", "void", "cancel", "refund", "inquiryRefund", "applyToken", "cancelToken"}

// Settings are the settings of this dialect.
func Settings() []merchant.Declaration {
	return []merchant.Declaration{
		authValidity.Declaration, maxCaptureAmount.Declaration, maxCaptures.Declaration, timeTolerance.Declaration,
		authSuccess.Declaration, currencies.Declaration, timeZone.Declaration, cashierURL.Declaration,
		tokenValidity.Declaration, maxRequests.Declaration, patience.Declaration, permitted.Declaration,
		refundWindow.Declaration, partner.Declaration, notifyCaptures.Declaration,
	}
}

// settings are what is set for a merchant.
type settings struct {
	authValidity     time.Duration
	maxCaptureAmount int64
	maxCaptures      int
	timeTolerance    time.Duration
	authSuccess      bool
	currencies       []string
	zone             *time.Location
	cashierURL       string
	tokenValidity    time.Duration
	perSecond        throttle.Rule
	rate             throttle.Rule // of the merchant's requests through all dialects
	patience         time.Duration
	apis             []string
	refundWindow     time.Duration // 0 is no bound
	partner          string
}

// orderValidity is how long a cashier order lives that names no expiry.
const orderValidity = 30 * time.Minute

func settingsOf(m *merchant.Merchant) settings {
	return settings{
		authValidity:     dialect.Seconds(authValidity, m),
		maxCaptureAmount: maxCaptureAmount.Of(m),
		maxCaptures:      int(maxCaptures.Of(m)),
		timeTolerance:    dialect.Seconds(timeTolerance, m),
		authSuccess:      authSuccess.Of(m),
		currencies:       currencies.Of(m),
		zone:             parseZone(timeZone.Of(m)),
		cashierURL:       cashierURL.Of(m),
		tokenValidity:    dialect.Seconds(tokenValidity, m),
		perSecond:        throttle.Steady(int(maxRequests.Of(m)), 0),
		rate:             dialect.RateOf(m),
		patience:         dialect.Milliseconds(patience, m),
		apis:             permitted.Of(m),
		refundWindow:     dialect.Seconds(refundWindow, m),
		partner:          partner.Of(m),
	}
}

func isPageURL(s string) bool {
	return s == "" || strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
}

// supports tells whether the wallet takes a currency.
func (s settings) supports(currency string) bool {
	return money.Currency(currency).Known() && (len(s.currencies) == 0 || slices.Contains(s.currencies, currency))
}

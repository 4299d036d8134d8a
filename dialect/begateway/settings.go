package begateway

import (
	"math"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/throttle"
)

// What an operator may set for a shop.
var (
	errorEnvelope = merchant.Choice(Name+".error_envelope", envelopeWrapped,
		"how errors are wrapped: `flat` as the documentation prints them, `both` for either kind of client",
		envelopeWrapped, envelopeFlat, envelopeBoth)
	validationStatus = merchant.Choice(Name+".validation_status", 400,
		"HTTP status of a request with faults", 400, int64(422))
	extendedResponses = merchant.Switch(Name+".extended_responses", false,
		"captures, voids and refunds answer with times, `id`, `rrn` and `auth_code`, as queries do")
	multiCapture = merchant.Switch(Name+".multi_capture", true,
		"several captures of one authorization; without, the first closes it")
	gatewayID = merchant.Number(Name+".gateway_id", 0, 0, math.MaxInt64,
		"what is shown as the terminal").Otherwise("the merchant's number")
	holdSeconds = merchant.Number(Name+".hold_seconds", 7*24*3600, 1, dialect.Century,
		"how long an authorization lives")
	threeDSecure = merchant.Switch(Name+".three_d_secure", false,
		"payers may have to authenticate")
	notifyChildren = merchant.Switch(Name+".notify_children", false,
		"captures, voids and refunds are told of, to where the notifications of their parent go")
	patience        = dialect.Patience(Name, defaultPatience)
	requireCVC      = merchant.Switch(Name+".require_verification_value", false, "cards need their `verification_value`")
	requireHolder   = merchant.Switch(Name+".require_holder", false, "cards need their `holder`")
	requireCustomer = merchant.Switch(Name+".require_customer", false, "customers need `ip` and `email`")
	beProtected     = merchant.Switch(Name+".be_protected", true, "transactions made here are held against the merchant's risk configuration and show `be_protected_verification`: "+
		"`true` also where nothing is configured, `false` not even where something is").Otherwise("where something is configured")
	requireBilling = merchant.Switch(Name+".require_billing_address", false, "authorizations and payments need a `billing_address`")
)

// defaultPatience: clients of this API give up after 25 to 30 seconds.
const defaultPatience = 8 * time.Second

// Settings are the settings of this dialect.
func Settings() []merchant.Declaration {
	return []merchant.Declaration{
		errorEnvelope.Declaration, validationStatus.Declaration, extendedResponses.Declaration, multiCapture.Declaration,
		gatewayID.Declaration, holdSeconds.Declaration, patience.Declaration,
		threeDSecure.Declaration, notifyChildren.Declaration,
		requireCVC.Declaration, requireHolder.Declaration, requireCustomer.Declaration, requireBilling.Declaration,
		beProtected.Declaration,
	}
}

// settings are what is set for a shop.
type settings struct {
	envelope         string
	validationStatus int
	extended         bool
	multiCapture     bool
	gatewayID        int64
	holdSeconds      int64
	patience         time.Duration
	threeDSecure     bool
	requireCVC       bool
	requireHolder    bool
	requireCustomer  bool
	requireBilling   bool
	screening        payment.Screening // be_protected
	rate             throttle.Rule     // of the merchant's requests through all dialects
}

func readSettings(m *merchant.Merchant) settings {
	screening := payment.ScreenedIfConfigured
	if beProtected.Given(m) {
		screening = payment.NeverScreened
		if beProtected.Of(m) {
			screening = payment.AlwaysScreened
		}
	}
	return settings{
		envelope:         errorEnvelope.Of(m),
		validationStatus: int(validationStatus.Of(m)),
		extended:         extendedResponses.Of(m),
		multiCapture:     multiCapture.Of(m),
		gatewayID:        gatewayID.Or(m, m.ID),
		holdSeconds:      holdSeconds.Of(m),
		patience:         dialect.Milliseconds(patience, m),
		threeDSecure:     threeDSecure.Of(m),
		requireCVC:       requireCVC.Of(m),
		requireHolder:    requireHolder.Of(m),
		requireCustomer:  requireCustomer.Of(m),
		requireBilling:   requireBilling.Of(m),
		screening:        screening,
		rate:             dialect.RateOf(m),
	}
}

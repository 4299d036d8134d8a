package begateway

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/throttle"
)

// How errors are wrapped (section 3.1).
const (
	envelopeWrapped = "wrapped"
	envelopeFlat    = "flat"
	envelopeBoth    = "both"
)

// shop is a merchant as this API sees him: who he is, and what his settings
// say.
type shop struct {
	id       string
	number   int64 // the same as a number
	merchant *merchant.Merchant
	settings
}

// settings are what may be set for a merchant, under "begateway.<name>".
type settings struct {
	envelope         string        // error_envelope: "wrapped", "flat" or "both"
	validationStatus int           // validation_status: 400 or 422
	extended         bool          // extended_responses
	multiCapture     bool          // multi_capture: several captures of one authorization
	gatewayID        int64         // gateway_id: the terminal's number; the merchant's own where it is not set
	holdSeconds      int64         // hold_seconds: how long an authorization lives
	patience         time.Duration // processor_patience_ms: how long a caller waits for a processor that has to be asked
	requireCVC       bool          // require_verification_value
	requireHolder    bool          // require_holder
	requireCustomer  bool          // require_customer: ip and email
	requireBilling   bool          // require_billing_address
	rate             throttle.Rule // of the merchant's requests through all dialects
}

const (
	// defaultHold is how many seconds an authorization lives: seven days.
	defaultHold = 7 * 24 * 60 * 60

	// Clients of this API give up after 25 to 30 seconds.
	defaultPatience = 8 * time.Second
)

func readSettings(m *merchant.Merchant) settings {
	s := settings{
		envelope:         merchant.Setting(m, Name+".error_envelope", envelopeWrapped),
		validationStatus: merchant.Setting(m, Name+".validation_status", 400),
		extended:         merchant.Setting(m, Name+".extended_responses", false),
		multiCapture:     merchant.Setting(m, Name+".multi_capture", true),
		gatewayID:        merchant.Setting(m, Name+".gateway_id", m.ID),
		holdSeconds:      merchant.Setting(m, Name+".hold_seconds", int64(defaultHold)),
		patience:         dialect.Patience(m, Name, defaultPatience),
		requireCVC:       merchant.Setting(m, Name+".require_verification_value", false),
		requireHolder:    merchant.Setting(m, Name+".require_holder", false),
		requireCustomer:  merchant.Setting(m, Name+".require_customer", false),
		requireBilling:   merchant.Setting(m, Name+".require_billing_address", false),
		rate:             dialect.RateOf(m),
	}
	if s.validationStatus != 422 {
		s.validationStatus = 400
	}
	if s.envelope != envelopeFlat && s.envelope != envelopeBoth {
		s.envelope = envelopeWrapped
	}
	if s.holdSeconds < 1 {
		s.holdSeconds = defaultHold
	}
	return s
}

// credentialData is what is kept of a shop in clear, with each of its
// credentials.
type credentialData struct {
	Version int    `json:"v"`
	ShopID  string `json:"shop_id"`
}

// readShop makes the shop of an access.
func readShop(a *merchant.Access) (any, error) {
	var data credentialData
	if err := json.Unmarshal(a.Credential.Data, &data); err != nil {
		return nil, fmt.Errorf("begateway: credential of merchant %d: %w", a.Merchant.ID, err)
	}
	number, err := strconv.ParseInt(data.ShopID, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("begateway: shop id of merchant %d is no number", a.Merchant.ID)
	}
	return &shop{id: data.ShopID, number: number, merchant: &a.Merchant, settings: readSettings(&a.Merchant)}, nil
}

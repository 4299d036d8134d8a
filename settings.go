package capstan

import (
	"encoding/json"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/dialect/alipay"
	"github.com/capstan-pay/capstan/dialect/begateway"
	"github.com/capstan-pay/capstan/dialect/intents"
	"github.com/capstan-pay/capstan/dialect/wepay"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/receipt"
)

// Settings are all that may be set for a merchant: by an operator, and by the
// sandbox controls.
func Settings() merchant.Settings {
	all := merchant.Settings{}
	all.Declare(dialect.Settings()...)
	all.Declare(receipt.Settings()...)
	all.Declare(alipay.Settings()...)
	all.Declare(wepay.Settings()...)
	all.Declare(intents.Settings()...)
	all.Declare(begateway.Settings()...)
	all.Declare(merchant.Document(riskSetting, "a risk configuration", "none", "limits, lists and rules: [risk.md](risk.md)",
		func(document json.RawMessage) error { return checkRisk(document) }))
	return all
}

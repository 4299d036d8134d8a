package receipt

import (
	"encoding/base64"
	"strings"

	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
)

// brands are how the brands of cards write their names.
var brands = map[string]string{
	"amex": "American Express", "belkart": "Belkart", "diners": "Diners Club", "discover": "Discover", "jcb": "JCB", "maestro": "Maestro",
	"mastercard": "Mastercard", "mir": "Mir", "unionpay": "UnionPay", "visa": "Visa",
}

// method is what was paid with, masked: "Visa •••• 4242".
func method(m payment.Method) string {
	switch {
	case m.Kind == payment.WalletMethod:
		return "Wallet"
	case m.Kind != payment.CardMethod:
		return ""
	case m.Last4 == "":
		return "Card"
	}
	name := brands[m.Brand]
	if name == "" {
		name = "Card"
	}
	return name + " •••• " + m.Last4
}

// Settings of a merchant that shape his receipts.
const (
	LogoSetting    = "receipt.logo"    // an image as a data URI
	ContactSetting = "receipt.contact" // whom the payer may ask
)

// logoLimit is how long a logo's data URI may be.
const logoLimit = 64 << 10

// logoTypes are the images that a page shows. A browser runs no script in an
// image, not even in an SVG.
var logoTypes = []string{"image/png", "image/jpeg", "image/webp", "image/gif", "image/svg+xml"}

// Logo is the logo that a merchant has set, empty if there is none or it is not
// one that can be shown.
func Logo(m *merchant.Merchant) string {
	uri := merchant.Setting(m, LogoSetting, "")
	if len(uri) > logoLimit {
		return ""
	}
	for _, kind := range logoTypes {
		if data, ok := strings.CutPrefix(uri, "data:"+kind+";base64,"); ok && data != "" {
			if _, err := base64.StdEncoding.DecodeString(data); err == nil {
				return uri
			}
		}
	}
	return ""
}

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
	case m.Kind != payment.CardMethod && m.Kind != payment.PayeeCard:
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

// What an operator may set for a merchant's receipts.
var (
	logo = merchant.Text("receipt.logo", "an image as a data URI (PNG, JPEG, WebP, GIF or SVG, base64, 64 KiB), or empty", "",
		"stands at the top; without one the page shows the merchant's initial", func(s string) bool { return s == "" || isLogo(s) })
	contact = merchant.Text("receipt.contact", "a text of up to 200 bytes", "",
		"whom the payer may ask", func(s string) bool { return len(s) <= contactLimit })
)

// Settings are the settings of receipts.
func Settings() []merchant.Declaration {
	return []merchant.Declaration{logo.Declaration, contact.Declaration}
}

const (
	logoLimit    = 64 << 10 // bytes of a logo's data URI
	contactLimit = 200
)

// logoTypes are the images that a page shows. A browser runs no script in an
// image, not even in an SVG.
var logoTypes = []string{"image/png", "image/jpeg", "image/webp", "image/gif", "image/svg+xml"}

// Logo is the logo that a merchant has set, empty if there is none or it is not
// one that can be shown.
func Logo(m *merchant.Merchant) string { return logo.Of(m) }

func isLogo(uri string) bool {
	if len(uri) > logoLimit {
		return false
	}
	for _, kind := range logoTypes {
		if data, ok := strings.CutPrefix(uri, "data:"+kind+";base64,"); ok && data != "" {
			_, err := base64.StdEncoding.DecodeString(data)
			return err == nil
		}
	}
	return false
}

package payment

import (
	"fmt"
	"io"
)

// MethodKind says what a payment is paid with.
type MethodKind uint8

// The kinds of method.
const (
	NoMethod MethodKind = iota
	CardMethod
	WalletMethod
	PayeeCard // a card that money is sent to
)

// String is the name of the kind in reports, such as "card".
func (k MethodKind) String() string {
	return [...]string{"none", "card", "wallet", "payee_card"}[min(k, PayeeCard)]
}

// Method is what a payment is paid with, as far as it may be kept. The full
// card number and the security code are never part of it.
type Method struct {
	Kind MethodKind

	// Of a card:
	Brand       string // lower case: "visa", "mastercard", "amex", ...
	First6      string
	Last4       string
	ExpMonth    int
	ExpYear     int
	Holder      string
	Fingerprint string // keyed hash of the card number, hex
	Country     string // of the issuer, ISO 3166 alpha-2; empty if unknown
	Funding     string // "credit", "debit", "prepaid"; empty if unknown
	Present     bool   // read by a terminal
	Simulate    string // how the card simulator treats it, by test card; empty in live mode

	// Of a wallet:
	User  int64  // the wallet user
	Grant string // the name of the access token it was paid by; empty if the payer confirmed it himself
}

// Secret is card data that is needed to ask for an authorization and is
// forgotten afterwards. It is never stored, and prints as a placeholder.
type Secret struct {
	Number  string
	CVC     string
	Encoded string // what a terminal read, for the processor to decode; Number and CVC are empty then
}

// Format keeps card data out of logs, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, "[card]") }

// MarshalText keeps card data out of logs and documents.
func (Secret) MarshalText() ([]byte, error) { return []byte("[card]"), nil }

// Payer is a wallet user as the ledger knows him at the moment of a decision.
type Payer struct {
	User      int64
	Frozen    bool
	Available int64 // minor units in the payment's currency
	GrantOver bool  // the access token was revoked or has run out
}

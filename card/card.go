// Package card reads card numbers: is it one, whose brand is it, and what of
// it may be kept.
package card

import (
	"encoding/hex"
	"errors"
	"strings"

	"github.com/capstan-pay/capstan/payment"
)

// ErrNumber is returned for what cannot be a card number. It does not say the
// number.
var ErrNumber = errors.New("card: not a card number")

// Inspector turns card data into what may be kept of it.
type Inspector struct {
	// MAC keys the fingerprint, so that it is no guessable digest.
	MAC func(purpose string, parts ...[]byte) [32]byte

	// Behaviour names what a test card does; nil outside the sandbox.
	Behaviour func(number string) string
}

// Inspect returns the method of a card number: brand, first six, last four and
// a fingerprint that equal numbers share. The number must be 12 to 19 digits
// that satisfy Luhn's formula, else ErrNumber.
func (i Inspector) Inspect(number string) (payment.Method, error) {
	if !Valid(number) {
		return payment.Method{}, ErrNumber
	}
	sum := i.MAC("card fingerprint", []byte(number))
	m := payment.Method{
		Kind: payment.CardMethod, Brand: Brand(number), First6: number[:6], Last4: number[len(number)-4:],
		Fingerprint: hex.EncodeToString(sum[:]), Funding: funding(number),
	}
	if i.Behaviour != nil {
		m.Simulate = i.Behaviour(number)
	}
	return m, nil
}

var grouping = strings.NewReplacer(" ", "", "-", "", ".", "", "\u00a0", "")

// Ungrouped returns a text without what stands between the groups of a card
// number where people write one.
func Ungrouped(text string) string { return grouping.Replace(text) }

// Valid tells whether number is 12 to 19 digits that satisfy Luhn's formula.
func Valid(number string) bool {
	if len(number) < 12 || len(number) > 19 {
		return false
	}
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i]) - '0'
		if d < 0 || d > 9 {
			return false
		}
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// brands by first digits: inclusive ranges over as many digits as the bounds
// have, the most specific first.
var brands = []struct{ from, to, brand string }{
	{"9112", "9112", "belkart"},
	{"2200", "2204", "mir"},
	{"2221", "2720", "mastercard"},
	{"3528", "3589", "jcb"},
	{"6011", "6011", "discover"},
	{"300", "305", "diners"},
	{"644", "649", "discover"},
	{"34", "34", "amex"}, {"37", "37", "amex"},
	{"36", "36", "diners"}, {"38", "39", "diners"},
	{"51", "55", "mastercard"},
	{"62", "62", "unionpay"}, {"81", "81", "unionpay"},
	{"65", "65", "discover"},
	{"50", "50", "maestro"}, {"56", "58", "maestro"}, {"63", "63", "maestro"}, {"67", "67", "maestro"},
	{"4", "4", "visa"},
}

// Brand returns the lower-case brand of a card number, "unknown" if it is none
// of those we know.
func Brand(number string) string {
	for _, b := range brands {
		if n := len(b.from); len(number) >= n && number[:n] >= b.from && number[:n] <= b.to {
			return b.brand
		}
	}
	return "unknown"
}

// funding is known of the published test cards only: a real answer needs the
// card networks' tables.
func funding(number string) string {
	switch number {
	case "4000056655665556":
		return "debit"
	case "6011981111111113":
		return "prepaid"
	}
	return "credit"
}

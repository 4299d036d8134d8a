package begateway

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

const (
	holderLimit = 32 // characters
	cvcShortest = 3
	cvcLongest  = 4
)

// readCard reads what is to be paid with: a card, or the token of one.
func (d *Dialect) readCard(ctx context.Context, fields map[string]value, s *shop, in *intakeRequest, kept *intakeDetails, wrong *faults) {
	if !fields["encrypted_credit_card"].blank() {
		wrong.add(base, textNotProcessable) // encrypted in the payer's browser: not offered here
		return
	}
	in.threeDSecure = s.threeDSecure
	var number, token, cvc, holder, month, year value
	fields["credit_card"].members(func(name string, v value) {
		switch name {
		case "number":
			number = v
		case "token":
			token = v
		case "verification_value":
			cvc = v
		case "holder":
			holder = v
		case "exp_month":
			month = v
		case "exp_year":
			year = v
		case "skip_three_d_secure_verification":
			in.threeDSecure = in.threeDSecure && !v.is(true)
		}
	})
	in.secret.CVC = readCVC(cvc, s.requireCVC && token.blank(), wrong)
	if d.Sandbox {
		kept.CVC = cvcCode(in.secret.CVC)
	}
	if !token.blank() {
		d.readStored(ctx, s, token.text(), in, wrong)
		return
	}
	m, err := d.Cards.Inspect(number.text())
	if err != nil {
		wrong.add(cardNumber, textInvalid)
	}
	in.secret.Number = number.text()
	m.Holder = optional(holder)
	if s.requireHolder {
		wrong.required(cardHolder, m.Holder, holderLimit)
	} else {
		wrong.bounded(cardHolder, m.Holder, holderLimit)
	}
	m.ExpMonth, m.ExpYear = readExpiry(month, year, d.Clock.Now(), wrong)
	in.intake.Method = m
}

func readCVC(v value, required bool, wrong *faults) string {
	cvc := optional(v)
	if cvc == "" && !required {
		return ""
	}
	if digits, rest := cutDigits(cvc); rest != "" || len(digits) < cvcShortest || len(digits) > cvcLongest {
		wrong.add(cardVerificationValue, textNotNumber)
		return ""
	}
	return cvc
}

// readExpiry reads the month until whose end a card is good, in UTC.
func readExpiry(month, year value, now time.Time, wrong *faults) (m, y int) {
	if month.blank() || year.blank() {
		wrong.add(cardDate, textBlank)
		return 0, 0
	}
	m, monthErr := strconv.Atoi(month.text())
	y, yearErr := strconv.Atoi(year.text())
	switch {
	case monthErr != nil || yearErr != nil || m < 1 || m > 12 || y < 1 || y > 9999:
		wrong.add(cardDate, textInvalid)
		return 0, 0
	case expired(m, y, now):
		wrong.add(cardDate, textExpired)
	}
	return m, y
}

// brands are those that this API calls by another name.
var brands = map[string]string{"mastercard": "master"}

func brand(m payment.Method) string {
	if name, ok := brands[m.Brand]; ok {
		return name
	}
	return m.Brand
}

// Result codes of the checks of address and security code (section 8.2). Only
// the sandbox has them: a card's issuer tells no processor of ours.
const noResult = "1"

var (
	avsCodes = map[string]string{"11": "M", "22": "N", "12": "B", "21": "P", "33": "U", "44": "E", "55": "0"}
	cvcCodes = map[string]string{"111": "M", "222": "N", "333": "U", "444": "E", "555": "0"}
)

// avsCode is the result for an address and a zip: it follows from the first
// digit of each.
func avsCode(address, zip string) string {
	return orNoResult(avsCodes[firstDigit(address)+firstDigit(zip)])
}

func cvcCode(cvc string) string { return orNoResult(cvcCodes[cvc]) }

func orNoResult(code string) string {
	if code == "" {
		return noResult
	}
	return code
}

func firstDigit(s string) string {
	at := strings.IndexAny(s, "0123456789")
	if at < 0 {
		return ""
	}
	return s[at : at+1]
}

// cardToken is the token that stands for a card in its shop's requests, 64
// hexadecimal digits. It follows from the card, so the same card has the same
// token.
func (d *Dialect) cardToken(merchant int64, m payment.Method) string {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(merchant))
	sum := d.Keys.MAC("begateway card token", number[:], []byte(m.Fingerprint))
	return hex.EncodeToString(sum[:])
}

package wepay

import (
	"unicode/utf8"

	"github.com/capstan-pay/capstan/money"
)

// The least amount of a payment, and the most: ISO 8583 gives an amount twelve
// digits, so no acquirer could take more.
const (
	minAmount = 100
	maxAmount = 999_999_999_999
)

// fields reads the members of a body and gathers what is wrong with them. Its
// methods take the path of the member as answers show it; the last part is the
// member's name. A member that is null is one that is not there.
type fields struct {
	wrong []detail
	timed int // of them, those that only time has made wrong
}

// passing gathers what the passing of time may have made wrong.
func (f *fields) passing(check func()) {
	before := len(f.wrong)
	check()
	f.timed += len(f.wrong) - before
}

// told returns all that is wrong; as passed if all of it is what time may have
// made wrong: that is not held against a repeat of a request that was right.
func (f *fields) told() (wrong, passed []detail) {
	if len(f.wrong) == f.timed {
		return nil, f.wrong
	}
	return f.wrong, nil
}

func (f *fields) report(reason, message string, path ...string) {
	f.wrong = append(f.wrong, detail{path, inBody, reason, message})
}

// object reads an optional object; nil if there is none.
func (f *fields) object(in *value, path ...string) *value {
	return f.typed(in, object, "This must be an object.", path)
}

// array reads an optional array; nil if there is none.
func (f *fields) array(in *value, path ...string) *value {
	return f.typed(in, array, "This must be an array.", path)
}

func (f *fields) typed(in *value, k kind, message string, path []string) *value {
	v := in.get(path[len(path)-1])
	if v != nil && v.kind != k {
		f.report(isWrongType, message, path...)
		return nil
	}
	return v
}

// must reports a required member that is not there.
func (f *fields) must(in *value, path ...string) bool {
	if in.get(path[len(path)-1]) == nil {
		f.report(isMissing, "This is required.", path...)
		return false
	}
	return true
}

// integer reads an optional integer between two bounds, inclusive, and tells
// whether it was there and good.
func (f *fields) integer(in *value, least, most int64, path ...string) (int64, bool) {
	v := in.get(path[len(path)-1])
	if v == nil {
		return 0, false
	}
	n, plain := v.integer()
	switch {
	case !plain:
		f.report(isWrongType, "This must be a plain integer.", path...)
	case n < least:
		f.report(isTooSmall, "This is below its least value.", path...)
	case n > most:
		f.report(isTooLarge, "This is above its greatest value.", path...)
	default:
		return n, true
	}
	return 0, false
}

// amount reads a required amount of money in minor units.
func (f *fields) amount(in *value, least int64, path ...string) int64 {
	if !f.must(in, path...) {
		return 0
	}
	n, _ := f.integer(in, least, maxAmount, path...)
	return n
}

// currency reads a required currency that this dialect has.
func (f *fields) currency(in *value, path ...string) money.Currency {
	if !f.must(in, path...) {
		return ""
	}
	code, ok := f.text(in, 0, 0, path...)
	if ok && !knownCurrency(money.Currency(code)) {
		f.report(isInvalid, "This must be USD or CAD.", path...)
	}
	return money.Currency(code)
}

// text reads an optional string with a number of characters between two
// bounds, where a most of 0 sets none, and tells whether it was there and good.
func (f *fields) text(in *value, least, most int, path ...string) (string, bool) {
	v := f.typed(in, text, "This must be a string.", path)
	if v == nil {
		return "", false
	}
	s := v.text()
	if n := utf8.RuneCountInString(s); most > 0 && (n < least || n > most) {
		f.report(isInvalid, "This string is too short or too long.", path...)
		return "", false
	}
	return s, true
}

// flag reads an optional boolean.
func (f *fields) flag(in *value, otherwise bool, path ...string) bool {
	v := f.typed(in, boolean, "This must be true or false.", path)
	if v == nil {
		return otherwise
	}
	return v.raw[0] == 't'
}

// oneOf reads an optional string that must be one of some words.
func (f *fields) oneOf(in *value, words []string, path ...string) string {
	s, ok := f.text(in, 0, 0, path...)
	if !ok {
		return words[0]
	}
	for _, w := range words {
		if s == w {
			return w
		}
	}
	f.report(isInvalid, "This is none of the values it may have.", path...)
	return words[0]
}

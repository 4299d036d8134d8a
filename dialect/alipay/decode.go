package alipay

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// fields reads the members of a JSON object. A member that breaks its rule
// reads as absent and sets bad, which stands for PARAM_ILLEGAL. Unknown
// members are ignored, and null is the same as absent.
type fields struct {
	members map[string]json.RawMessage
	bad     *bool // shared with the objects inside
}

// parseObject reads a body: a JSON object in UTF-8 and nothing after it.
func parseObject(body []byte) (fields, bool) {
	f := fields{bad: new(bool)}
	if !utf8.Valid(body) || json.Unmarshal(body, &f.members) != nil || f.members == nil {
		return fields{}, false
	}
	return f, true
}

// raw returns a member, nil if it is absent.
func (f fields) raw(name string) json.RawMessage {
	v := f.members[name]
	if string(v) == "null" {
		return nil
	}
	return v
}

func (f fields) fail() { *f.bad = true }

// text reads a string of at most limit characters. An empty one is absent.
func (f fields) text(name string, limit int) string {
	v := f.raw(name)
	if v == nil {
		return ""
	}
	var s string
	if json.Unmarshal(v, &s) != nil || utf8.RuneCountInString(s) > limit || (strings.ContainsRune(s, utf8.RuneError) && unpaired(v)) {
		f.fail()
		return ""
	}
	return s
}

// unpaired tells whether a JSON string has a surrogate without its other half,
// of which decoding makes the same character as of any other.
func unpaired(v json.RawMessage) bool {
	for i := 0; i < len(v); i++ {
		if v[i] != '\\' {
			continue
		}
		switch unit := escaped(v[i:]); {
		case unit < 0: // a short escape
			i++
		case utf16.IsSurrogate(unit) && utf16.DecodeRune(unit, escaped(v[i+6:])) == utf8.RuneError:
			return true
		case utf16.IsSurrogate(unit):
			i += 11
		default:
			i += 5
		}
	}
	return false
}

// escaped is the code unit that the text begins with, written \u0000; -1 if it
// begins with anything else.
func escaped(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(unit)
}

// id reads a name: a string without control characters.
func (f fields) id(name string, limit int) string {
	s := f.text(name, limit)
	if strings.ContainsFunc(s, unicode.IsControl) {
		f.fail()
		return ""
	}
	return s
}

// required reads a name that must be there.
func (f fields) required(name string, limit int) string {
	s := f.id(name, limit)
	if s == "" {
		f.fail()
	}
	return s
}

// flag reads a boolean, also as the string "true" or "false".
func (f fields) flag(name string, otherwise bool) bool {
	switch string(f.raw(name)) {
	case "":
		return otherwise
	case "true", `"true"`:
		return true
	case "false", `"false"`:
		return false
	}
	f.fail()
	return otherwise
}

// object reads an object; an absent one has no members.
func (f fields) object(name string) fields {
	inner := fields{bad: f.bad}
	if v := f.raw(name); v != nil && (json.Unmarshal(v, &inner.members) != nil || inner.members == nil) {
		f.fail()
	}
	return inner
}

// time reads an ISO 8601 time, nil if it is absent.
func (f fields) time(name string) *time.Time {
	s := f.text(name, 64)
	if s == "" {
		return nil
	}
	t, ok := parseTime(s)
	if !ok {
		f.fail()
	}
	return &t
}

// address reads an http or https URL that a notification may be sent to.
func (f fields) address(name string, limit int) string {
	s := f.id(name, limit)
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.Contains(u.RawQuery, " ") {
		f.fail()
		return ""
	}
	return s
}

// amount is what an Amount says. The currency is well-formed, which does not
// mean that there is one of that name.
type amount struct {
	minor    int64 // 0: the Amount was absent
	currency string
}

// amount reads an Amount: a currency of three upper-case letters and a value
// that is a string of digits, in the smallest unit of the currency.
func (f fields) amount(name string) amount {
	if f.raw(name) == nil {
		return amount{}
	}
	inner := f.object(name)
	a := amount{currency: inner.text("currency", 3)}
	var ok bool
	if a.minor, ok = parseMinor(inner.text("value", 16)); !ok || !isCurrencyCode(a.currency) {
		f.fail()
	}
	return a
}

// parseMinor reads 1 to 16 digits that do not begin with 0.
func parseMinor(s string) (int64, bool) {
	if s == "" || len(s) > 16 || s[0] < '1' || s[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

func isCurrencyCode(s string) bool {
	if len(s) != 3 {
		return false
	}
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

// extendLimit bounds extendInfo: the characters of a string, or those of an
// object as it was sent.
const extendLimit = 4096

// extend reads extendInfo, a string or an object. It returns the same JSON
// value without insignificant space, nil if it is absent.
func (f fields) extend() json.RawMessage {
	v := f.raw("extendInfo")
	if v == nil {
		return nil
	}
	switch v[0] {
	case '"':
		f.text("extendInfo", extendLimit)
	case '{':
		if utf8.RuneCount(v) > extendLimit {
			f.fail()
		}
	default:
		f.fail()
	}
	return compact(v)
}

// compact returns a JSON value without insignificant space.
func compact(v json.RawMessage) json.RawMessage {
	if v == nil {
		return nil
	}
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return nil // cannot be: the body was parsed
	}
	return b.Bytes()
}

package wepay

import (
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"
)

// params reads the parameters of a query and gathers what is wrong with them.
// Of a parameter that is there several times the first one counts; one that is
// empty is one that is not there; one that nobody reads is ignored.
type params struct {
	values url.Values
	wrong  []detail
}

func (c *call) params() *params { return &params{values: c.r.URL.Query()} }

func (p *params) report(reason, message, name string) {
	p.wrong = append(p.wrong, detail{[]string{name}, inQuery, reason, message})
}

// integer reads a number between two bounds, inclusive; nil if there is none.
func (p *params) integer(least, most int64, name string) *int64 {
	s := p.values.Get(name)
	if s == "" {
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64) // out of range: the nearest
	switch {
	case err != nil && !isNumber(s):
		p.report(isWrongType, "This must be a plain integer.", name)
	case n < least:
		p.report(isTooSmall, "This is below its least value.", name)
	case n > most:
		p.report(isTooLarge, "This is above its greatest value.", name)
	default:
		return &n
	}
	return nil
}

// isNumber tells whether s is a decimal integer of whatever size.
func isNumber(s string) bool {
	if s[0] == '-' {
		s = s[1:]
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// text reads a string of at most maxID characters.
func (p *params) text(name string) string {
	s := p.values.Get(name)
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > maxID {
		p.report(isInvalid, "This string is too long, or not UTF-8.", name)
		return ""
	}
	return s
}

// oneOf reads one of some words; empty if there is none.
func (p *params) oneOf(words []string, name string) string {
	s := p.values.Get(name)
	if s != "" && !slices.Contains(words, s) {
		p.report(isInvalid, "This is none of the values it may have.", name)
		return ""
	}
	return s
}

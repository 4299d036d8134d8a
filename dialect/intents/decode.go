package intents

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxParams bounds the parameters of one request, and maxName the length of
// their names: what is nested repeats the names above it.
const (
	maxParams = 2000
	maxName   = 500
)

// decodeForm adds the parameters of an urlencoded text. It returns false for
// one that is malformed.
func (p *params) decodeForm(text string) bool {
	for text != "" {
		pair, rest, _ := strings.Cut(text, "&")
		text = rest
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, ok := unescape(name)
		if !ok || len(p.list) >= maxParams || len(name) > maxName {
			return false
		}
		if value, ok = unescape(value); !ok {
			return false
		}
		p.add(p.indexed(name), value, kindText)
	}
	return true
}

// unescape undoes percent-encoding and "+". Text that needs neither is
// returned as it is.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, utf8.ValidString(s)
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			b = append(b, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", false
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			b = append(b, byte(n))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b), utf8.Valid(b)
}

// indexed gives the next free number to an array element that was sent as
// name[], so that forms and JSON name the same things alike.
func (p *params) indexed(name string) string {
	at := strings.Index(name, "[]")
	if at < 0 {
		return name
	}
	prefix, next := name[:at+1], 0
	for i := range p.list {
		rest, ok := strings.CutPrefix(p.list[i].name, prefix)
		if !ok {
			continue
		}
		digits, _, _ := strings.Cut(rest, "]")
		if n, err := strconv.Atoi(digits); err == nil && n >= next {
			next = n + 1
		}
	}
	return p.indexed(prefix + strconv.Itoa(next) + name[at+1:])
}

package intents

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep JSON may be nested (section 1).
const maxDepth = 64

// decodeJSON adds the members of a JSON object, nested ones under the names
// that a form would give them. It returns false for anything else.
func (p *params) decodeJSON(text string) bool {
	s := scanner{text: text, params: p}
	s.space()
	if s.at == len(s.text) {
		return true // no body at all
	}
	if s.text[s.at] != '{' || !s.value("", 1) {
		return false
	}
	s.space()
	return s.at == len(s.text)
}

// scanner reads JSON once, from left to right.
type scanner struct {
	text   string
	at     int
	params *params
}

func (s *scanner) space() {
	for s.at < len(s.text) && (s.text[s.at] == ' ' || s.text[s.at] == '\n' || s.text[s.at] == '\t' || s.text[s.at] == '\r') {
		s.at++
	}
}

// next skips white space and returns the byte after it, 0 at the end.
func (s *scanner) next() byte {
	s.space()
	if s.at == len(s.text) {
		return 0
	}
	return s.text[s.at]
}

// value reads any value and adds what is in it.
func (s *scanner) value(name string, depth int) bool {
	if depth > maxDepth || len(name) > maxName || len(s.params.list) >= maxParams {
		return false
	}
	switch c := s.next(); {
	case c == '{':
		return s.object(name, depth)
	case c == '[':
		return s.array(name, depth)
	case c == '"':
		value, ok := s.str()
		if ok {
			s.params.add(name, value, kindText)
		}
		return ok
	case c == '-' || c >= '0' && c <= '9':
		value, ok := s.number()
		if ok {
			s.params.add(name, value, kindNumber)
		}
		return ok
	case s.word("true"):
		s.params.add(name, "true", kindBool)
	case s.word("false"):
		s.params.add(name, "false", kindBool)
	case s.word("null"): // the same as not sent
	default:
		return false
	}
	return true
}

func (s *scanner) object(name string, depth int) bool {
	s.at++
	if s.next() == '}' {
		s.at++
		if depth > 1 {
			s.params.add(name, "", kindEmpty)
		}
		return true
	}
	for {
		if s.next() != '"' {
			return false
		}
		key, ok := s.str()
		if !ok || s.next() != ':' {
			return false
		}
		s.at++
		if depth > 1 {
			key = name + "[" + key + "]"
		}
		if !s.value(key, depth+1) {
			return false
		}
		switch s.next() {
		case ',':
			s.at++
		case '}':
			s.at++
			return true
		default:
			return false
		}
	}
}

func (s *scanner) array(name string, depth int) bool {
	s.at++
	if s.next() == ']' {
		s.at++
		s.params.add(name, "", kindEmpty)
		return true
	}
	for i := 0; ; i++ {
		if !s.value(name+"["+strconv.Itoa(i)+"]", depth+1) {
			return false
		}
		switch s.next() {
		case ',':
			s.at++
		case ']':
			s.at++
			return true
		default:
			return false
		}
	}
}

func (s *scanner) word(word string) bool {
	if !strings.HasPrefix(s.text[s.at:], word) {
		return false
	}
	s.at += len(word)
	return true
}

// number reads a number and returns it as it is written.
func (s *scanner) number() (string, bool) {
	start := s.at
	if s.text[s.at] == '-' {
		s.at++
	}
	whole := s.digits()
	if whole == 0 || whole > 1 && s.text[s.at-whole] == '0' {
		return "", false
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		if s.digits() == 0 {
			return "", false
		}
	}
	if s.at < len(s.text) && s.text[s.at]|0x20 == 'e' {
		s.at++
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		if s.digits() == 0 {
			return "", false
		}
	}
	return s.text[start:s.at], true
}

func (s *scanner) digits() int {
	start := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at - start
}

// str reads a string. One without escapes is a part of the text.
func (s *scanner) str() (string, bool) {
	s.at++
	start := s.at
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			value := s.text[start : s.at-1]
			return value, utf8.ValidString(value)
		case c == '\\':
			return s.escaped(start)
		case c < 0x20:
			return "", false
		}
		s.at++
	}
	return "", false
}

// escaped reads on a string in which an escape was found. A lone surrogate
// becomes U+FFFD.
func (s *scanner) escaped(start int) (string, bool) {
	b := append([]byte(nil), s.text[start:s.at]...)
	for s.at < len(s.text) {
		c := s.text[s.at]
		s.at++
		switch {
		case c == '"':
			return string(b), utf8.Valid(b)
		case c < 0x20:
			return "", false
		case c != '\\':
			b = append(b, c)
			continue
		}
		if s.at == len(s.text) {
			return "", false
		}
		c = s.text[s.at]
		s.at++
		if c != 'u' {
			from := strings.IndexByte(`"\/bfnrt`, c)
			if from < 0 {
				return "", false
			}
			b = append(b, "\"\\/\b\f\n\r\t"[from])
			continue
		}
		r, ok := s.hex()
		if !ok {
			return "", false
		}
		if r >= 0xD800 && r < 0xDC00 && strings.HasPrefix(s.text[s.at:], `\u`) {
			back := s.at
			s.at += 2
			low, ok := s.hex()
			if !ok {
				return "", false
			}
			if low >= 0xDC00 && low < 0xE000 {
				r = (r-0xD800)<<10 + (low - 0xDC00) + 0x10000
			} else {
				s.at = back
			}
		}
		b = utf8.AppendRune(b, r) // a surrogate by itself becomes U+FFFD
	}
	return "", false
}

func (s *scanner) hex() (rune, bool) {
	if s.at+4 > len(s.text) {
		return 0, false
	}
	n, err := strconv.ParseUint(s.text[s.at:s.at+4], 16, 32)
	s.at += 4
	return rune(n), err == nil
}

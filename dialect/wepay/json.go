package wepay

import (
	"bytes"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/capstan-pay/capstan/dialect"
)

// A body is read into a tree that keeps every value as it was written: numbers
// are never turned into floats, and what a client attaches comes back
// unaltered.

// kind is the type of a JSON value.
type kind uint8

const (
	null kind = iota + 1
	boolean
	number
	text
	array
	object
)

// value is a JSON value: its text, and what is inside of it.
type value struct {
	kind    kind
	raw     []byte   // as written, without white space around it
	members []member // of an object, or the items of an array
}

type member struct {
	name  []byte // decoded; nil in an array
	value value
}

// maxDepth bounds how deep values may be nested.
const maxDepth = 128

// parse reads one JSON value and nothing after it. It reports false for
// anything that is not JSON in valid UTF-8. The tree refers to body.
func parse(body []byte) (value, bool) {
	if !utf8.Valid(body) {
		return value{}, false
	}
	p := parser{body: body}
	v, ok := p.value(0)
	p.space()
	return v, ok && p.at == len(body)
}

// get returns the member with a name, the last one if there are several; nil
// if there is none or it is null, which means the same.
func (v *value) get(name string) *value {
	for i := len(v.members) - 1; i >= 0; i-- {
		if string(v.members[i].name) == name {
			if v.members[i].value.kind == null {
				return nil
			}
			return &v.members[i].value
		}
	}
	return nil
}

// drop takes all members with a name out of the object.
func (v *value) drop(name string) {
	v.members = slices.DeleteFunc(v.members, func(m member) bool { return string(m.name) == name })
}

// text returns the decoded string of a text value.
func (v *value) text() string { return string(unquote(v.raw)) }

// integer reads a number that is written as a plain integer. Plain is false
// for anything else, such as 1500.5 or 1.5e3. A number beyond 64 bits gives
// the nearest one that has 64.
func (v *value) integer() (n int64, plain bool) {
	if v.kind != number || bytes.ContainsAny(v.raw, ".eE") {
		return 0, false
	}
	n, _ = strconv.ParseInt(string(v.raw), 10, 64) // out of range: the nearest
	return n, true
}

// compact appends the value as written, without the white space between its
// parts.
func (v *value) compact(b []byte) []byte {
	inside := false
	start := 0
	for i := 0; i < len(v.raw); i++ {
		switch c := v.raw[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case !inside && isSpace(c):
			b = append(b, v.raw[start:i]...)
			start = i + 1
		}
	}
	return append(b, v.raw[start:]...)
}

// canonical appends a form that is the same for equal values: members sorted
// by name, of equal names the last, strings decoded, no white space. It sorts
// the tree itself, which otherwise nothing depends on.
func (v *value) canonical(b []byte) []byte {
	switch v.kind {
	case text:
		s := unquote(v.raw)
		if b = dialect.AppendString(b, s); bytes.Contains(s, []byte("\uFFFD")) {
			b = append(b, v.raw...) // it may stand for any half of a surrogate pair
		}
		return b
	case array:
		b = append(b, '[')
		for i := range v.members {
			b = append(v.members[i].value.canonical(b), ',')
		}
		return append(b, ']')
	case object:
		sorted := v.members
		slices.SortStableFunc(sorted, func(a, c member) int { return bytes.Compare(a.name, c.name) })
		b = append(b, '{')
		for i := range sorted {
			if i+1 < len(sorted) && bytes.Equal(sorted[i].name, sorted[i+1].name) {
				continue
			}
			b = append(dialect.AppendString(b, sorted[i].name), ':')
			b = append(sorted[i].value.canonical(b), ',')
		}
		return append(b, '}')
	}
	return append(b, v.raw...)
}

// parser reads JSON by RFC 8259.
type parser struct {
	body []byte
	at   int
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func (p *parser) space() {
	for p.at < len(p.body) && isSpace(p.body[p.at]) {
		p.at++
	}
}

// take consumes c, after white space, if it is next.
func (p *parser) take(c byte) bool {
	p.space()
	if p.at < len(p.body) && p.body[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) value(depth int) (v value, ok bool) {
	p.space()
	if p.at >= len(p.body) || depth > maxDepth {
		return v, false
	}
	start := p.at
	switch p.body[p.at] {
	case '{':
		v.kind, ok = object, p.object(&v, depth)
	case '[':
		v.kind, ok = array, p.array(&v, depth)
	case '"':
		v.kind, ok = text, p.text()
	case 't':
		v.kind, ok = boolean, p.word("true")
	case 'f':
		v.kind, ok = boolean, p.word("false")
	case 'n':
		v.kind, ok = null, p.word("null")
	default:
		v.kind, ok = number, p.number()
	}
	v.raw = p.body[start:p.at]
	return v, ok
}

func (p *parser) object(v *value, depth int) bool {
	p.at++
	if p.take('}') {
		return true
	}
	v.members = make([]member, 0, 4)
	for {
		p.space()
		start := p.at
		if p.at >= len(p.body) || p.body[p.at] != '"' || !p.text() {
			return false
		}
		m := member{name: unquote(p.body[start:p.at])}
		if !p.take(':') {
			return false
		}
		var ok bool
		if m.value, ok = p.value(depth + 1); !ok {
			return false
		}
		v.members = append(v.members, m)
		if p.take('}') {
			return true
		}
		if !p.take(',') {
			return false
		}
	}
}

func (p *parser) array(v *value, depth int) bool {
	p.at++
	if p.take(']') {
		return true
	}
	for {
		item, ok := p.value(depth + 1)
		if !ok {
			return false
		}
		v.members = append(v.members, member{value: item})
		if p.take(']') {
			return true
		}
		if !p.take(',') {
			return false
		}
	}
}

func (p *parser) word(w string) bool {
	if !bytes.HasPrefix(p.body[p.at:], []byte(w)) {
		return false
	}
	p.at += len(w)
	return true
}

// text skips a string, from its first quote to behind its last.
func (p *parser) text() bool {
	for p.at++; p.at < len(p.body); p.at++ {
		switch c := p.body[p.at]; {
		case c == '"':
			p.at++
			return true
		case c < 0x20:
			return false
		case c == '\\':
			p.at++
			if !p.escape() {
				return false
			}
		}
	}
	return false
}

// escape checks what follows a backslash and stops at its last byte.
func (p *parser) escape() bool {
	if p.at >= len(p.body) {
		return false
	}
	switch p.body[p.at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		if p.at+4 >= len(p.body) {
			return false
		}
		_, err := strconv.ParseUint(string(p.body[p.at+1:p.at+5]), 16, 16)
		p.at += 4
		return err == nil
	}
	return false
}

func (p *parser) number() bool {
	if p.at < len(p.body) && p.body[p.at] == '-' {
		p.at++
	}
	if p.at < len(p.body) && p.body[p.at] == '0' {
		p.at++
	} else if !p.digits() {
		return false
	}
	if p.at < len(p.body) && p.body[p.at] == '.' {
		p.at++
		if !p.digits() {
			return false
		}
	}
	if p.at < len(p.body) && (p.body[p.at] == 'e' || p.body[p.at] == 'E') {
		p.at++
		if p.at < len(p.body) && (p.body[p.at] == '+' || p.body[p.at] == '-') {
			p.at++
		}
		return p.digits()
	}
	return true
}

// digits skips digits, at least one.
func (p *parser) digits() bool {
	start := p.at
	for p.at < len(p.body) && p.body[p.at] >= '0' && p.body[p.at] <= '9' {
		p.at++
	}
	return p.at > start
}

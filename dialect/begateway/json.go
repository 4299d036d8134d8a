package begateway

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// value is the text of one JSON value, without space around it; empty is a
// member that is not there. It is only made of documents that are valid, so
// reading it cannot fail.
//
// Values are read as clients of this API send them: null and "" are the same
// as nothing, numbers may come as strings and strings as numbers.
type value []byte

// readDocument returns the JSON document of a body, and whether it is one.
func readDocument(body []byte) (value, bool) {
	if !json.Valid(body) || !utf8.Valid(body) {
		return nil, false
	}
	return value(bytes.Trim(body, " \t\r\n")), true
}

func (v value) isObject() bool { return len(v) > 0 && v[0] == '{' }
func (v value) isArray() bool  { return len(v) > 0 && v[0] == '[' }
func (v value) isString() bool { return len(v) > 0 && v[0] == '"' }
func (v value) isNumber() bool { return len(v) > 0 && (v[0] == '-' || v[0] >= '0' && v[0] <= '9') }

// blank tells whether there is nothing: no member, null, or a string of
// nothing but space.
func (v value) blank() bool {
	if len(v) == 0 || v[0] == 'n' {
		return true
	}
	return v.isString() && strings.TrimSpace(v.text()) == ""
}

// text is the text of a string, and the digits of a number; empty for
// everything else.
func (v value) text() string {
	switch {
	case v.isNumber():
		return string(v)
	case !v.isString():
		return ""
	case bytes.IndexByte(v, '\\') < 0:
		return string(v[1 : len(v)-1])
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// is tells whether v is the boolean on, or its name as a string.
func (v value) is(on bool) bool {
	want := "false"
	if on {
		want = "true"
	}
	return string(v) == want || v.isString() && v.text() == want
}

// members calls fn for each member of an object, in order; for anything else
// not at all. A name that comes twice is passed on twice: the last one counts.
func (v value) members(fn func(name string, v value)) {
	if !v.isObject() {
		return
	}
	at := skipSpace(v, 1)
	for v[at] != '}' {
		end := skipValue(v, at)
		name := v[at:end].text()
		at = skipSpace(v, end)  // the colon
		at = skipSpace(v, at+1) // the value
		end = skipValue(v, at)
		fn(name, v[at:end])
		at = skipSpace(v, end) // a comma, or the end
		if v[at] == ',' {
			at = skipSpace(v, at+1)
		}
	}
}

// elements calls fn for each element of an array; for anything else not at
// all.
func (v value) elements(fn func(value)) {
	if !v.isArray() {
		return
	}
	at := skipSpace(v, 1)
	for v[at] != ']' {
		end := skipValue(v, at)
		fn(v[at:end])
		at = skipSpace(v, end)
		if v[at] == ',' {
			at = skipSpace(v, at+1)
		}
	}
}

// member returns one member of an object.
func (v value) member(name string) value {
	var found value
	v.members(func(n string, member value) {
		if n == name {
			found = member
		}
	})
	return found
}

func skipSpace(v value, at int) int {
	for v[at] == ' ' || v[at] == '\n' || v[at] == '\t' || v[at] == '\r' {
		at++
	}
	return at
}

// skipValue returns where the value that begins at at ends.
func skipValue(v value, at int) int {
	depth := 0
	for {
		switch v[at] {
		case '"':
			at++
			for v[at] != '"' {
				if v[at] == '\\' {
					at++
				}
				at++
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ' ', '\n', '\t', '\r', ',', ':':
		default: // a number or a word
			for at+1 < len(v) && !isDelimiter(v[at+1]) {
				at++
			}
		}
		at++
		if depth == 0 {
			return at
		}
	}
}

func isDelimiter(c byte) bool {
	switch c {
	case ' ', '\n', '\t', '\r', ',', ':', ']', '}':
		return true
	}
	return false
}

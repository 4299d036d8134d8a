package admission

import "bytes"

// Head is the head of a request, as it was sent.
type Head struct {
	Method, Target string
	lines          []byte // of the header, without the empty one
}

// Get returns the value of a header line, the first of that name; empty if
// there is none.
func (h Head) Get(name string) string {
	for rest := h.lines; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, crlf)
		if value, ok := field(line, name); ok {
			return string(value)
		}
		rest = after
	}
	return ""
}

var crlf = []byte("\r\n")

// parse reads the head of a request that begins with the first of the bytes,
// and how many bytes the request has with its body. It reports false for
// whatever is not plain: a head that is not complete, a body whose length is not
// said once and in digits, a connection that is to be closed or to become
// something else. What it does report is what net/http makes of it too, or
// net/http refuses it.
func parse(b []byte) (h Head, size int, ok bool) {
	line, rest, found := cutLine(b)
	if !found {
		return h, 0, false
	}
	line, found = bytes.CutSuffix(line, []byte(" HTTP/1.1"))
	method, target, two := bytes.Cut(line, []byte(" "))
	if !found || !two || len(target) == 0 || target[0] != '/' || bytes.IndexByte(target, ' ') >= 0 || !isMethod(method) {
		return h, 0, false
	}
	length, begins := -1, len(b)-len(rest)
	for {
		line, after, found := cutLine(rest)
		if !found {
			return h, 0, false
		}
		if len(line) == 0 {
			end := len(b) - len(rest)
			if length > 0 {
				size = length
			}
			return Head{string(method), string(target), b[begins:end]}, size + end + len(crlf), true
		}
		if plain(line, &length) {
			rest = after
			continue
		}
		return h, 0, false
	}
}

// plain reads a header line. It reports false for one that changes how the
// request has to be read.
func plain(line []byte, length *int) bool {
	switch line[0] | 0x20 {
	case ' ' | 0x20, '\t' | 0x20: // the line before goes on
		return false
	case 'c':
		if value, ok := field(line, "content-length"); ok {
			if *length >= 0 {
				return false
			}
			*length = number(value)
			return *length >= 0
		}
		value, ok := field(line, "connection")
		return !ok || bytes.EqualFold(value, []byte("keep-alive"))
	case 't':
		_, ok := field(line, "transfer-encoding")
		_, trailer := field(line, "trailer")
		return !ok && !trailer
	case 'e':
		_, ok := field(line, "expect")
		return !ok
	case 'u':
		_, ok := field(line, "upgrade")
		return !ok
	}
	return true
}

// cutLine returns the first line without its end, and what follows. Its end has
// to be CR LF.
func cutLine(b []byte) (line, after []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 || b[i-1] != '\r' {
		return nil, nil, false
	}
	return b[:i-1], b[i+1:], true
}

// field returns the value of a header line that has that name, which is given
// in small letters.
func field(line []byte, name string) ([]byte, bool) {
	if len(line) <= len(name) || line[len(name)] != ':' {
		return nil, false
	}
	for i := range len(name) {
		if b := line[i]; b != name[i] && (b < 'A' || b > 'Z' || b|0x20 != name[i]) {
			return nil, false
		}
	}
	return bytes.Trim(line[len(name)+1:], " \t"), true
}

// number reads digits; anything else is -1.
func number(digits []byte) int {
	if len(digits) == 0 || len(digits) > 9 {
		return -1
	}
	n := 0
	for _, d := range digits {
		if d < '0' || d > '9' {
			return -1
		}
		n = n*10 + int(d-'0')
	}
	return n
}

// isMethod tells whether a request of that method may be answered here.
func isMethod(b []byte) bool {
	switch string(b) {
	case "POST", "GET", "PUT", "PATCH", "DELETE":
		return true
	}
	return false
}

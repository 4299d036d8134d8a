package intents

import "bytes"

// Objects are rendered at the left margin, two spaces deeper for each level
// and without a newline at the end. These two put JSON deeper.

const indent = "                                        " // deeper than any object of ours

// appendNested appends an object that was rendered at the margin as a value
// that stands depth levels deep.
func appendNested(b, rendered []byte, depth int) []byte {
	for {
		at := bytes.IndexByte(rendered, '\n')
		if at < 0 {
			return append(b, rendered...)
		}
		b = append(b, rendered[:at+1]...)
		b = append(b, indent[:2*depth]...)
		rendered = rendered[at+1:]
	}
}

// appendPretty appends compact JSON, which must be valid, as a value that
// stands depth levels deep.
func appendPretty(b, compact []byte, depth int) []byte {
	quoted := false
	for i := 0; i < len(compact); i++ {
		c := compact[i]
		if quoted {
			b = append(b, c)
			switch c {
			case '\\':
				i++
				b = append(b, compact[i])
			case '"':
				quoted = false
			}
			continue
		}
		switch c {
		case '{', '[':
			b = append(b, c)
			if compact[i+1] == c+2 { // '}' and ']' follow their openings at two
				i++
				b = append(b, compact[i])
				continue
			}
			depth++
			b = newline(b, depth)
		case '}', ']':
			depth--
			b = append(newline(b, depth), c)
		case ',':
			b = newline(append(b, c), depth)
		case ':':
			b = append(b, ": "...)
		case '"':
			quoted = true
			b = append(b, c)
		default:
			b = append(b, c)
		}
	}
	return b
}

func newline(b []byte, depth int) []byte {
	b = append(b, '\n')
	for ; 2*depth > len(indent); depth -= len(indent) / 2 {
		b = append(b, indent...)
	}
	return append(b, indent[:2*depth]...)
}

package bench

import "bytes"

// frame is what the head of an answer says about where the body ends.
type frame struct {
	status  int
	length  int // -1: not said
	chunked bool
	close   bool
}

// parseHead reads a status line and the three headers that matter.
func parseHead(head []byte) (frame, error) {
	f := frame{length: -1}
	if len(head) < 16 || string(head[:7]) != "HTTP/1." || head[8] != ' ' {
		return f, errFrame
	}
	for _, digit := range head[9:12] {
		if digit < '0' || digit > '9' {
			return f, errFrame
		}
		f.status = f.status*10 + int(digit-'0')
	}
	f.close = head[7] == '0'
	for rest := after(head); len(rest) > 2; rest = after(rest) {
		switch rest[0] | 0x20 {
		case 'c':
			if value, ok := header(rest, "content-length"); ok {
				if f.length = number(value); f.length < 0 {
					return f, errFrame
				}
			} else if value, ok := header(rest, "connection"); ok {
				f.close = f.close || bytes.EqualFold(value, []byte("close"))
			}
		case 't':
			if value, ok := header(rest, "transfer-encoding"); ok {
				if !bytes.EqualFold(value, []byte("chunked")) {
					return f, errFrame
				}
				f.chunked = true
			}
		}
	}
	return f, nil
}

// after returns what follows the first line.
func after(lines []byte) []byte {
	if i := bytes.IndexByte(lines, '\n'); i >= 0 {
		return lines[i+1:]
	}
	return nil
}

// header returns the value of the first line if the line has that name, which
// is in lower case.
func header(lines []byte, name string) ([]byte, bool) {
	if len(lines) <= len(name) || lines[len(name)] != ':' {
		return nil, false
	}
	for i := range len(name) {
		if b := lines[i]; b != name[i] && (b < 'A' || b > 'Z' || b|0x20 != name[i]) {
			return nil, false
		}
	}
	value := lines[len(name)+1:]
	if i := bytes.IndexByte(value, '\n'); i >= 0 {
		value = value[:i]
	}
	return bytes.TrimSpace(value), true
}

// number reads digits; anything else is -1.
func number(digits []byte) int {
	if len(digits) == 0 || len(digits) > 12 {
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

// chunkSize reads the line before a chunk; extensions are ignored.
func chunkSize(line []byte) (int, error) {
	if i := bytes.IndexByte(line, ';'); i >= 0 {
		line = line[:i]
	}
	line = bytes.TrimSpace(line)
	if len(line) == 0 || len(line) > 7 {
		return 0, errFrame
	}
	n := 0
	for _, d := range line {
		switch {
		case '0' <= d && d <= '9':
			d -= '0'
		case 'a' <= d|0x20 && d|0x20 <= 'f':
			d = d | 0x20 - 'a' + 10
		default:
			return 0, errFrame
		}
		n = n<<4 + int(d)
	}
	return n, nil
}

// member returns the first string member of a JSON text that is called name,
// at whatever depth. The values looked for hold no escapes.
func member(text []byte, name string) []byte {
	for {
		i := bytes.Index(text, []byte(name))
		if i < 0 {
			return nil
		}
		quoted := i > 0 && text[i-1] == '"'
		text = text[i+len(name):]
		value, ok := bytes.CutPrefix(text, []byte(`"`))
		if !quoted || !ok {
			continue
		}
		if value, ok = bytes.CutPrefix(bytes.TrimLeft(value, " "), []byte(":")); !ok {
			continue
		}
		if value, ok = bytes.CutPrefix(bytes.TrimLeft(value, " "), []byte(`"`)); !ok {
			continue
		}
		if end := bytes.IndexByte(value, '"'); end >= 0 {
			return value[:end]
		}
		return nil
	}
}

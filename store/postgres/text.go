package postgres

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// A text of PostgreSQL's is UTF-8 and has no NUL. What somebody outside made
// up, such as a merchant's reference or an id in a path, may be any string: one
// that is no such text is written in hexadecimal digits behind a sign, with
// which no other begins.
const inHex = "\uffff"

// asText is how any string is written. Nearly all are written as they are.
func asText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 && !strings.HasPrefix(s, inHex) {
		return s
	}
	return inHex + hex.EncodeToString([]byte(s))
}

// ofText reads what asText wrote.
func ofText(s string) string {
	digits, ok := strings.CutPrefix(s, inHex)
	if !ok {
		return s
	}
	raw, err := hex.DecodeString(digits)
	if err != nil {
		return s // that was not written here
	}
	return string(raw)
}

package postgres

import (
	"context"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A text of ours may have any bytes; one of PostgreSQL's is UTF-8 and has no
// NUL. What it cannot keep is written as a mark and two hexadecimal digits, and
// so is the mark. Nearly every text is kept as it is.
const mark = '\x01'

// storable is how a text is kept. Different texts are kept differently.
func storable(s string) string {
	if strings.IndexByte(s, 0) < 0 && strings.IndexByte(s, mark) < 0 && utf8.ValidString(s) {
		return s
	}
	b := make([]byte, 0, len(s)+8)
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r <= mark || r == utf8.RuneError && size == 1 {
			b = append(b, mark, "0123456789abcdef"[s[0]>>4], "0123456789abcdef"[s[0]&15])
		} else {
			b = append(b, s[:size]...)
		}
		s = s[size:]
	}
	return string(b)
}

// plain is the text that is kept as s.
func plain(s string) string {
	if strings.IndexByte(s, mark) < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == mark && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// storables makes the texts among the arguments of a statement storable.
func storables(args []any) []any {
	all := make([]any, len(args))
	for i, arg := range args {
		switch text := arg.(type) {
		case string:
			all[i] = storable(text)
		case []string:
			texts := make([]string, len(text))
			for i := range text {
				texts[i] = storable(text[i])
			}
			all[i] = texts
		default:
			all[i] = arg
		}
	}
	return all
}

// texts is a transaction whose statements take any text.
type texts struct{ pgx.Tx }

// Exec implements pgx.Tx.
func (t texts) Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error) {
	return t.Tx.Exec(ctx, query, storables(args)...)
}

// QueryRow implements pgx.Tx.
func (t texts) QueryRow(ctx context.Context, query string, args ...any) pgx.Row {
	return t.Tx.QueryRow(ctx, query, storables(args)...)
}

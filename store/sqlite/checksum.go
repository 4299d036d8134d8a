package sqlite

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"
)

// Checksums find what no other row contradicts: an idempotency record under
// another key, a key that has become another merchant's, a revoked grant that
// is good again. They cost a few bytes a row and no look at any other. They are
// no signatures: whoever wants to deceive can make them.

// columns are what a row's checksum covers, in order, by table.
var columns = map[string]string{
	"events":        `id, payment, sequence, previous, kind, at, operation, amount, body`,
	"records":       `key, tenant, fingerprint, payment, version, operation, refusal, pending, at, expires, context`,
	"deposits":      `id, merchant, user, at`,
	"meta":          `name, value`,
	"merchants":     `id, tenant, name, disabled, created_at, settings`,
	"credentials":   `merchant, dialect, kind, lookup, data, sealed, disabled, hint, created_at, expires_at`,
	"wallet_users":  `id, tenant, frozen`,
	"wallet_grants": `tenant, name, user, expires_at, revoked`,
	"counters":      `tenant, name, value, expires`,
	"notices":       `payment, version, dialect, number, tenant, merchant, topic, at, context, ordered, told`,
	"timers":        `due, payment, kind, operation, tenant, merchant, attempt`,
	"deliveries":    `payment, dialect, endpoint, version, number, tenant, merchant, lane, ordered, state, attempts, due`,
	"attempts":      `payment, dialect, endpoint, version, number, attempt, tenant, at, took, status, fault, sealed, state, due`,
	"documents":     `tenant, merchant, dialect, kind, id, owner, version, serial, created_at, updated_at, expires, body, sealed`,
}

// names say by which column a row of a table is told from others.
var names = map[string]string{
	"events": `'event ' || sequence || ' of payment ' || payment`, "records": `'the record of key ' || lower(hex(key))`,
	"deposits": `'deposit ' || id`, "meta": `'what is kept as ' || name`, "merchants": `'merchant ' || id`,
	"credentials":  `'a ' || dialect || ' credential (' || kind || ') of merchant ' || merchant`,
	"wallet_users": `'wallet user ' || id`, "wallet_grants": `'a grant of wallet user ' || user`,
	"counters":   `'the counter "' || name || '" of tenant ' || tenant`,
	"notices":    `'notice ' || topic || ' of version ' || version || ' of payment ' || payment`,
	"timers":     `'a timer of payment ' || payment`,
	"deliveries": `'the delivery of version ' || version || ' of payment ' || payment || ' to "' || endpoint || '"'`,
	"attempts":   `'attempt ' || attempt || ' at version ' || version || ' of payment ' || payment || ' to "' || endpoint || '"'`,
	"documents":  `'document ' || serial || ' (' || dialect || ' ' || kind || ') of merchant ' || merchant`,
}

// adding is an insertion into a table whose values are bound in the order of
// its columns, and end with their checksum.
func adding(verb, table string) string {
	params := make([]string, strings.Count(columns[table], ",")+1)
	for i := range params {
		params[i] = fmt.Sprintf("?%d", i+1)
	}
	all := strings.Join(params, ", ")
	return fmt.Sprintf(`%s INTO %s (%s, checksum) VALUES (%s, row_checksum(%s))`, verb, table, columns[table], all, all)
}

// stamp gives a row that was written a new checksum. The condition has one
// parameter for each value, an int64 or a string.
func stamp(conn *sqlite.Conn, table, condition string, values ...any) error {
	stmt := conn.Prep(fmt.Sprintf(`UPDATE %s SET checksum = row_checksum(%s) WHERE %s`, table, columns[table], condition))
	for i, value := range values {
		switch v := value.(type) {
		case int64:
			stmt.BindInt64(i+1, v)
		case string:
			stmt.BindText(i+1, v)
		default:
			panic(fmt.Sprintf("sqlite: a value of type %T", value))
		}
	}
	return run(stmt)
}

// summed binds the values of a row in the order of its columns, and at last
// their checksum: what row_checksum gives, for statements that are run so often
// that a call of a function would be felt.
type summed struct {
	stmt  *sqlite.Stmt
	text  []byte
	bound int
}

func (s *summed) null() {
	s.bound++
	s.text = append(s.text, 'n')
	s.stmt.BindNull(s.bound)
}

func (s *summed) integer(v int64) {
	s.bound++
	s.text = appendInteger(s.text, v)
	s.stmt.BindInt64(s.bound, v)
}

// orNull binds NULL for zero.
func (s *summed) orNull(v int64) {
	if v == 0 {
		s.null()
	} else {
		s.integer(v)
	}
}

// bytes binds NULL for none.
func (s *summed) bytes(v []byte) {
	if len(v) == 0 {
		s.null()
		return
	}
	s.bound++
	s.text = append(appendLength(s.text, 'b', len(v)), v...)
	s.stmt.BindBytes(s.bound, v)
}

func (s *summed) string(v string) {
	s.bound++
	s.text = append(appendLength(s.text, 't', len(v)), v...)
	s.stmt.BindText(s.bound, v)
}

// run binds the checksum and steps the statement.
func (s *summed) run() error {
	s.stmt.BindInt64(s.bound+1, checksum(s.text))
	return run(s.stmt)
}

func appendInteger(text []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(append(text, 'i'), uint64(v))
}

func appendLength(text []byte, kind byte, n int) []byte {
	return binary.BigEndian.AppendUint32(append(text, kind), uint32(n))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(text []byte) int64 { return int64(crc32.Checksum(text, castagnoli)) }

// giveChecksum makes row_checksum known to a connection that writes.
func giveChecksum(conn *sqlite.Conn) error {
	return conn.CreateFunction("row_checksum", &sqlite.FunctionImpl{
		NArgs: -1, Deterministic: true,
		Scalar: func(_ sqlite.Context, row []sqlite.Value) (sqlite.Value, error) {
			var text []byte
			for _, v := range row {
				switch v.Type() {
				case sqlite.TypeInteger:
					text = appendInteger(text, v.Int64())
				case sqlite.TypeText:
					text = append(appendLength(text, 't', len(v.Text())), v.Text()...)
				case sqlite.TypeBlob:
					text = append(appendLength(text, 'b', len(v.Blob())), v.Blob()...)
				default:
					text = append(text, 'n')
				}
			}
			return sqlite.IntegerValue(checksum(text)), nil
		},
	})
}

// changed calls fn with what is said of each row that is not as it was
// written, at most straysEach of each table.
func (a *audit) changed(fn func(what string) error) error {
	for _, table := range slices.Sorted(maps.Keys(columns)) {
		found, n := 0, strings.Count(columns[table], ",")+1
		var text []byte
		query := fmt.Sprintf(`SELECT %s, checksum, %s FROM %s`, columns[table], names[table], table)
		err := a.each(query, func(row *sqlite.Stmt) error {
			text = text[:0]
			for i := range n {
				switch row.ColumnType(i) {
				case sqlite.TypeInteger:
					text = appendInteger(text, row.ColumnInt64(i))
				case sqlite.TypeText:
					text = appendColumn(appendLength(text, 't', row.ColumnLen(i)), row, i)
				case sqlite.TypeBlob:
					text = appendColumn(appendLength(text, 'b', row.ColumnLen(i)), row, i)
				default:
					text = append(text, 'n')
				}
			}
			if !row.ColumnIsNull(n) && row.ColumnInt64(n) == checksum(text) || found == straysEach {
				return nil
			}
			found++
			return fn(row.ColumnText(n+1) + " is not as it was written")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func appendColumn(text []byte, row *sqlite.Stmt, i int) []byte {
	n := row.ColumnLen(i)
	text = slices.Grow(text, n)
	return text[:len(text)+row.ColumnBytes(i, text[len(text):len(text)+n])]
}

package move

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/capstan-pay/capstan/ledger"
)

// Digest tells whether two stores have the same of something, in whatever
// order they keep it.
type Digest struct {
	What  string `json:"what"`
	Items int64  `json:"items"`
	Sum   string `json:"sum"` // hex: the sum of the SHA-256 of all items
}

func same(a, b []Digest) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func difference(source, target []Digest) string {
	for i := range min(len(source), len(target)) {
		if a, b := source[i], target[i]; a != b {
			return fmt.Sprintf("%s: %d with sum %.16s in the source, %d with %.16s in the target", a.What, a.Items, a.Sum, b.Items, b.Sum)
		}
	}
	return "there is not the same number of digests"
}

// sum adds up the digests of items, each of which is printed into it first.
type sum struct {
	what  string
	items int64
	words [4]uint64
	buf   []byte
}

func newSum(what string) *sum { return &sum{what: what} }

func (s *sum) item(print func(*sum)) {
	s.buf = s.buf[:0]
	print(s)
	h := sha256.Sum256(s.buf)
	for i := range s.words {
		s.words[i] += binary.BigEndian.Uint64(h[8*i:])
	}
	s.items++
}

func (s *sum) digest() Digest {
	var all []byte
	for _, w := range s.words {
		all = binary.BigEndian.AppendUint64(all, w)
	}
	return Digest{What: s.what, Items: s.items, Sum: hex.EncodeToString(all)}
}

func (s *sum) number(vs ...int64) {
	for _, v := range vs {
		s.buf = binary.BigEndian.AppendUint64(s.buf, uint64(v))
	}
}

func (s *sum) flag(vs ...bool) {
	for _, v := range vs {
		if v {
			s.buf = append(s.buf, 1)
		} else {
			s.buf = append(s.buf, 0)
		}
	}
}

func (s *sum) text(vs ...string) {
	for _, v := range vs {
		s.buf = binary.BigEndian.AppendUint32(s.buf, uint32(len(v)))
		s.buf = append(s.buf, v...)
	}
}

func (s *sum) bytes(vs ...[]byte) {
	for _, v := range vs {
		s.buf = binary.BigEndian.AppendUint32(s.buf, uint32(len(v)))
		s.buf = append(s.buf, v...)
	}
}

func (s *sum) time(vs ...time.Time) {
	for _, v := range vs {
		if v.IsZero() {
			s.flag(false)
		} else {
			s.flag(true)
			s.number(v.UnixMilli())
		}
	}
}

func (s *sum) entry(e ledger.Entry) {
	s.number(int64(len(e)))
	for _, p := range e {
		s.number(p.Account.Merchant, int64(p.Account.Kind), p.Account.Holder, p.Minor)
		s.text(string(p.Account.Currency))
	}
}

package postgres

import (
	"encoding/binary"
	"time"
)

// The types of arrays' elements, as PostgreSQL numbers them.
const (
	typeBool  = 16
	typeBytes = 17
	typeInt8  = 20
	typeInt2  = 21
	typeInt4  = 23
	typeText  = 25
	typeUUID  = 2950
)

// array is a one-dimensional array parameter in PostgreSQL's binary form, in
// which it costs next to nothing to make. It begins with room for its head.
type array struct {
	buf  []byte
	n    int
	null bool
}

const arrayHead = 20

// element begins an element of size bytes.
func (a *array) element(size int) {
	if len(a.buf) == 0 {
		a.buf = append(a.buf, make([]byte, arrayHead)...)
	}
	a.buf = binary.BigEndian.AppendUint32(a.buf, uint32(size))
	a.n++
}

func (a *array) nothing() {
	a.element(-1)
	a.null = true
}

func (a *array) int8(v int64) {
	a.element(8)
	a.buf = binary.BigEndian.AppendUint64(a.buf, uint64(v))
}

func (a *array) int4(v int) {
	a.element(4)
	a.buf = binary.BigEndian.AppendUint32(a.buf, uint32(v))
}

func (a *array) int2(v int) {
	a.element(2)
	a.buf = binary.BigEndian.AppendUint16(a.buf, uint16(v))
}

func (a *array) bool(v bool) {
	a.element(1)
	if v {
		a.buf = append(a.buf, 1)
	} else {
		a.buf = append(a.buf, 0)
	}
}

func (a *array) uuid(v [16]byte) {
	a.element(16)
	a.buf = append(a.buf, v[:]...)
}

func (a *array) text(v string) {
	v = storable(v)
	a.element(len(v))
	a.buf = append(a.buf, v...)
}

// filled writes bytes, also when there are none.
func (a *array) filled(v []byte) {
	a.element(len(v))
	a.buf = append(a.buf, v...)
}

// bytes writes NULL for no bytes.
func (a *array) bytes(v []byte) {
	if len(v) == 0 {
		a.nothing()
		return
	}
	a.element(len(v))
	a.buf = append(a.buf, v...)
}

// int8OrNull writes NULL for the zero value.
func (a *array) int8OrNull(v int64) {
	if v == 0 {
		a.nothing()
		return
	}
	a.int8(v)
}

// int4OrNull writes NULL for the zero value.
func (a *array) int4OrNull(v int) {
	if v == 0 {
		a.nothing()
		return
	}
	a.int4(v)
}

// timeOrNull writes Unix milliseconds, NULL for the zero time.
func (a *array) timeOrNull(t time.Time) {
	if t.IsZero() {
		a.nothing()
		return
	}
	a.int8(t.UnixMilli())
}

// value is the parameter, for elements of a type.
func (a *array) value(element uint32) []byte {
	if a.n == 0 {
		a.buf = append(a.buf[:0], make([]byte, 12)...)
		binary.BigEndian.PutUint32(a.buf[8:], element)
		return a.buf
	}
	flags := uint32(0)
	if a.null {
		flags = 1
	}
	binary.BigEndian.PutUint32(a.buf, 1) // dimensions
	binary.BigEndian.PutUint32(a.buf[4:], flags)
	binary.BigEndian.PutUint32(a.buf[8:], element)
	binary.BigEndian.PutUint32(a.buf[12:], uint32(a.n))
	binary.BigEndian.PutUint32(a.buf[16:], 1) // the first index
	return a.buf
}

func (a *array) reset() { a.buf, a.n, a.null = a.buf[:0], 0, false }

// row is a row of a result in binary form; it is overwritten by the next one.
type row [][]byte

// int reads an integer of any size, 0 for NULL.
func (r row) int(i int) int64 {
	switch b := r[i]; len(b) {
	case 2:
		return int64(int16(binary.BigEndian.Uint16(b)))
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b)))
	case 8:
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r row) bool(i int) bool { return len(r[i]) == 1 && r[i][0] != 0 }

// bytes is a copy, nil for NULL.
func (r row) bytes(i int) []byte {
	if r[i] == nil {
		return nil
	}
	return append(make([]byte, 0, len(r[i])), r[i]...)
}

func (r row) text(i int) string { return plain(string(r[i])) }

// time reads Unix milliseconds, the zero time for NULL.
func (r row) time(i int) time.Time {
	if r[i] == nil {
		return time.Time{}
	}
	return time.UnixMilli(r.int(i)).UTC()
}

// ints reads an array of bigint, which has no NULLs.
func (r row) ints(i int) []int64 {
	b := r[i]
	if len(b) <= arrayHead {
		return nil
	}
	all := make([]int64, 0, (len(b)-arrayHead)/12)
	for b = b[arrayHead:]; len(b) >= 12; b = b[12:] {
		all = append(all, int64(binary.BigEndian.Uint64(b[4:])))
	}
	return all
}

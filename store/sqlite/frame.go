package sqlite

import "encoding/binary"

// The format of SQLite's log: https://www.sqlite.org/fileformat2.html#walformat

// header is what a log begins with.
type header [32]byte

// order is the order of the bytes in which checksums are made, and whether the
// header says so. What cannot be read was most likely written here.
func (h *header) order() (_ binary.ByteOrder, known bool) {
	switch binary.BigEndian.Uint32(h[:]) {
	case 0x377f0682:
		return binary.LittleEndian, true
	case 0x377f0683:
		return binary.BigEndian, true
	}
	return binary.NativeEndian, false
}

// salts are different ones whenever a log is begun anew.
func (h *header) salts() uint64 { return binary.BigEndian.Uint64(h[16:]) }

func (h *header) sum() logSum { return storedSum(h[24:]) }

// sound reports whether the header can be read.
func (h *header) sound() bool {
	order, known := h.order()
	return known && logSum{}.over(h[:24], order) == h.sum()
}

const frameHeader = 24

// frame is a page in a log, and what comes before it there.
type frame [frameHeader + 4096]byte

func (f *frame) page() uint32  { return binary.BigEndian.Uint32(f[:]) }
func (f *frame) commits() bool { return binary.BigEndian.Uint32(f[4:]) != 0 }
func (f *frame) salts() uint64 { return binary.BigEndian.Uint64(f[8:]) }
func (f *frame) sum() logSum   { return storedSum(f[16:]) }

// text is what the checksum is over, beside what comes before.
func (f *frame) text() [2][]byte { return [2][]byte{f[:8], f[frameHeader:]} }

// logSum is SQLite's checksum of a log up to a place.
type logSum [2]uint32

func storedSum(b []byte) logSum {
	return logSum{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
}

// over continues a checksum.
func (s logSum) over(data []byte, order binary.ByteOrder) logSum {
	a, b := s[0], s[1]
	for ; len(data) >= 8; data = data[8:] {
		a += order.Uint32(data) + b
		b += order.Uint32(data[4:]) + a
	}
	return logSum{a, b}
}

// end is what comes before a frame: the header, or another frame.
type end struct {
	order   binary.ByteOrder
	before  logSum    // as it is stored
	text    [2][]byte // what has come since
	stored  logSum
	commits bool
}

func (h *header) end() end {
	order, _ := h.order()
	return end{order: order, text: [2][]byte{h[:24]}, stored: h.sum()}
}

// end is that after the frame.
func (f *frame) end(before end) end {
	return end{order: before.order, before: before.stored, text: f.text(), stored: f.sum(), commits: f.commits()}
}

// continues reports whether a frame was written there, and has not changed
// since. What it was written after, or the checksum of that, may have.
func (e *end) continues(f *frame) bool {
	if f.page() == 0 { // nobody has written one
		return false
	}
	return f.sum() == e.over(e.stored, f.text()) || f.sum() == e.over(e.over(e.before, e.text), f.text())
}

func (e *end) over(sum logSum, text [2][]byte) logSum {
	return sum.over(text[0], e.order).over(text[1], e.order)
}

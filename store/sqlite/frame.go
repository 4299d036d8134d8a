package sqlite

import "encoding/binary"

// The format of SQLite's log: https://www.sqlite.org/fileformat2.html#walformat

// header is what a log begins with.
type header [32]byte

// order is the order of the bytes in which checksums are made. What cannot be
// read was most likely written here.
func (h *header) order() binary.ByteOrder {
	switch binary.BigEndian.Uint32(h[:]) {
	case 0x377f0682:
		return binary.LittleEndian
	case 0x377f0683:
		return binary.BigEndian
	}
	return binary.NativeEndian
}

// salts are different ones whenever a log is begun anew.
func (h *header) salts() uint64 { return binary.BigEndian.Uint64(h[16:]) }

func (h *header) sum() logSum { return storedSum(h[24:]) }

// sound reports whether the header can be read.
func (h *header) sound() bool { return logSum{}.over(h[:24], h.order()) == h.sum() }

const frameHeader = 24

// frame is a page in a log, and what comes before it there.
type frame [frameHeader + 4096]byte

func (f *frame) page() uint32  { return binary.BigEndian.Uint32(f[:]) }
func (f *frame) commits() bool { return binary.BigEndian.Uint32(f[4:]) != 0 }
func (f *frame) salts() uint64 { return binary.BigEndian.Uint64(f[8:]) }
func (f *frame) sum() logSum   { return storedSum(f[16:]) }

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

// end is what comes before a frame.
type end struct {
	order   binary.ByteOrder
	commits bool
	stored  logSum // up to there
	made    logSum // of what is there: another one if that has changed since
}

func (h *header) end() end {
	order := h.order()
	return end{order: order, stored: h.sum(), made: logSum{}.over(h[:24], order)}
}

// continues reports whether a frame was written there, and has not changed
// since.
func (e *end) continues(f *frame) bool {
	return f.sum() == e.over(e.stored, f) || e.made != e.stored && f.sum() == e.over(e.made, f)
}

// move makes a frame the end.
func (e *end) move(f *frame, continues bool) {
	e.made = f.sum()
	if !continues {
		e.made = e.over(e.stored, f)
	}
	e.stored, e.commits = f.sum(), f.commits()
}

func (e *end) over(sum logSum, f *frame) logSum {
	return sum.over(f[:8], e.order).over(f[frameHeader:], e.order)
}

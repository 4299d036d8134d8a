package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrDamagedLog is returned for a store in whose log there is more than can be
// read: commits that were flushed come after a place that has changed since.
// SQLite would take that place for the end of the log, as after a loss of power,
// and nobody would miss what was acknowledged.
var ErrDamagedLog = errors.New("the log beside the store is damaged")

// The format of the log: https://www.sqlite.org/fileformat2.html#walformat
const (
	logHeader   = 32
	frameHeader = 24
)

// checkLog looks through the log beside the store at path, which may be in use.
// What is not flushed may be there in part after a loss of power; that is one
// transaction at most. So two commits behind what cannot be read are proof.
func checkLog(path string) error {
	f, err := os.Open(path + "-wal") // SQLite has no locks on it
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		var before, after [logHeader]byte
		if _, err := f.ReadAt(before[:], 0); err != nil {
			return ignoreEnd(err)
		}
		readable, commits, err := walkLog(f, before[:])
		if err != nil {
			return err
		}
		if _, err := f.ReadAt(after[:], 0); err != nil {
			return ignoreEnd(err)
		}
		if before != after { // it was begun anew meanwhile
			continue
		}
		if commits >= 2 {
			return fmt.Errorf("%w: it can be read up to page %d, and %d commits come after that", ErrDamagedLog, readable, commits)
		}
		return nil
	}
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// walkLog returns how many frames of a log can be read one after the other, and
// how many commits of the same log stand behind those.
func walkLog(f *os.File, header []byte) (readable, commits int, err error) {
	var order binary.ByteOrder = binary.LittleEndian
	if header[3]&1 == 1 {
		order = binary.BigEndian
	}
	salts := header[16:24]
	var sum [2]uint32
	add(&sum, order, header[:24])
	whole := matches(sum, header[24:])
	frame := make([]byte, frameHeader+4096)
	for r := io.NewSectionReader(f, logHeader, 1<<62); ; {
		if _, err := io.ReadFull(r, frame); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = nil
			}
			return readable, commits, ignoreEnd(err)
		}
		same := bytes.Equal(frame[8:16], salts)
		if whole && same {
			add(&sum, order, frame[:8])
			add(&sum, order, frame[frameHeader:])
			whole = matches(sum, frame[16:])
		} else {
			whole = false
		}
		switch {
		case whole:
			readable++
		case same && binary.BigEndian.Uint32(frame[4:]) != 0:
			commits++
		}
	}
}

// add continues SQLite's checksum of a log.
func add(sum *[2]uint32, order binary.ByteOrder, data []byte) {
	a, b := sum[0], sum[1]
	for ; len(data) >= 8; data = data[8:] {
		a += order.Uint32(data) + b
		b += order.Uint32(data[4:]) + a
	}
	sum[0], sum[1] = a, b
}

func matches(sum [2]uint32, stored []byte) bool {
	return binary.BigEndian.Uint32(stored) == sum[0] && binary.BigEndian.Uint32(stored[4:]) == sum[1]
}

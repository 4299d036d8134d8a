package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"

	"zombiezen.com/go/sqlite"
)

// ErrDamagedLog is returned for a store in whose log there is more than can be
// read: commits that were flushed come after a place that has changed since.
// SQLite would take that place for the end of the log, as after a loss of power,
// and nobody would miss what was acknowledged.
var ErrDamagedLog = errors.New("the log beside the store is damaged")

// checkLog looks through the log beside the store at path, which may be in use.
func checkLog(path string) error {
	f, err := os.Open(path + "-wal") // SQLite has no locks on it
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var before logState
	for {
		found, err := walkLog(f)
		if err != nil || found.lost == 0 {
			return err
		}
		if before.lost > 0 && found.header == before.header && found.readable == before.readable {
			return damage(path, f, found)
		}
		before = found // somebody may be writing just there
	}
}

// damage is the error for what is lost, or nil if all of it is in the store.
func damage(path string, log io.ReaderAt, l logState) error {
	if l.header.sound() {
		return fmt.Errorf("%w: it can be read up to page %d, and %d commits come after that", ErrDamagedLog, l.readable, l.lost)
	}
	// It may have been begun anew when the power was lost. What there was of
	// the old one is in the store then.
	if there, err := copied(path, log, l.pages); there || err != nil {
		return err
	}
	return fmt.Errorf("%w: its beginning cannot be read, and %d commits come after that", ErrDamagedLog, l.lost)
}

// logState is what there is in a log.
type logState struct {
	header   header
	readable int // frames that can be read, one after the other from the beginning
	lost     int // commits behind those that were flushed for certain

	pages map[uint32]int64 // where in the file the pages are as the lost ones have left them, by number
}

// walkLog reads a log from its beginning to its end.
//
// Behind what can be read there may be what was never flushed: frames of a
// transaction during which the power was lost, or that found the disk full, and
// of which later ones have overwritten a part. But the checksum of a frame is
// over all that comes before it. So a commit that continues another one was
// made by somebody who could read the log up to there, and who had flushed it:
// whatever cannot be read before it has changed since.
func walkLog(f io.ReaderAt) (l logState, err error) {
	r := io.NewSectionReader(f, 0, 1<<62)
	if _, err := io.ReadFull(r, l.header[:]); err != nil {
		return l, ignoreEnd(err)
	}
	whole := l.header.sound()
	salts, known := l.header.salts(), whole
	before := l.header.end()
	l.pages = map[uint32]int64{}
	passed, chain := false, map[uint32]int64{} // since frames continue each other: a commit, and their pages
	var frames [2]frame
	for n := 0; ; n++ {
		next := &frames[n%2] // the one before is still looked at
		if _, err := io.ReadFull(r, next[:]); err != nil {
			return l, ignoreEnd(err)
		}
		continues := (!known || next.salts() == salts) && before.continues(next)
		switch {
		case whole && continues:
			l.readable++
		case continues:
			salts, known = next.salts(), true
			passed = passed || before.commits
			chain[next.page()] = int64(len(l.header)+n*len(next)) + frameHeader
			if passed && next.commits() {
				l.lost++
				maps.Copy(l.pages, chain)
				clear(chain)
			}
		default:
			whole, passed = false, false
			clear(chain)
		}
		before = next.end(before)
	}
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// copied reports whether the pages are in the store as they are in its log. It
// asks SQLite, which takes a log without a header for an empty one.
func copied(path string, log io.ReaderAt, pages map[uint32]int64) (_ bool, err error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	conn.SetBusyTimeout(patience)
	in := conn.Prep("SELECT data FROM sqlite_dbpage WHERE pgno = ?")
	logged := make([]byte, len(frame{})-frameHeader)
	for page, at := range pages {
		if _, err := log.ReadAt(logged, at); err != nil {
			return false, err
		}
		in.BindInt64(1, int64(page))
		there := false
		err := each(in, func(row *sqlite.Stmt) error {
			there = bytes.Equal(columnBytes(row, 0), logged)
			return nil
		})
		if !there || err != nil {
			return false, err
		}
	}
	return true, nil
}

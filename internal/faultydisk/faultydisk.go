// Package faultydisk is a disk for SQLite that fails when it is told to, and
// that remembers what was written to it, in order, and when that was flushed.
// From its memory it makes what a disk may have after the power was lost: all
// that was flushed, and of the rest any part.
//
// It stands between SQLite and the operating system, as a VFS: the program that
// uses it goes through all of SQLite's own code, and through all of ours.
package faultydisk

import (
	"strings"
	"sync"

	"zombiezen.com/go/sqlite"
)

// Kind is what is asked of a disk.
type Kind string

// What is asked of a disk.
const (
	Create   Kind = "create" // a file that was not there
	Read     Kind = "read"
	Write    Kind = "write"
	Truncate Kind = "truncate"
	Sync     Kind = "sync"
	Delete   Kind = "delete"
)

// Op is one thing that is asked of a disk.
type Op struct {
	Kind   Kind
	Path   string
	Offset int64  // of what is read or written; the new size of what is truncated
	Data   []byte // that is written
	Folder bool   // the folder's names are flushed with it: of a flush, and of what is deleted
}

// Fault is what happens to an Op. The zero Fault lets it pass.
type Fault struct {
	Code  sqlite.ResultCode // what SQLite gets to hear
	Short int               // so many bytes of what is written arrive all the same
	Skip  bool              // it is not passed on, and nobody hears of that: of a flush
}

// Disk is where the files below a folder are.
type Disk struct {
	folder string

	mu     sync.Mutex
	strike func(Op) Fault
	record bool
	done   []Op
}

// Strike has fn decide what happens to whatever is asked from now on; nil lets
// everything pass. It is called by one at a time, and must not use SQLite.
func (d *Disk) Strike(fn func(Op) Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.strike = fn
}

// Record begins to remember what changes.
func (d *Disk) Record() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record, d.done = true, nil
}

// Done is how much has been done since Record. What was acknowledged before
// Done was called is among it.
func (d *Disk) Done() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.done)
}

// Recording returns what was done since Record.
func (d *Disk) Recording() []Op {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done[:len(d.done):len(d.done)]
}

// asked decides about an operation. Do carries it out, with as much as is to
// arrive of what is written. It is remembered in the order in which it was done.
func (d *Disk) asked(op Op, do func(short int) int32) int32 {
	if d == nil {
		return do(len(op.Data))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var f Fault
	if d.strike != nil {
		f = d.strike(op)
	}
	switch {
	case f.Code != sqlite.ResultOK && f.Short == 0:
		return int32(f.Code)
	case f.Code != sqlite.ResultOK:
		op.Data = op.Data[:min(f.Short, len(op.Data))]
	}
	code := int32(sqlite.ResultOK)
	if !f.Skip {
		code = do(len(op.Data))
	}
	if code == int32(sqlite.ResultOK) && d.record && op.Kind != Read {
		op.Data = append([]byte(nil), op.Data...)
		d.done = append(d.done, op)
	}
	if f.Code != sqlite.ResultOK {
		code = int32(f.Code)
	}
	return code
}

// on returns the disk that a file is on, nil if it is nobody's. A folder may be
// a disk below another.
func on(path string) (nearest *Disk) {
	disks.RLock()
	defer disks.RUnlock()
	for _, d := range disks.all {
		if strings.HasPrefix(path, d.folder) && (nearest == nil || len(nearest.folder) < len(d.folder)) {
			nearest = d
		}
	}
	return nearest
}

var disks struct {
	sync.RWMutex
	all []*Disk
}

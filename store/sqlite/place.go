package sqlite

import (
	"errors"
	"fmt"
	"os"
)

// place is where the store's file and its log are. What is written to a file
// that was taken away from there is on disk, and nobody will find it again: a
// commit is durable only while both are where they were.
type place struct {
	path      string
	file, log os.FileInfo
}

var errGone = errors.New("is not where it was opened any more")

// findPlace looks where the file is that was just opened, and its log.
func findPlace(path string) (p place, err error) {
	p.path = path
	if p.file, err = os.Stat(path); err != nil {
		return p, err
	}
	p.log, err = os.Stat(p.logPath())
	return p, err
}

func (p *place) logPath() string { return p.path + "-wal" }

// there returns an error when another file, or none, is there now. Of a file
// that cannot be looked at nothing is said.
func (p *place) there() error {
	for _, f := range []struct {
		path   string
		opened os.FileInfo
	}{{p.path, p.file}, {p.logPath(), p.log}} {
		if f.opened == nil {
			continue
		}
		now, err := os.Stat(f.path)
		if errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(now, f.opened) {
			return fmt.Errorf("%s %w", f.path, errGone)
		}
	}
	return nil
}

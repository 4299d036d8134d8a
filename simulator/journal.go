package simulator

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor/remote"
)

// journal keeps what the simulator has done on disk, before it is answered:
// the effects in one file, one JSON line each, and beside it, in a file with
// .answers after its name, what was declined and sealed.
type journal struct {
	effects, answers *file
}

// refused is a line of the second file.
type refused struct {
	ID      string         `json:"id"`
	Outcome remote.Outcome `json:"outcome"`
	Reason  payment.Reason `json:"reason,omitempty"`
	Request string         `json:"request,omitempty"` // digest of what was asked
}

func openJournal(path string) (*journal, error) {
	effects, err := openFile(path)
	if err != nil {
		return nil, err
	}
	answers, err := openFile(path + ".answers")
	if err != nil {
		return nil, errors.Join(err, effects.Close())
	}
	return &journal{effects, answers}, nil
}

func (j *journal) Close() error { return errors.Join(j.effects.Close(), j.answers.Close()) }

// file is an append-only file of JSON lines. What was appended is on disk when
// append returns; those who append at a time share a sync.
type file struct {
	*os.File
	mu      sync.Mutex
	written int64 // lines
	err     error // of a write or a sync: nothing can be relied on after it

	syncing sync.Mutex
	synced  int64
}

// openFile opens a file and cuts off a last line that a crash left unfinished.
func openFile(path string) (*file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err == nil {
		err = folder.Sync()
		_ = folder.Close()
	}
	var whole int64
	if err == nil {
		whole, err = wholeLines(f)
	}
	if err == nil {
		err = f.Truncate(whole)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &file{File: f}, nil
}

func wholeLines(f *os.File) (int64, error) {
	var whole int64
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return whole, nil
		}
		if err != nil {
			return 0, err
		}
		whole += int64(len(line))
	}
}

// each reads all lines, from the first one, and leaves the file at its end.
func each[T any](f *file, do func(T)) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	d := json.NewDecoder(f)
	for n := 1; ; n++ {
		var v T
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			_, err = f.Seek(0, io.SeekEnd)
			return err
		}
		if err != nil {
			return fmt.Errorf("%s line %d: %w", f.Name(), n, err)
		}
		do(v)
	}
}

// append writes a line, and returns when it is on disk.
func (f *file) append(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f.mu.Lock()
	if f.err == nil {
		_, f.err = f.Write(append(text, '\n'))
	}
	f.written++
	mine, err := f.written, f.err
	f.mu.Unlock()
	if err != nil {
		return err
	}
	f.syncing.Lock()
	defer f.syncing.Unlock()
	if f.synced >= mine {
		return nil
	}
	f.mu.Lock()
	written, err := f.written, f.err
	f.mu.Unlock()
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.mu.Lock()
		f.err = err
		f.mu.Unlock()
		return err
	}
	f.synced = written
	return nil
}

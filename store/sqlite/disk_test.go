package sqlite

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/internal/faultydisk"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// TestMediumFails: whatever is read, written or flushed when the medium fails,
// the store says so at once, writes and flushes nothing any more, not even when
// it is closed, and has what was acknowledged when it is opened again.
func TestMediumFails(t *testing.T) {
	for _, c := range []struct {
		name string
		kind faultydisk.Kind
		of   string
		code sqlite.ResultCode
	}{
		{"a commit is not written", faultydisk.Write, "test.db-wal", sqlite.ResultIOErrWrite},
		{"a commit is not flushed", faultydisk.Sync, "test.db-wal", sqlite.ResultIOErrFsync},
		{"the log is not copied", faultydisk.Write, "test.db", sqlite.ResultIOErrWrite},
		{"what was copied is not flushed", faultydisk.Sync, "test.db", sqlite.ResultIOErrFsync},
		{"a page is not read", faultydisk.Read, "test.db", sqlite.ResultIOErrRead},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			disk, remove, err := faultydisk.Below(folder)
			if err != nil {
				t.Fatal(err)
			}
			defer remove()
			path := filepath.Join(folder, "test.db")
			s := small(t, path)
			var key payment.Key
			fill(t, s, &key, 50)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = small(t, path)
			fill(t, s, &key, 5)

			var mu sync.Mutex
			struck, known, later := false, false, []string{}
			disk.Strike(func(op faultydisk.Op) faultydisk.Fault {
				mu.Lock()
				defer mu.Unlock()
				switch {
				case op.Kind == c.kind && strings.HasSuffix(op.Path, c.of) && !struck:
					struck = true
					return faultydisk.Fault{Code: c.code}
				case struck && op.Kind != faultydisk.Read && (known || op.Kind == c.kind && strings.HasSuffix(op.Path, c.of)):
					later = append(later, string(op.Kind)+" "+filepath.Base(op.Path))
				}
				return faultydisk.Fault{}
			})
			acked := 55 + untilItFails(t, s, &key) // a commit may be under way while the log is copied
			mu.Lock()
			known = true
			mu.Unlock()
			select {
			case err := <-s.Failed():
				if !errors.Is(err, store.ErrBroken) {
					t.Errorf("it says %v", err)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("nobody is told")
			}
			if _, err := s.Begin(t.Context(), store.Touched{}); !errors.Is(err, store.ErrBroken) {
				t.Errorf("a batch afterwards: %v", err)
			}
			if _, err := s.PutMeta(t.Context(), "mode", nil, true); !errors.Is(err, store.ErrBroken) {
				t.Errorf("a change afterwards: %v", err)
			}
			if err := s.Close(); !errors.Is(err, store.ErrBroken) {
				t.Errorf("closed: %v", err)
			}
			mu.Lock()
			if !struck || len(later) > 0 {
				t.Errorf("the fault struck: %t, and afterwards there was %v", struck, later)
			}
			mu.Unlock()
			remove()
			again := small(t, path)
			defer again.Close()
			if n := count(t, again); n != acked && n != acked+1 { // what was not flushed may be there
				t.Errorf("%d were acknowledged, %d are there", acked, n)
			}
			sound(t, again)
		})
	}
}

// untilItFails reads and writes until the store says that it is broken, and
// returns how many batches were acknowledged.
func untilItFails(t *testing.T, s *Store, key *payment.Key) (acked int) {
	t.Helper()
	for range 1000 {
		next(key)
		err := commit(t, s, store.Change{Record: store.Record{Key: *key, Tenant: 1, At: time.UnixMilli(1)}})
		if err == nil {
			acked++
			_, _, err = s.Record(t.Context(), 1, payment.Key{1})
		}
		if errors.Is(err, store.ErrBroken) {
			return acked
		}
		if err != nil {
			t.Fatalf("after %d: %v", acked, err)
		}
		time.Sleep(time.Millisecond) // lets the log be copied
	}
	t.Fatal("it never failed")
	return 0
}

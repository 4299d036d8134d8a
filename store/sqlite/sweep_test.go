package sqlite_test

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/sqlite"
)

// TestTheFileStopsGrowing writes records that are over after a day, day after
// day, and sweeps: what they took is used again.
func TestTheFileStopsGrowing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s := open(t, path)
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	var sizes []int64
	for day := range 8 {
		for batch := range 10 {
			var changes []store.Change
			for i := range 500 {
				var key payment.Key
				binary.BigEndian.PutUint64(key[:], uint64(1+day*10_000+batch*500+i)*0x9E3779B97F4A7C15)
				changes = append(changes, store.Change{Record: store.Record{
					Key: key, Tenant: 1, At: now, Expires: now.Add(24 * time.Hour), Context: make([]byte, 100),
				}})
			}
			commit(t, s, changes)
		}
		now = now.Add(24 * time.Hour)
		swept := 0
		for {
			done, err := s.Sweep(t.Context(), store.Over{Before: now}, 256)
			if err != nil {
				t.Fatal(err)
			}
			if swept += done.Records; !done.More {
				break
			}
		}
		if swept != 5000 {
			t.Errorf("day %d: %d records were swept", day, swept)
		}
		if err := s.Close(); err != nil { // the file is brought up to date with its log
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, info.Size())
		s = open(t, path)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if first, last := sizes[0], sizes[len(sizes)-1]; last > first+first/10 {
		t.Errorf("the file grew: %v", sizes)
	}
}

func commit(t *testing.T, s *sqlite.Store, changes []store.Change) {
	t.Helper()
	b, err := s.Begin(context.Background(), store.Touched{})
	if err == nil {
		err = b.Commit(context.Background(), changes)
	}
	if err != nil {
		t.Fatal(err)
	}
}

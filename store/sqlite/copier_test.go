package sqlite

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// small opens a store that copies its log every few batches.
func small(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, Options{copyAfter: 40})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fill writes batches of one record each.
func fill(t *testing.T, s *Store, key *payment.Key, batches int) {
	t.Helper()
	for range batches {
		if key[0]++; key[0] == 0 {
			key[1]++
		}
		b, err := s.Begin(t.Context(), store.Touched{})
		if err == nil {
			record := store.Record{Key: *key, Tenant: 1, At: time.UnixMilli(1)}
			timer := payment.Timer{Due: time.UnixMilli(1), Kind: payment.SettleTimer, Payment: payment.ID(key[0])<<8 | payment.ID(key[1])}
			err = b.Commit(t.Context(), []store.Change{{Record: record, Timers: []payment.Timer{timer}}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// pages is the length of the log.
func pages(t *testing.T, s *Store) int64 {
	t.Helper()
	info, err := os.Stat(s.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return info.Size() / 4096
}

func TestTheLogBeginsAnew(t *testing.T) {
	s := small(t, filepath.Join(t.TempDir(), "test.db"))
	var key payment.Key
	for range 60 {
		fill(t, s, &key, 20)
		time.Sleep(time.Millisecond) // lets the copier run on a busy machine
	}
	written := int64(60 * 20 * 3) // at least three pages a batch
	if length := pages(t, s); length > written/3 {
		t.Errorf("the log has %d pages after about %d were written to it", length, written)
	}

	// A reader that looks at an old state holds the log up ...
	before := pages(t, s)
	err := s.Audit(t.Context(), func(store.Audit) error {
		for range 40 {
			fill(t, s, &key, 20)
			time.Sleep(time.Millisecond)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	held := pages(t, s)
	if held < before+40*20 {
		t.Errorf("the log went from %d pages to %d under a reader", before, held)
	}
	// ... and when it is gone the log begins anew.
	for range 40 {
		fill(t, s, &key, 20)
		time.Sleep(time.Millisecond)
	}
	if length := pages(t, s); length > held+200 {
		t.Errorf("the log went from %d pages to %d without a reader", held, length)
	}
	sound(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.path + "-wal"); err == nil {
		t.Error("closing left a log")
	}
}

// sound runs SQLite's own check of the file.
func sound(t *testing.T, s *Store) {
	t.Helper()
	err := s.view(t.Context(), func(r *reader) error {
		verdict, err := text(r.conn, "PRAGMA integrity_check")
		if verdict != "ok" {
			t.Errorf("the file is not sound: %s", verdict)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestExternalCheckpoints(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(t.Context(), path, Options{ExternalCheckpoints: true, copyAfter: 40})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var key payment.Key
	fill(t, s, &key, 200)
	if length := pages(t, s); length < 600 {
		t.Errorf("the log has %d pages: somebody else was to copy it", length)
	}
}

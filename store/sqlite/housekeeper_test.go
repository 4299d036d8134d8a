package sqlite

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/ledger"
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

// next moves a key on.
func next(key *payment.Key) {
	if key[0]++; key[0] == 0 {
		key[1]++
	}
}

// commit writes a batch of one change.
func commit(t *testing.T, s *Store, c store.Change) error {
	t.Helper()
	b, err := s.Begin(t.Context(), store.Touched{})
	if err == nil {
		err = b.Commit(t.Context(), []store.Change{c})
	}
	return err
}

// fill writes batches of one record each.
func fill(t *testing.T, s *Store, key *payment.Key, batches int) {
	t.Helper()
	for range batches {
		next(key)
		record := store.Record{Key: *key, Tenant: 1, At: time.UnixMilli(1)}
		timer := payment.Timer{Due: time.UnixMilli(1), Kind: payment.SettleTimer, Payment: payment.ID(key[0])<<8 | payment.ID(key[1])}
		if err := commit(t, s, store.Change{Record: record, Timers: []payment.Timer{timer}}); err != nil {
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
		time.Sleep(time.Millisecond) // lets the housekeeper run on a busy machine
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

// count is how many records there are.
func count(t *testing.T, s *Store) (records int) {
	t.Helper()
	err := s.Audit(t.Context(), func(a store.Audit) error {
		return a.Records(func(store.Record) error { records++; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
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

func TestBalancesAreRolledUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s := small(t, path)
	held := ledger.Account{Merchant: 1, Kind: ledger.Held, Currency: "USD"}
	owed := ledger.Account{Merchant: 1, Kind: ledger.Acquirer, Currency: "USD"}
	payments := 0
	add := func(n int) {
		t.Helper()
		for n > 0 {
			var changes []store.Change
			for ; n > 0 && len(changes) < 1000; n-- {
				payments++
				p := &payment.Payment{ID: payment.ID(payments), Tenant: 1, Merchant: 1, Version: 1}
				changes = append(changes, store.Change{
					Payment: p, Events: []payment.Event{{Kind: payment.PaymentCreated}},
					Entries: []ledger.Entry{ledger.Move(3, owed, held)},
				})
			}
			b, err := s.Begin(t.Context(), store.Touched{})
			if err == nil {
				err = b.Commit(t.Context(), changes)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	sums := func() {
		t.Helper()
		balances, err := s.Balances(t.Context(), 0)
		want := int64(3 * payments)
		if err != nil || balances[held] != want || balances[owed] != -want || len(balances) != 2 {
			t.Fatalf("balances %v, want %d: %v", balances, want, err)
		}
	}
	fresh := func() (count int) {
		t.Helper()
		err := s.view(t.Context(), func(r *reader) error {
			f, err := r.fresh(-1)
			count = f.count
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return count
	}

	add(rollUpAfter - 1)
	sums()
	add(2 * rollUpAfter)
	sums()
	if err := s.rollUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	sums()
	if count := fresh(); count != rollUpAfter-1 {
		t.Errorf("%d entries are left", count)
	}
	add(1)
	for end := time.Now().Add(10 * time.Second); fresh() > rollUpAfter && time.Now().Before(end); {
		add(1) // the housekeeper looks every few batches
	}
	if count := fresh(); count > rollUpAfter {
		t.Errorf("%d entries are left, and nobody rolls them up", count)
	}
	sums()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = small(t, path)
	defer s.Close()
	sums()
}

package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/storetest"
	"github.com/capstan-pay/capstan/wallet"
)

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "test.db"))
	defer s.Close()
	u := wallet.User{Tenant: 1}
	opening := []wallet.Balance{{Currency: "USD", Available: 500}}
	if err := s.CreateUser(t.Context(), 1, &u, opening, time.UnixMilli(1)); err != nil {
		t.Fatal(err)
	}
	b, err := s.Begin(t.Context(), store.Touched{})
	if err == nil {
		err = b.Commit(t.Context(), []store.Change{{Record: store.Record{Key: payment.Key{1}, Tenant: 1, At: time.UnixMilli(2).UTC()}}})
	}
	if err != nil {
		t.Fatal(err)
	}

	path := filepath.Join(dir, "backup.db")
	b, err = s.Begin(t.Context(), store.Touched{}) // a batch that is open does not keep it waiting
	if err != nil {
		t.Fatal(err)
	}
	err = s.Backup(t.Context(), path)
	b.Rollback()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), path); !errors.Is(err, os.ErrExist) {
		t.Errorf("a backup over another: %v", err)
	}
	if left, _ := filepath.Glob(path + ".partial*"); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
	copied := open(t, path)
	defer copied.Close()
	storetest.Same(t, copied, s)
}

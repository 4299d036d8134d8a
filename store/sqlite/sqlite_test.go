package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/sqlite"
	"github.com/capstan-pay/capstan/store/storetest"
)

// open opens the store in a file and fails the test when that fails.
func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asWritten fails the test when a row of a store is not as it was written:
// some statement forgets the checksum.
func asWritten(t testing.TB, path string) {
	t.Helper()
	s, err := sqlite.OpenReadOnly(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Audit(context.Background(), func(a store.Audit) error {
		return a.Strays(func(what string) error {
			if strings.Contains(what, "not as it was written") {
				t.Error(what)
			}
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.RunDurable(t, func(t *testing.T) (store.Store, func() store.Store) {
		path := filepath.Join(t.TempDir(), "test.db")
		t.Cleanup(func() { asWritten(t, path) })
		return open(t, path), func() store.Store { return open(t, path) }
	})
}

func TestModel(t *testing.T) {
	t.Parallel()
	dir, files := t.TempDir(), 0
	storetest.RunModel(t, func() (store.Store, func() store.Store) {
		files++
		path := filepath.Join(dir, fmt.Sprint(files, ".db"))
		return open(t, path), func() store.Store { return open(t, path) }
	})
}

package sqlite_test

import (
	"fmt"
	"path/filepath"
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

func TestStore(t *testing.T) {
	storetest.RunDurable(t, func(t *testing.T) (store.Store, func() store.Store) {
		path := filepath.Join(t.TempDir(), "test.db")
		return open(t, path), func() store.Store { return open(t, path) }
	})
}

func TestModel(t *testing.T) {
	dir, files := t.TempDir(), 0
	storetest.RunModel(t, func() (store.Store, func() store.Store) {
		files++
		path := filepath.Join(dir, fmt.Sprint(files, ".db"))
		return open(t, path), func() store.Store { return open(t, path) }
	})
}

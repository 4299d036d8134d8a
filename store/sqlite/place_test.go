package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// TestNothingIsAcknowledgedInAFileThatIsGone: what is written to a file that
// somebody has moved, deleted or replaced is found by no restart.
func TestNothingIsAcknowledgedInAFileThatIsGone(t *testing.T) {
	move := func(suffix string) func(string) error {
		return func(path string) error { return os.Rename(path+suffix, path+suffix+".away") }
	}
	for name, harm := range map[string]func(path string) error{
		"moved":          move(""),
		"deleted":        os.Remove,
		"replaced":       func(path string) error { return errors.Join(move("")(path), os.WriteFile(path, nil, 0o600)) },
		"its log moved":  move("-wal"),
		"its log undone": func(path string) error { return os.Remove(path + "-wal") },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "test.db")
			s, err := Open(t.Context(), path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			commit := func(key byte) error {
				b, err := s.Begin(t.Context(), store.Touched{})
				if err != nil {
					return err
				}
				return b.Commit(t.Context(), []store.Change{{Record: store.Record{Key: payment.Key{key}, Tenant: 1}}})
			}
			if err := commit(1); err != nil {
				t.Fatal(err)
			}
			if err := harm(path); err != nil {
				t.Fatal(err)
			}
			if err := commit(2); !errors.Is(err, store.ErrBroken) {
				t.Errorf("acknowledged: %v", err)
			}
			if _, err := s.PutMeta(t.Context(), "probe", []byte("x"), false); !errors.Is(err, store.ErrBroken) {
				t.Errorf("and again: %v", err)
			}
		})
	}
}

package keyring_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/capstan-pay/capstan/keyring"
)

func TestKeyFilesAreRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if _, err := keyring.AddToFile(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	first, err := keyring.ReadOrCreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := keyring.NewRoot(first)
	if err != nil || keyring.SealedUnder(sealed) != "1" {
		t.Fatal(keyring.SealedUnder(sealed), err)
	}
	for _, want := range []string{"2", "3"} {
		if id, err := keyring.AddToFile(path); err != nil || id != want {
			t.Errorf("added %q, not %q: %v", id, want, err)
		}
	}
	if err := keyring.RemoveFromFile(path, "2"); err != nil {
		t.Error(err)
	}
	if err := keyring.RemoveFromFile(path, "2"); err == nil {
		t.Error("a key that is not there was removed")
	}
	s, err := keyring.ReadFile(path)
	if err != nil || len(s.Keys) != 2 || s.Keys[0].ID != "3" || s.Keys[1].ID != "1" || bytes.Equal(s.Keys[0].Key, s.Keys[1].Key) {
		t.Fatalf("%v", err)
	}
	if info, err := os.Stat(path); err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o600) {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%d files are left: %v", len(left), err)
	}

	fresh, changed, err := s.ResealRoot(sealed)
	if err != nil || !changed || keyring.SealedUnder(fresh) != "3" {
		t.Errorf("under %q, changed %t: %v", keyring.SealedUnder(fresh), changed, err)
	}
	again, changed, err := s.ResealRoot(fresh)
	if err != nil || changed || !bytes.Equal(again, fresh) {
		t.Errorf("changed again: %t, %v", changed, err)
	}
	before, err := keyring.Open(first, sealed)
	if err != nil {
		t.Fatal(err)
	}
	after, err := keyring.Open(s, fresh)
	if err != nil || !bytes.Equal(before.Derive("x", 16), after.Derive("x", 16)) {
		t.Errorf("another root secret: %v", err)
	}
	if _, _, err := s.Reseal(sealed, "some other purpose"); !errors.Is(err, keyring.ErrSealed) {
		t.Errorf("another purpose: %v", err)
	}
	for n := range 3 {
		if _, _, err := s.ResealRoot(sealed[:n]); !errors.Is(err, keyring.ErrSealed) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	twice := keyring.Sealing{Keys: append(s.Keys, s.Keys[0])}
	if _, err := keyring.NewRoot(twice); err == nil {
		t.Error("two keys with one name are accepted")
	}
}

package keyring_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/capstan-pay/capstan/keyring"
)

func TestSealedSecretsOpenForTheirPurposeOnly(t *testing.T) {
	k := keyring.Fixed("a")
	sealed, err := k.Seal("shop secret", []byte("s3cr3t"))
	if err != nil || bytes.Contains(sealed, []byte("s3cr3t")) {
		t.Fatalf("%q, %v", sealed, err)
	}
	if plain, err := k.Open("shop secret", sealed); err != nil || string(plain) != "s3cr3t" {
		t.Fatalf("%q, %v", plain, err)
	}
	if plain, err := k.Open("another purpose", sealed); err == nil {
		t.Fatalf("opened for another purpose: %q", plain)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if plain, err := k.Open("shop secret", changed); err == nil {
			t.Fatalf("opened with byte %d changed: %q", i, plain)
		}
	}
	for n := range sealed {
		if plain, err := k.Open("shop secret", sealed[:n]); err == nil {
			t.Fatalf("opened with %d of %d bytes: %q", n, len(sealed), plain)
		}
	}
}

// TestRotation: a key that is put in front seals from then on, and what the
// old one sealed still opens, until it is taken away.
func TestRotation(t *testing.T) {
	old := keyring.Generate()
	root, err := keyring.NewRoot(old)
	if err != nil {
		t.Fatal(err)
	}
	before, err := keyring.Open(old, root)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := before.Seal("p", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	fresh := keyring.Generate()
	fresh.Keys[0].ID = "2"
	both := keyring.Sealing{Keys: append(fresh.Keys, old.Keys...)}
	after, err := keyring.Open(both, root)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := after.Open("p", sealed); err != nil || string(plain) != "x" {
		t.Fatalf("%q, %v", plain, err)
	}
	if before.MAC("m", []byte("a")) != after.MAC("m", []byte("a")) {
		t.Error("a digest changed with the sealing key")
	}
	if _, err := keyring.Open(keyring.Sealing{Keys: fresh.Keys}, root); !errors.Is(err, keyring.ErrSealed) {
		t.Errorf("without the old key: %v", err)
	}
}

func TestDigestsAreFramedAndKeyed(t *testing.T) {
	k := keyring.Fixed("a")
	digests := map[[32]byte]string{}
	for name, sum := range map[string][32]byte{
		"ab":            k.MAC("m", []byte("ab")),
		"a,b":           k.MAC("m", []byte("a"), []byte("b")),
		"ab,":           k.MAC("m", []byte("ab"), nil),
		"other purpose": k.MAC("n", []byte("ab")),
		"other root":    keyring.Fixed("b").MAC("m", []byte("ab")),
	} {
		if twin, ok := digests[sum]; ok {
			t.Errorf("%s and %s have one digest", name, twin)
		}
		digests[sum] = name
	}
	if k.MAC("m", []byte("ab")) != k.MAC("m", []byte("ab")) {
		t.Error("a digest changed")
	}
	if bytes.Equal(k.Derive("x", 16), k.Derive("y", 16)) || !bytes.Equal(k.Derive("x", 16), k.Derive("x", 16)) {
		t.Error("what is derived does not follow from the purpose")
	}
}

// TestKeyFile: several processes that start at once end up with one key, and
// nobody else may read it.
func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.keys")
	keys := make([]keyring.Sealing, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = keyring.ReadOrCreateFile(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range keys {
		if len(k.Keys) != 1 || !bytes.Equal(k.Keys[0].Key, keys[0].Keys[0].Key) {
			t.Fatal("two keys were made")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for name, text := range map[string]string{"not JSON": "x", "no key": `{"keys":[]}`, "a short key": `{"keys":[{"id":"1","key":"YQ=="}]}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keyring.ReadOrCreateFile(path); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
